"""The simulator as a server: an OpenAI Realtime API on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from aiohttp import web

from voiceproxy_simulator.admission import SUBPROTOCOL, admit
from voiceproxy_simulator.connection import CLOSE_SECONDS, Connection
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.scenarios import scenario_class
from voiceproxy_simulator.session import Session
from voiceproxy_simulator.simulated_server import SimulatedServer
from voiceproxy_simulator.wire import Emitter

PATH = "/v1/realtime"


class SimulatedOpenAI(SimulatedServer):
    """An OpenAI Realtime server, for as long as its ``async with`` lasts.

    ::

        async with SimulatedOpenAI(scenario="late-acks") as upstream:
            ...  # dial upstream.url + "?model=gpt-realtime"
        assert upstream.violations == []

    ``url`` is ``ws://127.0.0.1:PORT/v1/realtime``. ``pace``: ``burst`` produces replies as fast as
    they are read, ``realtime`` as fast as they are spoken. ``scenario``: a name of ``SCENARIOS``, a
    ``Scenario`` class, or None. ``key``: the one API key that is accepted; None accepts every
    connection. ``host`` must be a loopback address. ``record`` False keeps no received events, for
    runs that last.
    """

    name = "OpenAI Realtime"
    path = PATH

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
        super().__init__(pace=pace, key=key, host=host, port=port, record=record)
        self._scenario = scenario_class(scenario)

    def routes(self) -> Iterable[web.RouteDef]:
        """One path."""
        return (web.get(PATH, self._connect),)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            timeout=CLOSE_SECONDS, protocols=(SUBPROTOCOL,), compress=False, max_msg_size=0
        )
        return await self.upgrade(request, socket, partial(self._serve, request))

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


def _protocols(request: web.Request) -> list[str]:
    offered = request.headers.getall("Sec-WebSocket-Protocol", [])
    return [one.strip() for header in offered for one in header.split(",")]
