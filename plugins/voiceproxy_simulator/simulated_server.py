"""What the simulated APIs have in common: a server on a loopback address, and what it noticed."""

from __future__ import annotations

import ipaddress
import logging
import socket as sockets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Self

from aiohttp import WSCloseCode, web
from yarl import URL

from voiceproxy_simulator.connection import CLOSE_SECONDS, Connection
from voiceproxy_simulator.journal import Journal, Received, Violation
from voiceproxy_simulator.responses import Pace

log = logging.getLogger(__name__)

_UNSENT_BYTES = 16 * 1024
"""What the kernel may hold unsent of a client that does not read: a fraction of a second of audio
instead of a minute, so that production really stops."""


class SimulatedServer(ABC):
    """A server, for as long as its ``async with`` lasts. Subclasses say what it serves.

    ``name`` is what it simulates, ``path`` where its URL points. ``host`` must be a loopback
    address. ``record`` False keeps no received messages, for runs that last.
    """

    name: str
    path: str

    def __init__(self, *, pace: Pace, key: str | None, host: str, port: int, record: bool) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the simulator listens on loopback addresses only, not on {host}")
        if pace not in {"burst", "realtime"}:
            raise ValueError(f"pace is 'burst' or 'realtime', not {pace!r}")
        self._pace: Pace = pace
        self._key = key
        self._address = (host, port)
        self._journal = Journal(record=record)
        self._connections: set[Connection] = set()
        self._runner: web.AppRunner | None = None
        self._url: URL | None = None

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """What is served where."""

    @property
    def url(self) -> str:
        """``ws://127.0.0.1:PORT`` and the path. Raises RuntimeError unless running."""
        if self._url is None:
            raise RuntimeError("the simulator is not running")
        return str(self._url).removesuffix("/")

    @property
    def violations(self) -> list[Violation]:
        """Breaches so far: of the API, and of voiceproxy's own contract."""
        return self._journal.violations

    @property
    def received(self) -> list[Received]:
        """Client messages so far, over all sessions, in order."""
        return self._journal.received

    @property
    def sessions(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, shutdown_timeout=CLOSE_SECONDS
        )
        await self._runner.setup()
        host, port = self._address
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._url = URL.build(scheme="ws", host=host, port=site.port, path=self.path)
        log.info("simulating %s at %s", self.name, self._url)

    async def stop(self) -> None:
        """Close every session with 1001 and stop listening."""
        self._url = None
        for connection in self._connections:
            connection.close(WSCloseCode.GOING_AWAY, "The simulator stops.")
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def upgrade(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        serve: Callable[[Connection], Awaitable[None]],
    ) -> web.StreamResponse:
        """Answer the upgrade and have the connection served."""
        try:
            await socket.prepare(request)
        except ConnectionError:  # whoever dialled has given up and gets no answer
            return web.Response(status=400)
        _keep_the_kernel_lean(request)
        connection = Connection(socket, request.transport)
        self._connections.add(connection)
        try:
            await serve(connection)
        finally:
            self._connections.discard(connection)
        return socket


def _keep_the_kernel_lean(request: web.Request) -> None:
    option = getattr(sockets, "TCP_NOTSENT_LOWAT", None)
    connected = request.get_extra_info("socket")
    if option is not None and connected is not None:
        connected.setsockopt(sockets.IPPROTO_TCP, option, _UNSENT_BYTES)
