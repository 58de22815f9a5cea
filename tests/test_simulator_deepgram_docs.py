"""The page about the simulator's Deepgram side says what it does, and its examples run."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

from voiceproxy_simulator import DEEPGRAM_RULES, DEEPGRAM_SCENARIOS, DeepgramScenario
from voiceproxy_simulator.deepgram import agent_listening, listen_v1, speak_v1
from voiceproxy_simulator.deepgram.scenario import Patient
from voiceproxy_simulator.deepgram.server import SimulatedDeepgram
from voiceproxy_simulator.scenarios import description

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "simulator-deepgram.md"
TEXT = PAGE.read_text()


def table(heading: str) -> list[tuple[str, str]]:
    """The rows of the first table under a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)
    return [(first, second) for first, second in rows if first != "---"][1:]


def test_the_table_of_paths_is_the_server_s() -> None:
    served = [(route.method, route.path) for route in SimulatedDeepgram().routes()][:-1]
    paths = [path if method == "GET" else f"{method} {path}" for method, path in served]
    assert [first for first, _ in table("What is served")] == [f"`{path}`" for path in paths]


def test_the_table_of_scenarios_is_the_code_s() -> None:
    expected = [(f"`{name}`", description(one)) for name, one in DEEPGRAM_SCENARIOS.items()]
    assert table("Scenarios") == expected


def test_the_table_of_violations_is_the_code_s() -> None:
    expected = [(f"`{name}`", meaning) for name, meaning in DEEPGRAM_RULES.items()]
    assert table("Violations") == expected


def test_every_point_of_a_scenario_and_all_it_may_do_is_documented() -> None:
    points = [name for name in vars(DeepgramScenario) if not name.startswith("_")]
    documented = " ".join(first for first, _ in table("A scenario of your own"))
    assert [name for name in points if f"`{name}" not in documented] == []
    section = TEXT.split("## A scenario of your own")[1]
    actions = [name for name, _ in inspect.getmembers(Patient) if not name.startswith("_")]
    assert [name for name in actions if name not in section] == []


def test_the_numbers_on_the_page_are_the_code_s() -> None:
    assert f"ended by {agent_listening.SILENCE_MS / 1000:g} s of silence" in TEXT
    assert f"`Speak` of more than {speak_v1.MAX_TEXT} characters" in TEXT.replace("\n", " ")
    assert f"the {speak_v1.MAX_FLUSHES + 1}st `Flush`" in TEXT
    assert f"sends nothing for {DeepgramScenario.silent_seconds:g} s" in TEXT
    assert listen_v1.IDLE_SECONDS == 10
    assert "Ten seconds without audio" in TEXT


def test_the_examples_work(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n# (test_\w+\.py)\n(.*?)```", TEXT, re.DOTALL)
    assert len(examples) == TEXT.count("```python")
    for name, code in examples:
        (tmp_path / name).write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert f"{len(examples)} passed" in done.stdout, done.stdout + done.stderr
