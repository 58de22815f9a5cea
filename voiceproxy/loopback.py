"""Real sockets on 127.0.0.1 for tests: a proxy, an upstream behind it, a client before it.

``voiceproxy.testing`` offers what is here.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from voiceproxy.app import add_endpoint, create_app
from voiceproxy.backend import Endpoint, Upstream
from voiceproxy.hookspecs import hookimpl

if TYPE_CHECKING:
    from voiceproxy.backend import Dialect, SpokenProtocol
    from voiceproxy.handle import Session

Script = Callable[[web.WebSocketResponse, web.Request], Awaitable[None]]
"""What a fake upstream does with one connection; when it returns, the socket is closed."""

SHUTDOWN_TIMEOUT = 1.0
"""Seconds a server waits for handlers still running when its test is over."""


class FakeBackend:
    """A backend plugin with one endpoint, in front of whatever listens at ``url``.

    Other keyword arguments are those of ``Upstream``: ``translator``, ``headers``, ``timeout``,
    ``dial`` and so on. Without a translator it relays frames untouched.
    """

    def __init__(
        self,
        url: str | None,
        *,
        path: str = "/fake",
        protocol: SpokenProtocol = "agent",
        dialect: Dialect = "component",
        **upstream: Any,
    ) -> None:
        self._endpoint = Endpoint(
            "fake", path, self._upstream, "fake", protocol=protocol, dialect=dialect
        )
        self._url = url
        self._options = upstream

    def _upstream(self, session: Session, stand_in: str | None) -> Upstream:
        return Upstream(stand_in or self._url, **self._options)

    @hookimpl
    def voiceproxy_setup(self, app: web.Application) -> None:
        """Register the endpoint."""
        add_endpoint(app, self._endpoint)


class FakeUpstream:
    """A WebSocket server that runs your coroutine for each connection.

    ``async with FakeUpstream(script) as upstream``: ``upstream.url`` is ``ws://127.0.0.1:PORT/``
    and ``upstream.requests`` holds every upgrade request it got. ``script(socket, request)``
    speaks; when it returns the socket is closed with 1000. ``tls`` makes it ``wss://localhost``.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._context: AbstractAsyncContextManager[str] | None = None
        self.requests: list[web.Request] = []
        self.live = 0
        """Connections that are open now."""
        self.url = ""

    async def __aenter__(self) -> FakeUpstream:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._connect)
        self._context = listening(app, tls=self._tls)
        url = await self._context.__aenter__()
        if self._tls is not None:  # certificates name hosts
            url = url.replace("127.0.0.1", "localhost")
        self.url = "ws" + url.removeprefix("http") + "/"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._context is not None:
            await self._context.__aexit__(None, None, None)

    async def _connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        self.requests.append(request)
        await socket.prepare(request)
        self.live += 1
        try:
            await self._script(socket, request)
        finally:
            self.live -= 1
        return socket


@asynccontextmanager
async def serve(
    *plugins: object, settings: Mapping[str, object] | None = None, **options: Any
) -> AsyncIterator[str]:
    """Run a real proxy on a free loopback port; yields ``http://127.0.0.1:PORT``."""
    app = create_app(plugins, settings=settings, environ={}, **options)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def listening(
    app: web.Application, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Run any aiohttp application as ``python -m voiceproxy`` would; yields its URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{site.port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A client's WebSocket; ``url`` is ``http://`` or ``ws://``."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, **{"max_msg_size": 0, **options}) as socket,
    ):
        yield socket
