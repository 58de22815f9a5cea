"""A house for each test: what went over both its wires is checked when the test is over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from house import KEY, House, OpenHouse
from wire_tap import tapped
from yarl import URL

from voiceproxy.testing import serve
from voiceproxy_simulator import SimulatedOpenAI


@pytest.fixture
async def open_house(caplog: pytest.LogCaptureFixture) -> AsyncIterator[OpenHouse]:
    """Open a house: ``await open_house(pace="realtime")``, or with what SimulatedOpenAI takes.

    ``settings`` are the proxy's.
    """
    houses: list[House] = []
    async with AsyncExitStack() as stack:

        async def open_one(*, settings: dict[str, object] | None = None, **options: Any) -> House:
            upstream = await stack.enter_async_context(SimulatedOpenAI(key=KEY, **options))
            given = {"openai.url": upstream.url, "openai.api_key": KEY} | (settings or {})
            serving = await stack.enter_async_context(AsyncExitStack())
            proxy = URL(await serving.enter_async_context(serve("openai", settings=given)))
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
