"""The flags of ``serve``: the host's and those of every plugin that was named."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from marshmallow import fields
from marshmallow.validate import OneOf

import voiceproxy
from voiceproxy.errors import UsageError
from voiceproxy.host_settings import HostSettingsSchema
from voiceproxy.settings import SettingsSchema, describe
from voiceproxy.settings_problems import UPSTREAM_URL, UPSTREAM_URL_FLAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voiceproxy.settings import Setting

PROGRAM = "python -m voiceproxy"

DESCRIPTION = """\
One voice-agent protocol in front, any voice backend behind, everything else a plugin.

  python -m voiceproxy [serve] --plugin NAME ...   serve (this page)
  python -m voiceproxy talk ...                    talk to a running server
  python -m voiceproxy plugins [-v]                list the installed plugins"""

EPILOG = """\
Every setting is also an environment variable: --show-settings names them. Flags win over the
environment, which wins over the .env file. With --plugin, --help shows that plugin's flags."""


class Parser(argparse.ArgumentParser):
    """A parser that knows no abbreviations and raises UsageError instead of exiting."""

    def __init__(self, **options: Any) -> None:
        super().__init__(prog=PROGRAM, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError: what is wrong with the command line is reported like every problem."""
        raise UsageError(message)

    def closest(self, flag: str) -> str | None:
        """Return the flag of this parser that looks most like another."""
        return next(iter(get_close_matches(flag, self._option_string_actions, n=1)), None)


def add_plugin_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--plugin`` and ``--version``, which are read before any plugin is."""
    version = f"voiceproxy {voiceproxy.__version__}"
    parser.add_argument(
        "--version", action="version", version=version, help="Print the version and exit."
    )
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        dest="plugins",
        metavar="NAME",
        help="A plugin by its name or module; repeatable, in order; no:NAME takes one out.",
    )


def first_parser() -> Parser:
    """What must be known before the other flags are: the plugins, the ``.env`` file, the level."""
    parser = Parser(add_help=False)
    add_plugin_flag(parser)
    for flag in ("--env-file", "--log-level"):
        parser.add_argument(flag, default=argparse.SUPPRESS)
    return parser


def serve_parser(schemas: Mapping[str, type[SettingsSchema]]) -> Parser:
    """All flags, grouped by plugin. ``schemas`` is by plugin name, without the host's."""
    parser = Parser(
        usage=f"{PROGRAM} [serve] --plugin NAME [--plugin NAME ...] [flags]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_plugin_flag(parser)
    parser.add_argument(
        "--show-settings",
        action="store_true",
        help="Print every setting and where it comes from, secrets masked, and exit.",
    )
    owners = {schema: f"plugin {name}" for name, schema in schemas.items()}
    for schema, settings in describe((HostSettingsSchema, *schemas.values())):
        group = parser.add_argument_group(owners.get(schema, "server"), _summary(schema))
        for setting in settings:
            if setting.flags:
                _add(group, setting)
        if schema is HostSettingsSchema:
            group.add_argument(
                UPSTREAM_URL_FLAG,
                dest=UPSTREAM_URL,
                default=argparse.SUPPRESS,
                metavar="URL",
                help="Address of the upstream of the first backend named (ws:// or wss://).",
            )
    return parser


def parse(
    parser: Parser, arguments: Sequence[str], schemas: Mapping[str, type[SettingsSchema]]
) -> tuple[dict[str, Any], bool]:
    """Return the flags given, keyed as ``load`` takes them, and whether to show the settings.

    Raises UsageError. Its text repeats no value: one may be a key, typed where no flag takes it.
    """
    given, rest = parser.parse_known_args(arguments)
    if rest:
        raise UsageError(_unknown(parser, rest, schemas))
    flags = vars(given)
    del flags["plugins"]
    return flags, flags.pop("show_settings")


def _add(group: argparse._ArgumentGroup, setting: Setting) -> None:
    options: dict[str, Any] = {
        "dest": setting.keys[0],
        "default": argparse.SUPPRESS,
        "help": _help(setting).replace("%", "%%"),
    }
    if isinstance(setting.field, fields.Boolean):
        options["action"] = argparse.BooleanOptionalAction
    else:
        options["metavar"] = _metavar(setting)
        if isinstance(setting.field, fields.List):
            options["action"] = "append"
    group.add_argument(setting.flags[0], **options)


def _summary(schema: type[SettingsSchema]) -> str | None:
    """Return the first line of the schema's docstring, unless it is inherited."""
    doc = vars(schema).get("__doc__") or ""
    return doc.strip().partition("\n")[0] or None


def _help(setting: Setting) -> str:
    default = setting.field.load_default
    shown = "" if callable(default) or default in (None, "") else f" [{default}]"
    return f"{setting.help}{shown}"


def _metavar(setting: Setting) -> str:
    for validator in setting.field.validators:
        if isinstance(validator, OneOf):
            return f"{{{','.join(map(str, validator.choices))}}}"
    if isinstance(setting.field, fields.Number):
        return "N"
    return setting.name.rpartition("_")[2].upper()


def _unknown(
    parser: Parser, rest: Sequence[str], schemas: Mapping[str, type[SettingsSchema]]
) -> str:
    flags = [word.partition("=")[0] for word in rest if word.startswith("-") and word != "--"]
    if not flags:
        return "there is an argument that belongs to no flag; see --help"
    return "\n".join(_unknown_flag(parser, flag, schemas) for flag in flags)


def _unknown_flag(parser: Parser, flag: str, schemas: Mapping[str, type[SettingsSchema]]) -> str:
    for _, settings in describe(schemas.values()):
        for setting in settings:
            if setting.secret and flag == setting.flag:
                variables = " or ".join(setting.variables)
                return f"{flag}: a secret has no flag (others could read it); set {variables}"
    close = parser.closest(flag)
    return f"unknown flag {flag}" + (f"; did you mean {close}?" if close else "; see --help")
