"""The faults of the matrix that befall the machine: processes that run out of descriptors or cannot
write their log, and a wall clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from fault_rows import rows
from programs import OURS, SECONDS
from test_fault_matrix import SETTINGS, calling, on_stage

from voiceproxy.caller import Caller
from voiceproxy.testing import connected

MACHINE = {row.name: row.outcome.sees for row in rows("machine")}

DAY = 86_400.0
DESCRIPTORS = 40
"""Beyond what the interpreter needs, enough for about six sessions with a simulated upstream."""


@asynccontextmanager
async def process(directory: Path, stderr: object, descriptors: int = 0) -> AsyncIterator[str]:
    """A real server with that stderr; yields its URL, and wants status 0 for its SIGTERM."""

    def limit() -> None:
        if descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    flags = ["--plugin", "openai", "--plugin", "simulator", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "voiceproxy", *flags, "--close-timeout", "0.5"],
        cwd=directory,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,  # type: ignore[call-overload]
        text=True,
        preexec_fn=limit,
    ) as server:
        try:
            assert server.stdout is not None
            line = await asyncio.wait_for(asyncio.to_thread(server.stdout.readline), SECONDS)
            found = re.search(r"http://\S+", line)
            assert found is not None, line
            yield found.group() + "/openai"
            server.send_signal(signal.SIGTERM)
            status = await asyncio.to_thread(server.wait, SECONDS)
        finally:
            server.kill()
    assert status == 0


async def greeted(url: str, stack: AsyncExitStack) -> Caller:
    """A caller whose Settings are applied."""
    caller = Caller(await stack.enter_async_context(connected(url)), 10.0)
    await caller.say(SETTINGS)
    await caller.until("SettingsApplied")
    return caller


async def converse(caller: Caller, words: str) -> None:
    """A turn."""
    caller.heard.clear()
    await caller.say({"type": "InjectUserMessage", "content": words})
    await caller.until("ConversationText", role="assistant", content=f'You said "{words}".')
    await caller.until("AgentAudioDone")


async def test_a_full_disk_under_the_log_costs_nothing_but_the_lines(tmp_path: Path):
    assert "lost" in MACHINE["disk"]
    with Path("/dev/full").open("w") as full:
        async with process(tmp_path, full) as url, AsyncExitStack() as stack:
            for number in range(3):
                await converse(await greeted(url, stack), f"number {number}")


@pytest.mark.deep
async def test_without_a_free_descriptor_sessions_go_on_and_new_ones_begin_when_others_end(
    tmp_path: Path,
):
    assert "new ones begin" in MACHINE["descriptors"]
    async with (
        process(tmp_path, subprocess.DEVNULL, DESCRIPTORS) as url,
        AsyncExitStack() as stack,
    ):
        callers = [await greeted(url, stack)]
        waiting = await _fill(url, stack, callers)
        assert len(callers) < DESCRIPTORS / 3
        for number, caller in enumerate(callers):
            await converse(caller, f"number {number}")
        for caller in callers[1:]:
            await caller.socket.close()
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await converse(callers[0], "still here")
        async with asyncio.timeout(SECONDS):
            late = await _admitted(url, stack)
        await converse(late, "and me")


async def _fill(
    url: str, stack: AsyncExitStack, callers: list[Caller]
) -> list[asyncio.Task[Caller]]:
    """Call until nobody gets through any more; the tasks of those who still wait."""
    waiting: list[asyncio.Task[Caller]] = []
    while len(waiting) < 3:
        task = asyncio.create_task(greeted(url, stack))
        await asyncio.wait([task], timeout=1.0)
        if task.done() and task.exception() is None:
            callers.append(task.result())
        else:
            waiting.append(task)
    return waiting


async def _admitted(url: str, stack: AsyncExitStack) -> Caller:
    """Call again and again, as clients do."""
    while True:
        try:
            return await greeted(url, stack)
        except (OSError, aiohttp.ClientError, pytest.fail.Exception, AssertionError):
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["ahead", "back"])
async def test_a_jump_of_the_wall_clock_is_not_noticed(
    jump: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    assert "monotonic" in MACHINE["clock"]
    caplog.set_level("INFO", "voiceproxy")
    real, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])
    async with on_stage("openai", heartbeat=0.2, settings_timeout=5.0) as stage, calling(stage):
        faultless = await stage.turn()
        offset[0] = jump
        assert await stage.turn() == faultless
        with contextlib.suppress(TimeoutError):  # several heartbeats, answered on both sides
            await asyncio.wait_for(stage.caller.socket.receive(), 0.7)
        assert stage.proxy.live == 1
    [ended] = [line for line in caplog.messages if "session closed by client after" in line]
    seconds = re.search(r"after (\S+) s", ended)
    assert seconds is not None
    assert 0 <= float(seconds[1]) < SECONDS
