"""The simulator as a server: an OpenAI Realtime API on 127.0.0.1."""

from __future__ import annotations

import ipaddress
import logging
import socket as sockets

from aiohttp import WSCloseCode, web
from yarl import URL

from voiceproxy_simulator.admission import SUBPROTOCOL, admit
from voiceproxy_simulator.connection import CLOSE_SECONDS, Connection
from voiceproxy_simulator.journal import Journal, Received, Violation
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.scenarios import scenario_class
from voiceproxy_simulator.session import Session
from voiceproxy_simulator.wire import Emitter

log = logging.getLogger(__name__)

PATH = "/v1/realtime"

_UNSENT_BYTES = 16 * 1024
"""What the kernel may hold unsent of a client that does not read: a fraction of a second of audio
instead of a minute, so that production really stops."""


class SimulatedOpenAI:
    """An OpenAI Realtime server, for as long as its ``async with`` lasts.

    ::

        async with SimulatedOpenAI(scenario="late-acks") as upstream:
            ...  # dial upstream.url + "?model=gpt-realtime"
        assert upstream.violations == []

    ``pace``: ``burst`` produces replies as fast as they are read, ``realtime`` as fast as they are
    spoken. ``scenario``: a name of ``SCENARIOS``, a ``Scenario`` class, or None. ``key``: the one
    API key that is accepted; None accepts every connection. ``host`` must be a loopback address.
    ``record`` False keeps no received events, for runs that last.
    """

    def __init__(
        self,
        *,
        pace: Pace = "burst",
        scenario: str | type[Scenario] | None = None,
        key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        record: bool = True,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the simulator listens on loopback addresses only, not on {host}")
        if pace not in {"burst", "realtime"}:
            raise ValueError(f"pace is 'burst' or 'realtime', not {pace!r}")
        self._pace: Pace = pace
        self._scenario = scenario_class(scenario)
        self._key = key
        self._address = (host, port)
        self._journal = Journal(record=record)
        self._connections: set[Connection] = set()
        self._runner: web.AppRunner | None = None
        self._url: URL | None = None

    @property
    def url(self) -> str:
        """``ws://127.0.0.1:PORT/v1/realtime``, no query. Raises RuntimeError unless running."""
        if self._url is None:
            raise RuntimeError("the simulator is not running")
        return str(self._url)

    @property
    def violations(self) -> list[Violation]:
        """Breaches so far: of the API, and of voiceproxy's own contract (``journal.RULES``)."""
        return self._journal.violations

    @property
    def received(self) -> list[Received]:
        """Client events so far, over all sessions, in order."""
        return self._journal.received

    @property
    def sessions(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get(PATH, self._connect)
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
        self._url = URL.build(scheme="ws", host=host, port=site.port, path=PATH)
        log.info("simulating OpenAI Realtime at %s", self._url)

    async def stop(self) -> None:
        """Close every session with 1001 and stop listening."""
        self._url = None
        for connection in self._connections:
            connection.close(WSCloseCode.GOING_AWAY, "The simulator stops.")
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> SimulatedOpenAI:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            timeout=CLOSE_SECONDS, protocols=(SUBPROTOCOL,), compress=False, max_msg_size=0
        )
        try:
            await socket.prepare(request)
        except ConnectionError:  # whoever dialled has given up and gets no answer
            return web.Response(status=400)
        _keep_the_kernel_lean(request)
        connection = Connection(socket, request.transport)
        self._connections.add(connection)
        try:
            await self._serve(request, connection)
        finally:
            self._connections.discard(connection)
        return socket

    async def _serve(self, request: web.Request, connection: Connection) -> None:
        try:
            admission = admit(request.query, request.headers, _protocols(request), self._key)
        except Refusal as refusal:
            await self._turn_away(connection, refusal)
            return
        session = Session(
            connection,
            self._journal,
            kind=admission.kind,
            model=admission.model,
            pace=self._pace,
            scenario=self._scenario,
        )
        await connection.serve(session)

    async def _turn_away(self, connection: Connection, refusal: Refusal) -> None:
        emitter = Emitter(connection, lambda event: (event,))
        if not refusal.excused:
            session_id = emitter.new_id("sess")
            self._journal.violate(session_id, "refused-connection", "", refusal.code or "")
        emitter.refuse(refusal)
        await connection.refuse()


def _keep_the_kernel_lean(request: web.Request) -> None:
    option = getattr(sockets, "TCP_NOTSENT_LOWAT", None)
    connected = request.get_extra_info("socket")
    if option is not None and connected is not None:
        connected.setsockopt(sockets.IPPROTO_TCP, option, _UNSENT_BYTES)


def _protocols(request: web.Request) -> list[str]:
    offered = request.headers.getall("Sec-WebSocket-Protocol", [])
    return [one.strip() for header in offered for one in header.split(",")]
