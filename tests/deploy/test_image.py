"""The Dockerfile in ``deploy/``: linted, and its steps carried out, for want of an engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import Instance, daemon, instance
from fronts import DEPLOY
from image import DOCKERFILE, copy_context, entry_point, health_check, instructions, variables

ROOT = DEPLOY.parent


def test_a_linter_has_nothing_to_say_about_the_dockerfile():
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [linter, "--failure-threshold", "style", DOCKERFILE],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_image_does_not_run_as_root():
    [user] = instructions("USER")
    assert all(int(number) > 0 for number in user.split(":"))


def test_a_container_is_healthy_while_the_server_lives(tmp_path: Path):
    """At the port its variables name, which the image sets and whoever runs it may change."""
    assert variables()["VOICEPROXY_PORT"] == "8080"
    with instance(tmp_path) as running:
        given = {**os.environ, "VOICEPROXY_PORT": str(running.port)}
        assert subprocess.run(health_check(), env=given, timeout=60).returncode == 0
    stopped = subprocess.run(health_check(), env=given, capture_output=True, timeout=60)
    assert stopped.returncode != 0


@pytest.mark.deep
def test_the_steps_of_the_build_make_an_environment_that_serves(tmp_path: Path):
    context, place = tmp_path / "context", tmp_path / "srv"
    context.mkdir()
    place.mkdir()
    copy_context(ROOT, context)
    for source in " ".join(instructions("COPY")[:3]).replace("./", "").split():
        assert (context / source).exists()
    [step] = instructions("RUN")
    made = tmp_path / "voiceproxy"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["/bin/sh", "-e", "-c", step.replace("/opt/voiceproxy", str(made))],
        cwd=context,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
        timeout=300,
    )
    argv = [*entry_point(made / "bin/python"), "--plugin", "openai", "--plugin", "simulator"]
    given = {name: text for name, text in variables().items() if name.startswith("VOICEPROXY_")}
    with daemon(*argv, "--port", "0", directory=place, kind=Instance, **given) as running:
        running.wait_for("voiceproxy listening on http://0.0.0.0")
