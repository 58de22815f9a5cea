"""The life of one session on real sockets. With ``leg`` and ``dial``, all that touches WebSockets.

The client is read by the session's own task, the upstream by a second one. Whoever reads hands the
frame to the session, which fills the outboxes, and both legs are flushed before the next read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import WebSocketError, WSCloseCode, WSMsgType

from voiceproxy.dial import UpstreamWebSocket
from voiceproxy.errors import ClientFault, UpstreamFault
from voiceproxy.frames import ABNORMAL, NO_STATUS, NORMAL, TOO_BIG, Binary, Close, Frame, Text
from voiceproxy.leg import Leg

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import web

    from voiceproxy.backend import Upstream
    from voiceproxy.session import SessionCore

ROOM_CHECK = 1.0
"""How often (seconds) a reader that had to stop looks whether its peer is still there."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What the relay needs of the settings."""

    close_timeout: float
    heartbeat: float
    max_client_frame: int


class LoopRuntime:
    """The running event loop as a session's ``Runtime``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time

    def later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See ``Runtime.later``."""
        return self._loop.call_later(seconds, callback)

    def start(self, coroutine: Any, name: str) -> asyncio.Task[Any]:
        """See ``Runtime.start``."""
        return self._loop.create_task(coroutine, name=name)


class Reader:
    """Reads one peer and stops while what it sends has nowhere to go."""

    def __init__(self, leg: Leg, may_send: Callable[[], bool]) -> None:
        self._leg = leg
        self._may_send = may_send
        self._room: asyncio.Future[None] | None = None

    def check_room(self) -> None:
        """Something was written or the session ended: perhaps go on reading."""
        if self._room is not None and not self._room.done() and self._may_send():
            self._room.set_result(None)

    async def frames(self, receive: Callable[[Frame], None]) -> Close | None:
        """Hand every frame on; returns how the peer closed, None when we did."""
        websocket, leg = self._leg.websocket, self._leg
        while True:
            message = await websocket.receive()
            leg.heard = True
            kind = message.type
            if kind is WSMsgType.BINARY:
                receive(Binary(message.data))
            elif kind is WSMsgType.TEXT:
                receive(Text(message.data))
            elif kind is WSMsgType.PING:
                leg.pong(message.data)
            elif kind is not WSMsgType.PONG:
                return _how_closed(kind, message.data, message.extra)
            if not self._may_send():
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self._leg.reading_stopped = True
        while not self._may_send() and not self._leg.lost:
            self._room = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._room], timeout=ROOM_CHECK)
        self._room = None
        self._leg.reading_stopped = False


def _how_closed(kind: WSMsgType, data: Any, extra: Any) -> Close | None:
    if kind is WSMsgType.CLOSE:
        return Close(data or NO_STATUS, extra or "")
    if kind is WSMsgType.CLOSING:
        return None
    if kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
        return Close(data.code, str(data))
    return Close(ABNORMAL, "connection lost")


