"""One text frame, redacted for one side."""

from __future__ import annotations

from typing import Any

import orjson

from voiceproxy import Text
from voiceproxy_redaction.conversation import Conversation, Voice
from voiceproxy_redaction.json_text import Walk
from voiceproxy_redaction.marks import Marks
from voiceproxy_redaction.messages import SPOKEN, Words
from voiceproxy_redaction.words import redact_words

TOO_LARGE = "[too large to redact]"
UNREADABLE = "[not JSON]"


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
        for words in words_of(message):
            self._words(words, marks, done)
        return walk.protocol(message)

    def _plain(self, string: str, marks: Marks) -> str:
        found = self._conversation.find(None, string)
        return marks.put(string, found.spans, found.end) if found.spans else string

    def _words(self, words: Words, marks: Marks, done: set[tuple[int, str]]) -> None:
        parent, key = words.parent, words.key
        text = parent.get(key)
        if not isinstance(text, str):
            return
        found = self._conversation.find(words.voice, text, final=words.final)
        spelt = parent.get("words")
        if isinstance(spelt, list):
            redact_words(spelt, text, found, self._conversation, words.voice, marks)
        parent[key] = marks.put(text, found.spans, found.end)
        done.add((id(parent), key))
        if words.final and words.counts:
            self._said.append((words.voice, text))
