"""The queries of ``/v1/speak`` and ``/v2/speak``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import MultiMapping

from voiceproxy_simulator.deepgram.audio import audio_format
from voiceproxy_simulator.deepgram.handshake import Refused, bad_request
from voiceproxy_simulator.deepgram.query import Query
from voiceproxy_simulator.formats import AudioFormat

Rates = Mapping[str, tuple[int, ...]]
"""The sample rates of each encoding, its default first."""

V1_RATES: Rates = {
    "linear16": (24000, 8000, 16000, 32000, 48000),
    "mulaw": (8000, 16000),
    "alaw": (8000, 16000),
}
V2_RATES: Rates = {**V1_RATES, "linear16": (24000, 8000, 16000, 32000, 44100, 48000)}

_AURA = re.compile(r"aura(-2)?-[a-z]+-[a-z]{2}(-[a-z]{2})?")
_FLUX = re.compile(r"flux-[a-z]+-[a-z]{2}(-[a-z]{2})?")
V2_PARAMETERS = frozenset(
    {"model", "encoding", "sample_rate", "speed", "expressivity", "mip_opt_out", "tag"}
)

SLOWEST, FASTEST, STEPS_OF_SPEED = 0.5, 1.5, 20
"""The speed of Flux voices: from, to, and how many steps there are in 1."""


@dataclass(frozen=True, slots=True)
class SpeakQuery:
    """What was asked for. ``speed`` is 1 unless given."""

    model: str
    audio: AudioFormat
    speed: float
    speed_given: bool


def speak_v1_query(values: MultiMapping[str]) -> SpeakQuery:
    """Read the query of ``/v1/speak``; unknown parameters are ignored. Raises ``Refused``."""
    query = Query(values)
    model = query.text("model") or "aura-asteria-en"
    if not _AURA.fullmatch(model):
        raise bad_request("No such model found.")
    query.flag("mip_opt_out")
    speed = query.number("speed", 0.7, 1.5)
    return SpeakQuery(model, _audio(query, V1_RATES), speed or 1.0, speed is not None)


def speak_v2_query(values: MultiMapping[str]) -> SpeakQuery:
    """Read the query of ``/v2/speak``, which has no unknown parameters. Raises ``Refused``."""
    query = Query(values)
    query.refuse_others(V2_PARAMETERS)
    model = query.text("model")
    if model is None:
        raise bad_request("Invalid query string: model is required.")
    if not _FLUX.fullmatch(model):
        raise bad_request("/v2/speak serves Flux models only. Use /v1/speak for Aura voices.")
    query.flag("mip_opt_out")
    _check_expressivity(query)
    speed = query.number("speed", -1e9, 1e9)
    code = speed_fault(speed) if speed is not None else ""
    if code:
        raise Refused(400, code, f"The speed {speed:g} is not supported.")
    return SpeakQuery(model, _audio(query, V2_RATES), speed or 1.0, speed is not None)


def speed_fault(speed: float) -> str:
    """The code of what is wrong with a speed; ``""`` when nothing is."""
    if not SLOWEST <= speed <= FASTEST:
        return "SPEED_OUT_OF_RANGE"
    steps = speed * STEPS_OF_SPEED
    return "" if abs(steps - round(steps)) < 1e-6 else "SPEED_INCREMENT_INVALID"


def _check_expressivity(query: Query) -> None:
    value = query.number("expressivity", -1e9, 1e9)
    if value is not None and not value.is_integer():
        raise Refused(400, "EXPRESSIVITY_INCREMENT_INVALID", "expressivity must be an integer.")
    if value is not None and not -2 <= value <= 2:
        raise Refused(400, "EXPRESSIVITY_OUT_OF_RANGE", "expressivity must be from -2 to 2.")


def _audio(query: Query, rates: Rates) -> AudioFormat:
    encoding = query.choice("encoding", tuple(rates)) or "linear16"
    rate = query.whole("sample_rate", 1, 1_000_000) or rates[encoding][0]
    if rate not in rates[encoding]:
        message = f"Unsupported audio format: {encoding} with a sample rate of {rate}."
        raise Refused(400, "UNSUPPORTED_AUDIO_FORMAT", message)
    return audio_format(encoding, rate)
