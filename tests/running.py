"""A running proxy whose insides can be counted, and the ends of its sockets. Every wait ends."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import os
import socket
import struct
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil
from aiohttp import WSMsgType, web
from yarl import URL

from voiceproxy.app import RECEPTION, create_app
from voiceproxy.session import SessionCore
from voiceproxy.testing import FakeBackend, FakeUpstream, listening

PATIENCE = 10.0
"""Seconds anything may take on a busy machine."""

QUICK = {"close_timeout": 0.3, "hook_timeout": 1.0, "settings_timeout": 5.0}
"""Settings under which nothing waits long for a peer that is not there any more."""


class Running:
    """A proxy under a real AppRunner: handlers are not cancelled when their client leaves."""

    def __init__(self, app: web.Application, url: str) -> None:
        self.app = app
        self.url = url
        self.endpoint = url + "/fake"
        """Where the FakeBackend answers."""
        self._tasks = _tasks()
        self._sockets = _sockets()
        self._cores: list[weakref.ref[SessionCore]] = []
        reception: Any = app[RECEPTION]
        make = reception._core
        reception._core = lambda *given: self._remember(make(*given))

    def _remember(self, core: SessionCore) -> SessionCore:
        self._cores.append(weakref.ref(core))
        return core

    @property
    def live(self) -> int:
        """Sessions there are."""
        return self.app[RECEPTION].live

    @property
    def core(self) -> Any:
        """The one session there is, to look into its queues; kept alive by nobody here."""
        [visit] = self.app[RECEPTION]._live.values()
        return weakref.proxy(visit.core)

    @property
    def unsent(self) -> int:
        """Bytes for the one client that lie between its queue and the kernel."""
        [visit] = self.app[RECEPTION]._live.values()
        transport = visit.request.transport
        return transport.get_write_buffer_size() if transport is not None else 0

    async def settle(self) -> None:
        """Wait until no session, task or socket is left beyond those there were at the start."""
        try:
            await until(self._is_settled)
        except TimeoutError:
            raise AssertionError(f"left over: {self._left()}") from None
        assert self._kept() == 0

    def _is_settled(self) -> bool:
        return not self.live and _tasks() <= self._tasks and _sockets() <= self._sockets

    def _left(self) -> list[object]:
        return [self.live, *(_tasks() - self._tasks), *(_sockets() - self._sockets)]

    def _kept(self) -> int:
        """Sessions something still holds, though they are over."""
        _forget_tracebacks()
        if any(core() for core in self._cores):
            gc.collect()
        return sum(core() is not None for core in self._cores)


@asynccontextmanager
async def running(*plugins: object, **settings: object) -> AsyncIterator[Running]:
    """Run a proxy; leave the block with nothing left over."""
    app = create_app(plugins, settings={**QUICK, **settings}, environ={})
    async with listening(app) as url:
        proxy = Running(app, url)
        yield proxy
        await proxy.settle()


@asynccontextmanager
async def relaying(
    script: Any, *plugins: object, backend: dict[str, Any] | None = None, **settings: object
) -> AsyncIterator[Running]:
    """Run a proxy in front of an upstream that does what ``script`` says."""
    async with FakeUpstream(script) as upstream:
        given = FakeBackend(upstream.url, **(backend or {}))
        async with running(given, *plugins, **settings) as proxy:
            yield proxy


def _tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks()


def _sockets() -> set[tuple[Any, ...]]:
    """Open TCP connections of this process, both ends of each; listeners too."""
    process = psutil.Process()
    return {
        (one.fd, one.laddr, one.raddr)
        for one in process.net_connections(kind="tcp")
        if one.status not in (psutil.CONN_TIME_WAIT, psutil.CONN_NONE)
    }


def _forget_tracebacks() -> None:
    """Captured log records hold frames, and so sessions, for as long as the test runs."""
    for handler in logging.getLogger().handlers:
        for record in getattr(handler, "records", ()):
            record.msg, record.args, record.exc_info = record.getMessage(), None, None


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@dataclass
class Heard:
    """Everything one end got before it was closed."""

    frames: list[Any] = field(default_factory=list)
    """JSON objects, other text, and binary as bytes."""
    code: int | None = None
    """The code of the close frame; None when the connection was lost."""
    reason: str = ""

    @property
    def errors(self) -> list[str]:
        """The codes of the Error messages."""
        return [one["code"] for one in self.frames if _type(one) == "Error"]

    @property
    def types(self) -> list[str]:
        """The types of the messages."""
        return [_type(one) for one in self.frames]


def _type(frame: Any) -> str:
    return frame.get("type", "") if isinstance(frame, dict) else type(frame).__name__


async def hear(ws: Any, frames: int | None = None, into: Heard | None = None) -> Heard:
    """Receive until the socket is closed, or until that many frames are there."""
    heard = Heard() if into is None else into
    async with asyncio.timeout(PATIENCE):
        while frames is None or len(heard.frames) < frames:
            message = await ws.receive()
            if message.type is WSMsgType.CLOSE:
                heard.code, heard.reason = message.data, message.extra
                break
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            heard.frames.append(_parsed(message.data))
    return heard


async def hear_one(ws: Any) -> Any:
    """The next frame."""
    [frame] = (await hear(ws, 1)).frames
    return frame


def _parsed(data: Any) -> Any:
    try:
        return json.loads(data) if isinstance(data, str) else data
    except ValueError:
        return data


async def echo(ws: web.WebSocketResponse, request: web.Request) -> None:
    """An upstream that says what it hears."""
    async for message in ws:
        if message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        else:
            await ws.send_str(message.data)


def reset(transport: Any) -> None:
    """Drop a connection as a crashed machine's kernel would: with RST."""
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(handle: Handle, **options: Any) -> AsyncIterator[int]:
    """A TCP server on loopback that does what you say; yields its port."""
    handlers: set[asyncio.Task[Any]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            handlers.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def answer_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take whatever comes until the other end is gone."""
    while await reader.read(65536):
        pass


class RawClient:
    """A WebSocket client that does only what it is told: reads when told, breaks rules."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.lines: list[str] = []

    @classmethod
    async def connect(cls, url: str, *lines: str, method: str = "GET") -> RawClient:
        """Send an upgrade request with those header lines (``Host`` if none of them is)."""
        where = URL(url)
        opened = await asyncio.open_connection(where.host, where.port, limit=1 << 26)
        client = cls(*opened)
        key = base64.b64encode(os.urandom(16)).decode()
        head = [f"{method} {where.raw_path_qs} HTTP/1.1", "Upgrade: websocket"]
        head += ["Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
        if not any(line.lower().startswith("host:") for line in lines):
            head.append(f"Host: {where.host}:{where.port}")
        client.writer.write("\r\n".join([*head, *lines, "", ""]).encode())
        return client

    async def answer(self) -> int:
        """Read the head of the answer; returns its status."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *self.lines = head.strip().split("\r\n")
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in self.lines)}
        self.status = int(first.split()[1])
        return self.status

    async def body(self) -> Any:
        """The JSON body of a refused upgrade."""
        length = int(self.headers["content-length"])
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.reader.readexactly(length))

    def send(self, opcode: int, payload: bytes, *, first: int = 0x80) -> None:
        """Write one masked frame; ``first`` are the bits beside the opcode (FIN)."""
        size, head = len(payload), bytes([first | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0xFE]) + size.to_bytes(2, "big")
        else:
            head += bytes([0xFF]) + size.to_bytes(8, "big")
        self.writer.write(head + bytes(4) + payload)  # the mask 0 leaves bytes as they are

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame: opcode and payload."""
        async with asyncio.timeout(PATIENCE):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def frames_until_close(self) -> tuple[list[tuple[int, bytes]], int, bytes]:
        """Every frame, then code and reason of the close frame."""
        frames = []
        while True:
            opcode, payload = await self.frame()
            if opcode == WSMsgType.CLOSE:
                return frames, int.from_bytes(payload[:2], "big"), payload[2:]
            frames.append((opcode, payload))

    async def at_end(self) -> bool:
        """True when the connection ends without another byte."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True

    def stop_reading(self) -> None:
        """Take nothing more from the socket than the kernel does by itself."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def go_on_reading(self) -> None:
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]

    def reset(self) -> None:
        reset(self.writer.transport)

    def leave(self) -> None:
        self.writer.transport.abort()


@asynccontextmanager
async def raw_client(url: str, *lines: str) -> AsyncIterator[RawClient]:
    """A raw client whose upgrade has been answered with 101."""
    client = await RawClient.connect(url, *lines)
    try:
        assert await client.answer() == 101
        yield client
    finally:
        client.leave()


async def get(url: str, **options: Any) -> tuple[int, Any, Any]:
    """Status, JSON body and headers of a plain GET."""
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status, await response.json(), response.headers


async def refused(url: str, **options: Any) -> aiohttp.WSServerHandshakeError:
    """The error a client gets whose upgrade is refused."""
    try:
        async with aiohttp.ClientSession() as session:
            await session.ws_connect(url, **options)
    except aiohttp.WSServerHandshakeError as error:
        return error
    raise AssertionError("the upgrade was not refused")
