"""Reading what may be missing: neither an upstream's events nor a client's Settings are trusted.

Compatible servers leave out ids, indexes and whole objects, and change the type of others; each
reader answers with an empty value of its own type instead.
"""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]
"""One JSON object of the Realtime API, in either direction."""


class MalformedEvent(ValueError):
    """An event lacks what it cannot do without; it is dropped with a warning."""


def text_at(value: Event, key: str) -> str:
    """The string under the key, or ``""``."""
    found = value.get(key)
    return found if isinstance(found, str) else ""


def object_at(value: Event, key: str) -> Event:
    """The object under the key, or an empty one."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def objects_at(value: Event, key: str) -> list[Event]:
    """The objects of the list under the key; a single object counts as a list of one."""
    found = value.get(key)
    if isinstance(found, dict):
        return [found]
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def first_object_at(value: Event, key: str) -> Event:
    """The object under the key, or the first of a list of them (a fallback chain), or ``{}``."""
    found = objects_at(value, key)
    return found[0] if found else {}


def strings_at(value: Event, key: str) -> list[str]:
    """The strings of the list under the key."""
    found = value.get(key)
    return [entry for entry in found if isinstance(entry, str)] if isinstance(found, list) else []


def integers_at(value: Event, key: str) -> list[int]:
    """The integers of the list under the key."""
    found = value.get(key)
    return [entry for entry in found if type(entry) is int] if isinstance(found, list) else []


MAX_INTEGER = 2**53 - 1


def integer_at(value: Event, key: str, default: int = 0) -> int:
    """The integer under the key (JavaScript's 100.0 is one), or the default.

    What JavaScript cannot count exactly is none: it could not be written into an event again.
    """
    found = value.get(key)
    if type(found) is int and -MAX_INTEGER <= found <= MAX_INTEGER:
        return found
    number = number_at(value, key)
    if number is None or not number.is_integer() or abs(number) > MAX_INTEGER:
        return default
    return int(number)


def number_at(value: Event, key: str) -> float | None:
    """The finite number under the key, or None; booleans are no numbers."""
    found = value.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = float(found)
    except OverflowError:
        return None
    return number if number - number == 0 else None
