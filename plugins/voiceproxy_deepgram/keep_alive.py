"""``KeepAlive`` on behalf of a client that is there and says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy import Text
from voiceproxy_deepgram.silence import Silence

if TYPE_CHECKING:
    from voiceproxy import Frame, TranslatorSession


class KeepAlive:
    """Knows from when on, and until when, the upstream takes ``KeepAlive``.

    The agent takes it after Settings, ``/v1/listen`` as long as the client has not closed the
    stream. ``/v2/listen`` and speak have no such message.
    """

    def __init__(self, session: TranslatorSession, seconds: float) -> None:
        self._session = session
        self._seconds = seconds
        self._is_agent = session.protocol == "agent"
        self._on = False
        self._silence = Silence(session, self._send)

    def upstream_opened(self) -> None:
        """The upstream hears us."""
        if not self._is_agent:
            self._begin()

    def client_frame(self, frame: Frame) -> None:
        """The client is not silent."""
        if self._is_agent and isinstance(frame, Text) and frame.type == "Settings":
            self._on = True
        elif not self._is_agent and _closes_the_stream(frame):
            self._on = False
            self._silence.end()
        if self._on:
            self._silence.begin(self._seconds)

    def _begin(self) -> None:
        self._on = True
        self._silence.begin(self._seconds)

    def _send(self) -> None:
        self._session.to_upstream({"type": "KeepAlive"})
        self._silence.begin(self._seconds)


def _closes_the_stream(frame: Frame) -> bool:
    """``CloseStream``, or a binary frame without a byte in it."""
    return frame.type == "CloseStream" if isinstance(frame, Text) else not frame.data
