"""One text frame, redacted for one side."""

from __future__ import annotations

from typing import Any

import orjson

from voiceproxy import Text
from voiceproxy_redaction.conversation import Conversation, Found
from voiceproxy_redaction.json_text import Walk
from voiceproxy_redaction.marks import Marks
from voiceproxy_redaction.messages import SPOKEN, Words
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
        self._draft = conversation

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
        self._conversation.adopt(self._draft)

    def _message(self, message: Any, marks: Marks, *, for_wire: bool) -> Any:
        self._draft = self._conversation.draft()
        done: set[tuple[int, str]] = set()
        walk = Walk(lambda string: self._plain(string, marks), for_wire=for_wire, done=done)
        kind = message.get("type") if isinstance(message, dict) else None
        words_of = SPOKEN.get(kind) if isinstance(kind, str) else None
        if words_of is None:
            return walk.free(message)
        for words in words_of(message):
            self._words(words, marks, done)
        return walk.protocol(message)

    def _plain(self, string: str, marks: Marks) -> str:
        found = self._conversation.find(None, string)
        return self._apart(string, found, marks).put(string, *found) if found.spans else string

    def _words(self, words: Words, marks: Marks, done: set[tuple[int, str]]) -> None:
        said, spelt = words.parent.get(words.key), words.parent.get("words")
        text = said if isinstance(said, str) else ""
        if not text and isinstance(spelt, list):
            text = spelt_by(spelt)
        # Another reading of the same words does not go on where the first one ended.
        before = self._draft if words.counts else self._conversation
        found = before.find(words.voice, text, final=words.final)
        marks = self._apart(text, found, marks)
        if isinstance(spelt, list):
            redact_words(spelt, text, found, before, words.voice, marks)
        if isinstance(said, str):
            words.parent[words.key] = marks.put(text, *found) if said else said
            done.add((id(words.parent), words.key))
        if words.final and words.counts:
            self._draft.remember(words.voice, text)

    def _apart(self, text: str, found: Found, marks: Marks) -> Marks:
        """The marks, or visible ones where dropping would make a match of what stood apart."""
        drops = marks.mode == "drop" and found.spans
        return MASKS if drops and self._conversation.finder.find(marks.put(text, *found)) else marks
