"""Settings: one marshmallow schema per plugin, loaded in layers, every problem reported at once.

Layers, strongest first: what ``create_app(settings=...)`` was given, flags, the environment, the
``.env`` file, the schema's defaults. Within the environment and within ``.env`` a setting's own
variable (``VOICEPROXY_OPENAI_API_KEY``) wins over its customary names (``OPENAI_API_KEY``). A blank
variable counts as not set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import unquote

from marshmallow import RAISE, Schema, ValidationError, fields, post_load
from yarl import URL

from voiceproxy.errors import SettingsError
from voiceproxy.settings_problems import (
    PREFIX,
    UPSTREAM_URL,
    UPSTREAM_URL_FLAG,
    UPSTREAM_URL_VARIABLE,
    refused,
    unknown_keys,
    unknown_variables,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

T = TypeVar("T")

MASK = "********"
_CREDENTIAL = re.compile("key|token|secret|password|auth|sig", re.IGNORECASE)


class SettingsSchema(Schema):
    """The base of a plugin's settings schema; the plugin names it ``voiceproxy_settings``.

    A field's ``metadata`` may hold ``help`` (one line), ``secret`` (no flag, masked when shown),
    ``variables`` (customary environment names, accepted too) and ``upstream_url`` (the address
    ``--upstream-url`` sets). A ``fields.List`` is a repeatable flag and comma separated in the
    environment; a ``fields.Boolean`` is a pair of flags, ``--x`` and ``--no-x``.
    """

    class Meta:
        """Nothing is accepted that no field declares."""

        unknown = RAISE

    section: ClassVar[str] = ""
    """``openai``: variables ``VOICEPROXY_OPENAI_<FIELD>``, flags ``--openai-<field>``."""

    makes: ClassVar[type[Any]]
    """The dataclass built from the loaded values, the key they are asked for by."""

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Any:
        return self.makes(**data)


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of one schema, and its names in every layer."""

    section: str
    name: str
    field: fields.Field[Any]
    keys: tuple[str, ...]
    """Dotted names, ``openai.model``: the keys of flags and of ``create_app(settings=...)``."""
    variables: tuple[str, ...]
    """Environment names, the specific one first."""
    flags: tuple[str, ...]
    """Empty for a secret: a command line can be read by every user of the machine."""

    @property
    def secret(self) -> bool:
        """Whether the value is never to be shown."""
        return bool(self.field.metadata.get("secret"))

    @property
    def flag(self) -> str:
        """The first flag as it is spelt, or would be if a secret had one."""
        return "--" + self.keys[0].replace(".", "-").replace("_", "-")

    @property
    def help(self) -> str:
        """What the setting is for, one line."""
        return str(self.field.metadata.get("help", ""))

    @property
    def label(self) -> str:
        """The variable and the flag, as error messages name them."""
        return f"{self.variables[0]} ({self.flags[0]})" if self.flags else self.variables[0]


@dataclass(frozen=True, slots=True)
class Value:
    """What a setting was set to, and by what."""

    setting: Setting
    value: Any
    source: str
    """``create_app``, ``flag --port``, ``environment PORT``, ``.env`` or ``default``."""


class Configuration:
    """The loaded settings of the host and of every plugin: ``configuration[HostSettings]``."""

    def __init__(self, objects: Mapping[type[Any], Any], values: Sequence[Value]) -> None:
        self._objects = dict(objects)
        self.values = tuple(values)

    def __getitem__(self, cls: type[T]) -> T:
        """Return the object of that class. Raises KeyError when no loaded schema makes it."""
        made = self.get(cls)
        if made is None:
            raise KeyError(f"no loaded plugin has settings of class {cls.__qualname__}")
        return made

    def get(self, cls: type[T]) -> T | None:
        """Return the object of that class, None when no loaded schema makes it."""
        made: T | None = self._objects.get(cls)
        return made

    def source(self, key: str) -> str:
        """Say where ``openai.model`` comes from. Raises KeyError for an unknown name."""
        for value in self.values:
            if key in value.setting.keys:
                return value.source
        raise KeyError(key)

    def __repr__(self) -> str:
        # Never the values: some are secret.
        return f"<Configuration of {', '.join(cls.__name__ for cls in self._objects)}>"


Described = tuple[tuple[type[SettingsSchema], tuple[Setting, ...]], ...]


def describe(schemas: Iterable[type[SettingsSchema]]) -> Described:
    """List every schema's settings with their names. Raises SettingsError when two names clash."""
    described: list[tuple[type[SettingsSchema], tuple[Setting, ...]]] = []
    upstream_url_free = True
    for schema in dict.fromkeys(schemas):
        settings = []
        for name, field in schema().fields.items():
            takes_it = upstream_url_free and bool(field.metadata.get(UPSTREAM_URL))
            upstream_url_free = upstream_url_free and not takes_it
            settings.append(_setting(schema.section, name, field, takes_it))
        described.append((schema, tuple(settings)))
    _refuse_clashes(described)
    return tuple(described)


