"""Plausible values for a function's parameters, from their JSON Schema."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_BY_NAME = {
    "location": "Paris",
    "city": "Paris",
    "place": "Paris",
    "country": "France",
    "timezone": "UTC",
    "name": "Ada",
    "language": "en",
    "unit": "celsius",
    "query": "hello",
}
_BY_FORMAT = {
    "date": "2026-01-31",
    "time": "12:30:00Z",
    "date-time": "2026-01-31T12:30:00Z",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 8
"""Levels filled in; a schema that nests deeper, or in itself, gets empty objects there."""


def plausible(schema: Any, name: str = "") -> Any:
    """A value the schema accepts, for the schemas functions usually have; for others ``{}``."""
    try:
        return _plausible(schema, name, 0)
    except (AttributeError, LookupError, TypeError):
        return {}


def _plausible(schema: Any, name: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for listed in ("enum", "examples"):
        if schema.get(listed):
            return schema[listed][0]
    for choices in ("anyOf", "oneOf", "allOf"):
        if schema.get(choices):
            return _plausible(schema[choices][0], name, depth + 1)
    return _of_type(schema, name, depth)


def _of_type(schema: Schema, name: str, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _plausible(inner, key, depth + 1) for key, inner in properties.items()}
    if kind == "array":
        return [_plausible(schema.get("items", {"type": "string"}), name, depth + 1)]
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1 if kind == "integer" else 1.5)
    return {"boolean": True, "null": None}.get(kind, _text(schema, name))


def _text(schema: Schema, name: str) -> str:
    return _BY_FORMAT.get(schema.get("format", ""), _BY_NAME.get(name.lower(), "example"))
