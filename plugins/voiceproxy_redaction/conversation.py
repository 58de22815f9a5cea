"""What each role said last: a number may be said in two messages, and the second completes it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

from voiceproxy_redaction.finder import Finder
from voiceproxy_redaction.spans import Span, merged

MAX_END = 1024
"""The most characters of an unfinished end that are remembered."""

MAX_HEAD = 128
"""Characters of a text that numbers and patterns begun before it can reach; then a word ends."""

MAX_WORD = 16 * 1024
"""Characters of a word that goes on from an earlier text: no key is longer. Of what goes on beyond
them nothing is shown."""

_BLANK = re.compile(r"\s")
_PUNCTUATION = " \t\r\n.,;:!?…"

_ALSO_AFTER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ConversationText": ("context",),
        "Transcript": ("ConversationText", "InjectUserMessage", "context"),
        "InjectUserMessage": ("ConversationText", "Transcript", "context"),
        "InjectAgentMessage": ("ConversationText", "context"),
    }
)
"""Channel -> the channels whose last words it may go on with, besides its own. Not those that
repeat each other: the same words twice are no longer number."""


class Voice(NamedTuple):
    """Who speaks, and in which kind of message: ``user`` in ``ConversationText``."""

    role: str
    channel: str


@dataclass(frozen=True, slots=True)
class End:
    """The raw end of what was said that more words could make a match of."""

    glued: str = ""
    """When the next message goes on in the same word."""
    spaced: str = ""
    """When it begins a new one; full stops at the end of a message do not count then."""


class Found(NamedTuple):
    """What is to go from one text."""

    spans: list[Span]
    end: int
    """From here on the text could still become a match; its length when it is final."""


class Conversation:
    """The ends of what everybody said, for one session."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self._ends: dict[Voice, End] = {}

    def find(self, voice: Voice | None, text: str, *, final: bool = True) -> Found:
        """Look for matches in a text, also for those that began in an earlier one."""
        spans = self.finder.find(text)
        end = own = len(text) if final else self.finder.open(text)
        for before in self._before(voice):
            offset = len(before)
            for span in self.finder.find(before + self._head(before, text)):
                if span.start < offset < span.end:
                    end_here = span.end - offset
                    end_here = len(text) if end_here == MAX_WORD else end_here
                    spans.append(span._replace(start=0, end=end_here))
            if not final:
                end = min(end, max(0, self._open(before, text, own)))
        return Found(merged(spans), end)

    def across(self, voice: Voice, texts: Sequence[str]) -> list[list[Span]]:
        """Of several texts of one frame what belongs to matches that began before each of them."""
        said = self._ends.get(voice, End()).spaced
        parts = [text.rstrip(_PUNCTUATION) for text in (said, *texts)]
        starts = list(accumulate((len(part) + 1 for part in parts), initial=0))
        spans: list[list[Span]] = [[] for _ in parts]
        for span in self.finder.find(" ".join(parts)):
            first = bisect_right(starts, span.start)
            for index in range(first, bisect_left(starts, span.end)):
                if end := min(span.end - starts[index], len(parts[index])):
                    spans[index].append(span._replace(start=0, end=end))
        return spans[1:]

    def remember(self, voice: Voice, text: str) -> None:
        """These words were said, in the end."""
        if not text:
            return
        last = self._ends.get(voice, End())
        words = text.rstrip(_PUNCTUATION)
        own = self.finder.open(words)

        def end_behind(before: str) -> str:
            start = self._open(before, words, own)
            return (before[start:] + text if start < 0 else text[start:])[-MAX_END:]

        self._ends[voice] = End(end_behind(last.glued), end_behind(_with_blank(last.spaced)))

    def _open(self, before: str, text: str, own: int) -> int:
        """Where the open run begins, counted from the text's start: below zero in ``before``.

        ``own`` is where it begins when nothing is before the text.
        """
        if not before or (not self.finder.bridges(before) and _BLANK.search(text)):
            return own
        return self.finder.open(before + text) - len(before)

    def _head(self, before: str, text: str) -> str:
        """As much of a text as can belong to something that began before it."""
        bridges = self.finder.bridges(before)
        if not bridges and before[-1].isspace():
            return ""
        blank = _BLANK.search(text, MAX_HEAD if bridges else 0)
        return text[: min(blank.start() if blank else MAX_WORD, MAX_WORD)]

    def _before(self, voice: Voice | None) -> Iterator[str]:
        """What may stand before this voice's next words, each once."""
        if voice is None:
            return
        channels = (voice.channel, *_ALSO_AFTER.get(voice.channel, ()))
        ends = [self._ends.get(Voice(voice.role, channel), End()) for channel in channels]
        seen = {""}
        for before in (way for end in ends for way in (end.glued, _with_blank(end.spaced))):
            if before not in seen:
                seen.add(before)
                yield before


def _with_blank(end: str) -> str:
    kept = end.rstrip(_PUNCTUATION)
    return f"{kept} " if kept else ""
