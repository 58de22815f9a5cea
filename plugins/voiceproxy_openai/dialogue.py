"""What was said, in the order it was said: a reply's words follow the words it replies to.

The upstream writes down what the user spoke beside everything else, often after the agent's reply
has begun, and the words of one turn may overtake those of the turn before. Audio never waits for
them. The reply's ConversationText does, until the transcript of every spoken turn the response
answers is there, or the response is over, whichever is first. A turn's words wait for those of
the turns before it, as long as these are still expected and no longer than a while. A transcript
that comes later still is told when it comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from voiceproxy import Timer, TranslatorSession
    from voiceproxy_openai.messages import Messages

MAX_UNWRITTEN = 32
"""Spoken turns waited for at a time; the oldest will not be written down any more."""


class Turn(NamedTuple):
    """What the user spoke: its words and its final Transcript."""

    words: str
    transcript: dict[str, Any]


class Reply(NamedTuple):
    """Words of the agent's, and the spoken turns whose words go first."""

    words: str
    after: frozenset[str]


class Dialogue:
    """The conversation's words on their way to the client."""

    def __init__(self, session: TranslatorSession, messages: Messages, patience: float) -> None:
        self._session = session
        self._messages = messages
        self._patience = patience
        """Seconds a turn's words wait for those of turns before it."""
        self._unwritten: dict[str, Turn | None] = {}
        """Spoken turns the client has not got, in order; None until their words are there."""
        self._held: list[Reply] = []
        self._timer: Timer | None = None
        self.transcribed = False
        """Whether the upstream writes down what the user says."""

    @property
    def unwritten(self) -> frozenset[str]:
        """The items of spoken turns the client has not got the words of."""
        return frozenset(self._unwritten)

    def spoken(self, item_id: str) -> None:
        """A spoken turn is over; its words will follow."""
        if not self.transcribed or not item_id:
            return
        self._unwritten.setdefault(item_id)
        if len(self._unwritten) > MAX_UNWRITTEN:
            self._expect_no_more([next(iter(self._unwritten))])

    def heard(self, item_id: str, turn: Turn) -> None:
        """The words of a spoken turn are there."""
        if item_id in self._unwritten:
            self._unwritten[item_id] = turn
            self._tell_in_order()
        else:
            self._tell(turn)

    def _tell(self, turn: Turn) -> None:
        words = turn.words
        self._messages.transcript(turn.transcript)
        if words.strip():
            self._messages.say("user", words, spoken=True)

    def unheard(self, item_id: str) -> None:
        """Nothing (more) will be written down of this turn."""
        self._expect_no_more([item_id])

    def typed(self, words: str) -> None:
        """Words the user typed, behind everything said so far."""
        self.flush()
        self._messages.say("user", words)

    def reply(self, words: str, after: frozenset[str] = frozenset()) -> None:
        """Words of the agent's, never before others of its own."""
        if self._held or after & self._unwritten.keys():
            self._held.append(Reply(words, after))
        else:
            self._messages.say("assistant", words)

    def over(self, after: frozenset[str]) -> None:
        """A response that answers these turns is over: its words wait no longer, for any turn."""
        self._expect_no_more(after)
        while any(reply.after is after for reply in self._held):
            self._messages.say("assistant", self._held.pop(0).words)

    def flush(self) -> None:
        """Nothing that is there waits any longer."""
        for item_id, turn in list(self._unwritten.items()):
            if turn is not None:
                del self._unwritten[item_id]
                self._tell(turn)
        while self._held:
            self._messages.say("assistant", self._held.pop(0).words)
        self._mind_the_time()

    def _expect_no_more(self, turns: Iterable[str]) -> None:
        for item_id in turns:
            if self._unwritten.get(item_id) is None:
                self._unwritten.pop(item_id, None)
        self._tell_in_order()

    def _tell_in_order(self) -> None:
        for item_id, turn in list(self._unwritten.items()):
            if turn is None:
                break
            del self._unwritten[item_id]
            self._tell(turn)
        while self._held and not self._held[0].after & self._unwritten.keys():
            self._messages.say("assistant", self._held.pop(0).words)
        self._mind_the_time()

    def _mind_the_time(self) -> None:
        """Words that wait behind a turn that is never written down are told in the end."""
        waiting = any(self._unwritten.values())
        if waiting and self._timer is None:
            self._timer = self._session.later(self._patience, self._lose_patience)
        elif not waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _lose_patience(self) -> None:
        self._timer = None
        turns = list(self._unwritten.items())
        last = max(place for place, (_, turn) in enumerate(turns) if turn is not None)
        self._expect_no_more([item_id for item_id, _ in turns[:last]])
