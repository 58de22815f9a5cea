"""Write the generated parts of the reference anew: ``python docs/generate.py [--check]``.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import voiceproxy_deepgram
import voiceproxy_defaults
import voiceproxy_logging
import voiceproxy_openai
import voiceproxy_redaction
import voiceproxy_simulator
from voiceproxy import agent, hookspecs
from voiceproxy.flags import serve_parser
from voiceproxy.host_settings import HostSettingsSchema
from voiceproxy.new_plugin import plugin_files
from voiceproxy.plugins import Plugins, installed
from voiceproxy.settings import Setting, SettingsSchema, describe
from voiceproxy_openai.errors import CODES
from voiceproxy_openai.events import BETA_NAMES, COMPATIBLE, EVENTS, Handled, Ignored

DOCS = Path(__file__).parent
TEMPLATE = DOCS / "plugin-template"
"""What ``python -m voiceproxy new-plugin echo-words`` writes, for readers and for the tests."""
PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLUGINS: dict[str, type[SettingsSchema]] = {
    "openai": voiceproxy_openai.voiceproxy_settings,
    "deepgram": voiceproxy_deepgram.voiceproxy_settings,
    "simulator": voiceproxy_simulator.voiceproxy_settings,
    "logging": voiceproxy_logging.voiceproxy_settings,
    "redaction": voiceproxy_redaction.voiceproxy_settings,
    "defaults": voiceproxy_defaults.voiceproxy_settings,
}
SHOWN = {name: PLUGINS[name] for name in ("openai", "simulator")}


def hooks() -> str:
    """Every hook under its signature, with its docstring."""
    found = [
        function
        for name, function in vars(hookspecs).items()
        if name.startswith("voiceproxy_") and callable(function)
    ]
    return "\n".join(_hook(function) for function in found)


def _hook(function: Callable[..., object]) -> str:
    names = ", ".join(inspect.signature(function).parameters)
    text = (inspect.getdoc(function) or "").replace("``", "`")
    example = (DOCS / "examples" / f"{function.__name__}.py").read_text(encoding="utf-8")
    users = ", ".join(f"`{name}`" for name in _users(function.__name__))
    in_the_box = f"In the box: {users}.\n\n" if users else ""
    return f"## {function.__name__}({names})\n\n{text}\n\n{in_the_box}```python\n{example}```\n"


def _users(hook: str) -> list[str]:
    """The first-party plugins that implement a hook."""
    ours = [one.name for one in installed() if one.source.startswith("voiceproxy ")]
    return [name for name in ours if hook in Plugins([name]).hooks_of(name)]


def settings_of(schema: type[SettingsSchema]) -> str:
    """A table of one schema's settings."""
    [(_, settings)] = describe([schema])
    rows = [_row(setting) for setting in settings]
    return _table(("Variable", "Flag", "Default", "Meaning"), rows)


def _row(setting: Setting) -> tuple[str, ...]:
    default = setting.field.load_default
    shown = default() if callable(default) else default
    return (
        ", ".join(f"`{name}`" for name in setting.variables),
        ", ".join(f"`{flag}`" for flag in setting.flags) or "none: a secret",
        f"`{shown}`" if shown not in (None, "", []) else "",
        setting.help,
    )


def errors() -> str:
    """Every error code the host sends by itself."""
    return _codes(agent.ERROR_CODES)


def openai_errors() -> str:
    """The codes the openai backend makes."""
    return _codes(CODES)


def _codes(codes: Mapping[str, str]) -> str:
    return _table(("Code", "Meaning"), [(f"`{code}`", meaning) for code, meaning in codes.items()])


def dialects() -> str:
    """The message types one dialect alone has."""
    rows = [(f"`{kind}`", f"`{dialect}`") for kind, dialect in sorted(agent.ONLY.items())]
    return _table(("Message", "Sent only in"), rows)


def events(table: dict[str, Handled | Ignored]) -> str:
    """What becomes of each server event of the Realtime API."""
    rows = [
        (f"`{kind}`", "", row.reason) if isinstance(row, Ignored) else (f"`{kind}`", row.gives, "")
        for kind, row in table.items()
    ]
    return _table(("Event", "What it gives", "Ignored, because"), rows)


def beta_names() -> str:
    """The beta's names of events that still exist."""
    rows = [(f"`{beta}`", f"`{name}`") for beta, name in BETA_NAMES.items()]
    return _table(("Beta", "Read as"), rows)


def flags() -> str:
    """``python -m voiceproxy --plugin openai --plugin simulator --help``."""
    parser = serve_parser(SHOWN)
    parser.formatter_class = _wide
    return f"```text\n{parser.format_help()}```"


def _wide(prog: str) -> object:
    import argparse

    return argparse.RawDescriptionHelpFormatter(prog, width=96)


def faults() -> str:
    """The fault matrix, of which the tests are made."""
    sys.path.append(str(DOCS.parent / "tests"))
    text: str = importlib.import_module("fault_rows").table()
    return text


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(one) for one in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(textwrap.dedent(text).split()).replace("|", "\\|").replace("``", "`")


PARTS: dict[str, Callable[[], str]] = {
    "hooks": hooks,
    "settings-host": lambda: settings_of(HostSettingsSchema),
    **{f"settings-{name}": lambda s=schema: settings_of(s) for name, schema in PLUGINS.items()},  # type: ignore[misc]
    "errors": errors,
    "errors-openai": openai_errors,
    "dialects": dialects,
    "flags": flags,
    "faults": faults,
    "events": lambda: events(EVENTS),
    "events-beta": beta_names,
    "events-compatible": lambda: events(COMPATIBLE),
}


def generated(text: str) -> str:
    """The page with its generated parts as the code has them now."""
    return PART.sub(lambda m: f"{m[1]}{PARTS[m[2]]()}\n{m[3]}", text)


def _files() -> Iterable[tuple[Path, str]]:
    """Every page with its generated parts, and the files of the template."""
    for page in sorted(DOCS.rglob("*.md")):
        if TEMPLATE not in page.parents:
            yield page, generated(page.read_text(encoding="utf-8"))
    for path, text in plugin_files("echo-words").items():
        yield TEMPLATE / path, text


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name those that are out of date."""
    stale = []
    for page, after in _files():
        before = page.read_text(encoding="utf-8") if page.is_file() else None
        if before != after:
            stale.append(str(page.relative_to(DOCS)))
            if "--check" not in arguments:
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(after, encoding="utf-8")
    if stale and "--check" in arguments:
        print("out of date, run `make docs`:", *stale)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
