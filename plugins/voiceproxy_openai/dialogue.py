"""What was said, in the order it was said: a reply's words follow the words it replies to.

The upstream writes down what the user spoke beside everything else, often after the agent's reply
has begun. Audio never waits for it. The reply's ConversationText does, until the transcript of
every spoken turn the response answers is there, or the response is over, whichever is first; a
transcript that comes later still is told when it comes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from voiceproxy_openai.messages import Messages

MAX_UNWRITTEN = 32
"""Spoken turns waited for at a time; the oldest will not be written down any more."""


class Reply(NamedTuple):
    """Words of the agent's, and the spoken turns whose words go first."""

    words: str
    after: frozenset[str]


class Dialogue:
    """The conversation's words on their way to the client."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._unwritten: dict[str, None] = {}
        self._held: deque[Reply] = deque()
        self.transcribed = False
        """Whether the upstream writes down what the user says."""

    @property
    def unwritten(self) -> frozenset[str]:
        """The items of spoken turns whose words have not come yet."""
        return frozenset(self._unwritten)

    def spoken(self, item_id: str) -> None:
        """A spoken turn is over; its words will follow."""
        if not self.transcribed or not item_id:
            return
        self._unwritten[item_id] = None
        if len(self._unwritten) > MAX_UNWRITTEN:
            self.unheard(next(iter(self._unwritten)))

    def heard(self, item_id: str, words: str) -> None:
        """The words of a spoken turn."""
        if words.strip():
            self._messages.say("user", words, spoken=True)
        self.unheard(item_id)

    def unheard(self, item_id: str) -> None:
        """Nothing (more) will be written down of this turn."""
        self._unwritten.pop(item_id, None)
        while self._held and not self._held[0].after & self._unwritten.keys():
            self._messages.say("assistant", self._held.popleft().words)

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

    def flush(self) -> None:
        """Nothing waits any longer."""
        while self._held:
            self._messages.say("assistant", self._held.popleft().words)
