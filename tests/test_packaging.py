"""What is published: built, looked into, installed in an empty environment and run."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PACKAGES = {"voiceproxy", *(one.parent.name for one in ROOT.glob("plugins/*/py.typed"))}

pytestmark = pytest.mark.deep


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(one) for one in command], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the source distribution of the files git knows."""
    source = tmp_path_factory.mktemp("source")
    names = _run("git", "ls-files", cwd=ROOT).splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    target = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--outdir", target, source, cwd=source)
    return target


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel and what it depends on, no more."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    [wheel] = built.glob("*.whl")
    _run(python, "-m", "pip", "install", "--quiet", wheel, cwd=place)
    return python


def test_the_wheel_holds_the_host_and_its_plugins_and_nothing_else(built: Path):
    [wheel] = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    for package in PACKAGES:
        assert f"{package}/py.typed" in names
    assert "voiceproxy/template/plugin.py.txt" in names
    assert "voiceproxy_simulator/client_events.json" in names
    assert "voiceproxy/talk/settings.json" in names


def test_the_source_distribution_builds_what_the_wheel_holds(built: Path):
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "voiceproxy/app.py"} <= names
    assert "plugins/voiceproxy_openai/translator.py" in names


def test_the_installed_command_lists_and_loads_every_plugin(installed: Path, tmp_path: Path):
    listed = _run(installed, "-m", "voiceproxy", "plugins", "-v", cwd=tmp_path)
    assert "openai  voiceproxy_openai  voiceproxy 0.1.0" in listed
    assert "cannot be loaded" not in listed


def test_a_conversation_works_with_the_declared_dependencies_alone(installed: Path, tmp_path: Path):
    flags = ["--plugin", "openai", "--plugin", "simulator", "--simulator-pace=burst", "--port=0"]
    server = subprocess.Popen(
        [installed, "-m", "voiceproxy", *flags],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        url = line.split()[3].replace("http", "ws") + "/openai"
        said = _run(
            installed, "-m", "voiceproxy", "talk", "--url", url, "--text", "hello", cwd=tmp_path
        )
        assert 'You said "hello"' in said
    finally:
        server.terminate()
        server.communicate(timeout=20)
