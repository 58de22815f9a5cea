"""The faults that end a session, in every phase of it at once: before its Settings, in the middle
of a reply, and while its client closes. One beside them on a good line notices nothing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from fault_rows import BACKENDS, EARLY, Ends, Row
from running import Heard, hear, until
from test_fault_matrix import ENDED, QUICK, SETTINGS, Stage, ended, ids, limit, on_stage

from voiceproxy.caller import Caller
from voiceproxy.testing import connected


@dataclass
class Called:
    """A caller in each phase; the futures are what each hears to its end."""

    unready: asyncio.Future[Heard]
    replied: asyncio.Future[Heard]
    closing: Caller


async def call(url: str, stack: AsyncExitStack) -> Caller:
    caller = Caller(await stack.enter_async_context(connected(url)), 20.0)
    await caller.first()
    return caller


async def greet(url: str, stack: AsyncExitStack) -> Caller:
    caller = await call(url, stack)
    await caller.say(SETTINGS)
    await caller.until("SettingsApplied")
    return caller


async def bring(url: str, stack: AsyncExitStack) -> Called:
    """Everybody listens all the time, so that every ping is answered."""
    replied = await greet(url, stack)
    await replied.say({"type": "InjectUserMessage", "content": "many words " * 40})
    await replied._listen(lambda: any(isinstance(one, bytes) for one in replied.heard), "audio")
    hearing = asyncio.ensure_future(hear(replied.socket))
    unready = asyncio.ensure_future(hear((await call(url, stack)).socket))
    return Called(unready, hearing, await greet(url, stack))


def rows_of_every_phase() -> list[Row]:
    """A cut needs bytes that cross, and a half-open connection an end of its own."""
    return [row for row in ended() if row.name not in ("cut", "half-open")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", rows_of_every_phase(), ids=ids)
async def test_a_session_ends_in_whatever_phase_the_fault_finds_it(row: Row, backend: str):
    async with on_stage(backend, **QUICK) as stage, AsyncExitStack() as stack:
        called = await bring(stage.url, stack)
        closing = asyncio.ensure_future(called.closing.socket.close())
        await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        await ENDED[row.name](stage, stage.line(row))
        await until(lambda: not stage.proxy.live)
        assert asyncio.get_running_loop().time() - began < limit(row)
        if isinstance(row.outcome, Ends):
            for phase, end in ((called.unready, EARLY), (called.replied, row.outcome)):
                heard = await phase
                assert (heard.errors, heard.code) == end.by[backend]
            await closing
            assert called.closing.socket.close_code == 1000
        await stage.before.reset()  # who hears nothing any more need not wait longer
        await asyncio.gather(called.unready, called.replied, closing, return_exceptions=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fault", ["stalled", "reset", "blackhole"])
async def test_a_session_on_a_good_line_goes_on_beside_those_that_end(fault: str, backend: str):
    patient = {**QUICK, "heartbeat": 1.0}
    async with on_stage(backend, **patient) as stage, AsyncExitStack() as stack:
        beside = Stage(stage.proxy, backend, stage.before, stage.behind, stage.upstream)
        beside.caller = await greet(f"{stage.proxy.url}/{backend}", stack)
        faultless = await beside.turn(sound=5)
        called = await bring(stage.url, stack)
        await ENDED[fault](stage, stage.before)
        while stage.proxy.live > 1:
            assert await beside.turn(sound=5) == faultless
        assert await beside.turn(sound=5) == faultless
        await beside.caller.socket.close()
        await stage.before.reset()
        await asyncio.gather(called.unready, called.replied, return_exceptions=True)
