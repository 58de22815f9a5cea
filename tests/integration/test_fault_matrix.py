"""The fault matrix over real sockets: each fault of ``fault_rows``, with either backend behind.

For every one: what the client sees, in how long at most, and that nothing is left: no session,
task, socket or file descriptor.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp.abc import AbstractResolver
from fault_rows import BACKENDS, ROWS, Ends, GoesOn, Row, Undialled, rows
from running import Running, hear, refused, until
from running import reset as reset_end

from voiceproxy.app import create_app
from voiceproxy.caller import Caller
from voiceproxy.testing import Fault, FaultyLine, connected, listening
from voiceproxy_simulator import SimulatedDeepgram, SimulatedOpenAI

SLACK = 3.0
"""Seconds a busy machine may take for what is at once."""

HOLE = Fault(blackhole=True)
STALLED = Fault(stalled=True)

QUICK = {"heartbeat": 0.25, "close_timeout": 0.3, "connect_timeout": 0.4}
PATIENT = {"heartbeat": 20.0, "close_timeout": 0.3, "connect_timeout": 10.0}
"""For sessions that are to live, however busy the machine is."""

SETTINGS = {
    "type": "Settings",
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": 16000},
        "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
    },
    "agent": {"think": {"provider": {"type": "open_ai", "model": "gpt-4o"}, "prompt": "Be brief."}},
}


def dialling(backend: str, url: str) -> dict[str, object]:
    """The settings with which a backend dials that address."""
    names = ["url"] if backend == "openai" else ["agent_url", "listen_url"]
    return {f"{backend}.{name}": url for name in names} | {f"{backend}.api_key": "sk-any"}


class Stage:
    """A caller, a line, the proxy, a line, a simulated upstream."""

    def __init__(
        self,
        proxy: Running,
        backend: str,
        before: FaultyLine,
        behind: FaultyLine,
        upstream: SimulatedOpenAI | SimulatedDeepgram,
    ) -> None:
        self.proxy, self.upstream = proxy, upstream
        self.before, self.behind = before, behind
        self.path = f"/{backend}"
        self.caller: Caller

    @property
    def url(self) -> str:
        return self.before.url.rstrip("/") + self.path

    def line(self, row: Row) -> FaultyLine:
        return self.before if row.leg == "client" else self.behind

    async def greet(self) -> None:
        """The Settings are applied."""
        await self.caller.say(SETTINGS)
        await self.caller.until("SettingsApplied")

    async def turn(self, sound: int = 0) -> tuple[list[str], bytes]:
        """A typed turn behind some silence (frames of 20 ms): what was heard, and the audio."""
        self.caller.heard.clear()
        await self.caller.say(*[bytes(640)] * sound)
        await self.caller.say({"type": "InjectUserMessage", "content": "hi"})
        await self.caller.until("AgentAudioDone")
        audio = [one for one in self.caller.heard if isinstance(one, bytes)]
        return self.caller.types(), b"".join(audio)


@asynccontextmanager
async def on_stage(
    backend: str, options: dict[str, Any] | None = None, **settings: object
) -> AsyncIterator[Stage]:
    """A stage whose lines have no fault yet; nothing is left of it in the end."""
    process = psutil.Process()
    before = process.num_fds()
    simulated = SimulatedOpenAI if backend == "openai" else SimulatedDeepgram
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(simulated())
        behind = await stack.enter_async_context(FaultyLine(upstream.url))
        given = {**dialling(backend, behind.url.rstrip("/")), **settings}
        app = create_app([backend], settings=given, environ={}, **(options or {}))
        proxy = Running(app, await stack.enter_async_context(listening(app)))
        async with FaultyLine(proxy.url) as line:
            yield Stage(proxy, backend, line, behind, upstream)
        await until(lambda: not proxy.live)
        await behind.reset()
        await until(lambda: not upstream.sessions)
        await proxy.settle()
    assert process.num_fds() <= before


@asynccontextmanager
async def calling(stage: Stage) -> AsyncIterator[Stage]:
    """A caller who has been greeted."""
    async with connected(stage.url) as ws:
        stage.caller = Caller(ws, 20.0)
        await stage.greet()
        yield stage


# What a session survives.


async def be_late(stage: Stage, line: FaultyLine) -> None:
    late = Fault(latency=0.05, jitter=0.05)
    line.becomes(up=late, down=late)


async def dribble(stage: Stage, line: FaultyLine) -> None:
    line.becomes(up=Fault(piece=7), down=Fault(piece=31))


async def be_slow(stage: Stage, line: FaultyLine) -> None:
    slow = Fault(piece=1024, pause=0.004)
    line.becomes(up=slow) if line is stage.behind else line.becomes(down=slow)


async def pause(stage: Stage, line: FaultyLine) -> None:
    """Nothing is read until the proxy has stopped reading the other side."""
    if line is stage.behind:
        line.becomes(up=STALLED)
        sending = asyncio.ensure_future(_flood(stage))
        await until(lambda: not stage.proxy.core.client_may_send)
        line.becomes()
        await sending
    else:
        line.becomes(down=STALLED)
        stage.caller.heard.clear()
        await stage.caller.say({"type": "InjectUserMessage", "content": "many words " * 40})
        await until(lambda: not stage.proxy.core.upstream_may_send)
        line.becomes()
        await stage.caller.until("AgentAudioDone")


async def _flood(stage: Stage) -> None:
    for _ in range(60):
        await stage.caller.say(bytes(64_000))


async def be_big(stage: Stage, line: FaultyLine) -> None:
    """What the turn behind it says comes when the frame has crossed, about two seconds later.

    The pieces are small because a line holds some of them, which count as taken.
    """
    line.becomes(up=Fault(piece=1024, pause=0.002))
    await stage.caller.say(bytes(600_000))


SURVIVED: dict[str, Callable[[Stage, FaultyLine], Awaitable[None]]] = {
    "late": be_late,
    "dribble": dribble,
    "slow": be_slow,
    "pausing": pause,
    "big": be_big,
}
GIVEN: dict[str, dict[str, object]] = {
    "pausing": {"client_buffer": 60_000, "upstream_buffer": 60_000},
    "big": {"heartbeat": 0.8},
}


def survived() -> list[Row]:
    return [row for row in rows("client", "upstream") if isinstance(row.outcome, GoesOn)]


def ids(row: Row) -> str:
    return f"{row.leg}-{row.name}"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", survived(), ids=ids)
async def test_a_session_survives_what_only_makes_its_line_bad(row: Row, backend: str):
    async with on_stage(backend, **{**PATIENT, **GIVEN.get(row.name, {})}) as stage:
        line = stage.line(row)
        if row.name == "dribble":
            line.becomes(up=Fault(piece=1), down=Fault(piece=1))  # from the upgrade on
        async with calling(stage):
            faultless = await stage.turn(sound=5)
            await SURVIVED[row.name](stage, line)
            assert await stage.turn(sound=40) == faultless


# What ends it.


async def stall(stage: Stage, line: FaultyLine) -> None:
    line.becomes(up=STALLED, down=STALLED)


async def reset(stage: Stage, line: FaultyLine) -> None:
    await line.reset()


async def swallow(stage: Stage, line: FaultyLine) -> None:
    line.becomes(up=HOLE, down=HOLE)


async def cut(stage: Stage, line: FaultyLine) -> None:
    """In the middle of the next frame that goes to the proxy."""
    if line is stage.behind:
        line.becomes(down=Fault(cut_after=13))
        await stage.caller.say({"type": "InjectUserMessage", "content": "hi"})
    else:
        line.becomes(up=Fault(cut_after=100))
        await stage.caller.say(bytes(640))


ENDED: dict[str, Callable[[Stage, FaultyLine], Awaitable[None]]] = {
    "stalled": stall,
    "reset": reset,
    "half-open": swallow,
    "blackhole": swallow,
    "cut": cut,
}


def ended() -> list[Row]:
    legs = rows("client", "upstream")
    return [row for row in legs if not isinstance(row.outcome, GoesOn)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", ended(), ids=ids)
async def test_a_session_ends_as_the_matrix_says_and_in_time(row: Row, backend: str):
    async with on_stage(backend, **QUICK) as stage, calling(stage):
        ws, received = stage.caller.socket, len(stage.upstream.received)
        began = asyncio.get_running_loop().time()
        await ENDED[row.name](stage, stage.line(row))
        async with vanished(stage, row):
            if isinstance(row.outcome, Ends):
                heard = await hear(ws)
                assert (heard.errors, heard.code) == row.outcome.by[backend]
            await until(lambda: not stage.proxy.live)
            assert asyncio.get_running_loop().time() - began < limit(row)
        if row.leg == "client":  # of a frame that was cut, too
            assert len(stage.upstream.received) == received


@asynccontextmanager
async def vanished(stage: Stage, row: Row) -> AsyncIterator[None]:
    """For a half-open connection the end beyond the line goes as well, and nobody is told."""
    leaving: asyncio.Future[None] | None = None
    if row.name == "half-open" and row.leg == "client":
        reset_end(stage.caller.socket._response.connection.transport)
    elif row.name == "half-open":
        leaving = asyncio.ensure_future(stage.upstream.stop())
    yield
    await stage.before.reset()  # nobody waits for an answer that cannot come
    if leaving is not None:
        await stage.behind.reset()
        await leaving


def limit(row: Row) -> float:
    """Seconds the end may take, as the row has it."""
    return sum(times * QUICK[name] for name, times in row.within.items()) + SLACK


# Dialling.


class GoneResolver(AbstractResolver):
    """No name resolves any more."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def close(self) -> None:
        return None


