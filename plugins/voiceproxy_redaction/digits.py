"""Runs of digits: what stands between two words, in groups, with the marks between the groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

HYPHENS = r"\-\u2010-\u2015"
"""Inside a character class: what may stand for a hyphen."""

INVISIBLE = r"\x00-\x08\x0e-\x1b\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Inside a character class: what nobody sees between two characters."""

BETWEEN = rf"\s{HYPHENS}.,/()+_'*·•{INVISIBLE}"
"""Inside a character class: what may stand between two digits of one number."""

MAX_RUN = 19 * 4
"""The longest run that can be one number: no number has more digits, nor wider gaps."""

_RUN = re.compile(rf"\d(?:[{BETWEEN}]{{0,3}}\d)*+")
_GROUP = re.compile(r"\d+")
_OPEN_RUN = re.compile(rf"[+(]{{0,2}}\d(?:[{BETWEEN}]{{0,3}}\d)*+[{BETWEEN}]{{0,3}}\Z")
_WORD = re.compile(r"\w")


class Group(NamedTuple):
    """Digits without anything between them."""

    start: int
    end: int
    digits: str
    """ASCII, whatever script they were written in."""


class Run:
    """Groups of digits with at most three marks between two of them."""

    __slots__ = ("groups", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.groups = [
            Group(*found.span(), _ascii(found.group()))
            for found in _GROUP.finditer(text, start, end)
        ]

    def gap(self, index: int) -> str:
        """What stands before the group of that index, inside the run."""
        return self.text[self.groups[index - 1].end : self.groups[index].start]

    def starts_free(self, index: int) -> bool:
        """True when a number may begin with that group: it is no later part of something else."""
        if index:
            return _parts(self.gap(index))
        before = self.text[max(0, self.groups[0].start - 2) : self.groups[0].start]
        if not before:
            return True
        glued = before[-1] in "-./" and _WORD.match(before)
        return not (glued or before[-1] in "#$€£_" or before[-1].isalnum())

    def ends_free(self, index: int) -> bool:
        """True when a number may end with that group."""
        if index + 1 < len(self.groups):
            return _parts(self.gap(index + 1))
        end = self.groups[index].end
        after = self.text[end : end + 2]
        if not after:
            return True
        glued = after[0] in "-./:" and _WORD.match(after, 1)
        return not (glued or after[0] in "%_@" or after[0].isalnum())


def runs(text: str) -> Iterator[Run]:
    """Every run of digits, in order. Linear in the length of the text."""
    for found in _RUN.finditer(text):
        yield Run(text, *found.span())


def open_run(text: str) -> int:
    """Where the digits begin that more digits could follow; the text's length when there are none.

    Looks at the last ``MAX_RUN`` characters only.
    """
    offset = max(0, len(text) - MAX_RUN)
    found = _OPEN_RUN.search(text[offset:])
    return offset + found.start() if found else len(text)


def _parts(gap: str) -> bool:
    """True when the marks between two groups could as well stand between two numbers."""
    return any(mark.isspace() or mark in ",(+" for mark in gap)


def _ascii(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)
