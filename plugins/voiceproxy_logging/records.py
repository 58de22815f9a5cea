"""Records: an event of a session and its fields, as a line for people and as data for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

LONGEST = 128
"""Characters shown of a text that somebody else has chosen: a type, a reason, an id."""

Fields = Mapping[str, object]
"""Names with dots where OpenTelemetry or the contract (LOG-6) has one for it."""

_QUOTED = frozenset(' "=')
"""What a value may not hold as it stands."""

logger = logging.getLogger("voiceproxy.logging")


class Entry:
    """The message of a log record: written out only where somebody wants a line."""

    __slots__ = ("_fields", "_prefix", "event")

    def __init__(self, prefix: str, event: str, fields: Fields) -> None:
        self._prefix = prefix
        self.event = event
        """``connect``, ``upstream_open``, ``message`` or ``close``."""
        self._fields = fields

    def __str__(self) -> str:
        pairs = (f"{name}={_written(value)}" for name, value in self._fields.items())
        return " ".join((f"[{self._prefix}]", self.event, *pairs))


def emit(level: int, prefix: str, event: str, fields: Fields, ids: Fields) -> None:
    """Log one record. ``prefix`` begins its line; ``ids`` are among its data alone.

    Fields that are None are left out.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    entry = Entry(prefix, event, known)
    logger.log(level, entry, extra={"event": event, **ids, **known})


def shown(text: str) -> str:
    """A text of somebody else's choice, cut, that cannot break a line or a terminal."""
    text = text[:LONGEST]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "?" for one in text)


def _written(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and _QUOTED.isdisjoint(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in quoted)
