"""Who may connect: the query, the headers and the subprotocols, judged as the API does.

The API answers the upgrade first and refuses inside the socket: one ``error`` event, then a close.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voiceproxy_simulator import refusals
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.session import DEFAULT_MODEL

SUBPROTOCOL = "realtime"
_KEY_SUBPROTOCOL = "openai-insecure-api-key."

_CLOSE = 4000
_REALTIME_MODEL = re.compile(r"realtime|gpt-audio")


@dataclass(frozen=True, slots=True)
class Admission:
    """What was asked for: a ``realtime`` session with a model, or a ``transcription`` one."""

    kind: str
    model: str


def admit(
    query: Mapping[str, str], headers: Mapping[str, str], protocols: Sequence[str], key: str | None
) -> Admission:
    """Judge a connection. ``key`` None accepts everybody. Raises ``Refusal`` with a close code."""
    if "OpenAI-Beta" in headers:
        message = "The Realtime Beta API is no longer supported. Please use the GA API."
        raise Refusal("beta_api_shape_disabled", message, close_code=_CLOSE)
    if key is not None and key not in _keys(headers, protocols):
        raise refusals.invalid_key()
    return _asked_for(query)


def _keys(headers: Mapping[str, str], protocols: Sequence[str]) -> Sequence[str]:
    bearer = headers.get("Authorization", "").removeprefix("Bearer ")
    insecure = [one.removeprefix(_KEY_SUBPROTOCOL) for one in protocols if "key." in one]
    return (bearer, headers.get("api-key", ""), *insecure)


def _asked_for(query: Mapping[str, str]) -> Admission:
    asked = [name for name in ("model", "call_id", "intent") if query.get(name)]
    if not asked:
        raise Refusal("missing_model", "You must provide a model parameter.", close_code=_CLOSE)
    if len(asked) > 1:
        message = f"Only one of model, call_id and intent may be given, not {' and '.join(asked)}."
        raise Refusal("invalid_model", message, close_code=_CLOSE)
    if asked == ["intent"]:
        return _intended(query["intent"])
    model = query.get("model", DEFAULT_MODEL)
    if not _REALTIME_MODEL.search(model):
        message = f"Model {model[:64]!r} is not supported in realtime mode."
        raise Refusal("invalid_model", message, close_code=_CLOSE)
    return Admission("realtime", model)


def _intended(intent: str) -> Admission:
    if intent != "transcription":
        message = "Invalid intent. Supported values are: 'transcription'."
        raise Refusal("invalid_intent", message, close_code=_CLOSE)
    return Admission("transcription", "")
