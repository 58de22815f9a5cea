"""Where in a text personal data stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """One find: ``text[start:end]`` is to go."""

    start: int
    end: int
    kind: str
    """``email``, ``phone`` and so on, or the name of a pattern from the settings."""
    value: str
    """All of the data, also what stood in an earlier message."""


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same places in order, none of them overlapping; of two that do, the longer names both."""
    apart: list[Span] = []
    for span in sorted(spans):
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
            continue
        before = apart[-1]
        longer = span if len(span.value) > len(before.value) else before
        apart[-1] = longer._replace(start=before.start, end=max(before.end, span.end))
    return apart
