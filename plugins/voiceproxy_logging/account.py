"""What is told of one session: a record for each event, and its turns."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from voiceproxy_logging.content import content_of
from voiceproxy_logging.records import Fields, emit, logger, shown
from voiceproxy_logging.trace import trace_of
from voiceproxy_logging.turns import Direction, Turn, Turns

if TYPE_CHECKING:
    from voiceproxy import Closing, Session, Text, Traffic
    from voiceproxy_logging.office import Office

REQUEST_IDS = ("x-request-id", "dg-request-id")
"""Headers by which an upstream names a connection, for its own support to look up."""


class Account:
    """The records of one session, from its connect to its close."""

    def __init__(self, session: Session, office: Office) -> None:
        self._session = session
        self._settings = office.settings
        self._began = session.now()
        self._opened = 0
        trace = trace_of(session.id, session.trace_id, session.headers.get("traceparent"))
        ids: dict[str, object] = {
            "trace_id": trace.trace_id,
            "span_id": trace.span_id,
            "trace_flags": trace.flags,
            "_office": office,
        }
        if session.trace_id not in (session.id, trace.trace_id):
            ids["correlation_id"] = session.trace_id
        session.log.fields.update(ids)  # the host's records of this session have them too
        session.log.session_lines = False
        self._span = office.begin_span(session.id, trace, self._introduction())
        is_agent = session.protocol == "agent"
        self._turns = Turns(session.now, self._turn_ended) if is_agent else None

    def connect(self) -> None:
        """Somebody asks for a session; no plugin has decided on it yet."""
        session = self._session
        fields = dict(self._introduction())
        if session.trace_id != session.id:  # which begins every line
            fields["session_id"] = session.id
        self._tell("connect", fields)

    def upstream_open(self, headers: Mapping[str, str]) -> None:
        """The upstream is there."""
        self._opened += 1
        lowered = {name.lower(): value for name, value in headers.items()}
        named = [shown(lowered[name]) for name in REQUEST_IDS if name in lowered]
        fields = {
            "elapsed": self._elapsed(),
            "dialled": self._opened,
            "upstream.request_id": named[0] if named else None,
        }
        self._tell("upstream_open", fields)

    def message(self, direction: Direction, frame: Text, message: dict[str, Any]) -> None:
        """A text message that every filter let pass, as observers are to see it."""
        if self._turns is not None:
            self._turns.step(direction, message)
        if self._settings.messages and logger.isEnabledFor(logging.INFO):
            kind = message.get("type")
            fields: dict[str, object] = {
                "direction": direction,
                "message_type": shown(kind) if isinstance(kind, str) else "",
                "bytes": len(frame.data),
            }
            if self._settings.content:
                fields["content"] = content_of(message)
            self._tell("message", fields)

    def close(self, close: Closing) -> None:
        """The session is over, or was never opened."""
        turns = self._turns.end() if self._turns is not None else None
        fields = {**_how(close), "duration": round(close.duration, 3), "turns": turns}
        self._tell("close", {**fields, **_counts(close)})
        if self._span is not None:
            self._span.end(close, fields)

    def _introduction(self) -> Fields:
        session = self._session
        return {
            "endpoint": session.endpoint,
            "url.path": shown(session.path),
            "protocol": session.protocol,
            "dialect": session.dialect if session.protocol == "agent" else None,
            "client.address": session.remote,
        }

    def _turn_ended(self, turn: Turn) -> None:
        if self._span is not None:
            self._span.turn(turn, self._session.now())

    def _elapsed(self) -> float:
        return round(self._session.now() - self._began, 3)

    def _tell(self, event: str, fields: Fields) -> None:
        if logger.isEnabledFor(logging.INFO):
            session = self._session
            emit(logging.INFO, session.trace_id, event, fields, session.log.fields)


def _how(close: Closing) -> dict[str, object]:
    """Who ended it, and how either side was closed."""
    opened = close.outcome in ("closed", "failed")
    upstream = close.upstream
    return {
        "outcome": close.outcome,
        "by": close.by,
        "error.code": close.error,
        "http.response.status_code": None if opened else close.code or None,
        "client.close_code": close.code if opened else None,
        "client.close_reason": shown(close.reason) or None,
        "upstream.close_code": upstream.code if upstream else None,
        "upstream.close_reason": shown(upstream.reason) or None if upstream else None,
    }


def _counts(close: Closing) -> dict[str, object]:
    ways: dict[str, Traffic] = {
        "from_client": close.from_client,
        "to_client": close.to_client,
        "from_upstream": close.from_upstream,
        "to_upstream": close.to_upstream,
    }
    frames: dict[str, object] = {f"{way}.frames": one.frames for way, one in ways.items()}
    return {**frames, **{f"{way}.bytes": one.bytes for way, one in ways.items()}}
