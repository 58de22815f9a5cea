"""python -m voiceproxy new-plugin: a tree that installs, is found, and passes its own tests."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import distributions
import pytest
from wheels import build_wheel, empty_environment, host_wheel, run

from voiceproxy import UsageError, __version__
from voiceproxy.cli import main
from voiceproxy.new_plugin import plugin_files, write_plugin

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "docs" / "plugin-template"


def test_the_template_in_the_docs_is_what_the_command_writes():
    files = {
        str(path.relative_to(TEMPLATE)): path.read_text()
        for path in TEMPLATE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == plugin_files("echo-words")


@pytest.mark.parametrize("name", ["a", "two-words", "with-3-numbers2"])
def test_every_name_gives_python_that_parses_and_metadata_that_fits(name: str):
    files = plugin_files(name)
    for path, text in files.items():
        if path.endswith(".py"):
            ast.parse(text)
        assert "$" not in text
    project = tomllib.loads(files["pyproject.toml"])["project"]
    module = "voiceproxy_" + name.replace("-", "_")
    assert project["name"] == f"voiceproxy-{name}"
    assert project["entry-points"]["voiceproxy"] == {name: module}
    assert f"{module}/__init__.py" in files
    [needs] = project["dependencies"]
    assert needs.startswith(f"voiceproxy>={__version__.rpartition('.')[0]},<")


@pytest.mark.parametrize(
    "name", ["", "Echo", "echo_words", "-echo", "echo-", "echo words", "../echo", "2x", "class"]
)
def test_a_name_that_is_none_is_refused_with_an_example(name: str, capsys):
    assert main(["new-plugin", "--", name]) == 2
    assert "such as echo-words" in capsys.readouterr().err


def test_the_prefix_is_not_written_twice():
    with pytest.raises(UsageError, match="'echo' is enough"):
        plugin_files("voiceproxy-echo")


def test_a_folder_that_exists_is_left_alone(tmp_path: Path, capsys):
    (tmp_path / "voiceproxy-echo").mkdir()
    assert main(["new-plugin", "echo", "--into", str(tmp_path)]) == 2
    assert "File exists" in capsys.readouterr().err
    assert list((tmp_path / "voiceproxy-echo").iterdir()) == []


def test_the_command_says_what_to_do_next(tmp_path: Path, capsys):
    assert main(["new-plugin", "echo", "--into", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"cd {tmp_path / 'voiceproxy-echo'} && " in said
    assert "pytest" in said


def _laid_down(tree: Path, site: Path) -> None:
    """Put the plugin where Python finds it, with its entry point, as an installer would."""
    modules = {"voiceproxy_two_words": (tree / "voiceproxy_two_words/__init__.py").read_text()}
    distributions.install(
        site,
        "voiceproxy-two-words",
        entry_points={"two-words": "voiceproxy_two_words"},
        modules={f"{name}.__init__": text for name, text in modules.items()},
    )


def test_a_new_plugin_passes_its_own_tests(tmp_path: Path):
    tree = write_plugin("two-words", tmp_path)
    _laid_down(tree, tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


# In an environment of its own, as a stranger installs it.


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with voiceproxy and nothing but what it needs."""
    place = tmp_path_factory.mktemp("stranger")
    python = empty_environment(place / "venv")
    run(python, "-m", "pip", "install", "--quiet", host_wheel(place), cwd=place)
    return python


def _pip(python: Path, *arguments: object) -> None:
    run(python, "-m", "pip", *arguments, "--quiet", cwd=python.parent)


@pytest.mark.deep
def test_the_template_is_built_installed_found_run_and_uninstalled(stranger, tmp_path: Path):
    tree = write_plugin("echo-words", tmp_path)
    _pip(stranger, "install", build_wheel(tree, tmp_path))
    listed = run(stranger, "-m", "voiceproxy", "plugins", "-v", cwd=tmp_path)
    assert "echo-words  voiceproxy_echo_words  voiceproxy-echo-words 0.1.0" in listed
    assert "VOICEPROXY_ECHO_WORDS_WORD" in listed
    _pip(stranger, "install", "pytest", "pytest-aiohttp")
    tests = run(stranger, "-m", "pytest", "-p", "no:cacheprovider", "tests", cwd=tree)
    assert "4 passed" in tests
    _pip(stranger, "uninstall", "--yes", "voiceproxy-echo-words")
    assert "echo-words" not in run(stranger, "-m", "voiceproxy", "plugins", cwd=tmp_path)


@pytest.mark.deep
def test_a_wheel_for_another_version_is_refused_as_the_docs_say(stranger, tmp_path: Path):
    tree = write_plugin("echo-words", tmp_path)
    project = tree / "pyproject.toml"
    [needs] = tomllib.loads(project.read_text())["project"]["dependencies"]
    project.write_text(project.read_text().replace(needs, "voiceproxy>=9,<10"))
    wheel = build_wheel(tree, tmp_path)
    refused_by_pip = run(
        stranger, "-m", "pip", "install", "--no-index", wheel, cwd=tmp_path, fails=True
    )
    assert "voiceproxy<10,>=9" in refused_by_pip
    _pip(stranger, "install", "--no-deps", wheel)
    plugins = ["--plugin", "openai", "--plugin", "simulator", "--plugin", "echo-words"]
    said = run(stranger, "-m", "voiceproxy", *plugins, cwd=tmp_path, fails=True)
    page = (ROOT / "docs" / "how-to" / "publish-a-plugin.md").read_text()
    [_, shown] = page.split("```text refusal\n")
    shown = re.sub(r"this is voiceproxy [\d.]+", f"this is voiceproxy {__version__}", shown)
    assert said == shown.partition("```")[0]
    listed = run(stranger, "-m", "voiceproxy", "plugins", "-v", cwd=tmp_path, fails=True)
    assert "  cannot be loaded: plugin 'echo-words'" in listed
    _pip(stranger, "uninstall", "--yes", "voiceproxy-echo-words")
