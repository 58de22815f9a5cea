"""A whole house: the real proxy on a real socket, a strict upstream behind it, a tap before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from caller import PATHS
from wire_tap import Conversation, Tap
from wire_types import client_event_problems, product_message_problems, server_message_problems
from yarl import URL

from voiceproxy.agent import Dialect
from voiceproxy_simulator import SimulatedDeepgram, SimulatedOpenAI
from voiceproxy_simulator.deepgram.server import Dialled

KEY = "sk-integration"

SETTLED = 5.0
"""Seconds in which every session is gone once its client is."""

PRODUCTS = {
    "/v1/listen": "listen.v1",
    "/v2/listen": "listen.v2",
    "/v1/speak": "speak.v1",
    "/v2/speak": "speak.v2",
}
"""What the paths beside the agent's are called in the SDKs."""

Simulated = SimulatedOpenAI | SimulatedDeepgram


def dialling(upstream: Simulated) -> dict[str, object]:
    """The settings with which the backend of this name dials an upstream."""
    url = str(upstream.url)
    if isinstance(upstream, SimulatedOpenAI):
        return {"openai.url": url, "openai.api_key": KEY}
    urls = {"agent_url": url, "listen_url": url, "rest_url": url.replace("ws", "http", 1)}
    return {f"deepgram.{name}": value for name, value in {**urls, "api_key": KEY}.items()}


class House:
    """``proxy`` is reached through ``tap``; ``upstream`` is what it dials."""

    def __init__(self, upstream: Simulated, proxy: URL, tap: Tap, serving: AsyncExitStack) -> None:
        self.upstream = upstream
        self.proxy = proxy
        self.tap = tap
        self._serving = serving
        self._stopped = False
        self.errors_expected = False
        """A test that provokes a fault may log errors."""
        self.violations_expected = False
        """A test that breaks a rule has it broken upstream, where nothing is changed on the way."""

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

    @property
    def dialled(self) -> list[Dialled]:
        """The requests Deepgram got, as they came."""
        assert isinstance(self.upstream, SimulatedDeepgram)
        return self.upstream.dialled

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

    async def stop(self) -> None:
        """Stop the proxy, as a signal would."""
        self._stopped = True
        async with asyncio.timeout(SETTLED):
            await self._serving.aclose()

    async def settle(self) -> None:
        """Wait until no session is left on either side."""
        async with asyncio.timeout(SETTLED):
            while await self._sessions():
                await asyncio.sleep(0.01)

    async def _sessions(self) -> int:
        live = 0 if self._stopped else (await self.ready())["sessions"]
        return int(live) + self.upstream.sessions

    def check(self) -> None:
        """Every frame on both wires is what the SDKs at their ends know, and no rule was broken."""
        assert self.upstream.violations == [] or self.violations_expected
        if isinstance(self.upstream, SimulatedOpenAI):
            self._check_upstream()
        for conversation in self.tap.conversations:
            if conversation.is_session:
                _check_session(conversation)

    def _check_upstream(self) -> None:
        for event in self.sent_upstream():
            problems = client_event_problems(event)
            assert not problems, f"to the upstream: {event['type']}: {problems}"


def _check_session(conversation: Conversation) -> None:
    product = PRODUCTS.get(conversation.path)
    if product is None:
        _check_agent_session(conversation)
        return
    for message in conversation.to_client.frames:
        if isinstance(message, dict):
            problems = product_message_problems(message, product)
            assert not problems, f"to the client: {message['type']}: {problems}"


def _check_agent_session(conversation: Conversation) -> None:
    dialect: Dialect = "agent" if conversation.path == PATHS["agent"] else "component"
    messages = [one for one in conversation.to_client.frames if isinstance(one, dict)]
    assert [one["type"] for one in messages].index("Welcome") == 0
    for message in messages:
        problems = server_message_problems(message, dialect)
        assert not problems, f"to the client: {message['type']}: {problems}"


OpenHouse = Callable[..., Awaitable[House]]
