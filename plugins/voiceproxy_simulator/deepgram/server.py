"""The simulator as a server: Deepgram's streaming APIs on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from aiohttp import hdrs, web

from voiceproxy_simulator.connection import CLOSE_SECONDS, Connection, Served
from voiceproxy_simulator.deepgram.agent_session import AgentSession
from voiceproxy_simulator.deepgram.grant import Credentials
from voiceproxy_simulator.deepgram.handshake import (
    Refused,
    answer_headers,
    answered_protocol,
    bad_request,
    credential,
    invalid_credentials,
    new_request_id,
    offered_protocols,
)
from voiceproxy_simulator.deepgram.listen_v1 import IDLE_SECONDS, ListenV1
from voiceproxy_simulator.deepgram.listen_v1_query import listen_v1_query
from voiceproxy_simulator.deepgram.listen_v2 import ListenV2
from voiceproxy_simulator.deepgram.listen_v2_query import listen_v2_query
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario
from voiceproxy_simulator.deepgram.scenarios import deepgram_scenario_class
from voiceproxy_simulator.deepgram.speak_query import speak_v1_query, speak_v2_query
from voiceproxy_simulator.deepgram.speak_v1 import SpeakV1
from voiceproxy_simulator.deepgram.speak_v2 import SpeakV2
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.simulated_server import SimulatedServer

GRANT = "/v1/auth/grant"

_OWN_PARAMETERS = ("token", "service", "traceId")
_CLIENT_HEADERS = (hdrs.COOKIE, hdrs.ORIGIN)

_LOOK_SECONDS = 0.05
"""How often an unanswered handshake looks whether anybody still waits for it."""

Opened = Callable[[Connection], Served]
"""Makes the session of a connection that was admitted."""


class Dialled(NamedTuple):
    """A request as it came: its path, its query byte for byte, its headers with lower-case names
    (the last of a name)."""

    path: str
    query: str
    headers: dict[str, str]


class SimulatedDeepgram(SimulatedServer):
    """Deepgram's streaming APIs, for as long as the ``async with`` lasts.

    ::

        async with SimulatedDeepgram() as upstream:
            ...  # dial upstream.url + "/v1/agent/converse"
        assert upstream.violations == []

    ``url`` is ``ws://127.0.0.1:PORT``; it serves ``/v1/agent/converse``, ``/v1/listen``,
    ``/v2/listen``, ``/v1/speak``, ``/v2/speak`` and ``POST /v1/auth/grant``. ``pace``: ``burst``
    produces speech as fast as it is read, ``realtime`` as fast as it is spoken. ``scenario``: a
    name of ``DEEPGRAM_SCENARIOS``, a ``DeepgramScenario`` class, or None; on listen and speak only
    what it says of handshakes counts. ``key``: the one API key that is accepted; None accepts
    every connection. ``patience`` scales the service's own time-outs: 0.01 makes 10 s 0.1 s.
    ``host`` must be a loopback address. ``record`` False keeps no requests and messages, for runs
    that last.
    """

    name = "Deepgram"
    path = "/"

    def __init__(
        self,
        *,
        pace: Pace = "burst",
        scenario: str | type[DeepgramScenario] | None = None,
        key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        record: bool = True,
        patience: float = 1.0,
    ) -> None:
        super().__init__(pace=pace, key=key, host=host, port=port, record=record)
        self._scenario = deepgram_scenario_class(scenario)
        self._patience = patience
        self._record = record
        self._credentials = Credentials(key)
        self._stopping = asyncio.Event()
        self.dialled: list[Dialled] = []

    def routes(self) -> Iterable[web.RouteDef]:
        """The streaming APIs, the grant, and a refusal for everything else."""
        opened = {
            "/v1/agent/converse": self._open_agent,
            "/v1/listen": self._open_listen_v1,
            "/v2/listen": self._open_listen_v2,
            "/v1/speak": self._open_speak_v1,
            "/v2/speak": self._open_speak_v2,
        }
        yield from (web.get(path, self._streaming(opens)) for path, opens in opened.items())
        yield web.post(GRANT, self._grant)
        yield web.route("*", "/{tail:.*}", self._miss)

    async def stop(self) -> None:
        """Close every session with 1001, leave handshakes unanswered, and stop listening."""
        self._stopping.set()
        await super().stop()

    # The APIs, each from its request: judged before the upgrade is answered

    def _open_agent(self, _request: web.Request, request_id: str) -> Opened:
        return lambda line: AgentSession(
            line,
            self._journal,
            request_id,
            pace=self._pace,
            scenario=self._scenario,
            patience=self._patience,
        )

    def _open_listen_v1(self, request: web.Request, request_id: str) -> Opened:
        query = listen_v1_query(request.query)
        idle = IDLE_SECONDS * self._patience
        return lambda line: ListenV1(line, self._journal, request_id, query, idle_seconds=idle)

    def _open_listen_v2(self, request: web.Request, request_id: str) -> Opened:
        query = listen_v2_query(request.query)
        return lambda line: ListenV2(line, self._journal, request_id, query)

    def _open_speak_v1(self, request: web.Request, request_id: str) -> Opened:
        query = speak_v1_query(request.query)
        return lambda line: SpeakV1(line, self._journal, request_id, query, pace=self._pace)

    def _open_speak_v2(self, request: web.Request, request_id: str) -> Opened:
        query = speak_v2_query(request.query)
        return lambda line: SpeakV2(line, self._journal, request_id, query, pace=self._pace)

    # Requests

    def _streaming(
        self, opens: Callable[[web.Request, str], Opened]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            request_id = new_request_id()
            self._note(request, request_id)
            if not self._scenario.answers:
                return await self._outwait(request)
            try:
                offered = offered_protocols(request.headers)
                self._admit(request, offered)
                opened = opens(request, request_id)
            except Refused as refusal:
                return self._refuse(refusal, request_id)
            socket = _socket(offered, request_id)
            return await self.upgrade(request, socket, lambda line: line.serve(opened(line)))

        return answer

    def _admit(self, request: web.Request, offered: list[str]) -> None:
        """Judge who asks and how. Raises ``Refused``."""
        if self._scenario.refusal is not None:
            raise Refused(*self._scenario.refusal, excused=True)
        authorization = request.headers.get(hdrs.AUTHORIZATION, "")
        self._credentials.admit(credential(authorization, offered))
        if offered and answered_protocol(offered) is None:
            raise invalid_credentials()
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            raise bad_request("This is a WebSocket endpoint.")

    async def _grant(self, request: web.Request) -> web.Response:
        request_id = new_request_id()
        self._note(request, request_id)
        given = credential(request.headers.get(hdrs.AUTHORIZATION, ""), [])
        try:
            granted = self._credentials.grant(given, await request.read())
        except Refused as refusal:
            return self._refuse(refusal, request_id)
        return web.json_response(granted, headers=answer_headers(request_id))

    async def _miss(self, request: web.Request) -> web.Response:
        request_id = new_request_id()
        self._note(request, request_id)
        return self._refuse(Refused(404, "NOT_FOUND", "There is nothing here."), request_id)

    def _refuse(self, refusal: Refused, request_id: str) -> web.Response:
        if not refusal.excused:
            self._journal.violate(request_id, "refused-connection", "", refusal.err_msg)
        return refusal.response(request_id)

    def _note(self, request: web.Request, request_id: str) -> None:
        """Keep the request, and what in it should have stayed behind."""
        if self._record:
            headers = {name.lower(): value for name, value in request.headers.items()}
            query = request.rel_url.raw_query_string
            self.dialled.append(Dialled(request.path, query, headers))
        for name in _OWN_PARAMETERS:
            if name in request.query:
                self._journal.violate(request_id, "own-parameter", "", name)
        for name in _CLIENT_HEADERS:
            if name in request.headers:
                self._journal.violate(request_id, "client-header", "", name)

    async def _outwait(self, request: web.Request) -> web.Response:
        """Never answer: until the client has gone, or the simulator stops and cuts it off."""
        transport = request.transport
        while transport is not None and not transport.is_closing():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK_SECONDS)
                transport.abort()
        return web.Response(status=504)


def _socket(offered: list[str], request_id: str) -> web.WebSocketResponse:
    answered = answered_protocol(offered)
    socket = web.WebSocketResponse(
        timeout=CLOSE_SECONDS,
        protocols=() if answered is None else (answered,),
        compress=False,
        max_msg_size=0,
        autoclose=False,
    )
    socket.headers.update(answer_headers(request_id))
    return socket
