"""The rules of the house that no type checker knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import voiceproxy

ROOT = Path(__file__).parent.parent
HOST = sorted((ROOT / "voiceproxy").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").iterdir())
VENDOR = re.compile(r"openai|deepgram|azure|realtime_api|gpt", re.IGNORECASE)

# The test kit and the command line's client are for people, not for plugins at run time.
MAX_LINES = 330


def _imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", tuple(alias.name for alias in node.names)


def _identifiers(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


@pytest.mark.parametrize("path", HOST, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_host_imports_no_plugin_and_names_no_vendor(path: Path):
    assert [name for name, _ in _imports(path) if name.startswith("voiceproxy_")] == []
    assert [name for name in _identifiers(path) if VENDOR.search(name)] == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda p: p.name)
def test_a_plugin_uses_only_what_the_host_exports_and_no_other_plugin(plugin: Path):
    strangers = []
    for path in plugin.rglob("*.py"):
        for module, names in _imports(path):
            root = module.partition(".")[0]
            if root.startswith("voiceproxy_") and root != plugin.name:
                strangers.append((path.name, module))
            if root == "voiceproxy" and (
                module != "voiceproxy" or not set(names) <= set(voiceproxy.__all__)
            ):
                strangers.append((path.name, module, names))
    assert strangers == []


@pytest.mark.parametrize(
    "path",
    [*HOST, *(path for plugin in PLUGINS for path in sorted(plugin.rglob("*.py")))],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_modules_stay_small(path: Path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_every_exported_name_exists_and_is_exported_once():
    assert len(set(voiceproxy.__all__)) == len(voiceproxy.__all__)
    assert [name for name in voiceproxy.__all__ if not hasattr(voiceproxy, name)] == []
