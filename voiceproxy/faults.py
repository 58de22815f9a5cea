"""A TCP line on loopback that can be slow, broken or dead, for tests over real sockets.

It stands between a dialler and what listens at a URL. ``voiceproxy.testing`` offers it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from yarl import URL

PIECE = 16 * 1024
"""Bytes read at once where a fault does not say."""

PIECES_UNDERWAY = 64
"""How many pieces of one direction may be between its two ends; then its sender is not read."""

ACCEPT_AGAIN = 0.05
"""Seconds after which a line that has no file descriptor for a dialler tries again."""

KERNEL_BYTES = 64 * 1024
"""What the kernel may hold at each end, so that a slow reader is felt at once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the bytes of one direction. Without arguments: nothing.

    A slow reader is ``Fault(piece=1024, pause=0.1)``, bytes one by one ``Fault(piece=1)``, a reader
    that has stopped ``Fault(stalled=True)``, a vanished machine ``Fault(blackhole=True)`` in both
    directions: also the end of either connection is kept from the other, which is half open then.
    """

    latency: float = 0.0
    """Seconds every piece is late."""
    jitter: float = 0.0
    """Up to that many seconds more, by chance; the order stays."""
    piece: int = PIECE
    """Bytes that are delivered at once, at most."""
    pause: float = 0.0
    """Seconds between two pieces."""
    stalled: bool = False
    """Nothing is read, so that the sender's buffers fill."""
    blackhole: bool = False
    """Everything is taken and nothing delivered."""
    cut_after: int | None = None
    """The connection ends after so many bytes more, wherever in a frame that is."""


FAULTLESS = Fault()


class _Way:
    """One direction of every connection of a line, and what is wrong with it now."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.changed = asyncio.Event()

    def become(self, fault: Fault) -> None:
        """From the next piece on, also on connections there are."""
        self.fault = fault
        self.changed.set()
        self.changed = asyncio.Event()

    async def while_(self, is_so: Callable[[Fault], bool]) -> None:
        """Wait for as long as that holds."""
        while is_so(self.fault):
            await self.changed.wait()


class _Cut(ConnectionError):
    """``cut_after`` bytes have crossed."""


class FaultyLine:
    """``async with FaultyLine(upstream.url) as line``: dial ``line.url`` instead.

    ``up`` is the direction of whoever dials, ``down`` the other; either may be given at first and
    changed at any time with ``becomes``, for connections that exist as for those to come. What is
    underway is bounded, each connection ends with the line, and no byte is ever changed.
    """

    def __init__(
        self, target: str, *, up: Fault = FAULTLESS, down: Fault = FAULTLESS, seed: int = 0
    ) -> None:
        self._target = URL(target)
        self._up, self._down = _Way(up), _Way(down)
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrets
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._live: set[asyncio.Task[None]] = set()
        self.url = ""
        """The target's URL with this line's host and port."""

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._live)

    def becomes(self, *, up: Fault = FAULTLESS, down: Fault = FAULTLESS) -> None:
        """What is wrong from now on; without arguments nothing is any more."""
        self._up.become(up)
        self._down.become(down)

    async def reset(self) -> None:
        """End every connection there is with a reset of both its ends."""
        tasks = list(self._live)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def __aenter__(self) -> Self:
        listener = _lean_socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        self._listener = listener
        port = listener.getsockname()[1]
        self.url = str(self._target.with_host("127.0.0.1").with_port(port))
        self._accepting = asyncio.create_task(self._accept(listener), name="faulty line")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._listener.close()
        await self.reset()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                dialler, _ = await loop.sock_accept(listener)
            except OSError:  # no descriptor is free, or the dialler has left again
                await asyncio.sleep(ACCEPT_AGAIN)
                continue
            connection = _Connection(dialler, self._target, self._up, self._down, self._random)
            task = loop.create_task(connection.run(), name="faulty connection")
            self._live.add(task)
            task.add_done_callback(partial(self._ended, connection))

    def _ended(self, connection: _Connection, task: asyncio.Task[None]) -> None:
        """Here, because a task that is cancelled before its first step never runs."""
        self._live.discard(task)
        connection.close()


class _Connection:
    """Two sockets, and the bytes between them."""

    def __init__(
        self, dialler: socket.socket, target: URL, up: _Way, down: _Way, chance: random.Random
    ) -> None:
        self._dialler = dialler
        self._target: socket.socket | None = None
        self._address = target.host, target.port
        self._ways = up, down
        self._random = chance
        self._in_order = False

    async def run(self) -> None:
        """Until both directions have ended, or either is broken; then both ends are reset."""
        _prepare(self._dialler)
        try:
            self._target = target = _lean_socket()
            await asyncio.get_running_loop().sock_connect(target, self._address)
            await _all(
                self._carry(self._ways[0], self._dialler, target),
                self._carry(self._ways[1], target, self._dialler),
            )
            self._in_order = True
        except _Cut:
            self._in_order = True  # in the middle of what was said, but not as a reset
        except OSError:
            return

    def close(self) -> None:
        """Close both ends."""
        for end in (self._dialler, self._target):
            if end is None:
                continue
            if not self._in_order:
                _reset_when_closed(end)
            end.close()

    async def _carry(self, way: _Way, source: socket.socket, sink: socket.socket) -> None:
        underway: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES_UNDERWAY)
        await _all(self._take(way, source, underway), self._deliver(way, sink, underway))

    async def _take(
        self, way: _Way, source: socket.socket, underway: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        last = 0.0
        while True:
            await way.while_(_stalls)
            data = await _read(loop, way, source)
            fault = way.fault
            if fault.blackhole and data:
                continue
            late = fault.latency + self._random.random() * fault.jitter
            last = max(last, loop.time() + late)
            await underway.put((last, data))
            if not data:
                return

    async def _deliver(
        self, way: _Way, sink: socket.socket, underway: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        cutting, left = way.fault, way.fault.cut_after
        while True:
            due, data = await underway.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await way.while_(_stalls if data else _stalls_end)
            fault = way.fault
            if fault is not cutting:
                cutting, left = fault, fault.cut_after
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            if not fault.blackhole:
                await loop.sock_sendall(sink, data[:left])
            if left is not None and (left := left - len(data)) <= 0:
                raise _Cut
            if fault.pause:
                await asyncio.sleep(fault.pause)


def _stalls(fault: Fault) -> bool:
    return fault.stalled


def _stalls_end(fault: Fault) -> bool:
    return fault.stalled or fault.blackhole


async def _read(loop: asyncio.AbstractEventLoop, way: _Way, source: socket.socket) -> bytes:
    """The next piece, ``b""`` at the end. A blackhole keeps a loss for itself."""
    try:
        return await loop.sock_recv(source, way.fault.piece)
    except OSError:
        await way.while_(lambda fault: fault.blackhole)
        raise


async def _all(*parts: Awaitable[None]) -> None:
    """Run them together; the first that fails ends the others, and its error is raised."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            _ = task.cancelled() or task.exception()  # one of them has been raised already


def _lean_socket() -> socket.socket:
    made = socket.socket()
    _prepare(made)
    return made


def _prepare(end: socket.socket) -> None:
    end.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        end.setsockopt(socket.SOL_SOCKET, option, KERNEL_BYTES)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reset_when_closed(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
