"""Remembering a little of what is over, because servers send things late."""

from __future__ import annotations


class Recent:
    """The latest ids of some kind, at most ``size`` of them: a session may last an hour."""

    __slots__ = ("_ids", "_size")

    def __init__(self, size: int = 64) -> None:
        self._ids: dict[str, None] = {}
        self._size = size

    def add(self, name: str) -> None:
        """Remember an id, and forget the oldest when there are too many."""
        self._ids.pop(name, None)
        self._ids[name] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]

    def discard(self, name: str) -> None:
        """Forget an id, if it is remembered."""
        self._ids.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._ids


def take_apart(whole: object) -> None:
    """Forget the parts of something that is over, and theirs: they know each other in circles.

    So what they remember is freed at once and not when the garbage collector comes. Nothing may
    call them again.
    """
    package = __name__.partition(".")[0]
    for part in (*vars(whole).values(), whole):
        if hasattr(part, "__dict__") and type(part).__module__.startswith(package):
            vars(part).clear()