def load(
    schemas: Iterable[type[SettingsSchema]],
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str | None] | None = None,
    overrides: Mapping[str, Any] | None = None,
    elsewhere: Collection[str] = (),
) -> Configuration:
    """Load all schemas. Raises one SettingsError with every problem of all of them.

    ``flags`` and ``overrides`` are keyed by dotted names (``port``, ``openai.model``).
    ``elsewhere`` names the sections of plugins installed but not loaded: their variables are
    nobody's business here. A misspelt variable of a loaded section is a problem.
    """
    layers = Layers(flags or {}, environ or {}, dotenv or {}, overrides or {})
    described = describe(schemas)
    settings = [setting for _, of_schema in described for setting in of_schema]
    problems = [*unknown_keys(settings, layers), *unknown_variables(described, layers, elsewhere)]
    objects: dict[type[Any], Any] = {}
    values: list[Value] = []
    for schema, of_schema in described:
        given = {one.name: found for one in of_schema if (found := layers.find(one))}
        try:
            made = schema().load({name: value for name, (value, _) in given.items()})
        except ValidationError as error:
            problems += refused(schema, of_schema, given, error)
            continue
        objects[schema.makes] = made
        values += [
            Value(one, getattr(made, one.name), given.get(one.name, (None, "default"))[1])
            for one in of_schema
        ]
    if problems:
        raise SettingsError(problems)
    return Configuration(objects, values)


@dataclass(frozen=True, slots=True)
class Layers:
    """Where values come from, strongest last: ``dotenv``, ``environ``, ``flags``, ``overrides``."""

    flags: Mapping[str, Any]
    environ: Mapping[str, str]
    dotenv: Mapping[str, str | None]
    overrides: Mapping[str, Any]

    def find(self, setting: Setting) -> tuple[Any, str] | None:
        """Return the value and its source, None when no layer has it."""
        for key in setting.keys:
            if key in self.overrides:
                return self.overrides[key], "create_app"
        for key, flag in zip(setting.keys, setting.flags, strict=False):
            if key in self.flags:
                no = self.flags[key] is False  # only a Boolean's flag gives one: --no-x
                return self.flags[key], f"flag {flag.replace('--', '--no-', 1) if no else flag}"
        for variables, source in ((self.environ, "environment {}"), (self.dotenv, ".env")):
            for variable in setting.variables:
                if text := (variables.get(variable) or "").strip():
                    return _split(setting.field, text), source.format(variable)
        return None

    def variables(self) -> list[str]:
        """Name the variables of ours that are set and not blank, sorted."""
        both: tuple[Mapping[str, str | None], ...] = (self.environ, self.dotenv)
        found = {name for layer in both for name, text in layer.items() if (text or "").strip()}
        return sorted(name for name in found if name.startswith(PREFIX))


def _setting(section: str, name: str, field: fields.Field[Any], takes_url: bool) -> Setting:
    words = [section, name] if section else [name]
    specific = PREFIX + "_".join(words).upper()
    flag = "--" + "-".join(words).replace("_", "-")
    customary = tuple(field.metadata.get("variables", ()))
    return Setting(
        section=section,
        name=name,
        field=field,
        keys=(".".join(words), UPSTREAM_URL) if takes_url else (".".join(words),),
        variables=(specific, *([UPSTREAM_URL_VARIABLE] if takes_url else []), *customary),
        flags=()
        if field.metadata.get("secret")
        else (flag, *([UPSTREAM_URL_FLAG] if takes_url else [])),
    )


def _refuse_clashes(described: Sequence[tuple[type[SettingsSchema], Sequence[Setting]]]) -> None:
    owners: dict[str, type[SettingsSchema]] = {}
    problems = []
    for schema, settings in described:
        for variable in (setting.variables[0] for setting in settings):
            owner = owners.setdefault(variable, schema)
            if owner is not schema:
                both = f"{owner.__module__}.{owner.__name__} and {schema.__module__}"
                problems.append(f"{variable}: claimed by {both}.{schema.__name__}")
    if problems:
        raise SettingsError(problems)


def _split(field: fields.Field[Any], text: str) -> Any:
    if isinstance(field, fields.List):
        return [item for part in text.split(",") if (item := part.strip())]
    return text


def show(configuration: Configuration) -> str:
    """One line a setting: name, value, source, variable, flag. Secrets are masked."""
    rows = [
        (
            value.setting.keys[0],
            _shown(value),
            value.source,
            value.setting.variables[0],
            *value.setting.flags[:1],
        )
        for value in configuration.values
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    return "\n".join(_line(row, [*widths, 0]) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
    return "  ".join(cells).rstrip()


def _shown(value: Value) -> str:
    shown = value.value
    if shown is None or shown in ("", [], {}):
        return "(empty)"
    if value.setting.secret:
        return MASK
    if isinstance(value.setting.field, fields.Url):
        shown = _without_credentials(shown)
    text = ", ".join(str(item) for item in shown) if isinstance(shown, list) else str(shown)
    return text if text.isprintable() else repr(text)


def _without_credentials(address: str) -> str:
    """Mask the password and the values of a URL's query whose names speak of a credential."""
    url = URL(address)
    if url.password:
        url = url.with_password(MASK)
    masked = [(name, MASK if _CREDENTIAL.search(name) else it) for name, it in url.query.items()]
    return unquote(str(url.with_query(masked) if masked else url))
