"""Client messages: which there are, what they hold, and a parser that takes nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

Message = dict[str, Any]
Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    """A string."""
    return isinstance(value, str)


def texts(value: Any) -> bool:
    """A list of strings."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def flag(value: Any) -> bool:
    """``true`` or ``false``."""
    return isinstance(value, bool)


def flags(value: Any) -> bool:
    """An object of booleans."""
    return isinstance(value, dict) and all(isinstance(one, bool) for one in value.values())


def whole(value: Any) -> bool:
    """An integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    """A number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def absent_or(check: Check) -> Check:
    """What ``check`` takes, and ``null``."""
    return lambda value: value is None or check(value)


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a message beside ``type``, or of an object in it."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)

    def fault(self, value: Mapping[str, Any]) -> str:
        """What is wrong with the fields, in words; ``""`` when nothing is."""
        known = {**self.required, **self.optional}
        for name in self.required:
            if name not in value:
                return f"missing field `{name}`"
        for name, inner in value.items():
            if name not in known:
                return f"unknown field `{name[:64]}`"
            if not known[name](inner):
                return f"invalid value of `{name}`"
        return ""

    def __call__(self, value: Any) -> bool:
        """As the check of an object inside a message."""
        return isinstance(value, dict) and not self.fault(value)


class UnparsableError(Exception):
    """A text frame that is no message of this API; ``kind`` is its type as far as it has one."""

    def __init__(self, kind: str, fault: str) -> None:
        super().__init__(fault)
        self.kind = kind


def parse(frame: str, shapes: Mapping[str, Shape]) -> Message:
    """The message a text frame holds. Raises ``UnparsableError``."""
    try:
        message = orjson.loads(frame)
    except ValueError:
        raise UnparsableError("", "not valid JSON") from None
    if not isinstance(message, dict):
        raise UnparsableError("", "not a JSON object")
    kind = message.get("type")
    if not isinstance(kind, str):
        raise UnparsableError("", "missing field `type`")
    if kind not in shapes:
        raise UnparsableError(kind[:64], f"unknown variant `{kind[:64]}`")
    fault = shapes[kind].fault({name: one for name, one in message.items() if name != "type"})
    if fault:
        raise UnparsableError(kind, fault)
    return message
