"""Between a session and whatever carries it: the line, and the events that go out on it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from voiceproxy_simulator.refusals import Refusal

Event = dict[str, Any]
Frame = Event | str | bytes
"""An event, bytes (audio, where the protocol has binary frames), or raw text, which is a fault."""

NO_STATUS = 1005
"""Closing with this code sends a close frame without any (RFC 6455, 7.1.5)."""


class Timer(Protocol):
    """A callback that may still be called off."""

    def cancel(self) -> None:
        """Call it off; nothing happens when it has run."""


class Line(Protocol):
    """What a session needs from outside: a socket in the server, a fake clock in tests."""

    @property
    def full(self) -> bool:
        """The peer is not reading: produce no more until ``Session.drained`` is called."""

    def now(self) -> float:
        """Seconds, monotonic."""

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back in so many seconds, never at once; timers of one moment run in their order."""

    def send(self, frame: Frame) -> None:
        """Send an event behind everything sent before."""

    def close(self, code: int, reason: str) -> None:
        """Close behind everything sent before; ``NO_STATUS`` sends no code. The session takes no
        more part in it."""

    def reset(self) -> None:
        """Lose the connection, and with it what is not written yet."""


class Emitter:
    """Sends server events, each with an id of its own, through the scenario's last word on them."""

    def __init__(self, line: Line, outgoing: Callable[[Event], Iterable[Frame]]) -> None:
        self.line = line
        self._outgoing = outgoing
        self._token = secrets.token_hex(6)
        self._count = 0

    def new_id(self, kind: str) -> str:
        """An id nobody else has, of at most 25 characters: ``resp_`` and twenty hex digits."""
        self._count += 1
        return f"{kind}_{self._token}{self._count:08x}"

    def emit(self, kind: str, **fields: Any) -> None:
        """Send one event."""
        event = {"type": kind, "event_id": self.new_id("event"), **fields}
        for frame in self._outgoing(event):
            self.line.send(frame)

    def refuse(self, refusal: Refusal, client_event_id: str | None = None) -> None:
        """Send an ``error`` event; close behind it when the refusal says so."""
        self.emit("error", error=refusal.error(client_event_id))
        if refusal.close_code is not None:
            self.line.close(refusal.close_code, refusal.message)
