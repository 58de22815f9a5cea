"""``python -m voiceproxy [serve | talk | plugins | new-plugin]``.

Exit status: 0 done, 1 it could not be done, 2 the command line or the settings are wrong.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError

from voiceproxy import descriptors, serve
from voiceproxy.app import create_app
from voiceproxy.chains import HOOKS
from voiceproxy.errors import PluginLoadError, UsageError
from voiceproxy.flags import Parser, first_parser, parse, serve_parser
from voiceproxy.host_settings import HostSettings, HostSettingsSchema, configure, read_env_file
from voiceproxy.plugins import Plugins, installed, named
from voiceproxy.settings import describe, show
from voiceproxy.tls import listener_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ALL_HOOKS = ("voiceproxy_setup", *HOOKS)
GROUPS = (" (first)", "", " (last)")
"""What is said of a plugin with ``tryfirst``, plain and ``trylast`` hooks."""

logger = logging.getLogger("voiceproxy.cli")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status. Raises SystemExit for --help and --version."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = COMMANDS.get(arguments[0]) if arguments else None
    try:
        return command(arguments[1:]) if command else run_serve(arguments)
    except UsageError as error:
        logger.debug("what led to the error:", exc_info=True)
        for line in str(error).splitlines():
            serve.report(line)
        return 2


def run_serve(arguments: Sequence[str]) -> int:
    """Load the plugins, then their settings, then serve. Raises UsageError."""
    first = vars(first_parser().parse_known_args(arguments)[0])
    dotenv = read_env_file(first, os.environ)
    plugins = _plugins(first, {**dotenv, **_not_blank(os.environ)})
    flags, show_settings = parse(serve_parser(plugins.schemas), arguments, plugins.schemas)
    schemas = plugins.schemas.values()
    configuration = configure(schemas, environ=os.environ, flags=flags, dotenv=dotenv)
    if show_settings:
        print(show(configuration))
        return 0
    settings = configuration[HostSettings]
    serve.configure_logging(settings.log_level)
    descriptors.provide(settings.max_sessions)
    tls = listener_tls(settings, {**dotenv, **_not_blank(os.environ)})
    app = create_app(plugins, configuration=configuration)
    with suppress(OSError):  # a full disk is no reason not to serve
        print(f"plugins: {', '.join(_in_order(plugins))}", file=sys.stderr, flush=True)
    if settings.workers == 1:
        return serve.run(app, settings, tls)
    from voiceproxy import workers

    return workers.run(app, settings, tls)


def run_talk(arguments: Sequence[str]) -> int:
    """Talk to a running server."""
    from voiceproxy.talk import main as talk

    return talk(arguments)


def run_plugins(arguments: Sequence[str]) -> int:
    """List the installed plugins; with ``-v`` import each and show its hooks and settings.

    Returns 1 when one of them cannot be loaded.
    """
    parser = Parser(description="List the installed plugins.")
    parser.prog += " plugins"
    parser.add_argument("-v", "--verbose", action="store_true", help="Show hooks and settings.")
    verbose = parser.parse_args(arguments).verbose
    status = 0
    for one in installed():
        print(f"{one.name}  {one.module}  {one.source}")
        if verbose:
            try:
                print("\n".join(_details(one.name)))
            except PluginLoadError as error:
                print(f"  cannot be loaded: {error}")
                status = 1
    return status


def run_new_plugin(arguments: Sequence[str]) -> int:
    """Write the tree of a new plugin distribution. Raises UsageError."""
    from voiceproxy.new_plugin import write_plugin

    parser = Parser(description="Write a new plugin: a distribution with settings and tests.")
    parser.prog += " new-plugin"
    parser.add_argument("name", help="As given to --plugin: lower-case words joined by hyphens.")
    parser.add_argument("--into", type=Path, default=Path(), help="Directory to write into.")
    given = parser.parse_args(arguments)
    tree = write_plugin(given.name, given.into)
    print(f"{tree} is written. To test it:")
    print(f"  cd {tree} && python -m pip install -e '.[test]' && python -m pytest")
    return 0


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "serve": run_serve,
    "talk": run_talk,
    "plugins": run_plugins,
    "new-plugin": run_new_plugin,
}


def _plugins(flags: Mapping[str, Any], variables: Mapping[str, str | None]) -> Plugins:
    serve.configure_logging(_early_level(flags, variables))
    return Plugins(named(variables, flags["plugins"]))


def _in_order(plugins: Plugins) -> list[str]:
    """List the plugins as their hooks run; one with hooks in several groups comes several times."""
    places = {
        (one.order, one.plugin_name) for hook in ALL_HOOKS for one in plugins.implementations(hook)
    }
    return [name + GROUPS[group] for (group, _), name in sorted(places)]


def _not_blank(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environ.items() if text.strip()}


def _early_level(flags: Mapping[str, Any], variables: Mapping[str, str | None]) -> str:
    """Return the level that counts while plugins load: the settings are loaded after them."""
    field = HostSettingsSchema().fields["log_level"]
    given = variables.get("VOICEPROXY_LOG_LEVEL") or variables.get("LOG_LEVEL") or "info"
    try:
        return str(field.deserialize(flags.get("log_level", given)))
    except ValidationError:
        return "info"


def _details(name: str) -> list[str]:
    plugins = Plugins([name])
    described = describe(plugins.schemas.values())
    settings = (setting for _, of_schema in described for setting in of_schema)
    rows = ((*one.flags[:1], *one.variables, one.help) for one in settings)
    return [f"  hooks: {', '.join(plugins.hooks_of(name))}", *(f"  {'  '.join(r)}" for r in rows)]
