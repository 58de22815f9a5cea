"""JSON of any shape: every string in it, and what is in strings that are JSON themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from voiceproxy_redaction.marks import SECRET, TOO_DEEP

MAX_DEPTH = 64
"""The deepest nesting that is looked at."""

TECHNICAL = frozenset(
    {
        *("type", "role", "event", "name", "id", "request_id", "uuid", "sha256"),
        *("transaction_key", "thought_signature"),
    }
)
"""Keys of the protocols whose strings nobody has said: they tell frames and calls apart."""

WIRING = frozenset({"endpoint", "provider", "credentials", "headers"})
"""Keys of the protocols that hold what a service needs as it is: addresses and credentials."""

DATA = frozenset({"arguments", "response", "content"})
"""Keys of what functions get and return: JSON in a string, or an object with keys of its own."""

CREDENTIALS = frozenset({"credentials", "headers"})
"""Those of them nobody but the service is to see."""

_NAME = re.compile(r"[a-z_]{1,32}", re.IGNORECASE)
"""What a field of a protocol may be called: too little to be anything that is looked for."""

_ESCAPE = re.compile(r"\\u(?!d[89a-f])([0-9a-f]{4})", re.IGNORECASE)

_URL_SECRETS = re.compile(r"(?<=//)[^/?@]*(?=@)|(?<=\?).+", re.DOTALL)
"""The user and password of an address, and its query."""

Redact = Callable[[str], str]


class Walk:
    """One pass over a message; ``redact`` says what becomes of each string.

    ``done`` are (id of the object, key) of what is not to be looked at any more.
    """

    def __init__(self, redact: Redact, *, for_wire: bool, done: set[tuple[int, str]]) -> None:
        self._redact = redact
        self._for_wire = for_wire
        self._done = done

    def protocol(self, value: Any, depth: int = 0) -> Any:
        """A part of a message whose shape is known: leaves alone what makes it work."""
        if isinstance(value, dict):
            if depth >= MAX_DEPTH:
                return TOO_DEEP
            return {
                self._key(key): self._field(value, key, item, depth) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.protocol(item, depth + 1) for item in self._bounded(value, depth)]
        return self._string(value, depth) if isinstance(value, str) else value

    def _key(self, key: str) -> str:
        return key if _NAME.fullmatch(key) else self._redact(key)

    def _field(self, parent: dict[str, Any], key: str, item: Any, depth: int) -> Any:
        if (id(parent), key) in self._done or (key in TECHNICAL and isinstance(item, str)):
            return item
        if key in CREDENTIALS and not self._for_wire:
            return SECRET
        if key in WIRING and self._for_wire:
            return item
        if key == "url" and isinstance(item, str):
            return self._redact(_URL_SECRETS.sub(SECRET, item))
        return (self.free if key in DATA else self.protocol)(item, depth + 1)

    def free(self, value: Any, depth: int = 0) -> Any:
        """Anything: every string, every key of an object, every whole number."""
        if isinstance(value, str):
            return self._string(value, depth)
        if isinstance(value, dict):
            if depth >= MAX_DEPTH:
                return TOO_DEEP
            return {self._redact(key): self.free(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.free(item, depth + 1) for item in self._bounded(value, depth)]
        return self._number(value)

    def _bounded(self, items: list[Any], depth: int) -> list[Any]:
        return items if depth < MAX_DEPTH else [TOO_DEEP]

    def _string(self, text: str, depth: int) -> str:
        """Redact a string; one that is an object or an array in JSON, part by part.

        As text, too: what was parsed may hide a key that comes twice, or digits in an array.
        """
        if text.lstrip()[:1] not in ("{", "[") or depth >= MAX_DEPTH:
            return self._redact(text)
        try:
            value = orjson.loads(text)
        except ValueError:
            return self._broken(text)
        before = orjson.dumps(value)
        after = orjson.dumps(self.free(value, depth + 1))
        return self._redact(text if before == after else after.decode())

    def _broken(self, text: str) -> str:
        """Nearly JSON: escapes may hide something."""
        unescaped = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        redacted = self._redact(unescaped)
        return self._redact(text) if redacted == unescaped else redacted

    def _number(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        whole = str(int(value)) if value == value // 1 else ""
        redacted = self._redact(whole) if whole else whole
        return value if redacted == whole else redacted
