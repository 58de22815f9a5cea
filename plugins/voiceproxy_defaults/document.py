"""The file: read, checked, and asked for the layers that a session gets."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voiceproxy import Text, part_problems, unknown_fields
from voiceproxy_defaults.merge import over, stack, under

SECTIONS = ("endpoints", "profiles")
"""Tables of layers by name."""

PARSERS: Mapping[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}


@dataclass(frozen=True, slots=True)
class Layer:
    """Parts of Settings: one that goes under a client's, one that goes over it."""

    defaults: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)

    def beneath(self, upper: Layer) -> Layer:
        """Both as one: where they differ, the upper one's defaults and overrides count."""
        return Layer(under(upper.defaults, self.defaults), stack(self.overrides, upper.overrides))

    def apply(self, settings: dict[str, Any]) -> dict[str, Any]:
        """A client's Settings with the defaults under and the overrides over them."""
        merged: dict[str, Any] = over(under(settings, self.defaults), self.overrides)
        return {**merged, "type": "Settings"}


@dataclass(frozen=True, slots=True)
class Document:
    """The layers of one file."""

    common: Layer
    endpoints: Mapping[str, Layer]
    """By the backend's name, or by path."""
    profiles: Mapping[str, Layer]

    def layer(self, endpoint: str, path: str, profile: str | None) -> Layer:
        """What a session gets: common, backend, path, profile, each above the one before.

        ``path`` may begin with where the application is mounted. Raises KeyError for a profile
        there is not.
        """
        layers = [self.common]
        for name, layer in self.endpoints.items():
            if name == endpoint:
                layers.insert(1, layer)
            elif name.startswith("/") and path.endswith(name):
                layers.append(layer)
        if profile is not None:
            layers.append(self.profiles[profile])
        made = layers[0]
        for layer in layers[1:]:
            made = made.beneath(layer)
        return made


def read_document(file: str, served: Collection[str]) -> Document:
    """Read a TOML or JSON file. Raises ValueError, whose text has a line for each problem.

    ``served``: the names and paths of the endpoints there are.
    """
    if not file:
        raise ValueError("names no file, and the plugin has nothing to do without one")
    path = Path(file)
    parse = PARSERS.get(path.suffix.lower())
    if parse is None:
        raise ValueError(f"{file}: must be called .toml or .json")
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:  # bad UTF-8, bad TOML, bad JSON
        raise ValueError(f"{file}: {error}") from error
    problems = [f"{file}: {problem}" for problem in _problems(content, sorted(served))]
    if problems:
        raise ValueError("\n".join(problems))
    return Document(
        _layer(content),
        {name: _layer(it) for name, it in content.get("endpoints", {}).items()},
        {name: _layer(it) for name, it in content.get("profiles", {}).items()},
    )


def unknown_in(document: Document) -> Iterator[str]:
    """Name every field of the file that the protocol does not know."""
    named = {"": document.common}
    named |= {f"endpoints.{name}.": layer for name, layer in document.endpoints.items()}
    named |= {f"profiles.{name}.": layer for name, layer in document.profiles.items()}
    for name, layer in named.items():
        for part in ("defaults", "overrides"):
            yield from (f"{name}{part}.{one}" for one in unknown_fields(getattr(layer, part)))


def _layer(table: Mapping[str, Any]) -> Layer:
    return Layer(table.get("defaults", {}), table.get("overrides", {}))


def _problems(content: Any, served: Collection[str]) -> Iterator[str]:
    if not isinstance(content, dict):
        yield "must be an object"
        return
    yield from _of_layer("", content, SECTIONS)
    for section in SECTIONS:
        layers = content.get(section, {})
        if not isinstance(layers, dict):
            yield f"{section}: must be a table"
            continue
        for name, table in layers.items():
            if section == "endpoints" and name not in served:
                yield f"endpoints.{name}: is not served here; there are {', '.join(served)}"
            yield from _of_layer(f"{section}.{name}.", table, ())


def _of_layer(name: str, table: Any, more: tuple[str, ...]) -> Iterator[str]:
    if not isinstance(table, dict):
        yield f"{name.removesuffix('.')}: must be a table"
        return
    for key in sorted(table.keys() - {"defaults", "overrides", *more}):
        known = ", ".join(("defaults", "overrides", *more))
        yield f"{name}{key}: unknown; there are {known}"
    for part in ("defaults", "overrides"):
        fields = table.get(part, {})
        if not isinstance(fields, dict):
            yield f"{name}{part}: must be a table"
            continue
        yield from (f"{name}{part}.{one}" for one in part_problems(fields))
        try:
            Text.of(fields)
        except TypeError as error:  # half a character, a number beyond 64 bits, too deep
            yield f"{name}{part}: cannot be sent as JSON: {error}"
