"""The API's limits that its schema does not carry: ranges, lengths, and keys a kind of item needs.

Sources: the API specification (2.3.0) for ranges and for ``event_id``; reported errors for item and
call ids; the wire for content that must not be empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voiceproxy_simulator import refusals

Found = tuple[str, Any]
"""Where in the event, as the API spells it, and what is there."""

_STEP = re.compile(r"([^.\[\]]+)(\[\])?")


def find(event: dict[str, Any], pattern: str) -> Iterator[Found]:
    """Every value at a pattern such as ``session.tools[].name`` that is there and not null."""
    places: list[Found] = [("", event)]
    for name, repeated in _STEP.findall(pattern):
        places = [found for place in places for found in _step(place, name, bool(repeated))]
    return iter(places)


def _step(place: Found, name: str, repeated: bool) -> Iterator[Found]:
    path, value = place
    inner = value.get(name) if isinstance(value, dict) else None
    if inner is None:
        return
    path = f"{path}.{name}" if path else name
    if not repeated:
        yield path, inner
    elif isinstance(inner, list):
        yield from ((f"{path}[{index}]", entry) for index, entry in enumerate(inner))


@dataclass(frozen=True, slots=True)
class Range:
    """A number from ``low`` to ``high``, both included. ``"inf"`` and its like pass."""

    pattern: str
    low: float
    high: float = float("inf")

    def check(self, event: dict[str, Any]) -> None:
        """Refuse what is outside."""
        for path, value in find(event, self.pattern):
            if isinstance(value, int | float) and not self.low <= value <= self.high:
                bound = self.low if value < self.low else self.high
                side = ">=" if value < self.low else "<="
                message = f"Invalid '{path}': expected a value {side} {bound:g}, but got {value}."
                raise refusals.invalid_value(path, message)


@dataclass(frozen=True, slots=True)
class Length:
    """A string of at most ``limit`` characters."""

    pattern: str
    limit: int

    def check(self, event: dict[str, Any]) -> None:
        """Refuse what is longer."""
        for path, value in find(event, self.pattern):
            if len(value) > self.limit:
                raise refusals.too_long(path, self.limit, len(value))


@dataclass(frozen=True, slots=True)
class Needs:
    """Objects of type ``kind`` (None: of any) need ``names``, which the schema calls optional."""

    pattern: str
    kind: str | None
    names: tuple[str, ...]

    def check(self, event: dict[str, Any]) -> None:
        """Refuse what lacks one."""
        for path, value in find(event, self.pattern):
            if self.kind in {None, value.get("type")}:
                for name in self.names:
                    if value.get(name) is None:
                        raise refusals.missing_parameter(f"{path}.{name}")


@dataclass(frozen=True, slots=True)
class Matches:
    """A string that matches ``expression`` from end to end."""

    pattern: str
    expression: str

    def check(self, event: dict[str, Any]) -> None:
        """Refuse what does not."""
        for path, value in find(event, self.pattern):
            if not re.fullmatch(self.expression, value):
                message = f"Invalid '{path}': string does not match pattern '^{self.expression}$'."
                raise refusals.invalid_value(path, message)


@dataclass(frozen=True, slots=True)
class OneModality:
    """``["audio"]`` or ``["text"]``; audio brings its transcript anyway."""

    pattern: str

    def check(self, event: dict[str, Any]) -> None:
        """Refuse both, none and repetitions."""
        for path, value in find(event, self.pattern):
            if len(value) != 1:
                message = (
                    f"Invalid modalities: {value}. Supported combinations are: ['text'] and "
                    "['audio']."
                )
                raise refusals.invalid_value(path, message)


@dataclass(frozen=True, slots=True)
class Metadata:
    """At most 16 keys of 64 characters with values of 512."""

    pattern: str

    def check(self, event: dict[str, Any]) -> None:
        """Refuse more, and longer."""
        for path, value in find(event, self.pattern):
            if len(value) > 16:
                message = f"Invalid '{path}': too many properties. Expected at most 16."
                raise refusals.invalid_value(path, message)
            for key, text in value.items():
                for string, limit in ((key, 64), (text, 512)):
                    if len(string) > limit:
                        raise refusals.too_long(f"{path}.{key[:64]}", limit, len(string))


Limit = Range | Length | Needs | Matches | OneModality | Metadata

_INPUT = "session.audio.input"

_SESSION: tuple[Limit, ...] = (
    OneModality("session.output_modalities"),
    Range(f"{_INPUT}.turn_detection.threshold", 0, 1),
    Range(f"{_INPUT}.turn_detection.prefix_padding_ms", 0),
    Range(f"{_INPUT}.turn_detection.silence_duration_ms", 0),
    Range(f"{_INPUT}.turn_detection.idle_timeout_ms", 5000, 30000),
    Range("session.audio.output.speed", 0.25, 1.5),
    Range("session.max_output_tokens", 1, 4096),
    Range("session.truncation.retention_ratio", 0, 1),
    Range("session.truncation.token_limits.post_instructions", 0),
    Needs("session.tools[]", "function", ("name",)),
)


def _item(at: str) -> tuple[Limit, ...]:
    """The limits of an item that a client makes."""
    return (
        Length(f"{at}.id", 32),
        Length(f"{at}.call_id", 32),
        Matches(f"{at}.call_id", "[a-zA-Z0-9_-]+"),
        Needs(f"{at}.content[]", None, ("type",)),
        Needs(f"{at}.content[]", "input_text", ("text",)),
        Needs(f"{at}.content[]", "output_text", ("text",)),
        Needs(f"{at}.content[]", "input_audio", ("audio",)),
        Needs(f"{at}.content[]", "input_image", ("image_url",)),
        Matches(f"{at}.content[].image_url", "data:image/(png|jpeg);base64,.*"),
    )


_RESPONSE: tuple[Limit, ...] = (
    OneModality("response.output_modalities"),
    Range("response.max_output_tokens", 1, 4096),
    Needs("response.tools[]", "function", ("name",)),
    Metadata("response.metadata"),
    *_item("response.input[]"),
)
_TRUNCATE: tuple[Limit, ...] = (Range("content_index", 0), Range("audio_end_ms", 0))

_ANY: tuple[Limit, ...] = (Length("event_id", 512),)

_LIMITS: dict[str, tuple[Limit, ...]] = {
    "session.update": _SESSION,
    "response.create": _RESPONSE,
    "conversation.item.create": _item("item"),
    "conversation.item.truncate": _TRUNCATE,
}


def check(event: dict[str, Any]) -> None:
    """Raise the first ``Refusal``. The event has passed the schema."""
    for limit in (*_ANY, *_LIMITS.get(event["type"], ())):
        limit.check(event)
