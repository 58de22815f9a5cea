"""The query of ``/v2/listen``, which takes no parameter it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multidict import MultiMapping

from voiceproxy_simulator.deepgram.handshake import bad_request
from voiceproxy_simulator.deepgram.query import Query

ENCODINGS = ("linear16", "linear32", "mulaw", "alaw", "opus", "ogg-opus")
MODELS = ("flux-general-en", "flux-general-multi")
PARAMETERS = frozenset(
    {
        "model",
        "encoding",
        "sample_rate",
        "eager_eot_threshold",
        "eot_threshold",
        "eot_timeout_ms",
        "keyterm",
        "language_hint",
        "profanity_filter",
        "numerals",
        "redact",
        "mip_opt_out",
        "tag",
    }
)

EAGER = (0.3, 0.9)
THRESHOLD = (0.5, 1.0)
TIMEOUT_MS = (500, 60000)


@dataclass(frozen=True, slots=True)
class ListenV2Query:
    """What was asked for. ``eager_eot_threshold`` None: no eager ends of turns."""

    model: str
    encoding: str | None
    sample_rate: int
    eager_eot_threshold: float | None
    eot_threshold: float
    eot_timeout_ms: int
    keyterms: Sequence[str]
    language_hints: Sequence[str]
    numerals: bool

    @property
    def multilingual(self) -> bool:
        """Whether it detects languages."""
        return self.model == "flux-general-multi"


def listen_v2_query(values: MultiMapping[str]) -> ListenV2Query:
    """Read the query. Raises ``Refused`` with 400."""
    query = Query(values)
    query.refuse_others(PARAMETERS)
    model = query.choice("model", MODELS)
    if model is None:
        raise bad_request("Invalid query string: model is required.")
    encoding = query.choice("encoding", ENCODINGS)
    sample_rate = query.whole("sample_rate", 1000, 192000)
    if encoding is not None and sample_rate is None:
        raise bad_request("Invalid query string: encoding needs a sample_rate.")
    hints = query.texts("language_hint")
    if hints and model != "flux-general-multi":
        raise bad_request("language_hint is supported by flux-general-multi only.")
    query.flag("profanity_filter")
    query.flag("mip_opt_out")
    query.choice("redact", ("numbers", "aggressive_numbers"))
    return ListenV2Query(
        model=model,
        encoding=encoding,
        sample_rate=sample_rate or 0,
        eager_eot_threshold=query.number("eager_eot_threshold", *EAGER),
        eot_threshold=query.number("eot_threshold", *THRESHOLD) or 0.7,
        eot_timeout_ms=query.whole("eot_timeout_ms", *TIMEOUT_MS) or 5000,
        keyterms=query.texts("keyterm"),
        language_hints=hints,
        numerals=query.flag("numerals"),
    )
