"""Fixtures for the tests of plugins: ``pytest_plugins = ["voiceproxy.pytest_plugin"]``.

Opt-in, so that merely having voiceproxy installed costs a test run nothing. Needs pytest and
pytest-asyncio (pytest-aiohttp brings it), in either of its modes.

::

    async def test_my_plugin(voiceproxy_simulated):
        caller = await voiceproxy_simulated("openai", my_plugin)
        await caller.say({"type": "InjectUserMessage", "content": "hello"})
        await caller.until("AgentAudioDone")

    async def test_my_backend(fake_upstream, voiceproxy_serve, voiceproxy_connect):
        upstream = await fake_upstream(echo)
        url = await voiceproxy_serve(FakeBackend(upstream.url), my_plugin)
        socket = await voiceproxy_connect(url + "/fake")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import ClientWebSocketResponse, web

from voiceproxy.app import create_app, endpoints
from voiceproxy.testing import Caller, Driver, FakeUpstream, connected, drive, listening, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voiceproxy.backend import Dialect

pytest.register_assert_rewrite("voiceproxy.backend_contract")

SIMULATOR = "simulator"
"""The plugin that stands in for the upstreams of the backends in the box."""


@pytest.fixture
def voiceproxy_drive() -> Callable[..., Driver]:
    """``voiceproxy.testing.drive``: a real session on a fake clock, without sockets."""
    return drive


@pytest_asyncio.fixture
async def fake_upstream() -> AsyncIterator[Callable[..., Awaitable[FakeUpstream]]]:
    """``await fake_upstream(script)`` starts a ``FakeUpstream``; it ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(*arguments: Any, **options: Any) -> FakeUpstream:
            return await stack.enter_async_context(FakeUpstream(*arguments, **options))

        yield start


@pytest_asyncio.fixture
async def voiceproxy_serve(
    fake_upstream: object,  # proxies end before the upstreams behind them
) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """``await voiceproxy_serve(*plugins, settings={...})`` starts a proxy, returns its URL."""
    async with AsyncExitStack() as stack:

        async def start(*plugins: object, **options: Any) -> str:
            return await stack.enter_async_context(serve(*plugins, **options))

        yield start


@pytest_asyncio.fixture
async def voiceproxy_connect(
    voiceproxy_serve: object,  # clients leave before the proxies they use
) -> AsyncIterator[Callable[..., Awaitable[ClientWebSocketResponse]]]:
    """``await voiceproxy_connect(url, **options)`` opens a client; closed with the test."""
    async with AsyncExitStack() as stack:

        async def start(url: str, **options: Any) -> ClientWebSocketResponse:
            return await stack.enter_async_context(connected(url, **options))

        yield start


@pytest_asyncio.fixture
async def voiceproxy_simulated() -> AsyncIterator[Callable[..., Awaitable[Caller]]]:
    """``await voiceproxy_simulated(backend, *plugins)`` is a client in a conversation.

    Runs a real proxy in front of the simulator, which answers at once, connects to the first
    endpoint of ``dialect`` and has Settings applied; what else is named (``greeting``, ``think``)
    is part of their ``agent``. ``settings`` are the proxy's, as ``create_app`` takes them.
    """
    from voiceproxy.backend_contract import BackendContract  # rewritten only if imported this late

    async with AsyncExitStack() as stack:

        async def start(
            *plugins: object,
            settings: Mapping[str, object] | None = None,
            dialect: Dialect = "component",
            **agent: Any,
        ) -> Caller:
            given = {f"{SIMULATOR}.pace": "burst", **(settings or {})}
            app = create_app([*plugins, SIMULATOR], settings=given, environ={})
            url = await stack.enter_async_context(listening(app)) + _agent_path(app, dialect)
            return await stack.enter_async_context(BackendContract().conversation(url, **agent))

        yield start


def _agent_path(app: web.Application, dialect: Dialect) -> str:
    for one in endpoints(app):
        if (one.protocol, one.dialect) == ("agent", dialect):
            return one.path
    pytest.fail(f"none of these backends has an agent in the dialect {dialect!r}")
