"""The words of a transcript: what is taken out of the text is taken out of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from voiceproxy_redaction.conversation import Conversation, Found, Voice
from voiceproxy_redaction.marks import Marks
from voiceproxy_redaction.spans import Span

SPELLINGS = ("word", "punctuated_word")
"""The fields of a word that spell it."""

UNKNOWN = "[redacted]"
"""Stands for a word that may be part of a match; which one cannot be told."""


def redact_words(
    words: list[Any],
    transcript: str,
    found: Found,
    conversation: Conversation,
    voice: Voice | None,
    marks: Marks,
) -> None:
    """Change the words in place. ``found`` is what is to go from the transcript they spell.

    The spellings are read like a text of their own. Where that finds less than the transcript
    has, words are matched with the transcript by their number; when that differs, all of them go.
    """
    final = found.end == len(transcript)
    gone: dict[int, str] = {}
    count = 0
    for spelling in SPELLINGS:
        spelt = [_spelt(word, spelling) for word in words]
        text = " ".join(spelt)
        if text.strip():
            here = conversation.find(voice, text, final=final)
            count = max(count, len(here.spans))
            gone |= _touched(spelt, here, len(text), marks)
    if count < len(found.spans):
        gone |= _by_number(words, transcript, found, marks)
    _replace(words, gone)


def spelt_by(words: Sequence[Any]) -> str:
    """What the words say, for lack of a transcript."""
    return " ".join(_spelt(word, SPELLINGS[1]) or _spelt(word, SPELLINGS[0]) for word in words)


def _spelt(word: Any, spelling: str) -> str:
    spelt = word.get(spelling) if isinstance(word, dict) else word
    return spelt if isinstance(spelt, str) else ""


def _touched(spelt: Sequence[str], found: Found, length: int, marks: Marks) -> dict[int, str]:
    """Which words a find covers any part of -> what is to stand there."""
    starts = list(accumulate((len(word) + 1 for word in spelt), initial=0))[:-1]
    touched: dict[int, str] = {}
    for span in [*found.spans, Span(found.end, length, "", "")]:
        mark = marks.mark(span) if span.kind else marks.open
        first = max(0, bisect_right(starts, span.start) - 1)
        for index in range(first, bisect_right(starts, span.end - 1)):
            if starts[index] + len(spelt[index]) > span.start:
                touched[index] = mark
    return touched


def _by_number(
    words: Sequence[Any], transcript: str, found: Found, marks: Marks
) -> Iterator[tuple[int, str]] | dict[int, str]:
    spelt = transcript.split()
    if len(spelt) != len(words) or " ".join(spelt) != transcript:
        return dict.fromkeys(range(len(words)), UNKNOWN if marks.open else "")
    return _touched(spelt, found, len(transcript), marks)


def _replace(words: list[Any], gone: dict[int, str]) -> None:
    """Put a mark for each word that is to go, or take the word out where there is none."""
    kept: list[Any] = []
    for index, word in enumerate(words):
        mark = gone.get(index)
        if mark is None:
            kept.append(word)
        elif mark:
            kept.append(_marked(word, mark) if isinstance(word, dict) else mark)
    words[:] = kept


def _marked(word: dict[str, Any], mark: str) -> dict[str, Any]:
    return {**word, **{spelling: mark for spelling in SPELLINGS if spelling in word}}
