"""What is wrong with the settings, in words: one line a problem, naming variable and flag."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from marshmallow import ValidationError

    from voiceproxy.settings import Described, Layers, Setting, SettingsSchema

PREFIX = "VOICEPROXY_"
PLUGINS_VARIABLE = "VOICEPROXY_PLUGINS"
"""Names plugins, so it belongs to no schema (they come from the plugins)."""

UPSTREAM_URL = "upstream_url"
"""``--upstream-url`` and ``VOICEPROXY_UPSTREAM_URL``: set the field whose metadata carries this
key, in the first schema that has one, the first backend's."""
UPSTREAM_URL_FLAG = "--upstream-url"
UPSTREAM_URL_VARIABLE = "VOICEPROXY_UPSTREAM_URL"


def refused(
    schema: type[SettingsSchema],
    settings: Sequence[Setting],
    given: Mapping[str, tuple[Any, str]],
    error: ValidationError,
) -> Iterator[str]:
    """Yield what a schema refuses, in marshmallow's words. Never the value: it may be a secret."""
    by_name = {setting.name: setting for setting in settings}
    for name, messages in _by_field(error.messages).items():
        if name not in by_name:  # a validates_schema method speaks of the schema as a whole
            yield f"settings of {schema.section or 'the server'}: {' '.join(_flat(messages))}"
            continue
        source = f" (given by {given[name][1]})" if name in given else ""
        for message in _flat(messages):
            yield f"{by_name[name].label}: {message}{source}"


def unknown_keys(settings: Sequence[Setting], layers: Layers) -> Iterator[str]:
    """Yield the dotted names, from ``create_app`` or from flags, that no setting has."""
    known = {key for setting in settings for key in setting.keys}
    for key in sorted(layers.overrides.keys() - known):
        yield f"create_app setting {key!r}: unknown{_hint(key, known)}"
    for key in sorted(layers.flags.keys() - known):
        if key == UPSTREAM_URL:
            yield f"{UPSTREAM_URL_FLAG}: no plugin that was named takes an upstream URL"
        else:
            yield f"flag for {key!r}: unknown{_hint(key, known)}"


def unknown_variables(
    described: Described, layers: Layers, elsewhere: Collection[str]
) -> Iterator[str]:
    """Yield the variables of a loaded section that no field has, and likely misspelt ones.

    What follows no loaded section may belong to a plugin that is not loaded, unless it is one word
    (such a plugin's have at least two) or close to a variable of the host's.
    """
    owned = {schema.section.upper(): settings for schema, settings in described}
    foreign = {name.upper().replace("-", "_") for name in elsewhere} - owned.keys()
    known = {variable for one in owned.values() for it in one for variable in it.variables}
    known |= {PLUGINS_VARIABLE, UPSTREAM_URL_VARIABLE}
    for variable in layers.variables():
        rest = variable.removeprefix(PREFIX)
        section = _section(rest, {*owned, *foreign})
        if variable in known or section in foreign:
            continue
        prefix = f"{PREFIX}{section}_" if section else PREFIX
        names = [it.variables[0].removeprefix(prefix) for it in owned.get(section, ())]
        surely_ours = bool(section) or "_" not in rest
        cutoff = 0.6 if surely_ours else 0.85
        close = get_close_matches(variable.removeprefix(prefix), names, n=1, cutoff=cutoff)
        if surely_ours or close:
            hint = f"; did you mean {prefix}{close[0]}?" if close else ""
            yield f"{variable}: unknown variable{hint}"


def _section(rest: str, sections: Collection[str]) -> str:
    """Return the longest section the variable's name begins with, "" for the host's."""
    fitting = (name for name in sections if name and rest.startswith(f"{name}_"))
    return max(fitting, key=len, default="")


def _by_field(messages: Any) -> Mapping[Any, Any]:
    return messages if isinstance(messages, Mapping) else {"_schema": messages}


def _flat(messages: Any) -> Iterator[str]:
    """Yield each message of marshmallow's nested ones, with the item's number in a list."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            where = f"item {key + 1}" if isinstance(key, int) else str(key)
            yield from (f"{where}: {message}" for message in _flat(inner))
    elif isinstance(messages, str):
        yield messages
    else:
        for inner in messages:
            yield from _flat(inner)


def _hint(word: str, known: Collection[str]) -> str:
    close = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
