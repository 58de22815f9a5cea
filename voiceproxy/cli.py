"""``python -m voiceproxy [serve | talk | plugins]``.

Exit status: 0 done, 1 it could not be done, 2 the command line or the settings are wrong.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError

from voiceproxy import serve
from voiceproxy.app import create_app
from voiceproxy.errors import PluginLoadError, UsageError
from voiceproxy.flags import Parser, first_parser, parse, serve_parser
from voiceproxy.host_settings import HostSettings, LogLevel, configure, read_env_file
from voiceproxy.plugins import Plugins, installed, named
from voiceproxy.settings import describe, show

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status. Raises SystemExit for --help and --version."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = COMMANDS.get(arguments[0]) if arguments else None
    try:
        return command(arguments[1:]) if command else run_serve(arguments)
    except UsageError as error:
        for line in str(error).splitlines():
            print(f"voiceproxy: error: {line}", file=sys.stderr)
        return 2


def run_serve(arguments: Sequence[str]) -> int:
    """Load the plugins, then their settings, then serve. Raises UsageError."""
    plugins = _plugins(arguments, os.environ)
    flags, show_settings = parse(serve_parser(plugins.schemas), arguments, plugins.schemas)
    configuration = configure(plugins.schemas.values(), environ=os.environ, flags=flags)
    if show_settings:
        print(show(configuration))
        return 0
    settings = configuration[HostSettings]
    serve.configure_logging(settings.log_level)
    app = create_app(plugins, configuration=configuration)
    print(f"plugins: {', '.join(plugins.names)}", file=sys.stderr, flush=True)
    return serve.run(app, settings)


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
        print(f"{one.name}  {one.module}  {one.source}".rstrip())
        if verbose:
            try:
                print("\n".join(_details(one.name)))
            except PluginLoadError as error:
                print(f"  cannot be loaded: {error}")
                status = 1
    return status


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "serve": run_serve,
    "talk": run_talk,
    "plugins": run_plugins,
}


def _plugins(arguments: Sequence[str], environ: Mapping[str, str]) -> Plugins:
    known, _ = first_parser().parse_known_args(arguments)
    flags = vars(known)
    layers: dict[str, str | None] = {**read_env_file(flags, environ), **_set(environ)}
    serve.configure_logging(_early_level(flags, layers))
    return Plugins(named(layers, known.plugins))


def _set(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environ.items() if text.strip()}


def _early_level(flags: Mapping[str, Any], variables: Mapping[str, str | None]) -> str:
    """Guess the level that counts while plugins load: the settings are loaded after them."""
    given = variables.get("VOICEPROXY_LOG_LEVEL") or variables.get("LOG_LEVEL")
    try:
        level = str(LogLevel().deserialize(flags.get("log_level", given or "info")))
    except ValidationError:
        level = "info"
    return level


def _details(name: str) -> list[str]:
    plugins = Plugins([name])
    lines = [f"  hooks: {', '.join(plugins.hooks_of(name))}"]
    for _, settings in describe(plugins.schemas.values()):
        for setting in settings:
            lines.append("  " + "  ".join((*setting.flags[:1], *setting.variables, setting.help)))
    return lines
