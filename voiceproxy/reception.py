"""Answers upgrade requests: who may connect, the hooks, the upstream, then the relay."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import hdrs, web

from voiceproxy.agent import error_codes
from voiceproxy.dial import UpstreamWebSocket, client_session, dial, usable
from voiceproxy.errors import PluginFault, Refuse, UpstreamFault
from voiceproxy.guard import Guard, answer_to, is_loopback, is_loopback_listener
from voiceproxy.introduction import Introduction, log_fault
from voiceproxy.lifecycle import Lifecycle
from voiceproxy.paths import single_slashes
from voiceproxy.relay import LoopRuntime, Relay, Timing
from voiceproxy.session import Limits, SessionCore
from voiceproxy.turn import STOPPED, STOPPING
from voiceproxy.variants import variant_of
from voiceproxy.visit import Left, Undialled, Visit, asks_for_websocket, offered_by, refusal
from voiceproxy.watchdog import watching

if TYPE_CHECKING:
    import aiohttp

    from voiceproxy.backend import Endpoint, Upstream
    from voiceproxy.chains import Chains
    from voiceproxy.host_settings import HostSettings
    from voiceproxy.variants import Unserved


class Opened(NamedTuple):
    """The upgrade has been answered."""

    websocket: web.WebSocketResponse[Any]
    transport: asyncio.Transport
    upstream: Upstream
    dialled: UpstreamWebSocket | None


class Reception:
    """Every live session of one application."""

    def __init__(
        self,
        settings: HostSettings,
        chains: Chains,
        stand_ins: Mapping[str, Callable[[], str]],
        *,
        client: Callable[[], aiohttp.ClientSession | None] = lambda: None,
    ) -> None:
        self.stopping = False
        self._find_client = client
        self._shared: aiohttp.ClientSession | None = None
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
        self._live: dict[asyncio.Task[web.StreamResponse], Visit] = {}
        self._begun: tuple[aiohttp.ClientSession, ExitStack] | None = None
        """The client session and the watchdog, from the first session on."""

    @property
    def live(self) -> int:
        """How many sessions there are, those included whose upgrade is not yet answered."""
        return len(self._live)

    def start(self) -> None:
        """Look at the client session that was given, if one was. Raises UsageError."""
        self._shared = usable(self._find_client(), self._settings.max_sessions)

    def _client(self) -> aiohttp.ClientSession:
        """The client session all upstream connections share.

        Made late: when another part of the embedding application fails to start, aiohttp does not
        end the contexts of what is mounted, and nothing of ours is to be left.
        """
        if self._begun is None:
            watchdog = ExitStack()
            watchdog.enter_context(watching(self._settings.block_warning))
            self._begun = client_session(self._shared), watchdog
        return self._begun[0]

    async def drain(self, seconds: float) -> None:
        """Refuse new sessions and close each live one when its agent's turn is over.

        Those still there after that many seconds are left as they are.
        """
        for visit in self._all_told_to_stop():
            visit.core.turn.drain()
        await _wait(list(self._live), seconds)

    async def stop(self) -> None:
        """Close every session with 1001, at the same time, and wait for their close hooks."""
        tasks = list(self._live)
        for visit in self._all_told_to_stop():
            visit.core.reply_error(error_codes.SERVER_GOING_AWAY, STOPPING)
            visit.core.shut_down(STOPPED)
        late = await _wait(tasks, 3 * self._settings.close_timeout + self._settings.hook_timeout)
        for task in late:
            self._live[task].leave()
        for task in await _wait(late, self._settings.close_timeout):
            task.cancel()

    def _all_told_to_stop(self) -> list[Visit]:
        self.stopping = True
        for visit in self._live.values():
            visit.stopping = True
        return list(self._live.values())

    async def close(self) -> None:
        """Give back the client session."""
        if self._begun is not None:
            client, watchdog = self._begun
            watchdog.close()
            await client.close()

    async def answer(self, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
        """Handle one request to an endpoint.

        The session has a task of its own, so that it ends in order whatever the web server does
        with the task of the handler.
        """
        endpoint, unserved = variant_of(endpoint, request.query, self._settings.dialect)
        core = self._core(request, endpoint)
        lifecycle = Lifecycle(core, self._settings.hook_timeout)
        visit = Visit(request, core, lifecycle, endpoint, offered_by(request))
        refusal = self._refusal(visit, unserved)
        if refusal is not None:
            return refusal
        self._client()
        name = f"voiceproxy session {core.introduction.id}"
        task = asyncio.get_running_loop().create_task(self._serve(visit, endpoint), name=name)
        self._live[task] = visit
        task.add_done_callback(self._live.pop)
        return await asyncio.shield(task)

    def guarded(self, request: web.Request) -> web.Response | None:
        """The refusal of a plain HTTP request that the guard does not let in."""
        verdict = self._verdict(request)
        return refusal(secrets.token_hex(16), *verdict) if verdict is not None else None

    def _verdict(self, request: web.Request) -> tuple[int, str] | None:
        origin = request.headers.get(hdrs.ORIGIN)
        return self._guard.refuses(origin, request.host, lambda: is_loopback_listener(request))

    def _core(self, request: web.Request, endpoint: Endpoint) -> SessionCore:
        identity = secrets.token_hex(16)
        trace = request.query.get("traceId", "").strip()[:128]
        introduction = Introduction(
            id=identity,
            trace_id=trace if trace.isprintable() and trace else identity,
            endpoint=endpoint.name,
            path=single_slashes(request.path),
            protocol=endpoint.protocol,
            dialect=endpoint.dialect,
            app=request.app,
            query=request.query,
            raw_query=request.rel_url.raw_query_string,
            headers=request.headers,
            remote=request.remote,
        )
        return SessionCore(
            introduction, self._chains, LoopRuntime(), self._limits, error_frame=endpoint.error
        )

    def _refusal(self, visit: Visit, unserved: Unserved | None) -> web.Response | None:
        request, log = visit.request, visit.core.log
        verdict = self._verdict(request)
        if verdict is not None:
            log.warning("refused with %d: %s", *verdict)
            return visit.refuse(*verdict)
        if not asks_for_websocket(request):
            return visit.refuse(426, "This is a WebSocket endpoint.")
        if visit.offered and answer_to(visit.offered) is None:
            return visit.refuse(
                400, "A credential is the only subprotocol offered: send bearer too."
            )
        if self.stopping:
            return visit.refuse(503, STOPPING)
        if self.live >= self._settings.max_sessions:
            log.warning("refused with 503: all %d sessions are in use", self.live)
            return visit.refuse(503, "All sessions are in use.")
        if isinstance(unserved, PluginFault):
            log_fault(log, unserved)
            return visit.refuse(500, unserved.description)
        return None if unserved is None else visit.refuse(unserved.status, unserved.reason)

    # One session, in its own task.

    async def _serve(self, visit: Visit, endpoint: Endpoint) -> web.StreamResponse:
        """Never raises: nobody may be waiting any more."""
        core = visit.core
        early: tuple[str, str, int, str] | None = None
        undialled: Undialled | None = None
        try:
            try:
                opened = await self._open(visit, endpoint)
            except Refuse as refusal:
                early = ("refused", refusal.by, refusal.status, refusal.reason)
            except Undialled as failure:
                undialled = failure
                early = ("refused", "upstream", failure.status, failure.reason)
            except Left:
                early = ("left", "client", 0, "")
            except PluginFault as fault:
                log_fault(core.log, fault)
                early = ("refused", fault.plugin, 500, fault.description)
            except Exception:
                core.log.exception("opening the session failed")
                early = ("refused", "proxy", 500, "The proxy failed.")
            else:
                return await self._relay(visit, opened)
            outcome, by, status, reason = early
            core.log.tell("%s before the upgrade by %s: %d %s", outcome, by, status, reason)
            if undialled is not None:
                return visit.refuse_for(undialled)
            return visit.refuse(status or 499, reason)
        finally:
            await visit.lifecycle.close(core.summary(early))
            await core.release(self._settings.close_timeout)

    async def _open(self, visit: Visit, endpoint: Endpoint) -> Opened:
        """Everything up to the answered upgrade; what is raised becomes an HTTP status."""
        upstream = self._upstream(visit, endpoint)
        waiting = visit.lifecycle.connect(upstream)
        if waiting is not None:
            await visit.wait_for(waiting)
        dialled = None
        if upstream.url is not None and self._dials_first(visit.request, upstream):
            dialled = await self._dial_first(visit, upstream)
        try:
            visit.check()
            return await self._accept(visit, upstream, dialled)
        except BaseException:
            if dialled is not None:
                dialled.abort()
            raise

    def _upstream(self, visit: Visit, endpoint: Endpoint) -> Upstream:
        stand_in = self._stand_ins.get(endpoint.upstream_protocol)
        session = visit.core.handle(len(self._chains.places))
        try:
            return endpoint.upstream(session, stand_in() if stand_in else None)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginFault(endpoint.name, "its upstream") from error

    def _dials_first(self, request: web.Request, upstream: Upstream) -> bool:
        if upstream.dial == "auto":
            return hdrs.ORIGIN not in request.headers
        return upstream.dial == "before"

    def _dial(self, upstream: Upstream) -> Coroutine[Any, Any, UpstreamWebSocket]:
        settings = self._settings
        limit, timeout = settings.max_upstream_frame, settings.connect_timeout
        return dial(self._client(), upstream, limit, timeout)

    async def _dial_first(self, visit: Visit, upstream: Upstream) -> UpstreamWebSocket:
        try:
            return await visit.wait_for(self._dial(upstream))
        except UpstreamFault as fault:
            visit.core.log.error("%s", fault, extra={"error_code": fault.code})
            raise Undialled(fault) from fault

    async def _accept(
        self, visit: Visit, upstream: Upstream, dialled: UpstreamWebSocket | None
    ) -> Opened:
        answer = answer_to(visit.offered)
        websocket: web.WebSocketResponse[Any] = web.WebSocketResponse(
            protocols=(answer,) if answer else (),
            autoclose=False,
            autoping=False,
            compress=False,
            decode_text=False,
            # What is only a little too big is read whole, so that the client can be told.
            max_msg_size=2 * self._settings.max_client_frame,
            writer_limit=4096,
            timeout=self._settings.close_timeout,
        )
        websocket.headers.update(visit.headers(dialled.headers if dialled is not None else {}))
        try:
            await websocket.prepare(visit.request)
        except ConnectionError:
            raise Left from None
        transport = visit.request.transport
        if transport is None:
            raise Left
        return Opened(websocket, transport, upstream, dialled)

    async def _relay(self, visit: Visit, opened: Opened) -> web.StreamResponse:
        core = visit.core
        core.log.tell("session opened at %s", core.introduction.path)
        relay = Relay(core, self._timing, self._dial)
        await relay.run(opened.websocket, opened.transport, opened.upstream, opened.dialled)
        end = core.summary()
        error = f" {end.error}" if end.error else ""
        said = end.outcome, end.by, end.duration, end.code, error
        core.log.tell("session %s by %s after %.1f s: %d%s", *said)
        return opened.websocket


async def _wait(
    tasks: Collection[asyncio.Task[web.StreamResponse]], seconds: float
) -> Collection[asyncio.Task[web.StreamResponse]]:
    """Returns those that are still running after that time."""
    if not tasks:
        return ()
    _, late = await asyncio.wait(tasks, timeout=seconds)
    return late
