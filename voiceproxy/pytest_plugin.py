"""Fixtures for the tests of plugins: ``pytest_plugins = ["voiceproxy.pytest_plugin"]``.

Opt-in, so that merely having voiceproxy installed costs a test run nothing. Needs pytest and
pytest-asyncio (pytest-aiohttp brings it), in either of its modes.

::

    async def test_my_plugin(fake_upstream, voiceproxy_serve, voiceproxy_connect):
        upstream = await fake_upstream(echo)
        url = await voiceproxy_serve(FakeBackend(upstream.url), my_plugin)
        socket = await voiceproxy_connect(url + "/fake")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientWebSocketResponse

from voiceproxy.testing import Driver, FakeUpstream, connected, drive, serve


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
