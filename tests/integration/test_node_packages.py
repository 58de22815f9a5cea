"""What npm installs for the tests is what is pinned, and who lacks it is told what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from node_line import NODE, node

LOCK = NODE / "package-lock.json"


def test_the_packages_are_those_the_lock_file_pins() -> None:
    node()
    pinned = _packages()
    for place in filter(None, pinned):
        installed = json.loads((NODE / place / "package.json").read_text())
        assert installed["version"] == pinned[place]["version"]


def test_the_lock_file_names_no_registry_so_that_any_mirror_serves_it() -> None:
    assert "://" not in LOCK.read_text()
    assert all("integrity" in one for place, one in _packages().items() if place)


def _packages() -> dict[str, dict[str, object]]:
    packages: dict[str, dict[str, object]] = json.loads(LOCK.read_text())["packages"]
    return packages


def test_without_node_a_test_fails_and_names_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install nodejs npm"):
        node()


def test_without_the_packages_a_test_fails_and_names_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("node_line.NODE", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="npm ci --prefix"):
        node()
