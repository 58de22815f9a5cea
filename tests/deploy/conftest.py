"""What is in front: every test that asks for it runs with HAProxy and with nginx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from clients import Service, serving
from daemons import Instance, instance
from fronts import FRONTS, NAME, Front

SEEN = """
import json

from voiceproxy import hookimpl


@hookimpl
def voiceproxy_connect(session, upstream):
    seen = ("Host", "Origin", "X-Forwarded-For", "X-Forwarded-Proto")
    print("seen", json.dumps({name: session.headers.get(name) for name in seen}), flush=True)
"""
"""A plugin that tells what reached the instance."""


@pytest.fixture(params=FRONTS, ids=lambda front: front.program)
def kind(request: pytest.FixtureRequest) -> type[Front]:
    return request.param


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Instance]]:
    """Two that serve everybody in a module; nobody stops them."""
    directory = tmp_path_factory.mktemp("instances")
    (directory / "seen.py").write_text(SEEN)
    flags = ["--allow-host", NAME, "--allow-origin", "https://page.example.com"]
    flags += ["--plugin", "seen", "--heartbeat", "0.5"]
    with ExitStack() as running:
        yield [running.enter_context(instance(directory, *flags)) for _ in range(2)]


@pytest.fixture
def service(kind: type[Front], tmp_path: Path, instances: list[Instance]) -> Iterator[Service]:
    """The shipped configuration in front of the two."""
    with serving(kind, tmp_path, instances) as running:
        yield running
