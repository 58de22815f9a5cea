"""What a message says, for those who have asked to see it: without credentials, and not for ever.

A client's Settings may carry credentials of its own, for a model, a voice or a function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

MASK = "********"
LONGEST = 2000
"""Characters shown of one message (contract LOG-8)."""

_CREDENTIAL = re.compile(
    r"credential|header|authori[sz]ation|password|secret|token|api[_-]?key|^key$", re.IGNORECASE
)
_USER_AND_QUERY = re.compile(r"(?<=//)[^/?#@]*@|[?#].*", re.DOTALL)


def content_of(message: dict[str, Any]) -> str:
    """The message as JSON, cut, its credentials masked. Changes the message, which is our copy."""
    unread: list[Any] = [message]
    while unread:  # by hand: JSON can be nested deeper than functions can call each other
        inner = unread.pop()
        if isinstance(inner, dict):
            for key in inner:
                inner[key] = _shown(key, inner[key])
        unread += [one for one in _values(inner) if isinstance(one, dict | list)]
    try:
        shown = orjson.dumps(message).decode()
    except TypeError:
        return "(nested too deeply to be shown)"
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if _CREDENTIAL.search(key):
        return MASK
    if key == "url" and isinstance(value, str):
        return _USER_AND_QUERY.sub("", value)
    return value


def _values(inner: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return inner.values() if isinstance(inner, dict) else inner
