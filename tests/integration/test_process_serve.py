"""``python -m voiceproxy`` as an operator runs it: what it prints, serves, logs and returns."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from caller import BOTH, PATHS, calling, in_frames, names, of_type, speech
from programs import running, serving

SIMULATED = ("--plugin", "openai", "--plugin", "simulator", "--simulator-pace", "burst")


async def test_it_announces_one_address_with_its_endpoints_and_picks_a_free_port(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, *SIMULATED) as proxy:
        (line,) = proxy.output
        assert re.fullmatch(
            r"voiceproxy listening on http://127\.0\.0\.1:[1-9]\d+ "
            r"endpoints: /openai /v1/agent/converse /health /ready",
            line,
        )
        async with aiohttp.ClientSession(proxy.url) as client:
            assert (await client.get("/health")).status == 200
            ready = await (await client.get("/ready")).json()
        assert ready["status"] == "ready"
        assert ready["backends"] == {"openai": {"paths": ["/openai", "/v1/agent/converse"]}}


@BOTH
async def test_a_conversation_at_either_url(tmp_path: Path, dialect: str) -> None:
    async with serving(tmp_path, *SIMULATED) as proxy:
        async with calling(f"{proxy.url.origin()}{PATHS[dialect]}") as caller:
            await caller.hello()
            assert 'assistant: You said "hello".' in names(await caller.ask("hello"))
        assert await proxy.stop() == 0


SPEAKING = ("--plugin", "openai", "--plugin", "simulator")


@asynccontextmanager
async def counting(directory: Path, up_to: int, *flags: str) -> AsyncIterator[tuple[Any, Any]]:
    """A server, and a caller who hears its agent count at the pace of speech."""
    async with (
        serving(directory, *SPEAKING, *flags) as proxy,
        calling(f"{proxy.url.origin()}/openai") as caller,
    ):
        await caller.hello()
        await caller.inject(f"count to {up_to}")
        await caller.until("audio", 2)
        yield proxy, caller


def _check_quiet(proxy: Any) -> None:
    assert not [line for line in proxy.errors if "Traceback" in line or " ERROR " in line]


async def test_sigterm_lets_the_agent_finish_its_turn(tmp_path: Path) -> None:
    async with counting(tmp_path, 5) as (proxy, caller):
        proxy.signal(signal.SIGTERM)
        await proxy.until("sessions that may end their turns, within 30 s: 1")
        async with aiohttp.ClientSession(proxy.url.origin()) as client:
            assert (await client.get("/ready")).status == 503
        closed, heard = await caller.until_closed()
        assert await proxy.end(5) == 0
    kinds = [name for name in names(heard) if name != "audio"]
    assert closed == 1001
    assert kinds[0] == "Warning"
    assert kinds[-2:] == ["AgentDone", "AgentAudioDone"]
    assert "Error" not in kinds
    [warning] = of_type(heard, "Warning")
    assert warning["code"] == "SERVER_GOING_AWAY"
    _check_quiet(proxy)


@pytest.mark.parametrize(
    ("number", "flags", "warned"),
    [
        (signal.SIGTERM, ("--drain-timeout", "0.5"), True),
        (signal.SIGTERM, ("--drain-timeout", "0"), False),
        (signal.SIGINT, (), False),
    ],
    ids=["after-the-drain", "without-a-drain", "interrupted"],
)
async def test_a_reply_that_is_cut_off_ends_with_an_error_1001_and_status_0(
    tmp_path: Path, number: int, flags: tuple[str, ...], warned: bool
) -> None:
    async with counting(tmp_path, 100, *flags) as (proxy, caller):
        proxy.signal(number)
        closed, heard = await caller.until_closed()
        assert await proxy.end(5) == 0
    assert closed == 1001
    assert [error["code"] for error in of_type(heard, "Error")] == ["SERVER_GOING_AWAY"]
    assert len(of_type(heard, "Warning")) == warned
    _check_quiet(proxy)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_drain_at_once(tmp_path: Path, second: int) -> None:
    async with counting(tmp_path, 100) as (proxy, _):
        proxy.signal(signal.SIGTERM)
        await proxy.until("sessions that may end their turns")
        proxy.signal(second)
        assert await proxy.end(5) == -second


async def test_without_a_key_it_ends_with_2_and_names_the_variable_and_the_simulator(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "-m", "voiceproxy", "--plugin", "openai", "--port", "0") as proxy:
        assert await proxy.end() == 2
    (problem,) = [line for line in proxy.errors if "OPENAI_API_KEY" in line]
    assert "--plugin simulator" in "\n".join(proxy.errors)
    assert problem.startswith("voiceproxy: error: ")
    assert proxy.output == []


async def test_an_unknown_plugin_ends_it_with_2_and_names_the_installed_ones(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "-m", "voiceproxy", "--plugin", "opnai", "--port", "0") as proxy:
        assert await proxy.end() == 2
    said = "\n".join(proxy.errors)
    assert "opnai" in said
    assert "openai" in said.replace("opnai", "")
    assert "simulator" in said
    assert "Traceback" not in said


async def test_a_trace_id_names_every_log_line_of_its_session_and_of_no_other(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, *SIMULATED, "--log-level", "debug") as proxy:

        async def converse(trace: str) -> None:
            async with calling(f"{proxy.url.origin()}/openai?traceId={trace}") as caller:
                await caller.hello()
                await caller.send("no json")
                await caller.until("Error")
                await caller.ask("hello")

        await asyncio.gather(converse("trace-one"), converse("trace-two"))
        await proxy.stop()
    for trace in ("trace-one", "trace-two"):
        lines = [line for line in proxy.errors if f"[{trace}]" in line]
        assert "session opened at /openai" in lines[0]
        assert "session closed by client" in lines[-1]
    of_sessions = [line for line in proxy.errors if "session opened" in line or "closed by" in line]
    assert len(of_sessions) == 4
    assert all("[trace-" in line for line in of_sessions)


async def test_nothing_spoken_and_no_key_is_logged_at_any_level(tmp_path: Path) -> None:
    key, word = "sk-proj-a1b2c3d4e5f6", "xylophone"
    flags = (*SIMULATED, "--log-level", "debug")
    async with serving(tmp_path, *flags, OPENAI_API_KEY=key) as proxy:
        async with calling(f"{proxy.url.origin()}/openai?token=bassoon-token") as caller:
            await caller.hello()
            await caller.ask(word)
            await caller.send(*in_frames(speech()))
            await caller.until("AgentAudioDone")
            await caller.send(json.dumps({"type": "Nonsense", "content": word}), "{" + word)
            await caller.until("Error", 2)
        await proxy.stop()
    log = "\n".join([*proxy.output, *proxy.errors])
    assert [
        secret for secret in (key, word, "bassoon", "I heard", "Be brief") if secret in log
    ] == []


async def test_the_command_of_make_run_serves(tmp_path: Path) -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    command = re.search(r"^run:.*\n\t\S+ (-m voiceproxy .*)$", makefile, re.MULTILINE)
    assert command is not None
    argv = (*command[1].split(), "--port", "0")
    async with running(tmp_path, *argv) as proxy:
        await proxy.until("voiceproxy listening on")
        async with calling(f"{proxy.url.origin()}/openai") as caller:
            await caller.hello()
            assert 'assistant: You said "hello".' in names(await caller.ask("hello"))
