"""The faults of the matrix that befall the machine: processes that run out of descriptors, cannot
write their log or stand still, a wall clock that jumps, and connections nobody asks anything on."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from fault_rows import BACKENDS, rows
from programs import OURS, SECONDS
from test_fault_matrix import SETTINGS, calling, on_stage

from voiceproxy import serve
from voiceproxy.app import create_app
from voiceproxy.caller import Caller
from voiceproxy.testing import connected

MACHINE = {row.name: row.outcome.sees for row in rows("machine")}

DAY = 86_400.0
DESCRIPTORS = 40
"""Beyond what the interpreter needs, enough for about six sessions with a simulated upstream."""


MOST_LOGGED = 50_000
"""Bytes of log that a hundred clients without a descriptor may cause in some seconds."""


@dataclass
class Server:
    """A process that serves."""

    url: str
    """Of the backend's endpoint."""
    signal: Callable[[int], None]


@asynccontextmanager
async def process(
    directory: Path,
    stderr: object,
    descriptors: int = 0,
    backend: str = "openai",
    flags: tuple[str, ...] = ("--close-timeout", "0.5"),
    **variables: str,
) -> AsyncIterator[Server]:
    """A real server with that stderr; wants status 0 for its SIGTERM."""

    def limit() -> None:
        if descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    plugins = ("--plugin", backend, "--plugin", "simulator")
    with subprocess.Popen(
        [sys.executable, "-m", "voiceproxy", *plugins, "--port", "0", *flags],
        cwd=directory,
        env=clean | variables,
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
            yield Server(f"{found.group()}/{backend}", server.send_signal)
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
        async with process(tmp_path, full) as server, AsyncExitStack() as stack:
            for number in range(3):
                await converse(await greeted(server.url, stack), f"number {number}")


async def test_a_log_that_nobody_reads_keeps_no_session_and_no_signal_waiting(tmp_path: Path):
    assert "lost" in MACHINE["unread"]
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    try:
        async with process(tmp_path, writer) as server, AsyncExitStack() as stack:
            _fill_pipe(writer)
            for number in range(3):
                await converse(await greeted(server.url, stack), f"number {number}")
            os.read(reader, 65536)
            await converse(await greeted(server.url, stack), "there is room again")
            assert b" lines of the log are lost: nobody read them" in os.read(reader, 65536)
            _fill_pipe(writer)
    finally:
        os.close(reader)
        os.close(writer)


def _fill_pipe(writer: int) -> None:
    """To the last byte. It blocks its writers again then: both ends of this are the server's."""
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"\n")
    os.set_blocking(writer, True)


async def test_a_process_that_stood_still_for_many_heartbeats_goes_on(tmp_path: Path):
    assert "Nothing" in MACHINE["stopped"]
    log = tmp_path / "log"
    flags = ("--heartbeat", "0.5", "--block-warning", "0.5")
    with log.open("w") as stderr:
        async with process(tmp_path, stderr, flags=flags) as server, AsyncExitStack() as stack:
            caller = await greeted(server.url, stack)
            server.signal(signal.SIGSTOP)
            await asyncio.sleep(3.0)
            server.signal(signal.SIGCONT)
            await converse(caller, "hello again")
    assert "blocks the event loop" not in log.read_text()


async def test_a_connection_on_which_nobody_asks_anything_is_closed(
    monkeypatch: pytest.MonkeyPatch,
):
    assert f"{serve.KEEPALIVE_TIMEOUT:g} seconds" in MACHINE["silent"]
    monkeypatch.setattr(serve, "KEEPALIVE_TIMEOUT", 0.2)
    runner = serve.runner_for(create_app(["openai"], settings={"openai.api_key": "k"}, environ={}))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        for said in (b"", b"GET /openai HTTP/1.1\r\nHost: 127"):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(said)
            async with asyncio.timeout(SECONDS):
                assert await reader.read() == b""
            writer.close()
    finally:
        await runner.cleanup()


@pytest.mark.deep
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_without_a_free_descriptor_sessions_go_on_and_new_ones_begin_when_others_end(
    loop: str, backend: str, tmp_path: Path
):
    assert "new ones begin" in MACHINE["descriptors"]
    if loop == "asyncio":
        (tmp_path / "uvloop.py").write_text("raise ImportError")
    log = tmp_path / "log"
    with log.open("w") as stderr:
        async with process(
            tmp_path, stderr, DESCRIPTORS, backend, PYTHONPATH=str(tmp_path)
        ) as server:
            await _exhaust(server.url)
    assert "raise the limit (ulimit -n)" in log.read_text()
    assert log.stat().st_size < MOST_LOGGED


async def _exhaust(url: str) -> None:
    async with AsyncExitStack() as stack:
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
