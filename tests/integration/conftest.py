"""A house for each test: what went over both its wires is checked when the test is over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from deepgram_line import Dial, Line, async_line, blocking_line
from house import KEY, House, OpenHouse, Simulated, dialling
from node_line import node_line
from wire_tap import tapped
from yarl import URL

from voiceproxy.testing import serve
from voiceproxy_simulator import SimulatedDeepgram, SimulatedOpenAI

UPSTREAMS: dict[str, Callable[..., AbstractAsyncContextManager[Simulated]]] = {
    "openai": SimulatedOpenAI,
    "deepgram": SimulatedDeepgram,
}


@pytest.fixture
async def open_house(caplog: pytest.LogCaptureFixture) -> AsyncIterator[OpenHouse]:
    """Open a house: ``await open_house(pace="realtime")``, or with what the upstream takes.

    ``backend`` is ``openai`` or ``deepgram``, ``settings`` are the proxy's.
    """
    houses: list[House] = []
    async with AsyncExitStack() as stack:

        async def open_one(
            backend: str = "openai", *, settings: dict[str, object] | None = None, **options: Any
        ) -> House:
            upstream = await stack.enter_async_context(UPSTREAMS[backend](key=KEY, **options))
            given = dialling(upstream) | (settings or {})
            serving = await stack.enter_async_context(AsyncExitStack())
            proxy = URL(await serving.enter_async_context(serve(backend, settings=given)))
            tap = await stack.enter_async_context(tapped(proxy.port or 0))
            houses.append(House(upstream, proxy, tap, serving))
            return houses[-1]

        yield open_one
        for house in houses:
            await house.settle()
    for house in houses:
        house.check()
    if not any(house.errors_expected for house in houses):
        logged = [one for one in caplog.get_records("call") if one.levelno >= logging.ERROR]
        assert [one.getMessage() for one in logged] == []


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house whose upstream answers at once."""
    return await open_house()


@pytest.fixture(params=[blocking_line, async_line, node_line], ids=["blocking", "async", "node"])
def dial(request: pytest.FixtureRequest) -> Dial:
    """``dial(house, product="agent.v1", **options)``: a line of any SDK to a house."""

    def dial_one(house: House, *product: str, **options: Any) -> AbstractAsyncContextManager[Line]:
        line: AbstractAsyncContextManager[Line] = request.param(
            house.authority, *product, **options
        )
        return line

    return dial_one
