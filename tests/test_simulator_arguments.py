"""Plausible arguments for a function, from its schema."""

from __future__ import annotations

from typing import Any

import pytest

from voiceproxy_simulator.arguments import plausible


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "properties": {"city": {"type": "string"}}}, {"city": "Paris"}),
        ({"properties": {"x": {"type": "boolean"}}}, {"x": True}),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "number"}, 1.5),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "example"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array"}, ["example"]),
        ({"enum": ["celsius", "kelvin"]}, "celsius"),
        ({"const": 4}, 4),
        ({"type": "string", "default": "soon"}, "soon"),
        ({"type": "string", "examples": ["tea"]}, "tea"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, 1),
        ({}, "example"),
        (True, {}),
    ],
)
def test_a_value_fits_its_schema(schema: Any, value: Any) -> None:
    assert plausible(schema) == value


def test_a_schema_that_nests_in_itself_ends() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    schema["properties"]["again"] = schema
    assert plausible(schema)["again"]["again"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": "x"},
        {"type": "object", "properties": []},
        {"type": []},
        {"type": [[]]},
        {"type": {}},
        {"enum": {"a": 1}},
        {"anyOf": 7},
        {"format": []},
        [],
        None,
        "x",
    ],
)
def test_what_is_no_schema_gets_an_empty_object(schema):
    assert plausible(schema) == {}
