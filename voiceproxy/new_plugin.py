"""Writes the tree of a new plugin distribution: a module, its settings, its tests, its metadata."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

import voiceproxy
from voiceproxy.errors import UsageError

FILES: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "$module/__init__.py": "plugin.py.txt",
    "$module/py.typed": "",
    "tests/conftest.py": "conftest.py.txt",
    "tests/test_$short.py": "test_plugin.py.txt",
}
"""The path of each file in the new tree, and its template."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def plugin_files(name: str) -> dict[str, str]:
    """Path -> text for a plugin of that name, as given to ``--plugin``.

    Raises UsageError for a name that is none: lower-case words joined by hyphens.
    """
    _check(name)
    values = _values(name)
    return {
        Template(path).substitute(values): _template(source).substitute(values)
        for path, source in FILES.items()
    }


def write_plugin(name: str, into: Path) -> Path:
    """Write the tree into the folder ``voiceproxy-NAME`` of a directory; returns that folder.

    Raises UsageError when the folder exists or cannot be written.
    """
    files = plugin_files(name)
    tree = into / f"voiceproxy-{name}"
    try:
        tree.mkdir(parents=True)
        for path, text in files.items():
            (tree / path).parent.mkdir(exist_ok=True)
            (tree / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {tree}: {error.strerror}") from error
    return tree


def _check(name: str) -> None:
    short = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(short):
        raise UsageError(
            f"{name!r} is no name for a plugin: use lower-case words joined by hyphens, such as "
            "echo-words"
        )
    if name.startswith("voiceproxy-"):
        raise UsageError(f"leave out 'voiceproxy-': {name.removeprefix('voiceproxy-')!r} is enough")


def _values(name: str) -> dict[str, str]:
    short = name.replace("-", "_")
    major, minor = voiceproxy.__version__.split(".")[:2]
    return {
        "name": name,
        "short": short,
        "module": f"voiceproxy_{short}",
        "klass": "".join(word.capitalize() for word in name.split("-")),
        "section": short,
        "variable": short.upper(),
        "flag": name,
        "version": f"{major}.{minor}",
        "next_version": f"{major}.{int(minor) + 1}",
    }


def _template(source: str) -> Template:
    if not source:
        return Template("")
    return Template((resources.files("voiceproxy") / "template" / source).read_text("utf-8"))
