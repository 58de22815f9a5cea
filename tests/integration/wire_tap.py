"""A wire with an ear: forwards TCP byte for byte and knows afterwards which frames went over it.

It sits between a client and the proxy. The frames, their boundaries and the closes are those the
two made themselves, and any client can be listened to: an SDK, a plain one, another process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.frames import Close, Frame, Opcode
from websockets.streams import StreamReader

Heard = dict[str, Any] | bytes
"""A message, or the data of a binary frame."""


class Direction:
    """What one side said: an HTTP head, then frames."""

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        self._bytes = bytearray()

    def hear(self, data: bytes) -> None:
        """More of it."""
        self._bytes += data

    @property
    def head(self) -> str:
        """The head of the request or of the response."""
        return bytes(self._bytes).partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def frames(self) -> list[Heard]:
        """Messages and audio, in order."""
        return [
            json.loads(frame.data) if frame.opcode is Opcode.TEXT else bytes(frame.data)
            for frame in self._parsed()
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY)
        ]

    @property
    def close(self) -> Close | None:
        """The close frame, if there was one."""
        closes = [frame for frame in self._parsed() if frame.opcode is Opcode.CLOSE]
        return Close.parse(closes[0].data) if closes else None

    def _parsed(self) -> Iterator[Frame]:
        reader = StreamReader()
        reader.feed_data(bytes(self._bytes).partition(b"\r\n\r\n")[2])
        while True:
            frame = _parse(reader, masked=self._masked)
            if frame is None:
                return
            assert frame.fin, "the proxy and its clients send whole messages"
            yield frame


def _parse(reader: StreamReader, *, masked: bool) -> Frame | None:
    """The next frame; None when there is no whole one."""
    try:
        next(Frame.parse(reader.read_exact, mask=masked))
    except StopIteration as parsed:
        return cast("Frame", parsed.value)
    return None


class Conversation:
    """One connection to the proxy."""

    def __init__(self) -> None:
        self.from_client = Direction(masked=True)
        self.to_client = Direction(masked=False)

    @property
    def path(self) -> str:
        """The path that was asked for."""
        return urlsplit(self.from_client.head.split(" ")[1]).path

    @property
    def is_session(self) -> bool:
        """Whether it was upgraded to a WebSocket."""
        return self.to_client.head.startswith("HTTP/1.1 101 ")


class Tap:
    """Listens on ``port`` and forwards to the proxy; ``conversations`` in the order they began."""

    def __init__(self, proxy_port: int) -> None:
        self._proxy_port = proxy_port
        self.port = 0
        self.conversations: list[Conversation] = []

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until both sides have ended it."""
        conversation = Conversation()
        self.conversations.append(conversation)
        proxy_reader, proxy_writer = await asyncio.open_connection("127.0.0.1", self._proxy_port)
        try:
            await asyncio.gather(
                _forward(reader, proxy_writer, conversation.from_client),
                _forward(proxy_reader, writer, conversation.to_client),
            )
        finally:
            await asyncio.gather(_end(writer), _end(proxy_writer))


async def _forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
) -> None:
    try:
        while data := await reader.read(65536):
            direction.hear(data)
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def tapped(proxy_port: int) -> AsyncIterator[Tap]:
    """A tap in front of the proxy on that port of 127.0.0.1."""
    tap = Tap(proxy_port)
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(tap.connect(reader, writer), name="tap")
        tasks.add(task)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=5)
            assert not late, "a connection to the proxy was never closed"
            await asyncio.gather(*tasks)
        await server.wait_closed()