class Relay:
    """One session between its sockets."""

    def __init__(
        self,
        core: SessionCore,
        timing: Timing,
        dial: Callable[[Upstream], Awaitable[UpstreamWebSocket]],
    ) -> None:
        self._core = core
        self._timing = timing
        self._dial = dial
        self._client: Leg | None = None
        self._upstream: Leg | None = None
        self._client_reader: Reader | None = None
        self._upstream_reader: Reader | None = None
        self._finisher: asyncio.Task[None] | None = None
        self._dialler: asyncio.Task[None] | None = None
        self._dialled: UpstreamWebSocket | None = None
        core.on_output = self._flush

    async def run(
        self,
        websocket: web.WebSocketResponse[Any],
        transport: asyncio.Transport,
        upstream: Upstream,
        dialled: UpstreamWebSocket | None,
    ) -> None:
        """Relay until both sockets are closed. ``dialled``: the upstream if it is there already."""
        core = self._core
        self._client = self._leg("client", websocket, transport, core.client)
        self._client_reader = Reader(self._client, lambda: core.closing or core.client_may_send)
        core.open(upstream)
        if upstream.url is not None:
            self._dialled = dialled
            self._dialler = self._task("upstream", self._serve_upstream(upstream))
        try:
            await self._read_client(self._client_reader)
        finally:
            await self._end()

    async def _read_client(self, reader: Reader) -> None:
        close = await reader.frames(self._from_client)
        if close is not None and self._client is not None:
            self._client.peer_has_closed()
            self._core.client_closed(close)

    def _from_client(self, frame: Frame) -> None:
        if len(frame.data) > self._timing.max_client_frame:
            limit = self._timing.max_client_frame
            self._core.end(
                ClientFault("frame_too_big", f"A frame has at most {limit} bytes.", TOO_BIG),
                "client",
            )
            return
        self._core.client_frame(frame)

    # The upstream: dialled, read until it closes, dialled again if the translator wants to.

    async def _serve_upstream(self, upstream: Upstream) -> None:
        following: Upstream | None = upstream
        while following is not None and not self._core.closing:
            upstream = following
            try:
                websocket = self._dialled or await self._dial(upstream)
            except UpstreamFault as fault:
                self._core.log.debug("dialling failed", exc_info=fault)
                self._core.upstream_failed(fault)
                return
            self._dialled = None
            leg, reader = self._open_upstream(websocket)
            await self._read_upstream(leg, reader)
            following = self._core.take_redial(upstream)
            if following is not None:
                self._upstream = self._upstream_reader = None
                await leg.leave(Close())

    def _open_upstream(self, websocket: UpstreamWebSocket) -> tuple[Leg, Reader]:
        core = self._core
        leg = self._leg("upstream", websocket, websocket.transport, core.upstream)
        reader = Reader(leg, lambda: core.closing or core.upstream_may_send)
        self._upstream, self._upstream_reader = leg, reader
        core.upstream_opened(websocket.headers)
        leg.flush()
        return leg, reader

    async def _read_upstream(self, leg: Leg, reader: Reader) -> None:
        core = self._core
        close = await reader.frames(core.upstream_frame)
        if close is None:
            return
        leg.peer_has_closed()
        if close.code == WSCloseCode.MESSAGE_TOO_BIG and not core.closing:
            core.end(
                UpstreamFault("upstream_frame_too_big", "The upstream sent too big a frame."),
                "upstream",
            )
        core.upstream_closed(close)

    # Output, and the end.

    def _flush(self) -> None:
        if self._client is not None:
            self._client.flush()
        if self._upstream is not None:
            self._upstream.flush()
        self._check_room()
        if self._core.closing and self._finisher is None:
            self._finisher = self._task("finisher", self._finish())

    def _check_room(self) -> None:
        if self._client_reader is not None:
            self._client_reader.check_room()
        if self._upstream_reader is not None:
            self._upstream_reader.check_room()

    async def _finish(self) -> None:
        """Both legs write what they have and close, at the same time."""
        if self._upstream is None and self._dialler is not None:
            self._dialler.cancel()
        legs = [leg for leg in (self._client, self._upstream) if leg is not None]
        await asyncio.gather(*(leg.finish() for leg in legs))

    async def _end(self) -> None:
        """Returns when nothing of this session is left but its close hooks."""
        if not self._core.closing:
            self._core.shut_down(Close(NORMAL))
        if self._finisher is not None:
            await self._finisher
        if self._dialler is not None:
            self._dialler.cancel()
            await asyncio.wait([self._dialler])
            if not self._dialler.cancelled() and (error := self._dialler.exception()):
                self._core.log.error("the upstream's task failed", exc_info=error)
        if self._dialled is not None:  # the session ended before its turn came
            self._dialled.transport.abort()

    def _leg(self, name: str, websocket: Any, transport: asyncio.Transport, outbox: Any) -> Leg:
        return Leg(
            name,
            websocket,
            transport,
            outbox,
            close_timeout=self._timing.close_timeout,
            heartbeat=self._timing.heartbeat,
            on_room=self._check_room,
        )

    def _task(self, role: str, coroutine: Any) -> asyncio.Task[None]:
        name = f"voiceproxy {role} {self._core.introduction.id}"
        return asyncio.get_running_loop().create_task(coroutine, name=name)
