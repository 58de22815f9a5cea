"""The simulator's page says what the simulator does, and its examples run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from voiceproxy_simulator import RULES, SCENARIOS, Scenario
from voiceproxy_simulator.arguments import plausible
from voiceproxy_simulator.scenario import Patient
from voiceproxy_simulator.scenarios import description
from voiceproxy_simulator.script import NOTHING_NEW, STILL_THERE
from voiceproxy_simulator.testing import Rehearsal

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "simulator.md").read_text()


def table(heading: str) -> list[tuple[str, str]]:
    """The rows of the first table under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)
    return [(first, second) for first, second in rows if first != "---"][1:]


def test_the_table_of_scenarios_is_the_code_s() -> None:
    assert table("Scenarios") == [(f"`{n}`", description(s)) for n, s in SCENARIOS.items()]


def test_the_table_of_violations_is_the_code_s() -> None:
    assert table("Violations") == [(f"`{name}`", meaning) for name, meaning in RULES.items()]


def test_every_point_of_a_scenario_and_all_it_may_do_is_documented() -> None:
    points = [name for name in vars(Scenario) if not name.startswith("_")]
    documented = " ".join(first for first, _ in table("A scenario of your own"))
    assert [name for name in points if f"`{name}" not in documented] == []
    section = PAGE.split("## A scenario of your own")[1]
    actions = [name for name, _ in inspect.getmembers(Patient) if not name.startswith("_")]
    assert [name for name in actions if name not in section] == []


@pytest.mark.parametrize(
    ("text", "reply"), [("hello", 'You said "hello".'), ("count to 3", "1, 2, 3.")]
)
def test_it_says_what_the_page_says(text: str, reply: str) -> None:
    (done,) = [one for one in Rehearsal().ask(text) if one["type"] == "response.done"]
    assert done["response"]["output"][0]["content"][0]["transcript"] == reply


def test_the_fixed_replies_are_on_the_page() -> None:
    replies = [reply for _, reply in table("What it says")]
    assert f"`{STILL_THERE}`" in replies
    assert f"`{NOTHING_NEW}`" in replies
    assert plausible({"type": "string"}, "city") == "Paris"


def test_the_examples_work(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n# (test_\w+\.py)\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in examples] == ["test_with_the_simulator.py", "test_my_scenario.py"]
    for name, code in examples:
        (tmp_path / name).write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
