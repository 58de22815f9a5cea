"""The Dockerfile in ``deploy/``, taken apart."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

from fronts import DEPLOY

DOCKERFILE = DEPLOY / "Dockerfile"
IGNORE = DEPLOY / "Dockerfile.dockerignore"


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of that name, in order."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", "")
    return re.findall(rf"^{name} +(.+)$", text, re.MULTILINE)


def entry_point(python: str | Path = sys.executable) -> list[str]:
    """What the image runs, by a Python of this machine."""
    [written] = instructions("ENTRYPOINT")
    program, *arguments = json.loads(written)
    assert program == "python"
    return [str(python), *arguments]


def health_check() -> list[str]:
    """What a container is asked."""
    [written] = instructions("HEALTHCHECK")
    program, *arguments = json.loads(written.partition("CMD ")[2])
    assert program == "python"
    return [sys.executable, *arguments]


def variables() -> dict[str, str]:
    """The environment the image sets."""
    [written] = instructions("ENV")
    return dict(one.split("=", 1) for one in shlex.split(written))


def copy_context(root: Path, target: Path) -> None:
    """Copy what a build would be sent."""
    first, *rest = [
        line for line in IGNORE.read_text().splitlines() if line and not line.startswith("#")
    ]
    assert first == "*"
    left_out = [line.removeprefix("**/") for line in rest if line.startswith("**/")]
    for name in (line[1:] for line in rest if line.startswith("!")):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns(*left_out))
        else:
            shutil.copy(source, target / name)
