"""A whole house for each test: the real proxy on a real socket, a strict upstream behind it, and a
record of every frame on both wires, which is checked when the test is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from caller import PATHS
from wire_tap import Conversation, Tap, tapped
from wire_types import client_event_problems, server_message_problems
from yarl import URL

from voiceproxy.testing import serve
from voiceproxy_simulator import SimulatedOpenAI

KEY = "sk-integration"

SETTLED = 5.0
"""Seconds in which every session is gone once its client is."""


class House:
    """``proxy`` is reached through ``tap``; ``upstream`` is what it dials."""

    def __init__(self, upstream: SimulatedOpenAI, proxy: URL, tap: Tap) -> None:
        self.upstream = upstream
        self.proxy = proxy
        self.tap = tap
        self.errors_expected = False
        """A test that provokes a fault may log errors."""

    @property
    def authority(self) -> str:
        """HOST:PORT for clients."""
        return f"127.0.0.1:{self.tap.port}"

    def url(self, dialect: str = "component") -> str:
        """Where clients of that dialect connect."""
        return f"ws://{self.authority}{PATHS[dialect]}"

    def sent_upstream(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The events the upstream got so far, in order, of one type or all."""
        events = [received.event for received in self.upstream.received]
        return [event for event in events if kind in (None, event["type"])]

    async def upstream_has(self, kind: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until the upstream has got an event so often; all of that type."""
        async with asyncio.timeout(SETTLED):
            while len(events := self.sent_upstream(kind)) < times:
                await asyncio.sleep(0.01)
        return events

    async def ready(self) -> dict[str, Any]:
        """What the proxy says of itself."""
        async with aiohttp.request("GET", self.proxy / "ready") as response:
            body: dict[str, Any] = await response.json()
            return body

    async def settle(self) -> None:
        """Wait until no session is left on either side."""
        async with asyncio.timeout(SETTLED):
            while (await self.ready())["sessions"] or self.upstream.sessions:
                await asyncio.sleep(0.01)

    def check(self) -> None:
        """Every frame on both wires is what the SDKs at their ends know, and no rule was broken."""
        assert self.upstream.violations == []
        for event in self.sent_upstream():
            problems = client_event_problems(event)
            assert not problems, f"to the upstream: {event['type']}: {problems}"
        for conversation in self.tap.conversations:
            if conversation.is_session:
                _check_session(conversation)


def _check_session(conversation: Conversation) -> None:
    dialect = "agent" if conversation.path == PATHS["agent"] else "component"
    messages = [one for one in conversation.to_client.frames if isinstance(one, dict)]
    assert [one["type"] for one in messages].index("Welcome") == 0
    for message in messages:
        problems = server_message_problems(message, dialect)
        assert not problems, f"to the client: {message['type']}: {problems}"


OpenHouse = Callable[..., Awaitable[House]]


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
            proxy = URL(await stack.enter_async_context(serve("openai", settings=given)))
            tap = await stack.enter_async_context(tapped(proxy.port or 0))
            houses.append(House(upstream, proxy, tap))
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
