"""One WebSocket and the outbox in front of it: its only writer, and the one who closes it."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from aiohttp import ClientError, WSMsgType
from aiohttp.client_ws import ClientWebSocketResponse
from aiohttp.web_ws import WebSocketResponse

from voiceproxy.backlog import keep_little
from voiceproxy.frames import Close, Frame, Text
from voiceproxy.outbox import Outbox
from voiceproxy.progress import Progress

Socket = WebSocketResponse[Any] | ClientWebSocketResponse[Any]

TEXT, BINARY = WSMsgType.TEXT, WSMsgType.BINARY
"""Under names of their own: members found through their class take ten times as long."""

Encode = Callable[[bytes], bytes]
"""See ``TranslatorSession.encode_audio``."""

MAX_ENCODED = 1024 * 1024
"""Bytes of audio that are encoded as one frame: an upstream may take no longer ones."""

LOST = (ConnectionError, ClientError)
"""What a write raises when the connection is gone."""

MAX_PONGS_WHILE_BLOCKED = 64
"""A peer that pings and never reads gets no more answers than that (RFC 6455, 5.5.3 allows it)."""

MAX_CLOSE_TIMEOUTS = 10
"""How many times ``close_timeout`` a peer may take for everything when it reads slowly."""

LINGER_CHECK = 0.02
"""How often (seconds) to look whether the last bytes have left: nothing tells."""


class Leg:
    """Writes an outbox to its socket without a task for as long as the socket takes bytes.

    When a write blocks, a writer task goes on with that very write and whatever comes behind it,
    so reading the same peer never waits for writing to it. Nothing here is ever cancelled: what
    takes too long is ended by aborting the transport.
    """

    __slots__ = (
        "_aborted",
        "_beat",
        "_close_timeout",
        "_closer",
        "_ended",
        "_half_beat",
        "_loop",
        "_name",
        "_on_room",
        "_pongs",
        "_progress",
        "_reading",
        "_release",
        "_session",
        "_silent_beats",
        "_transport",
        "_writer",
        "closing",
        "heard",
        "outbox",
        "reading_stopped",
        "websocket",
    )

    def __init__(
        self,
        name: str,
        session: str,
        websocket: Socket,
        transport: asyncio.Transport,
        outbox: Outbox,
        *,
        close_timeout: float,
        heartbeat: float,
        on_room: Callable[[], None],
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.websocket = websocket
        self.outbox = outbox
        self.closing = False
        """True once our close frame goes out: what the peer still says is not for us."""
        self.heard = True
        """Anything came from the peer since the last beat."""
        self.reading_stopped = False
        """We do not read the peer now, so its silence means nothing."""
        self._name = name
        self._session = session
        self._transport = transport
        self._close_timeout = close_timeout
        self._half_beat = heartbeat / 2
        self._on_room = on_room
        self._release = release
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self._aborted = False
        self._reading = True
        self._ended: asyncio.Future[None] | None = None
        """Made by whoever waits for the end of the reading."""
        self._progress = Progress(transport)
        self._silent_beats = 0
        self._pongs = 0
        self._beat: asyncio.TimerHandle | None = None
        if heartbeat > 0:
            self._beat = self._loop.call_later(self._half_beat, self._on_beat)
        keep_little(transport)

    # Writing.

    def write_now(self, data: bytes, encode: Encode | None = None) -> bool:
        """Write a binary frame, or the text it is encoded as, past the outbox.

        Nothing is written when it is encoded as nothing; False, and nothing done, when others go
        first or it is too long.
        """
        outbox = self.outbox
        if (
            self._writer is not None
            or self._closer is not None
            or outbox.first is not None
            or outbox.close is not None
        ):
            return False
        kind = BINARY
        if encode is not None:
            if len(data) > MAX_ENCODED:
                return False
            data, kind = encode(data), TEXT
            if not data:
                return True
        write = self.websocket.send_frame(data, kind)
        try:
            blocked_on = write.send(None)
        except (StopIteration, *LOST):
            pass  # written, or nobody is left to read it, which whoever reads the peer will see
        else:
            self._writer = self._task("writer", self._write_on(write, blocked_on))
        total = outbox.total
        total.frames += 1
        total.bytes += len(data)
        return True

    def flush(self) -> None:
        """Write what the socket takes at once; leave the rest to the writer task."""
        if self._writer is not None or self._closer is not None:
            return
        outbox, send = self.outbox, self.websocket.send_frame
        try:
            while (frame := outbox.first) is not None:
                outbox.take()
                write = send(frame.data, TEXT if isinstance(frame, Text) else BINARY)
                try:
                    blocked_on = write.send(None)
                except StopIteration:
                    continue
                self._writer = self._task("writer", self._write_on(write, blocked_on))
                return
        except LOST:
            outbox.clear()
        if outbox.close is not None:
            self.closing = True
            self._closer = self._task("closer", self._close(outbox.close))

    def _write(self, frame: Frame) -> Coroutine[Any, Any, None]:
        return self.websocket.send_frame(frame.data, TEXT if isinstance(frame, Text) else BINARY)

    async def _write_on(self, write: Coroutine[Any, Any, None], blocked_on: Any) -> None:
        try:
            await _resume(write, blocked_on)
            self._on_room()
            while (frame := self.outbox.take()) is not None:
                self._on_room()
                await self._write(frame)
        except LOST:
            self.outbox.clear()
        finally:
            self._writer = None
        self._on_room()
        self.flush()

    def _task(self, role: str, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        name = f"voiceproxy {self._name} {self._session} {role}"
        return self._loop.create_task(coroutine, name=name)

    # Control frames go straight to the transport: they may overtake data (RFC 6455, 5.4).

    def pong(self, payload: bytes) -> None:
        """Answer a ping, unless our close frame is out already."""
        if self.closing:
            return
        blocked = self._unflushed > 0
        self._pongs = self._pongs + 1 if blocked else 0
        if self._pongs <= MAX_PONGS_WHILE_BLOCKED:
            self._control(self.websocket.pong(payload))

    def _control(self, write: Coroutine[Any, Any, None]) -> None:
        try:
            write.send(None)
        except (StopIteration, *LOST):
            return
        write.close()  # written; only the wait for room is given up

    def _on_beat(self) -> None:
        """Ping after ``heartbeat`` seconds of silence, abort after half as many more.

        A peer we do not read cannot show that it lives, and one in the middle of a big frame cannot
        answer a ping; but writing to it shows when it is gone.
        """
        if self.lost or self.closing:
            return
        moving = self._progress.made(self._unflushed)
        alive = moving or self.heard or self.reading_stopped
        self._silent_beats, self.heard = 0 if alive else self._silent_beats + 1, False
        if self._silent_beats > 2:
            self.abort()
            return
        if self._silent_beats == 2 or self.reading_stopped:
            self._control(self.websocket.ping())
        self._beat = self._loop.call_later(self._half_beat, self._on_beat)

    # The end.

    @property
    def lost(self) -> bool:
        """True when the connection is gone or going."""
        return self._transport.is_closing()

    def abort(self) -> None:
        """Drop the connection and everything queued for it."""
        self._aborted = True
        self.reading_has_ended()
        self.outbox.clear()
        self._transport.abort()

    def peer_has_closed(self) -> None:
        """The peer's close frame has come: it wants nothing more."""
        self.outbox.clear()

    def reading_has_ended(self) -> None:
        """Nothing more will come: the peer has closed, or the connection is gone."""
        self._reading = False
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def detach(self, close: Close) -> None:
        """Leave the outbox to the connection that comes next and answer the peer's close."""
        self.closing = True
        self.outbox = Outbox(0)
        self.outbox.put_close(close)
        self.flush()

    async def finish(self) -> None:
        """Write what is queued, then close; returns when the socket is closed.

        The peer must take something in every ``close_timeout`` seconds, all of it in ten times
        that, and answer the close frame within ``close_timeout``. Otherwise the connection is
        aborted; what the kernel holds by then still goes out.
        """
        deadline = self._loop.time() + MAX_CLOSE_TIMEOUTS * self._close_timeout
        self.flush()
        while (task := self._closer or self._writer) is not None and not task.done():
            left = self._unwritten
            await asyncio.wait([task], timeout=self._close_timeout)
            if not task.done() and (self._unwritten >= left or self._loop.time() >= deadline):
                self.abort()
        if self._beat is not None:
            self._beat.cancel()
        self._release()

    @property
    def _unwritten(self) -> int:
        return self.outbox.bytes + self._unflushed

    @property
    def _unflushed(self) -> int:
        """What the event loop holds of what was written."""
        try:
            return self._transport.get_write_buffer_size()
        except AttributeError:  # asyncio's TLS transport, once it has been closed twice
            return 0

    async def _close(self, close: Close) -> None:
        """Our close frame, then the peer's, then the connection (RFC 6455, 7.1.1).

        aiohttp's ``close`` does not wait for the peer while somebody reads; a connection closed
        while the peer still sends is reset, and with it goes what the peer has not read yet.
        """
        with contextlib.suppress(*LOST):
            payload = close.code.to_bytes(2, "big") + close.reason.encode()
            await self.websocket.send_frame(payload, WSMsgType.CLOSE)
            await self._peer_to_close()
        self._transport.close()
        while self._unflushed and not self._aborted:  # noqa: ASYNC110
            await asyncio.sleep(LINGER_CHECK)

    async def _peer_to_close(self) -> None:
        """Wait for the peer's close frame, and when it does not come soon, end our direction.

        Then a peer that waits for us to go first leaves. While aiohttp's runner shuts down it
        ignores what peers send, so there the end of the connection is all that can be heard.
        """
        if not self._reading:
            return
        self._ended = self._loop.create_future()
        await asyncio.wait([self._ended], timeout=self._close_timeout / 10)
        if not self._ended.done() and not self.lost and self._transport.can_write_eof():
            self._transport.write_eof()
        await self._ended


@types.coroutine
def _resume(write: Coroutine[Any, Any, None], blocked_on: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that has been started and waits for that future."""
    yield blocked_on
    yield from write.__await__()
