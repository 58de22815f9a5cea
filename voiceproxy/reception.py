"""Answers upgrade requests: who may connect, the hooks, the upstream, then the relay."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from voiceproxy.dial import UpstreamWebSocket, client_session, dial
from voiceproxy.errors import PluginFault, Refuse, UpstreamFault
from voiceproxy.frames import GOING_AWAY, Close
from voiceproxy.guard import Guard, answer_to, is_loopback
from voiceproxy.handle import Introduction, Session
from voiceproxy.lifecycle import Lifecycle
from voiceproxy.relay import LoopRuntime, Relay, Timing
from voiceproxy.session import Limits, SessionCore, logger

if TYPE_CHECKING:
    import aiohttp

    from voiceproxy.backend import Endpoint, Upstream
    from voiceproxy.chains import Chains
    from voiceproxy.host_settings import HostSettings

WATCH_INTERVAL = 0.1
"""How often (seconds) to look whether a client that waits for its upgrade is still there."""


@dataclass(slots=True)
class Visit:
    """One upgrade request on its way to becoming a session."""

    request: web.Request
    core: SessionCore
    lifecycle: Lifecycle

    @property
    def client_has_left(self) -> bool:
        """True when the connection is gone before the upgrade was answered."""
        transport = self.request.transport
        return transport is None or transport.is_closing()

    def refuse(self, status: int, reason: str, **headers: str) -> web.Response:
        """An HTTP error in the shape Voice Agent clients know."""
        body = {
            "err_code": _ERR_CODES.get(status, "REFUSED"),
            "err_msg": reason,
            "request_id": self.core.introduction.id,
        }
        return web.json_response(body, status=status, headers=headers)


_ERR_CODES = {
    401: "INVALID_AUTH",
    403: "FORBIDDEN",
    421: "MISDIRECTED_REQUEST",
    426: "UPGRADE_REQUIRED",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_SERVER_ERROR",
    502: "BAD_GATEWAY",
    503: "SERVICE_UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}


class Reception:
    """Every live session of one application."""

    def __init__(
        self, settings: HostSettings, chains: Chains, stand_ins: Mapping[str, Callable[[], str]]
    ) -> None:
        self.stopping = False
        self._settings = settings
        self._chains = chains
        self._stand_ins = stand_ins
        self._guard = Guard(
            settings.allow_origin, settings.allow_host, on_loopback=is_loopback(settings.host)
        )
        self._limits = Limits(
            settings.client_buffer, settings.upstream_buffer, settings.settings_timeout
        )
        self._timing = Timing(settings.close_timeout, settings.heartbeat, settings.max_client_frame)
        self._live: dict[asyncio.Task[web.StreamResponse], SessionCore] = {}
        self._client: aiohttp.ClientSession | None = None

    @property
    def live(self) -> int:
        """How many sessions there are, those included whose upgrade is not yet answered."""
        return len(self._live)

    async def start(self) -> None:
        """Make the client session all upstream connections share."""
        self._client = client_session()

    async def stop(self) -> None:
        """Close every session with 1001, at the same time, and wait for their close hooks."""
        self.stopping = True
        tasks = list(self._live)
        for core in list(self._live.values()):
            core.shut_down(Close(GOING_AWAY, "the proxy is shutting down"))
        if tasks:
            limit = 3 * self._settings.close_timeout + self._settings.hook_timeout
            _, late = await asyncio.wait(tasks, timeout=limit)
            for task in late:
                task.cancel()

    async def close(self) -> None:
        """Give back the client session."""
        if self._client is not None:
            await self._client.close()

    async def answer(self, request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
        """Handle one request to an endpoint.

        The session has a task of its own, so that it ends in order whatever the web server does
        with the task of the handler.
        """
        core = self._core(request, endpoint)
        visit = Visit(request, core, Lifecycle(core, self._settings.hook_timeout))
        refusal = self._refusal(visit)
        if refusal is not None:
            return refusal
        name = f"voiceproxy session {core.introduction.id}"
        task = asyncio.get_running_loop().create_task(self._serve(visit, endpoint), name=name)
        self._live[task] = core
        task.add_done_callback(self._live.pop)
        return await asyncio.shield(task)

    def _core(self, request: web.Request, endpoint: Endpoint) -> SessionCore:
        identity = secrets.token_hex(16)
        trace = request.query.get("traceId", "").strip()[:128]
        introduction = Introduction(
            id=identity,
            trace_id=trace if trace.isprintable() and trace else identity,
            endpoint=endpoint.name,
            path=request.path,
            protocol=endpoint.protocol,
            dialect=endpoint.dialect,
            query=request.query,
            headers=request.headers,
            remote=request.remote,
        )
        return SessionCore(
            introduction, self._chains, LoopRuntime(), self._limits, error_frame=endpoint.error
        )

    def _refusal(self, visit: Visit) -> web.Response | None:
        request = visit.request
        verdict = self._guard.refuses(request.headers.get(hdrs.ORIGIN), request.host)
        if verdict is not None:
            logger.warning("refused with %d: %s", *verdict)
            return visit.refuse(*verdict)
        if not web.WebSocketResponse(protocols=_offered(request)).can_prepare(request):
            return visit.refuse(426, "This is a WebSocket endpoint.", Upgrade="websocket")
        if self.stopping:
            return visit.refuse(503, "The proxy is shutting down.", **{"Retry-After": "5"})
        if self.live >= self._settings.max_sessions:
            logger.warning("refused with 503: all %d sessions are in use", self.live)
            return visit.refuse(503, "All sessions are in use.", **{"Retry-After": "5"})
        return None

    # One session, in its own task.

    async def _serve(self, visit: Visit, endpoint: Endpoint) -> web.StreamResponse:
        early: tuple[str, str, int, str] | None = None
        try:
            try:
                return await self._open(visit, endpoint)
            except Refuse as refusal:
                early = ("refused", refusal.by, refusal.status, refusal.reason)
            except ConnectionError:
                early = ("left", "client", 0, "")
            except PluginFault as fault:
                visit.core.log.error("%s", fault.description, exc_info=fault.__cause__)
                early = ("refused", fault.plugin, 500, fault.description)
            outcome, by, status, reason = early
            visit.core.log.info("%s before the upgrade by %s: %d %s", outcome, by, status, reason)
            return visit.refuse(status or 499, reason)
        finally:
            visit.core.closing = True
            await visit.lifecycle.close(visit.core.summary(early))
            await visit.core.release(self._settings.close_timeout)

    async def _open(self, visit: Visit, endpoint: Endpoint) -> web.StreamResponse:
        upstream = self._upstream(visit, endpoint)
        await visit.lifecycle.connect(upstream)
        dialled = None
        if upstream.url is not None and self._dials_first(visit.request, upstream):
            dialled = await self._dial_first(visit, upstream)
        try:
            websocket = await self._accept(visit)
        except BaseException:
            if dialled is not None:
                dialled.transport.abort()
            raise
        transport = visit.request.transport
        if transport is None:
            if dialled is not None:
                dialled.transport.abort()
            raise ConnectionResetError("the client left during its upgrade")
        visit.core.log.info("session opened at %s", visit.core.introduction.path)
        relay = Relay(visit.core, self._timing, self._dial)
        await relay.run(websocket, transport, upstream, dialled)
        self._log_end(visit.core)
        return websocket

    def _upstream(self, visit: Visit, endpoint: Endpoint) -> Upstream:
        stand_in = self._stand_ins.get(endpoint.upstream_protocol)
        session = Session(visit.core, len(self._chains.places))
        try:
            return endpoint.upstream(session, stand_in() if stand_in else None)
        except Exception as error:
            raise PluginFault(endpoint.name, "its upstream") from error

    def _dials_first(self, request: web.Request, upstream: Upstream) -> bool:
        if upstream.dial == "auto":
            return hdrs.ORIGIN not in request.headers
        return upstream.dial == "before"

    async def _dial(self, upstream: Upstream) -> UpstreamWebSocket:
        if self._client is None:
            raise RuntimeError("the application has not been started")
        return await dial(self._client, upstream, self._settings.max_upstream_frame)

    async def _dial_first(self, visit: Visit, upstream: Upstream) -> UpstreamWebSocket:
        """Dial before the upgrade is answered; what fails is an HTTP status."""
        dialling = asyncio.create_task(self._dial(upstream), name="voiceproxy dial")
        try:
            while not dialling.done():
                await asyncio.wait([dialling], timeout=WATCH_INTERVAL)
                if visit.client_has_left:
                    raise ConnectionResetError("the client left while the upstream was dialled")
            return dialling.result()
        except UpstreamFault as fault:
            status = 504 if fault.code == "upstream_timeout" else 502
            visit.core.log.error("%s", fault)
            refusal = Refuse(status, fault.description)
            refusal.by = "upstream"
            raise refusal from fault
        finally:
            if not dialling.done():
                dialling.cancel()
            elif visit.client_has_left and not dialling.cancelled() and not dialling.exception():
                dialling.result().transport.abort()

    async def _accept(self, visit: Visit) -> web.WebSocketResponse[Any]:
        offered = _offered(visit.request)
        answer = answer_to(offered)
        websocket: web.WebSocketResponse[Any] = web.WebSocketResponse(
            protocols=(answer,) if answer else (),
            autoclose=False,
            autoping=False,
            compress=False,
            decode_text=False,
            # What is only a little too big is read whole, so that the client can be told.
            max_msg_size=2 * self._settings.max_client_frame,
            writer_limit=16384,
            timeout=self._settings.close_timeout,
        )
        await websocket.prepare(visit.request)
        return websocket

    def _log_end(self, core: SessionCore) -> None:
        end = core.summary()
        core.log.info(
            "session %s by %s after %.1f s: %d %s",
            end.outcome,
            end.by,
            end.duration,
            end.code,
            end.error or "",
        )


def _offered(request: web.Request) -> list[str]:
    values = request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
    return [one.strip() for value in values for one in value.split(",") if one.strip()]


def with_dialect(endpoint: Endpoint, dialect: Any) -> Endpoint:
    """The endpoint, speaking the dialect of the setting if it is set."""
    if dialect is None or endpoint.protocol != "agent":
        return endpoint
    return replace(endpoint, dialect=dialect)
