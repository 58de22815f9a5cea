"""``python -m voiceproxy talk`` turns every scenario into a transcript one can read."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from caller import PATHS, WEATHER
from programs import Program, running, serving

from voiceproxy.testing import serve
from voiceproxy_simulator import SCENARIOS

SECONDS = 20.0
"""How long one conversation may take on a busy machine; most take one."""

AT_ONCE = 5

WAITS = {
    "simulator.pace": "burst",
    "openai.ack_timeout": 1.0,
    "openai.session_timeout": 1.0,
    "openai.response_timeout": 0.5,
    "openai.function_call_timeout": 0.5,
}

CALLING = {"late-done", "parallel-calls", "spoken-call", "cancelled-call"}
"""They are about function calls; to the others ``hello`` is said."""

HELLO = ["you: hello", 'agent: You said "hello".']
CALLED = "you: call get_weather"
RETURNED = "agent: get_weather returned 21."
TRANSCRIPTS = {
    "late-done": [CALLED, RETURNED],
    "parallel-calls": [CALLED, f"{RETURNED} get_weather returned 21."],
    "spoken-call": [CALLED, "agent: One moment.", RETURNED],
    "cancelled-call": [CALLED, "agent: I heard 0.6 s of speech.", "you: 0.6 s of speech"],
    "refused-create": [HELLO[0], "agent: The server began this one.", HELLO[1]],
    "burst": [HELLO[0], HELLO[1] + "".join(f" And {number}." for number in range(1, 61))],
}
"""The whole transcript; for every other scenario that is answered it is ``HELLO``."""

ENDS = {
    "silent": "upstream_timeout",
    "refuse-settings": "INVALID_SETTINGS",
    "error-mid-response": "server_error",
    "quota": "insufficient_quota",
    "unauthorized": "invalid_api_key",
    "close-1011": "upstream_closed",
    "close-4001": "upstream_closed",
    "reset": "upstream_closed",
    "string-error": "server_busy",
    "junk": "unmapped_upstream_event",
}
"""The error that ends the conversation, and is told in the last line about it."""

MAYBE = {"idle-timeout", "expired"}
"""Something follows the reply, which is told if it comes before ``talk`` has ended."""

SPOKEN = {"cancelled-call"}
"""What the user said is written down beside the reply, so it is told before or after it."""

TALKS = """
import json, sys
from voiceproxy.cli import main
for scenario, *argv in json.loads(sys.argv[1]):
    status = main(["talk", *argv])
    for stream in (sys.stdout, sys.stderr):
        print("==", scenario, status, file=stream, flush=True)
"""
"""One talk after the other: starting as many interpreters would take longer than they talk."""


def arguments(directory: Path, url: str, line: str) -> list[str]:
    """What follows ``talk``: say a line and hear the reply out."""
    functions = directory / "functions.json"
    functions.write_text(json.dumps([WEATHER | {"answer": "21"}]))
    return ["--url", url, "--text-only", "--functions", str(functions), "--text", line]


async def test_every_scenario_gives_a_transcript_and_says_how_it_ended(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        talks: list[list[str]] = []
        for scenario in SCENARIOS:
            settings = WAITS | {"simulator.scenario": scenario}
            url = await stack.enter_async_context(serve("openai", "simulator", settings=settings))
            line = "call get_weather" if scenario in CALLING else "hello"
            argv = arguments(tmp_path, url.replace("http", "ws") + PATHS["component"], line)
            talks.append([scenario, *argv])

        async def run(some: list[list[str]]) -> Program:
            async with running(tmp_path, "-c", TALKS, json.dumps(some)) as program:
                assert await program.end(SECONDS * len(some)) == 0, program.errors
                return program

        programs = await asyncio.gather(*(run(talks[n::AT_ONCE]) for n in range(AT_ONCE)))
    told: set[str] = set()
    for program in programs:
        outputs, errors = split(program.output), split(program.errors)
        for (scenario, status), output in outputs.items():
            check(scenario, status, output, errors[scenario, status])
            told.add(scenario)
    assert told == set(SCENARIOS)


def split(lines: list[str]) -> dict[tuple[str, str], list[str]]:
    """What was printed, by scenario and exit status."""
    found: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("== "):
            _, scenario, status = line.split()
            found[scenario, status], current = current, []
        else:
            current.append(line)
    return found


def check(scenario: str, status: str, output: list[str], errors: list[str]) -> None:
    """Fail unless the transcript is the scenario's."""
    told = (scenario, output, errors)
    if scenario in ENDS:
        assert status == "1", told
        assert errors[-1].startswith("voiceproxy talk: the agent reports an error: "), told
        assert ENDS[scenario] in errors[-1], told
        return
    whole = TRANSCRIPTS.get(scenario, HELLO)
    if scenario in MAYBE:
        assert output[: len(whole)] == whole, told
    elif scenario in SPOKEN:
        assert (status, output[0], sorted(output)) == ("0", whole[0], sorted(whole)), told
    else:
        assert (status, output) == ("0", whole), told


async def test_a_scenario_is_named_by_a_variable(tmp_path: Path) -> None:
    plugins = ("--plugin", "openai", "--plugin", "simulator", "--simulator-pace", "burst")
    named = {"VOICEPROXY_SIMULATOR_SCENARIO": "spoken-call"}
    async with serving(tmp_path, *plugins, **named) as proxy:
        url = str(proxy.url.with_scheme("ws").with_path(PATHS["agent"]))
        argv = arguments(tmp_path, url, "call get_weather")
        async with running(tmp_path, "-m", "voiceproxy", "talk", *argv) as program:
            assert await program.end(SECONDS) == 0
        assert await proxy.stop() == 0
    assert program.output == TRANSCRIPTS["spoken-call"]
