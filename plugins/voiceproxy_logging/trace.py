"""Which trace a session belongs to, in the ids of W3C Trace Context."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

SAMPLED = 1
"""The one flag version 00 of the specification defines."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Trace:
    """The place of one session in a trace."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits: the session's own span."""
    parent_id: str | None = None
    """The span of the caller, if its request named one in ``traceparent``."""
    flags: int = SAMPLED


def trace_of(session_id: str, correlation: str, traceparent: str | None) -> Trace:
    """The trace ``traceparent`` names, else that of the correlation (``?traceId=``, the id).

    The span is the session's own, for a client that comes back brings the same correlation.
    """
    span_id = _span_id(session_id)
    parent = _parent(traceparent or "")
    if parent is None:
        return Trace(trace_id_of(correlation), span_id)
    trace_id, parent_id, flags = parent
    return Trace(trace_id, span_id, parent_id, flags)


def trace_id_of(correlation: str) -> str:
    """The trace id for whatever a client calls its session (contract LOG-5).

    Itself when it is one without its dashes and in lower case; else the beginning of its SHA-256.
    """
    candidate = correlation.replace("-", "").lower()
    if _TRACE_ID.fullmatch(candidate) and candidate.strip("0"):
        return candidate
    return hashlib.sha256(correlation.encode()).hexdigest()[:32]


def _span_id(session_id: str) -> str:
    candidate = session_id[:16]
    return candidate if candidate.strip("0") else hashlib.sha256(b"span").hexdigest()[:16]


def _parent(traceparent: str) -> tuple[str, str, int] | None:
    """(trace id, span id, flags) of a header that is valid (W3C Trace Context 3.2)."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0"):
        return None
    return (trace_id, parent_id, int(flags, 16)) if parent_id.strip("0") else None