async def _answer_late(stage: Stage) -> None:
    stage.behind.becomes(up=Fault(latency=0.1), down=Fault(latency=0.1, piece=5))


async def _answer_nothing(stage: Stage) -> None:
    stage.behind.becomes(down=HOLE)


async def _answer_with_a_reset(stage: Stage) -> None:
    stage.behind.becomes(down=HOLE)
    while True:  # aiohttp tries twice
        await until(lambda: stage.behind.connections)
        await stage.behind.reset()


async def _answer_in_part(stage: Stage) -> None:
    stage.behind.becomes(down=Fault(cut_after=40))


async def _nothing(stage: Stage) -> None:
    """What is wrong is in the settings."""


class SilentResolver(GoneResolver):
    """No answer comes while anybody waits for it; at last the system gives up."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        await asyncio.sleep(2 * QUICK["connect_timeout"])
        await super().resolve(host, port, family)


RESOLVERS = {"unresolved": GoneResolver, "unresolving": SilentResolver}

ANSWERS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "unanswered": _answer_nothing,
    "reset": _answer_with_a_reset,
    "cut": _answer_in_part,
    "refused": _nothing,
    "unresolved": _nothing,
    "unresolving": _nothing,
}


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_upstream_that_answers_late_and_in_small_pieces_is_waited_for(backend: str):
    async with on_stage(backend, **PATIENT) as stage:
        await _answer_late(stage)
        async with calling(stage):
            stage.behind.becomes()
            assert (await stage.turn())[0].count("AgentAudioDone") == 1


@pytest.mark.parametrize(
    ("backend", "browser"),
    # The openai backend lets everybody in first, the deepgram backend browsers only.
    [("openai", False), ("deepgram", False), ("deepgram", True)],
    ids=["openai", "deepgram", "deepgram-browser"],
)
@pytest.mark.parametrize("row", rows("dialling")[1:], ids=ids)
async def test_an_upstream_that_cannot_be_dialled_is_told(row: Row, backend: str, browser: bool):
    assert isinstance(row.outcome, Undialled)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        given, options = await elsewhere(row, backend, stack)
        stage = await stack.enter_async_context(on_stage(backend, options, **QUICK, **given))
        fault = asyncio.ensure_future(ANSWERS[row.name](stage))
        await asyncio.sleep(0)
        origin = "http://127.0.0.1" if browser else None
        began = loop.time()
        if browser or backend == "openai":
            async with connected(stage.url, origin=origin) as ws:
                heard = await hear(ws)
            assert (heard.errors, heard.code) == ([row.outcome.error], row.outcome.code)
        else:
            assert (await refused(stage.url)).status == row.outcome.status
        assert loop.time() - began < limit(row)
        fault.cancel()


async def elsewhere(
    row: Row, backend: str, stack: AsyncExitStack
) -> tuple[dict[str, object], dict[str, Any]]:
    """Settings of an upstream that is nowhere, and options of the application."""
    if row.name == "refused":
        return dialling(backend, "ws://127.0.0.1:1"), {}
    if row.name in RESOLVERS:
        resolver = RESOLVERS[row.name]()
        connector = aiohttp.TCPConnector(limit=0, force_close=True, resolver=resolver)
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        return dialling(backend, "ws://upstream.example"), {"client": client}
    return {}, {}


def test_every_row_is_run():
    machine = Path(__file__).with_name("test_fault_machine.py").read_text(encoding="utf-8")
    assert {row.name for row in survived()} == SURVIVED.keys()
    assert {row.name for row in ended()} == ENDED.keys()
    assert {row.name for row in rows("dialling")} == {"late", *ANSWERS}
    assert [row.name for row in rows("machine") if f'MACHINE["{row.name}"]' not in machine] == []
    assert len({(row.leg, row.name) for row in ROWS}) == len(ROWS)
