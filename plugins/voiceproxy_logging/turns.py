"""Turns: a user says something and the agent answers, told from the messages to the client.

Only types and times are looked at, so it holds for every backend and both dialects. The agent's
greeting is a turn as well. A turn the user cuts into ends when the next begins, and one in which
functions are called ends with the answer that follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Outcome = Literal["completed", "interrupted", "cut"]
"""How a turn ended: by the agent's last word, by the user's next, or with the session."""


@dataclass(slots=True)
class Turn:
    """One turn. Times are the session's, in seconds."""

    number: int
    """1 for the first of the session."""
    began: float
    """When the user began to speak or wrote, or else when the agent began by itself."""
    heard: float | None = None
    """When the user had finished; None while that is not known."""
    answered: float | None = None
    """When the first words or audio of the answer came."""
    ended: float | None = None
    outcome: Outcome = "cut"
    function_calls: int = 0
    calling: bool = False
    """Functions have been called and no answer has followed."""
    error: str | None = None
    """The code of an Error that came meanwhile."""

    @property
    def latency(self) -> float | None:
        """Seconds from the end of what the user said to the answer; None without both."""
        if self.heard is None or self.answered is None:
            return None
        return max(self.answered - self.heard, 0.0)


Message = Mapping[str, Any]

Direction = Literal["client", "upstream"]
"""Where a message comes from (contract LOG-6)."""


class Turns:
    """The turns of one session. ``on_end`` gets each turn when it is over."""

    def __init__(
        self, now: Callable[[], float], on_end: Callable[[Turn], None] = lambda turn: None
    ) -> None:
        self._now = now
        self._on_end = on_end
        self._turn: Turn | None = None
        self._typed: float | None = None
        self._count = 0

    def step(self, direction: Direction, message: Message) -> None:
        """A message from the client or for it."""
        kind = message.get("type")
        if direction == "upstream":
            step = self._STEPS.get(kind) if isinstance(kind, str) else None
            if step is not None:
                step(self, message)
        elif kind == "InjectUserMessage" and self._typed is None:
            self._typed = self._now()  # what is typed counts once the backend says it was heard

    def end(self) -> int:
        """The session is over. Returns how many turns it had."""
        self._end("cut")
        return self._count

    def _started_speaking(self, message: Message) -> None:
        if self._turn is not None and self._turn.answered is not None:
            self._end("interrupted")
        self._current().heard = None

    def _heard(self, message: Message) -> None:
        turn = self._turn
        if turn is not None and turn.answered is None and turn.heard is None:
            turn.heard = self._now()

    def _transcript(self, message: Message) -> None:
        if message.get("speech_final") is True:
            self._heard(message)

    def _said(self, message: Message) -> None:
        if message.get("role") == "assistant":
            self._answer(message)
            return
        if self._typed is not None and self._turn is not None and self._turn.answered is not None:
            self._end("completed")  # the next turn was typed before the end of this one was told
        if self._turn is None:
            began = self._now() if self._typed is None else self._typed
            self._begin(began).heard = began
        self._typed = None
        self._heard(message)

    def _think(self, message: Message) -> None:
        self._current()

    def _answer(self, message: Message) -> None:
        turn = self._current()
        turn.calling = False
        if turn.answered is None:
            turn.answered = self._now()

    def _call(self, message: Message) -> None:
        turn, functions = self._current(), message.get("functions")
        turn.function_calls += len(functions) if isinstance(functions, list) else 0
        turn.calling = True

    def _error(self, message: Message) -> None:
        code = message.get("code")
        if self._turn is not None and isinstance(code, str):
            self._turn.error = code

    def _done(self, message: Message) -> None:
        # What ends an answer the user has cut into comes when the next turn has begun; what ends
        # the words before a function call comes before those after it.
        turn = self._turn
        if turn is not None and turn.answered is not None and not turn.calling:
            self._end("completed")

    def _current(self) -> Turn:
        return self._turn or self._begin(self._now())

    def _begin(self, began: float) -> Turn:
        self._count += 1
        self._turn = Turn(self._count, began)
        return self._turn

    def _end(self, outcome: Outcome) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.ended, turn.outcome = self._now(), outcome
            self._on_end(turn)

    _STEPS: ClassVar[Mapping[str, Callable[[Turns, Message], None]]] = {
        "UserStartedSpeaking": _started_speaking,
        "UtteranceEnd": _heard,
        "Transcript": _transcript,
        "ConversationText": _said,
        "AgentThinking": _think,
        "AgentStartedSpeaking": _answer,
        "FunctionCallRequest": _call,
        "Error": _error,
        "AgentDone": _done,
        "AgentAudioDone": _done,
    }
