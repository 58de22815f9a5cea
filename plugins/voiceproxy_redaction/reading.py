"""One text frame, redacted for one side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from voiceproxy import Text
from voiceproxy_redaction.conversation import Conversation, Found, Voice
from voiceproxy_redaction.json_text import Walk
from voiceproxy_redaction.marks import Marks
from voiceproxy_redaction.messages import SPOKEN, Words
from voiceproxy_redaction.spans import Span, merged
from voiceproxy_redaction.words import redact_words, spelt_by

TOO_LARGE = "[too large to redact]"
UNREADABLE = "[not JSON]"
MASKS = Marks("mask")


class Reading:
    """A frame as it came. Nothing of it gets out but what this has looked at."""

    def __init__(self, text: Text, conversation: Conversation, limit: int) -> None:
        self._text = text
        self.too_large = len(text.data) > limit
        """Whether reading it would hold up all other sessions; then nothing of it is told."""
        self._conversation = conversation
        self._said: list[tuple[Voice, str]] = []

    def redacted(self, marks: Marks, *, for_wire: bool) -> Text:
        """The frame, encoded anew from what was read; what is no JSON is not told."""
        if self.too_large:
            return Text.of({"type": TOO_LARGE})
        try:
            message = self._text.message()
        except ValueError:
            return Text.of({"type": UNREADABLE})
        redacted = self._message(message, marks, for_wire=for_wire)
        return Text.of(redacted) if isinstance(redacted, dict) else Text(orjson.dumps(redacted))

    def remember(self) -> None:
        """What was said counts as said. Once, after the frame was redacted for every side."""
        for voice, words in self._said:
            self._conversation.remember(voice, words)

    def _message(self, message: Any, marks: Marks, *, for_wire: bool) -> Any:
        self._said.clear()
        done: set[tuple[int, str]] = set()
        walk = Walk(lambda string: self._plain(string, marks), for_wire=for_wire, done=done)
        kind = message.get("type") if isinstance(message, dict) else None
        words_of = SPOKEN.get(kind) if isinstance(kind, str) else None
        if words_of is None:
            return walk.free(message)
        for words, text, begun in self._said_in(words_of(message)):
            self._words(words, text, begun, marks, done)
        return walk.protocol(message)

    def _said_in(self, words_of: Iterator[Words]) -> Iterator[tuple[Words, str, list[Span] | None]]:
        """All words with their text; for several of one voice, a history, what began before each.

        Each of a history is not looked at behind all that was said before: that could take long.
        """
        said = [(words, text) for words in words_of if (text := _text(words))]
        voices: dict[Voice, list[str]] = {}
        for words, text in said if len(said) > 1 else ():
            if words.final and words.counts:
                voices.setdefault(words.voice, []).append(text)
        begun = {
            voice: iter(self._conversation.across(voice, texts))
            for voice, texts in voices.items()
            if len(texts) > 1
        }
        for words, text in said:
            spans = begun.get(words.voice) if words.final and words.counts else None
            yield words, text, None if spans is None else next(spans)

    def _plain(self, string: str, marks: Marks) -> str:
        found = self._conversation.find(None, string)
        return self._apart(string, found, marks).put(string, *found) if found.spans else string

    def _words(
        self,
        words: Words,
        text: str,
        begun: list[Span] | None,
        marks: Marks,
        done: set[tuple[int, str]],
    ) -> None:
        parent, key = words.parent, words.key
        voice = words.voice if begun is None else None
        found = self._conversation.find(voice, text, final=words.final)
        found = found._replace(spans=merged([*found.spans, *(begun or ())]))
        marks = self._apart(text, found, marks)
        if isinstance(spelt := parent.get("words"), list):
            redact_words(spelt, text, found, self._conversation, voice, marks)
        if isinstance(said := parent.get(key), str) and said:
            parent[key] = marks.put(text, *found)
            done.add((id(parent), key))
        if words.final and words.counts:
            self._said.append((words.voice, text))

    def _apart(self, text: str, found: Found, marks: Marks) -> Marks:
        """The marks, or visible ones where dropping would make a match of what stood apart."""
        drops = marks.mode == "drop" and found.spans
        return MASKS if drops and self._conversation.finder.find(marks.put(text, *found)) else marks


def _text(words: Words) -> str:
    """What is said there: the string, or else what its words spell; empty for neither."""
    said, spelt = words.parent.get(words.key), words.parent.get("words")
    if isinstance(said, str) and said:
        return said
    return spelt_by(spelt) if isinstance(spelt, list) else ""
