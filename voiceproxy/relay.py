"""The life of one session on real sockets. With ``leg``, ``reader`` and ``dial``, all that touches
WebSockets.

The client is read by the session's own task, the upstream by a second one. Whoever reads hands the
frame to the session, which fills the outboxes, and these are flushed before the next read. A binary
frame nobody looks at, and nothing waits before, goes straight from one socket to the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voiceproxy.agent import error_codes
from voiceproxy.chores import LoopRuntime
from voiceproxy.errors import ClientFault, SessionError, UpstreamFault
from voiceproxy.frames import ABNORMAL, INTERNAL_ERROR, NORMAL, TOO_BIG, Binary, Close, Text
from voiceproxy.leg import Leg
from voiceproxy.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import web

    from voiceproxy.backend import Upstream
    from voiceproxy.dial import UpstreamWebSocket
    from voiceproxy.outbox import Outbox
    from voiceproxy.session import SessionCore

__all__ = ["LoopRuntime", "Relay", "Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """What the relay needs of the settings."""

    close_timeout: float
    heartbeat: float
    max_client_frame: int


class Relay:
    """One session between its sockets."""

    __slots__ = (
        "_client_leg",
        "_core",
        "_dial",
        "_dialled",
        "_finisher",
        "_leaving",
        "_stopped",
        "_timing",
        "_upstream_leg",
        "_upstream_task",
    )

    def __init__(
        self,
        core: SessionCore,
        timing: Timing,
        dial: Callable[[Upstream], Awaitable[UpstreamWebSocket]],
    ) -> None:
        self._core = core
        self._timing = timing
        self._dial = dial
        self._client_leg: Leg | None = None
        self._upstream_leg: Leg | None = None
        self._stopped: list[Reader] = []
        """Who does not read, for want of room."""
        self._leaving: frozenset[asyncio.Task[None]] = frozenset()
        """What still has to do with upstreams that were let go."""
        self._finisher: asyncio.Task[None] | None = None
        self._upstream_task: asyncio.Task[None] | None = None
        self._dialled: UpstreamWebSocket | None = None
        """The upstream that was there first, until its task takes it."""

    async def run(
        self,
        websocket: web.WebSocketResponse[Any],
        transport: asyncio.Transport,
        upstream: Upstream,
        dialled: UpstreamWebSocket | None,
    ) -> None:
        """Relay until both sockets are closed. ``dialled``: the upstream if it is there already."""
        core = self._core
        self._dialled = dialled
        self._client_leg = leg = self._leg("client", websocket, transport, core.client)
        core.on_output = self._flush
        try:
            core.open(upstream)
            if upstream.url is not None and self._upstream_task is None and not core.closing:
                self._serve_upstreams_from(upstream)
            reader = Reader(leg, lambda: core.client_may_send, self._stopped)
            close = await reader.frames(self._text_from_client, self._binary_from_client)
            if close is not None:
                leg.peer_has_closed()
                core.client_closed(close)
        except (Exception, SystemExit):
            core.log.exception("relaying failed; the session ends")
            self._break()
        finally:
            await self._end()
            self._let_go()

    def _break(self) -> None:
        """Something of ours is wrong: this session ends, with 1011."""
        fault = SessionError(error_codes.INTERNAL_ERROR, "The proxy failed.", INTERNAL_ERROR)
        self._core.end(fault)

    # The client.

    def _text_from_client(self, data: bytes) -> bool:
        core = self._core
        if len(data) > self._timing.max_client_frame:
            self._refuse_size()
        elif _passes_text_on(core) and not Text.is_sound(data):
            core.reply_error(error_codes.UNPARSABLE_CLIENT_MESSAGE, "The text frame is not UTF-8.")
        else:
            core.client_frame(Text(data))
        return core.client_may_send

    def _binary_from_client(self, data: bytes) -> bool:
        core, leg, size = self._core, self._upstream_leg, len(data)
        lane = core.to_upstream
        if size > self._timing.max_client_frame:
            self._refuse_size()
        elif size and leg is not None and lane.passes_audio() and leg.write_now(data, lane.encode):
            came = lane.came
            came.frames += 1
            came.bytes += size
            return True  # nothing waits
        else:
            core.client_frame(Binary(data))
        return core.client_may_send

    def _refuse_size(self) -> None:
        limit = self._timing.max_client_frame
        text = f"A frame has at most {limit} bytes (the setting max_client_frame)."
        self._core.end(ClientFault(error_codes.FRAME_TOO_BIG, text, TOO_BIG), "client")

    # The upstream: dialled, read until it closes, dialled again when the translator wants to.

    def _serve_upstreams_from(self, upstream: Upstream) -> None:
        self._upstream_task = self._task("upstream", self._serve_upstreams(upstream))

    async def _serve_upstreams(self, upstream: Upstream) -> None:
        following: Upstream | None = upstream
        try:
            while following is not None and not self._core.closing:
                await self._serve_upstream(following)
                if self._upstream_task is not asyncio.current_task():
                    return  # it was let go; another task serves the next one
                following = self._core.dialled.take()
        except UpstreamFault as fault:
            self._core.upstream_failed(fault)
        except Exception:
            self._core.log.exception("serving the upstream failed; the session ends")
            self._break()

    async def _serve_upstream(self, upstream: Upstream) -> None:
        core = self._core
        leg = self._open_upstream(await self._connect(upstream))
        reader = Reader(leg, lambda: core.upstream_may_send, self._stopped)
        close = await reader.frames(self._text_from_upstream, self._binary_from_upstream)
        if close is None or core.closing:
            leg.peer_has_closed()
            return
        self._leave(leg, close)
        if reader.broken == TOO_BIG:
            text = "The upstream sent a bigger frame than the setting max_upstream_frame allows."
            core.end(UpstreamFault(error_codes.FRAME_TOO_BIG, text, TOO_BIG), "upstream")
        elif reader.broken is not None:
            core.upstream_closed(Close(ABNORMAL, close.reason))
        else:
            core.upstream_closed(close)

    def _let_upstream_go(self) -> None:
        """The translator wants another one, whatever this one still has to say."""
        following = self._core.dialled.take()
        self._drop_dialled()
        if self._upstream_task is not None:
            self._see_off(self._upstream_task)
            if self._upstream_leg is not None:
                self._leave(self._upstream_leg, Close(NORMAL))
            else:
                self._upstream_task.cancel()  # it dials, or is about to
        if following is not None:
            self._serve_upstreams_from(following)

    def _leave(self, leg: Leg, close: Close) -> None:
        """From now on the outbox is the next connection's."""
        self._upstream_leg = None
        leg.detach(close)
        self._see_off(self._task("leaving", leg.finish()))

    def _see_off(self, task: asyncio.Task[None]) -> None:
        self._leaving |= {task}
        task.add_done_callback(self._has_left)

    def _has_left(self, task: asyncio.Task[None]) -> None:
        self._leaving -= {task}

    def _drop_dialled(self) -> None:
        if self._dialled is not None:
            self._dialled.abort()
            self._dialled = None

    async def _connect(self, upstream: Upstream) -> UpstreamWebSocket:
        dialled, self._dialled = self._dialled, None
        return dialled if dialled is not None else await self._dial(upstream)

    def _open_upstream(self, websocket: UpstreamWebSocket) -> Leg:
        core = self._core
        self._upstream_leg = leg = self._leg(
            "upstream", websocket, websocket.transport, core.upstream, release=websocket.abort
        )
        core.upstream_opened(websocket.headers)
        leg.flush()
        return leg

    def _text_from_upstream(self, data: bytes) -> bool:
        core = self._core
        if _passes_text_on(core) and not Text.is_sound(data):
            text = "The upstream sent a text frame that is not UTF-8."
            core.end(UpstreamFault(error_codes.UPSTREAM_CLOSED, text, INTERNAL_ERROR), "upstream")
        else:
            core.upstream_frame(Text(data))
        return core.upstream_may_send

    def _binary_from_upstream(self, data: bytes) -> bool:
        core, leg = self._core, self._client_leg
        lane = core.to_client
        if data and leg is not None and lane.passes_audio() and leg.write_now(data):
            lane.passed(len(data))
            return True  # nothing waits
        core.upstream_frame(Binary(data))
        return core.upstream_may_send

    # Output, and the end.

    def _flush(self) -> None:
        core = self._core
        if core.closing:
            self._flush_the_last()
            return
        if core.dialled.replaced:
            self._let_upstream_go()
        client, upstream = self._client_leg, self._upstream_leg
        if client is not None and core.client.first is not None:
            client.flush()
        if upstream is not None and core.upstream.first is not None:
            upstream.flush()
        if self._stopped:
            self._check_room()

    def _flush_the_last(self) -> None:
        """Each leg closes behind what it still has to write."""
        for leg in self._legs():
            leg.flush()
        self._check_room()
        if self._finisher is None:
            self._finisher = self._task("finisher", self._finish())

    def _legs(self) -> list[Leg]:
        return [leg for leg in (self._client_leg, self._upstream_leg) if leg is not None]

    def _check_room(self) -> None:
        for reader in self._stopped:
            reader.check_room()

    async def _finish(self) -> None:
        """Both legs write what they have and close, at the same time."""
        if self._upstream_leg is None and self._upstream_task is not None:
            self._upstream_task.cancel()  # it dials, or has ended
        await asyncio.gather(*(leg.finish() for leg in self._legs()))
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _end(self) -> None:
        """Returns when nothing of this session is left but its close hooks."""
        if not self._core.closing:
            self._core.shut_down(Close(NORMAL))
        self._flush()
        if self._finisher is not None:
            await self._finisher
        if self._upstream_task is not None:
            await asyncio.wait([self._upstream_task])
        self._drop_dialled()  # the session ended before its turn came

    def _let_go(self) -> None:
        """Break the circles of relay, legs and session, so that buffers are freed at once."""
        self._core.on_output = _do_nothing
        self._leaving = frozenset()
        self._finisher = self._upstream_task = self._client_leg = self._upstream_leg = None

    def _leg(
        self, name: str, websocket: Any, transport: asyncio.Transport, outbox: Outbox, **more: Any
    ) -> Leg:
        return Leg(
            name,
            self._core.introduction.id,
            websocket,
            transport,
            outbox,
            close_timeout=self._timing.close_timeout,
            heartbeat=self._timing.heartbeat,
            on_room=self._check_room,
            **more,
        )

    def _task(self, role: str, coroutine: Any) -> asyncio.Task[None]:
        name = f"voiceproxy {role} {self._core.introduction.id}"
        return asyncio.get_running_loop().create_task(coroutine, name=name)


def _do_nothing() -> None:
    """What is put out after the end goes nowhere."""


def _passes_text_on(core: SessionCore) -> bool:
    """True when text crosses as it is: then what is not UTF-8 must be stopped here."""
    return core.gate is None or not core.gate.parses
