"""What the upstream's errors mean: by code, never by text.

Codes and their handling: the Realtime API's error events, and ``status_details.error`` of a failed
``response.done``, where quota and model errors are reported and nowhere else.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from voiceproxy_openai.reading import Event, object_at, text_at

ALREADY_ACTIVE = "conversation_already_has_active_response"

FATAL = frozenset(
    [
        "invalid_api_key",
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "account_deactivated",
        "beta_api_shape_disabled",
        "invalid_intent",
        "invalid_model",
    ]
)
"""The same client would only fail again: Error, then close 1000. Compared with code and type,
because the API has moved these values between the two."""

HIDDEN = frozenset(
    [ALREADY_ACTIVE, "response_cancel_not_active", "input_audio_buffer_commit_empty"]
)
"""Races the client has no part in; each is settled here."""

RENAMED = {"session_expired": "session_max_duration", "max_duration": "session_max_duration"}
"""What dg_react_agent knows as an expected closure (ERR-9)."""

IDLE_TIMEOUT = "idle_timeout"

CODES = {
    "invalid_api_key": "The upstream refuses the key. Close 1000; so for every fatal code.",
    "session_max_duration": "The upstream's session has reached its longest duration; it closes.",
    "upstream_closed": "The upstream closed with an error code, or the connection was lost.",
    "upstream_closed_before_session_ready": "It did so before the Settings were applied.",
    "upstream_timeout": "The upstream did not answer session.update in time. Close 1011.",
    "unmapped_upstream_event": "The upstream sent what is no JSON object. Told once a session.",
    "UNKNOWN_FUNCTION_CALL": "A FunctionCallResponse whose id no call waits for. Not sent up.",
    "MODEL_NOT_APPLIED": "Warning: the Settings name a realtime model the connection cannot have.",
    "VOICE_NOT_AVAILABLE": "Warning: the Settings name another vendor's voice; the default speaks.",
    "RESPONSE_TIMED_OUT": "Warning: a reply stopped coming and is given up; its done pair follows.",
    "AUDIO_RATE_MISMATCH": "Warning: audio comes at another rate than audio.input declares.",
    "unknown": "An error without a code. Every other code is the upstream's own, unchanged.",
}
"""The codes of Error and Warning messages this backend makes, and what each means."""

MAX_CODE = 100
"""Characters of a code; the API's own are far shorter."""

_KEYS = re.compile(r"\b(?:sk|ek|rk|pk)[-_][\w*.-]{4,}")


class UpstreamError(NamedTuple):
    """One error, whatever shape the server gave it."""

    code: str
    kind: str
    description: str
    param: str
    event_id: str

    @property
    def fatal(self) -> str:
        """The fatal code it carries, or ``""``."""
        return next((value for value in (self.code, self.kind) if value in FATAL), "")


def read_error(event: Event) -> UpstreamError:
    """The error of an ``error`` event or of ``status_details``; ``error`` may be a plain string."""
    given = event.get("error")
    inner = given if isinstance(given, dict) else {}
    text = given if isinstance(given, str) else text_at(inner, "message")
    kind = text_at(inner, "type")
    code = _name(text_at(inner, "code") or text_at(event, "code"))
    code = RENAMED.get(code) or RENAMED.get(kind) or code or "unknown"
    return UpstreamError(
        code,
        kind,
        scrub(text) or "Unknown error",
        text_at(inner, "param"),
        text_at(inner, "event_id"),
    )


def _name(code: str) -> str:
    """A code as it may stand in a log line: printable, short, and no key."""
    return scrub("".join(character for character in code if character.isprintable()))[:MAX_CODE]


def response_error(response: Event) -> UpstreamError:
    """What ended a response that is not ``completed``; the reason stands in for a missing code."""
    details = object_at(response, "status_details")
    error = read_error(details)
    if error.code != "unknown":
        return error
    reason = _name(text_at(details, "reason") or text_at(object_at(details, "error"), "type"))
    return error._replace(code=reason or "unknown")


def scrub(text: str) -> str:
    """The text without anything that looks like a key: error messages quote (parts of) them."""
    return _KEYS.sub("[key]", text)
