"""When a session may end with nothing lost: where the agent's turn stands, as its client is told.

Read off what the client gets, so it is the same for every backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy.agent import error_codes
from voiceproxy.frames import GOING_AWAY, Close, Text

if TYPE_CHECKING:
    from voiceproxy.chores import Timer
    from voiceproxy.session import SessionCore

STOPPING = "The proxy is shutting down."
STOPPED = Close(GOING_AWAY, "the proxy is shutting down")

SILENCE = 0.5
"""Seconds without audio for the client after which a turn is over whose AgentAudioDone is late."""

BEGINNINGS = frozenset(
    {"UserStartedSpeaking", "AgentThinking", "AgentStartedSpeaking", "FunctionCallRequest"}
)
"""Messages to the client that say an AgentAudioDone is to come."""

QUESTIONS = frozenset({"InjectUserMessage", "InjectAgentMessage", "FunctionCallResponse"})
"""Messages of the client that the agent answers."""


class Turn:
    """The agent's turn: from what it is to answer until its AgentAudioDone.

    Nothing is parsed or timed for audio before the drain: the first binary frame of a turn is
    noted, the others are not looked at (``listens``).
    """

    __slots__ = ("_core", "_exists", "_heard_at", "_leaving", "_timer", "is_on", "listens")

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        self._exists = core.introduction.protocol == "agent"
        """False on listen and speak, which have no turns."""
        self.is_on = False
        self.listens = self._exists
        """Whether the next binary frame says something new."""
        self._leaving = False
        self._heard_at = 0.0
        self._timer: Timer | None = None

    def text(self, frame: Text) -> None:
        """A message for the client is on its way."""
        if not self._exists:
            return
        kind = frame.type
        if kind == "AgentAudioDone":
            self._end()
        elif kind in BEGINNINGS or (kind == "ConversationText" and _is_of_user(frame)):
            self._begin()

    def audio(self) -> None:
        """A binary frame for the client is on its way; told of all of them while leaving."""
        self.is_on = True
        self.listens = self._leaving
        if self._leaving:
            self._heard_at = self._core.runtime.now()
            if self._timer is None:
                self._await_silence(SILENCE)

    def question(self, kind: str) -> None:
        """The client says something of that type to the agent."""
        if kind in QUESTIONS:
            self._begin()

    def drain(self) -> None:
        """The proxy is about to stop: end the session when the turn is over; now, when it is."""
        if self._exists:
            self._core.submit(self._leave)

    def _leave(self) -> None:
        warning = {"description": STOPPING, "code": error_codes.SERVER_GOING_AWAY}
        self._core.to_client.send(Text.of({"type": "Warning", **warning}))
        if not self.is_on:
            self._close()
            return
        speaks, self._leaving = not self.listens, True
        self.listens = True
        if speaks:
            self.audio()

    def _begin(self) -> None:
        """There is audio to come, however long it takes."""
        self.is_on = True
        self.listens = self._exists
        self._stop_timer()

    def _end(self) -> None:
        self.is_on = False
        self.listens = True
        self._stop_timer()
        if self._leaving:  # behind what the same frame of the upstream still becomes
            self._core.chores.later(0, self._close_unless_on)

    def _close_unless_on(self) -> None:
        if not self.is_on:
            self._close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _await_silence(self, seconds: float) -> None:
        self._timer = self._core.chores.later(seconds, self._ring)

    def _ring(self) -> None:
        left = self._heard_at + SILENCE - self._core.runtime.now()
        if left > 0:
            self._await_silence(left)
        else:
            self._close()

    def _close(self) -> None:
        self._core.submit(self._core.ending.close, STOPPED, "proxy")

    def let_go(self) -> None:
        """The session is over: refer to nothing of it any more, and have no turns."""
        self._timer, self._exists = None, False
        del self._core


def _is_of_user(frame: Text) -> bool:
    return bool(frame.message().get("role") == "user")
