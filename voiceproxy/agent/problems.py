"""What is wrong with a message: a line for every bad field, with its place, never its value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from marshmallow.exceptions import SCHEMA

from voiceproxy.agent.client_messages import CLIENT_MESSAGES
from voiceproxy.agent.dialects import ONLY
from voiceproxy.agent.server_messages import SERVER_MESSAGES

if TYPE_CHECKING:
    from marshmallow import Schema

    from voiceproxy.agent.dialects import Dialect

SETTINGS = CLIENT_MESSAGES["Settings"]

MAX_PROBLEMS = 20
"""As many lines as a person reads before fixing the first."""

MAX_REMEMBERED = 256
"""How many Settings are known to be valid: an app's are the same in every session."""

Place = tuple[str | int, ...]
"""The keys and array indexes that lead from the message to a field."""


_valid: OrderedDict[bytes, None] = OrderedDict()
"""Digests of the latest of them. Of what a client has said nothing else is kept."""


def problems(message: dict[str, Any], data: bytes | None = None) -> list[str]:
    """Check a client's message, at any depth; return one line per bad field, none when it is valid.

    A line is the JSON path and what was expected there:
    ``agent.think.functions[2].name: Missing data for required field.`` Lines are in the order of
    their paths, indexes as numbers; past 20 the last says how many more there are. A path is made
    of the protocol's own names and of indexes, so nothing a client wrote is repeated. A ``type``
    this protocol does not have is no problem here: what a backend accepts is the backend's to say.

    ``data`` is what the message was parsed from. Checking a ``Settings`` takes a quarter of all
    the steps of a session's beginning, so the same bytes are not checked twice.
    """
    kind = message.get("type")
    if not isinstance(kind, str):
        return _type_problems(message)
    shape = CLIENT_MESSAGES.get(kind)
    if shape is None:
        return []
    if data is None or shape is not SETTINGS:
        return _shape_problems(shape, message)
    return _settings_problems(message, sha256(data).digest())


def _settings_problems(message: dict[str, Any], digest: bytes) -> list[str]:
    if digest in _valid:
        return []
    found = _shape_problems(SETTINGS, message)
    if not found:
        _valid[digest] = None
        if len(_valid) > MAX_REMEMBERED:
            _valid.popitem(last=False)
    return found


def part_problems(part: dict[str, Any]) -> list[str]:
    """Check a part of ``Settings``, such as one kept on a server: as ``problems``.

    An object may lack what the rest of the Settings can bring; what is in an array is whole.
    """
    return _shape_problems(SETTINGS, part, partial=True)


def unknown_fields(part: dict[str, Any]) -> list[str]:
    """Name the paths in a part of ``Settings`` without problems that this protocol does not have.

    A backend may know them, being newer; or they are misspelt.
    """
    known = SETTINGS.load(part, partial=True)
    return [_path(place).removesuffix(": ") for place in _dropped(part, known, ())]


def server_problems(message: dict[str, Any], dialect: Dialect | None = None) -> list[str]:
    """Check a message to a client, for tests: as ``problems``, but strictly.

    Unknown keys and unknown types are problems; so is, when a ``dialect`` is given, a type that
    only the other one has.
    """
    kind = message.get("type")
    if not isinstance(kind, str):
        return _type_problems(message)
    shape = SERVER_MESSAGES.get(kind)
    if shape is None:
        return ["type: Must be one of SERVER_MESSAGES."]
    if dialect is not None and ONLY.get(kind, dialect) != dialect:
        return [f"type: Must be a message of the {dialect} dialect."]
    return _shape_problems(shape, message)


def _type_problems(message: dict[str, Any]) -> list[str]:
    expected = "Must be a string." if "type" in message else "Missing data for required field."
    return [f"type: {expected}"]


def _shape_problems(shape: Schema, message: dict[str, Any], *, partial: bool = False) -> list[str]:
    found = sorted(_flatten(shape.validate(message, partial=partial), ()))
    lines = [_path(place) + expected for place, expected in found[:MAX_PROBLEMS]]
    if len(found) > MAX_PROBLEMS:
        lines.append(f"and {len(found) - MAX_PROBLEMS} more")
    return lines


def _flatten(errors: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Walk marshmallow's errors: mappings by key or index, with lists of texts for leaves."""
    if isinstance(errors, Mapping):
        for key, inner in errors.items():
            yield from _flatten(inner, place if key == SCHEMA else (*place, key))
    else:
        yield from ((place, text) for text in errors)


def _dropped(given: Any, loaded: Any, place: Place) -> Iterator[Place]:
    """Walk what was given beside what a shape has made of it, which is what it knows."""
    if isinstance(given, dict) and isinstance(loaded, dict):
        for key, inner in given.items():
            if key in loaded:
                yield from _dropped(inner, loaded[key], (*place, key))
            else:
                yield (*place, key)
    elif isinstance(given, list) and isinstance(loaded, list):
        for index, inner in enumerate(given):
            yield from _dropped(inner, loaded[index], (*place, index))


def _path(place: Place) -> str:
    """Write a place as JSON paths are written, ``agent.think[0].functions[2].name: ``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".") + ": " if place else ""
