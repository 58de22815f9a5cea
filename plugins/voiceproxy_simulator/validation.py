"""Checks a client event against the checked-in schema, and refuses the way the API does.

Closed: a key the schema does not have is refused at any depth, except where the schema leaves an
object free (tool ``parameters``, ``metadata``, prompt ``variables``, MCP ``headers``). A library
for JSON Schema would say *that* an event is wrong; the API says which parameter and why, with one
of five codes, so this interprets the few keywords the schema uses and keeps the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from voiceproxy_simulator import refusals
from voiceproxy_simulator.generate_schemas import CLIENT_FILE, SERVER_FILE

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_ARTICLES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "integer": "an integer",
    "number": "a decimal",
    "boolean": "a boolean",
    "null": "null",
}
_NULLABLE = frozenset(
    {
        "previous_item_id",
        "session.audio.input.transcription",
        "session.audio.input.noise_reduction",
        "response.metadata",
    }
)
"""Null clears these, though the Param types do not say so."""

_DISCRIMINATORS = ("type", "role")


class Validator:
    """The events of one direction."""

    def __init__(self, schema: Schema) -> None:
        self._definitions: dict[str, Schema] = schema["$defs"]
        self._events: dict[str, Schema] = {}
        for reference in schema["anyOf"]:
            event = self._resolve(reference)
            self._events[event["properties"]["type"]["const"]] = event

    @property
    def event_types(self) -> Sequence[str]:
        """The ``type`` of every event of this direction."""
        return tuple(self._events)

    def check(self, event: dict[str, Any]) -> None:
        """Raise the first ``Refusal`` the API would answer with."""
        kind = event.get("type")
        if not isinstance(kind, str):
            raise refusals.invalid_event("The event has no 'type'.", "type")
        if kind not in self._events:
            raise refusals.invalid_event(f"Unknown event type: {kind[:64]!r}.", "type")
        self._object(self._events[kind], event, "")

    def _resolve(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        return self._definitions[reference.rpartition("/")[2]] if reference else schema

    def _value(self, schema: Schema, value: Any, path: str) -> None:
        if value is None and path in _NULLABLE:
            return
        branch = self._branch(schema, value, path)
        kind = branch.get("type")
        if kind == "object":
            self._object(branch, value, path)
        elif kind == "array":
            for index, entry in enumerate(value):
                self._value(branch["items"], entry, f"{path}[{index}]")
        else:
            _check_enumerated([branch], value, path)

    def _object(self, schema: Schema, value: dict[str, Any], path: str) -> None:
        properties = schema.get("properties")
        if properties is None:
            self._free_object(schema, value, path)
            return
        for name in value:
            if name not in properties:
                raise refusals.unknown_parameter(_join(path, name))
        for name in schema.get("required", ()):
            if name not in value:
                raise refusals.missing_parameter(_join(path, name))
        for name, entry in value.items():
            self._value(properties[name], entry, _join(path, name))

    def _free_object(self, schema: Schema, value: dict[str, Any], path: str) -> None:
        entries = schema.get("additionalProperties")
        if entries is not None:
            for name, entry in value.items():
                self._value(entries, entry, _join(path, name))

    def _branch(self, schema: Schema, value: Any, path: str) -> Schema:
        """The one alternative that is meant: by JSON type, then by ``type``, then by ``role``."""
        branches = list(self._alternatives(schema))
        if {} in branches:
            return {}
        fitting = [branch for branch in branches if _has_type(value, branch["type"])]
        if not fitting:
            expected = " or ".join(dict.fromkeys(_ARTICLES[branch["type"]] for branch in branches))
            raise refusals.invalid_type(path, expected, _ARTICLES[_type_of(value)])
        if isinstance(value, dict):
            for discriminator in _DISCRIMINATORS:
                fitting = _discriminate(fitting, discriminator, value, path)
        elif len(fitting) > 1:
            _check_enumerated(fitting, value, path)
            return {}
        return fitting[0]

    def _alternatives(self, schema: Schema) -> Sequence[Schema]:
        schema = self._resolve(schema)
        if "anyOf" not in schema:
            return (schema,)
        return [found for one in schema["anyOf"] for found in self._alternatives(one)]


def _check_enumerated(branches: Sequence[Schema], value: Any, path: str) -> None:
    """Refuse a value outside the enumerations. A bare type beside one is the SDK's openness to
    names it does not know yet; the API is not open."""
    supported: list[Any] = []
    for branch in branches:
        supported += branch.get("enum", ())
        if "const" in branch:
            supported.append(branch["const"])
    if supported and value not in supported and path not in _OPEN_NAMES:
        raise refusals.not_among(path, value, supported)


_OPEN_NAMES = frozenset({"session.model", "session.audio.input.transcription.model"})
"""Model names are judged by what was connected to, not by the SDK's list."""


def _discriminate(
    branches: list[Schema], name: str, value: dict[str, Any], path: str
) -> list[Schema]:
    """Keep the alternatives whose constant ``name`` is the value's."""
    constants = [_constant(branch, name) for branch in branches]
    if len(branches) < 2 or None in constants:
        return branches
    if name not in value:
        raise refusals.missing_parameter(_join(path, name))
    kept = [b for b, constant in zip(branches, constants, strict=True) if constant == value[name]]
    if not kept:
        raise refusals.not_among(_join(path, name), value[name], dict.fromkeys(constants))
    return kept


def _constant(branch: Schema, name: str) -> Any:
    """The constant a branch wants under ``name``; behind a nullable too. None: it wants none."""
    wanted = branch.get("properties", {}).get(name, {})
    return next(
        (one["const"] for one in (wanted, *wanted.get("anyOf", ())) if "const" in one), None
    )


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _type_of(value: Any) -> str:
    return next(kind for kind in _TYPES if _has_type(value, kind))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@cache
def client_events() -> Validator:
    """The events a client may send."""
    return _load(CLIENT_FILE)


@cache
def server_events() -> Validator:
    """The events the simulator may send; tests hold it to them."""
    return _load(SERVER_FILE)


def _load(file: Path) -> Validator:
    return Validator(orjson.loads(file.read_bytes()))
