"""The wheel of this tree, and empty environments to install it in."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: object, cwd: Path, fails: bool = False) -> str:
    """Run a program; what it wrote, both streams together."""
    done = subprocess.run(
        [str(one) for one in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def copy_tree(target: Path) -> None:
    """Copy the files git knows or would take, as they are now."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())


def build_wheel(tree: Path, into: Path) -> Path:
    """Build the wheel of a tree; its path."""
    before = set(into.glob("*.whl"))
    run(sys.executable, "-m", "build", "--wheel", "--outdir", into, tree, cwd=into)
    [wheel] = set(into.glob("*.whl")) - before
    return wheel


def host_wheel(into: Path) -> Path:
    """Build the wheel of voiceproxy from a copy of this tree."""
    source = into / "source"
    copy_tree(source)
    return build_wheel(source, into)


def empty_environment(place: Path) -> Path:
    """Make an environment with pip alone; its Python."""
    venv.create(place, with_pip=True)
    return place / "bin" / "python"
