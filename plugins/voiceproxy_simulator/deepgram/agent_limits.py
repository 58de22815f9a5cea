"""What well-formed settings may ask for: models that exist, audio that can be made.

Models behind an ``endpoint`` of the client's own are its own business. Source: Deepgram's pages
"Configure the Voice Agent", "Flux TTS" and "Voice Agent Errors and Warnings".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from voiceproxy_simulator.deepgram.agent_errors import Fault, invalid_settings
from voiceproxy_simulator.deepgram.agent_providers import listen_version
from voiceproxy_simulator.deepgram.audio import RAW
from voiceproxy_simulator.deepgram.listen_v2_query import EAGER, THRESHOLD, TIMEOUT_MS

FLUX_VOICE = "flux-kit-en"
"""The voice when ``agent.speak`` is absent."""

MOST_PROMPT = 25_000
"""Characters of a prompt that a managed model reads."""

_INPUT_RATES = range(8_000, 48_001)
_LINEAR_RATES = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000)
_G711_RATES = (8_000, 16_000)

_THINK = {
    "open_ai": re.compile(r"(gpt-|o\d)"),
    "anthropic": re.compile(r"claude-"),
    "google": re.compile(r"gemini-"),
    "groq": re.compile(r"(openai/|llama|meta-llama/|qwen|moonshotai/)"),
    "aws_bedrock": re.compile(r"anthropic/"),
    "deepgram": re.compile(r"(think-fast|phonellm-)"),
}
_SPEAK = {
    "deepgram": re.compile(r"(aura-|flux-)"),
    "eleven_labs": re.compile(r"eleven_"),
    "cartesia": re.compile(r"sonic"),
    "open_ai": re.compile(r"(tts-1|gpt-4o-mini-tts)"),
}
_LISTEN = {"v1": re.compile(r"(nova|enhanced|base|whisper)"), "v2": re.compile(r"flux-")}

_TEMPERATURE = {"open_ai": (0.0, 2.0), "anthropic": (0.0, 1.0)}
_TURN_ENDS = {
    "eot_threshold": THRESHOLD,
    "eager_eot_threshold": EAGER,
    "eot_timeout_ms": TIMEOUT_MS,
}

Range = tuple[float, float]
Provided = Mapping[str, Any]


def one_or_more(value: Any) -> list[dict[str, Any]]:
    """A fallback chain, which may be written as its only member."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def check_think(think: Iterable[Provided]) -> None:
    """Raise ``Fault`` unless every model of the chain exists, at a temperature it can have."""
    for one in think:
        kind = one["provider"]["type"]
        _check_model("think", one, _THINK.get(kind), "model")
        if kind in _TEMPERATURE:
            _check_ranges("think", one["provider"], {"temperature": _TEMPERATURE[kind]})


def check_functions(functions: Iterable[Provided]) -> None:
    """Raise ``Fault`` for a function without a name, which no model could call."""
    for place, function in enumerate(functions):
        if not function.get("name"):
            raise invalid_settings(f"agent.think.functions[{place}].name is missing.")


def check_speak(speak: Iterable[Provided]) -> None:
    """Raise ``Fault`` unless every voice of the chain exists."""
    for one in speak:
        field = "model" if "model" in one["provider"] else "model_id"
        _check_model("speak", one, _SPEAK.get(one["provider"]["type"]), field)


def check_listen(listen: Provided | None) -> None:
    """Raise ``Fault`` unless the model exists and its turns can end so."""
    provider = (listen or {}).get("provider") or {}
    _check_ranges("listen", provider, _TURN_ENDS)
    if provider.get("model") is not None:
        _check_model("listen", {"provider": provider}, _LISTEN[listen_version(provider)], "model")


def check_input(audio: Provided) -> None:
    """Raise ``Fault`` for a rate nobody records at."""
    if audio["sample_rate"] not in _INPUT_RATES:
        raise invalid_settings("audio.input.sample_rate is not supported.")


def check_output(encoding: str, rate: int, container: str, voice: str) -> None:
    """Raise ``Fault`` for audio that ``voice`` does not make.

    Flux voices make raw audio without a container alone. Other voices of the service make more;
    of that the simulator has no encoder, and says so.
    """
    if encoding not in RAW or container != "none":
        maker = "A Flux voice" if voice.startswith("flux-") else "The simulator"
        raise invalid_settings(
            f"{maker} makes linear16, mulaw and alaw without a container, "
            f"not {encoding} in {container}."
        )
    rates = _LINEAR_RATES if encoding == "linear16" else _G711_RATES
    if rate not in rates:
        raise invalid_settings(f"audio.output.sample_rate for {encoding} is one of {rates}.")


def _check_model(place: str, chosen: Provided, known: re.Pattern[str] | None, field: str) -> None:
    if chosen.get("endpoint") or known is None:
        return
    model = chosen["provider"][field]
    if not known.match(model):
        raise _unavailable(f"agent.{place}.provider.{field}", model)


def _check_ranges(place: str, provider: Provided, ranges: Mapping[str, Range]) -> None:
    for name, (low, high) in ranges.items():
        value = provider.get(name)
        if value is not None and not low <= value <= high:
            path = f"agent.{place}.provider.{name}"
            raise invalid_settings(f"{path} must be from {low:g} to {high:g}.")


def _unavailable(path: str, model: str) -> Fault:
    return invalid_settings(f"{path}: {model[:64]!r} is not available.")
