"""The settings of the redaction plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from voiceproxy import SettingsSchema
from voiceproxy_redaction.finder import KINDS
from voiceproxy_redaction.marks import Mode
from voiceproxy_redaction.patterns import NAME, Pattern

MODES = ("off", "mask", "hash", "drop")

SHORTEST_KEY = 16
"""Characters. Telephone numbers are few: with a short key their hashes could be looked up."""

MAX_MESSAGE = 256 * 1024
"""Bytes. The worst text of that length takes about a second, in which no other session moves."""


@dataclass(frozen=True, slots=True)
class RedactionSettings:
    """What is looked for, and who gets to see what instead of it."""

    observers: Mode = "mask"
    client: Mode = "off"
    backend: Mode = "off"
    kinds: Sequence[str] = KINDS
    patterns: Sequence[str] = ()
    hash_key: str = field(default="", repr=False)
    max_message: int = MAX_MESSAGE


def _mode(default: str, purpose: str) -> fields.String:
    return fields.String(
        load_default=default,
        validate=validate.OneOf(MODES),
        metadata={"help": f"{purpose} off, mask, hash or drop."},
    )


def read_pattern(written: str) -> Pattern:
    """``NAME=PATTERN``. Raises ValidationError that says what is wrong."""
    name, equals, source = written.partition("=")
    if not equals or not NAME.fullmatch(name):
        raise ValidationError("Write NAME=PATTERN; a name is of a-z, 0-9, - and _.")
    if name in KINDS:
        raise ValidationError(f"{name} is a kind that is known already; choose another name.")
    try:
        return Pattern(name, source)
    except ValueError as error:
        raise ValidationError(f"The pattern {name} cannot be used: {error}") from None


class RedactionSettingsSchema(SettingsSchema):
    """Personal data taken out of text."""

    section = "redaction"
    makes = RedactionSettings

    observers = _mode("mask", "What observers get: plugins that log, record or count.")
    client = _mode("off", "What the client gets.")
    backend = _mode("off", "What the backend gets.")
    kinds = fields.List(
        fields.String(validate=validate.OneOf(KINDS)),
        load_default=lambda: list(KINDS),
        metadata={"help": f"What to look for, any of {', '.join(KINDS)}."},
    )
    patterns = fields.List(
        fields.String(validate=lambda written: read_pattern(written) and None),
        load_default=list,
        metadata={"help": r"What else to look for, each NAME=PATTERN: employee=EMP-\d{6}"},
    )
    hash_key = fields.String(
        load_default="",
        metadata={"help": "Key of the hashes, 16 characters at least.", "secret": True},
    )
    max_message = fields.Integer(
        load_default=MAX_MESSAGE,
        validate=validate.Range(min=1),
        metadata={
            "help": "Bytes of the largest message that is read. Of a larger one observers get "
            "nothing; it ends the session where client or backend are to get it redacted."
        },
    )

    @validates_schema
    def _does_something(self, data: dict[str, Any], **_: Any) -> None:
        modes = [data["observers"], data["client"], data["backend"]]
        if modes == ["off"] * 3:
            raise ValidationError("observers, client and backend are all off: leave it out.")
        if not data["kinds"] and not data["patterns"]:
            raise ValidationError("Neither kinds nor patterns: there is nothing to look for.")
        if "hash" in modes and len(data["hash_key"]) < SHORTEST_KEY:
            raise ValidationError(
                f"hash needs a key of {SHORTEST_KEY} characters or more.", "hash_key"
            )
