"""What stands in a text where personal data stood: a mark, a keyed hash, or nothing."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Literal

from voiceproxy_redaction.spans import Span

Mode = Literal["off", "mask", "hash", "drop"]

OPEN = "…"
"""Stands for the end of an interim text that could still become a match."""

SECRET = "[secret]"  # noqa: S105 - a mark, not one
"""Stands for headers and credentials, whatever they are."""

TOO_DEEP = "[nested too deep]"
"""Stands for JSON nested deeper than is looked at."""

_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_NUMBERS = frozenset({"card", "iban", "phone", "ssn"})
_INSIGNIFICANT = re.compile(r"[\W_]+")


class Marks:
    """How one side gets to see what was found."""

    def __init__(self, mode: Mode, key: str = "") -> None:
        self.mode = mode
        self._key = key.encode()

    def mark(self, span: Span) -> str:
        """``[card]``; ``[card:...]`` with 64 bits of a hash, in letters so that it is no number.

        The hash is an HMAC-SHA256 of what counts: of a number neither its blanks nor its marks.
        Equal data has equal hashes as long as the key is the same.
        """
        if self.mode == "drop":
            return ""
        if self.mode == "mask":
            return f"[{span.kind}]"
        said = f"{span.kind}:{_significant(span)}".encode("utf-8", "replace")
        digest = hmac.digest(self._key, said, "sha256")
        return f"[{span.kind}:{digest[:8].hex().translate(_LETTERS)}]"

    @property
    def open(self) -> str:
        """What stands for an end that could still become a match."""
        return "" if self.mode == "drop" else OPEN

    def put(self, text: str, spans: Sequence[Span], end: int) -> str:
        """Return the text with its marks; from ``end`` on it is open."""
        parts: list[str] = []
        place = 0
        for span in spans:
            if span.start >= end:
                break
            parts += (text[place : span.start], self.mark(span))
            place = span.end
            if self.mode == "drop" and text[place : place + 1] == " " and _ends_blank(parts):
                place += 1
        parts.append(text[place:end])
        if end < len(text):
            parts.append(self.open)
        return "".join(parts)


def _significant(span: Span) -> str:
    if span.kind in _NUMBERS:
        return _INSIGNIFICANT.sub("", span.value).upper()
    return span.value if span.kind == "key" else span.value.lower()


def _ends_blank(parts: Sequence[str]) -> bool:
    """True when what is kept so far is nothing, or ends with a blank."""
    kept = next((part for part in reversed(parts) if part), " ")
    return kept.endswith(" ")
