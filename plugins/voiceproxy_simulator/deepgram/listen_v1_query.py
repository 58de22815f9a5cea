"""The query of ``/v1/listen``. Parameters it does not know are ignored, as the service does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from multidict import MultiMapping

from voiceproxy_simulator.deepgram.handshake import bad_request
from voiceproxy_simulator.deepgram.query import Query

ENCODINGS = (
    "linear16",
    "linear32",
    "flac",
    "alaw",
    "mulaw",
    "amr-nb",
    "amr-wb",
    "opus",
    "ogg-opus",
    "speex",
    "g729",
)
_MODEL = re.compile(
    r"(nova-3|nova-2|nova|enhanced|base|whisper)(-[a-z]+)?"
    r"|general|meeting|phonecall|finance|conversationalai|voicemail|video|medical|custom"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
MAX_KEYTERM_TOKENS = 500
_ENDPOINTING_MS = 10
"""The service's default."""


@dataclass(frozen=True, slots=True)
class ListenV1Query:
    """What was asked for. ``endpointing_ms`` None: endpointing is off."""

    model: str
    language: str
    encoding: str | None
    sample_rate: int
    channels: int
    multichannel: bool
    interim_results: bool
    endpointing_ms: int | None
    utterance_end_ms: int | None
    vad_events: bool
    punctuate: bool
    diarize: bool
    detect_entities: bool
    keyterms: Sequence[str]

    @property
    def nova_3(self) -> bool:
        """Only these models take keyterms."""
        return self.model.startswith("nova-3")


def listen_v1_query(values: MultiMapping[str]) -> ListenV1Query:
    """Read the query. Raises ``Refused`` with 400."""
    query = Query(values)
    model = _model(query)
    encoding = query.choice("encoding", ENCODINGS)
    sample_rate = query.whole("sample_rate", 1000, 192000)
    if encoding is not None and sample_rate is None:
        raise bad_request("Invalid query string: encoding needs a sample_rate.")
    interim_results = query.flag("interim_results")
    utterance_end_ms = query.whole("utterance_end_ms", 1000, 60000)
    if utterance_end_ms is not None and not interim_results:
        raise bad_request("utterance_end_ms requires interim_results=true.")
    return ListenV1Query(
        model=model,
        language=query.language("language") or "en",
        encoding=encoding,
        sample_rate=sample_rate or 0,
        channels=query.whole("channels", 1, 20) or 1,
        multichannel=query.flag("multichannel"),
        interim_results=interim_results,
        endpointing_ms=_endpointing(query),
        utterance_end_ms=utterance_end_ms,
        vad_events=query.flag("vad_events"),
        punctuate=query.flag("punctuate") or query.flag("smart_format"),
        diarize=query.flag("diarize")
        or query.choice("diarize_model", ("latest", "v1")) is not None,
        detect_entities=query.flag("detect_entities"),
        keyterms=query.texts("keyterm"),
    )


def too_many_keyterms(keyterms: Iterable[str]) -> bool:
    """Whether they exceed the limit; a word counts as a token."""
    return sum(len(term.split()) for term in keyterms) > MAX_KEYTERM_TOKENS


def _model(query: Query) -> str:
    model = query.text("model")
    if model is None:
        raise bad_request("Invalid query string: model is required.")
    if not _MODEL.fullmatch(model):
        raise bad_request("No such model/language/tier combination found.")
    if model.startswith("nova-3") and query.texts("keywords"):
        raise bad_request("Keywords are not supported for Nova-3 models. Use keyterm instead.")
    if query.texts("keyterm") and not model.startswith("nova-3"):
        raise bad_request("Keyterms are supported for Nova-3 models only.")
    if too_many_keyterms(query.texts("keyterm")):
        raise bad_request("The keyterms exceed 500 tokens.")
    return model


def _endpointing(query: Query) -> int | None:
    value = query.text("endpointing")
    if value in {None, "true"}:
        return _ENDPOINTING_MS
    return None if value == "false" else query.whole("endpointing", 0, 60000)
