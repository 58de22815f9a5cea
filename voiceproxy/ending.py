"""How one session comes to its end: on purpose, with an Error, or because something broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voiceproxy.closing import Record
from voiceproxy.errors import ClientFault, SessionError, UpstreamFault
from voiceproxy.frames import ABNORMAL, INTERNAL_ERROR, NORMAL, Close, Text
from voiceproxy.introduction import log_fault

if TYPE_CHECKING:
    from voiceproxy.session import SessionCore

ErrorFrame = Callable[[str, str], Text | None]
"""(description, code) -> the error frame of the endpoint's protocol; None: it has none."""


class Ending:
    """The three ways a session ends, each of which closes both sides once."""

    def __init__(self, core: SessionCore, error_frame: ErrorFrame) -> None:
        self._core = core
        self._error_frame = error_frame
        self.record = Record(began=core.runtime.now())

    def reply_error(self, code: str, description: str) -> None:
        """An error the session survives."""
        frame = self._error_frame(description, code)
        if frame is not None:
            self._core.submit(self._core.to_client.send, frame)

    def close(self, close: Close, by: str) -> None:
        """Close both sides behind what is queued, unless an Error is about to."""
        if self.record.error is None:
            self._finish(close, by)

    def fail(self, code: str, description: str, close_code: int, by: str, reason: str = "") -> None:
        """An error ends the session: the client is told, through the plugins, then closed."""
        if self.record.error is not None:
            return
        extra = {"error_code": code}
        self._core.log.error("%s: %s (by %s)", code, description, by, extra=extra)
        self.record.error = code
        self._core.inputs.clear()  # nothing is to follow the Error but the close
        frame = self._error_frame(description, code)
        if frame is not None:
            self._core.to_client.stop_holding()
            self._core.to_client.send(frame)
        close = (
            Close(close_code, reason) if reason else _close(close_code, code, description, frame)
        )
        self._core.submit(self._finish, close, by)

    def check_overflow(self) -> None:
        """A queue has got too long by what cannot be stopped. Raises SessionError if it still is.

        Not when an Error is about to end the session: that may have been too much itself.
        """
        if self.record.error is not None:
            return
        if self._core.client.overflowing:
            raise ClientFault("client_overflow", "The client does not read; its queue is full.")
        if self._core.upstream.overflowing:
            text = "The upstream does not read; its queue is full."
            raise UpstreamFault("upstream_overflow", text)

    def abandon(self, fault: SessionError) -> None:
        """Something broke: drop what is queued, tell the client without asking any plugin."""
        core = self._core
        log_fault(core.log, fault, f"{fault} (by {fault.by})")
        self.record.error = fault.code
        self._dismiss_translator()
        core.client.clear()
        core.upstream.clear()
        frame = self._error_frame(fault.description, fault.code)
        if frame is not None:
            core.client.put(frame)
        self._end(_close(fault.close_code, fault.code, fault.description, frame), fault.by)

    def abandon_for(self, error: BaseException) -> None:
        """The same for whatever was raised, meant or not."""
        if isinstance(error, SessionError):
            self.abandon(error)
            return
        fault = SessionError("internal_error", "The proxy failed.", INTERNAL_ERROR)
        fault.__cause__ = error
        self.abandon(fault)

    def _finish(self, close: Close, by: str) -> None:
        self._dismiss_translator()
        self._end(close, by)

    def _dismiss_translator(self) -> None:
        self._core.closing = True  # so that it has the upstream's ear only
        translator = self._core.translator
        if translator is not None:
            try:
                translator.closed()
            except KeyboardInterrupt:
                raise
            except BaseException:
                self._core.log.exception("the translator failed at the end of the session")

    def _end(self, close: Close, by: str) -> None:
        core = self._core
        self.record.by, self.record.close = by, close
        core.to_client.stop_holding()
        core.to_upstream.stop_holding()
        core.client.put_close(close)
        core.upstream.put_close(Close(NORMAL) if close.code == ABNORMAL else close)
        core.stop()

    def let_go(self) -> None:
        """The session is over, and no input will end it again."""
        del self._core, self._error_frame


def _close(status: int, code: str, description: str, frame: Text | None) -> Close:
    """The Error said what is wrong; where the protocol has none, the reason has to."""
    return Close(status, description if frame is None else code)
