"""One socket: a session's line, with one writer, a bounded queue and timers that end with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Protocol

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from voiceproxy_simulator.wire import NO_STATUS, Frame, Timer

log = logging.getLogger(__name__)

FULL_BYTES = 128 * 1024
"""Queued bytes (two seconds of audio as base64) above which no more is produced."""

DEAF_BYTES = 1024 * 1024
"""Queued bytes above which the client is not read either: it sends but does not listen."""

CLOSE_SECONDS = 2.0
"""How long a peer may take to read what is queued and the close, before it is cut off."""

_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})


class Served(Protocol):
    """A session of any of the simulated APIs."""

    def open(self) -> None:
        """The connection is there; called once, first."""

    def receive(self, text: str) -> None:
        """A text frame from the client."""

    def receive_binary(self, data: bytes) -> None:
        """A binary frame from the client."""

    def drained(self) -> None:
        """The line takes frames again after it was full."""

    def closed(self) -> None:
        """The connection is over, whoever ended it; called once, last."""


class Connection:
    """The line of one session. One task reads the socket, one writes to it, and the handler's own
    closes it when either ends."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self._socket = socket
        self._transport = transport
        self._deadline: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._queue: deque[str | bytes] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing: tuple[int, str] | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self.session: Served | None = None

    # The line

    @property
    def full(self) -> bool:
        """More is queued than the peer is reading."""
        return self._queued > FULL_BYTES

    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """A timer that ends with the connection."""

        def run() -> None:
            self._timers.discard(handle)
            self._guard(callback)

        handle = self._loop.call_later(seconds, run)
        self._timers.add(handle)
        return _Timer(handle, self._timers)

    def send(self, frame: Frame) -> None:
        """Queue a frame; nothing follows a close."""
        if self._closing is None:
            data = orjson.dumps(frame).decode() if isinstance(frame, dict) else frame
            self._queue.append(data)
            self._queued += len(data)
            self._wake.set()
            if self._queued > DEAF_BYTES:
                self._room.clear()

    def close(self, code: int, reason: str) -> None:
        """Close behind what is queued."""
        if self._closing is None:
            self._closing = (code, reason)
            self._deadline = self._loop.call_later(CLOSE_SECONDS, self._abort)
            self._wake.set()

    def reset(self) -> None:
        """Cut the connection off. What is queued is lost; what was written before is not."""
        if self._closing is None:
            self._closing = (WSCloseCode.ABNORMAL_CLOSURE, "")
            self._abort()
            self._wake.set()

    # The socket

    async def serve(self, session: Served) -> None:
        """Run the session until one side closes."""
        self.session = session
        self._guard(session.open)
        try:
            await self._run(self._read(session))
        finally:
            self._guard(session.closed)

    async def refuse(self) -> None:
        """Send what is queued, which ends in a close, without listening."""
        await self._run()

    async def _run(self, *reading: Coroutine[None, None, None]) -> None:
        tasks = [asyncio.create_task(one, name="simulator reader") for one in reading]
        tasks.append(asyncio.create_task(self._write(), name="simulator writer"))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._end_timers()
            self.close(WSCloseCode.OK, "")
            for task in tasks:
                task.cancel()
            _report(await asyncio.gather(*tasks, return_exceptions=True))
            await self._say_goodbye()

    async def _say_goodbye(self) -> None:
        code, reason = self._closing or (WSCloseCode.OK, "")
        try:
            if code == NO_STATUS:
                await self._close_without_status()
            else:
                await self._socket.close(code=code, message=reason.encode()[:123])
        finally:
            if self._deadline is not None:
                self._deadline.cancel()

    async def _close_without_status(self) -> None:
        """aiohttp writes a code into every close of its own, so this one goes around it."""
        with contextlib.suppress(ConnectionError):
            await self._socket.send_frame(b"", WSMsgType.CLOSE)
            while (await self._socket.receive()).type in _DATA:
                pass
        if self._transport is not None:
            self._transport.close()

    async def _read(self, session: Served) -> None:
        while True:
            await self._room.wait()
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT:
                self._guard(partial(session.receive, message.data))
            elif message.type is WSMsgType.BINARY:
                self._guard(partial(session.receive_binary, message.data))
            else:
                return

    def _guard(self, callback: Callable[[], None]) -> None:
        """A mistake of the simulator ends one session, loudly."""
        try:
            callback()
        except Exception:
            log.exception("the simulator failed")
            self.close(WSCloseCode.INTERNAL_ERROR, "The simulator failed.")

    async def _write(self) -> None:
        """Write what is queued until the line is closed and the queue is empty."""
        while self._queue or self._closing is None:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._write_next(self._queue.popleft())

    async def _write_next(self, data: str | bytes) -> None:
        if isinstance(data, str):
            await self._socket.send_str(data)
        else:
            await self._socket.send_bytes(data)
        was_full = self.full
        self._queued -= len(data)
        if self._queued <= DEAF_BYTES:
            self._room.set()
        if was_full and not self.full and self.session is not None:
            self._guard(self.session.drained)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _end_timers(self) -> None:
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()


def _report(outcomes: Iterable[BaseException | None]) -> None:
    """Log how the tasks of a socket ended, unless it is the way sockets end."""
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError):
            log.error("the simulator's socket failed", exc_info=outcome)


class _Timer:
    """A timer of a connection, forgotten by it once called off."""

    def __init__(self, handle: asyncio.TimerHandle, timers: set[asyncio.TimerHandle]) -> None:
        self._handle = handle
        self._timers = timers

    def cancel(self) -> None:
        self._handle.cancel()
        self._timers.discard(self._handle)
