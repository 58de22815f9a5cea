r"""Patterns of the operator's own: ``employee=EMP-\d{6}``.

Not every regular expression can be matched in bounded time, so a pattern is a row of characters,
each with a count that ends, and no count leaves a choice:

- ``\d`` ``\w`` ``\s``, a class in brackets, a character of its own, ``\`` before a special one;
- behind it ``?``, ``{n}``, ``{m,n}`` or ``{m-n}`` (commas part the values of a variable).

Upper and lower case are the same. What is found does not begin or end inside a word.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from voiceproxy_redaction.spans import Span

MAX_LENGTH = 100
"""The most characters a pattern may stand for: what bounds the work at each place of a text."""

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

_ELEMENT = re.compile(
    r"(?P<one>\\[dws]|\\[^A-Za-z0-9]|\[\^?(?:\\.|[^\[\]\\])+\]|[^\\\[\](){}|*+?^$.])"
    r"(?P<count>\?|\{\d{1,3}(?:[,-]\d{1,3})?\})?",
    re.DOTALL,
)
_BEFORE, _AFTER = r"(?:(?<!\w)|(?!\w))", r"(?:(?!\w)|(?<!\w))"
_CHARACTERS = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x10000)]))


class Element(NamedTuple):
    """One character of a pattern and how often it comes."""

    one: str
    least: int
    most: int


class Pattern:
    """A pattern ready to be looked for. Raises ValueError, with what is wrong, for a bad one."""

    def __init__(self, name: str, source: str) -> None:
        elements = _elements(source)
        if sum(element.least for element in elements) < 1:
            raise ValueError("it would match nothing at all")
        self.length = sum(element.most for element in elements)
        if self.length > MAX_LENGTH:
            raise ValueError(f"it stands for more than {MAX_LENGTH} characters")
        _refuse_choices(elements)
        self.name = name
        whole = "".join(f"{one}{{{least},{most}}}+" for one, least, most in elements)
        self._whole = re.compile(_BEFORE + whole + _AFTER, re.IGNORECASE)
        self._part = re.compile(_BEFORE + "(?=.)" + _part(elements), re.IGNORECASE | re.DOTALL)

    def find(self, text: str) -> Iterator[Span]:
        """Every place of the text it fits."""
        for found in self._whole.finditer(text):
            yield Span(*found.span(), self.name, found.group())

    def open(self, text: str) -> int:
        """Where a match begins whose rest may follow; the text's length when there is none."""
        offset = max(0, len(text) - self.length)
        found = self._part.search(text[offset:])
        return offset + found.start() if found else len(text)


def _elements(source: str) -> list[Element]:
    elements, end = [], 0
    while end < len(source):
        found = _ELEMENT.match(source, end)
        if found is None:
            raise ValueError(f"{source[end:]!r} cannot be read")
        elements.append(Element(_class(found["one"]), *_count(found["count"])))
        end = found.end()
    return elements


def _class(one: str) -> str:
    """A regular expression of exactly one character."""
    if len(one) == 1:
        return re.escape(one)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(one)
    except (re.error, FutureWarning) as error:
        raise ValueError(f"{one!r}: {error}") from None
    return one


def _count(written: str | None) -> tuple[int, int]:
    if written is None:
        return 1, 1
    if written == "?":
        return 0, 1
    least, _, most = written[1:-1].replace("-", ",").partition(",")
    if most and int(most) < int(least):
        raise ValueError(f"{written!r} is the wrong way round")
    return int(least), int(most or least)


def _refuse_choices(elements: Sequence[Element]) -> None:
    """What follows an element of varying length must be none of its characters."""
    for index, element in enumerate(elements):
        if element.least == element.most:
            continue
        own = _members(element.one)
        for following in elements[index + 1 :]:
            if own & _members(following.one):
                both = f"{element.one!r} and {following.one!r}"
                raise ValueError(f"where does one end and the other begin: {both}?")
            if following.least:
                break


def _members(one: str) -> set[str]:
    return set(re.findall(one, _CHARACTERS, re.IGNORECASE))


def _part(elements: Sequence[Element]) -> str:
    """Matches whatever begins like the pattern and ends with the text."""
    part = r"\Z"
    for one, least, most in reversed(elements):
        part = rf"(?:{one}{{0,{most}}}+\Z|{one}{{{least},{most}}}+{part})"
    return part
