"""The bytes on the wire, with no WebSocket library at either end of the proxy."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from deepgram_proxy import AGENT, STREAMS, UNTOUCHED, asking, proxied
from running import PATIENCE, RawClient, raw_server

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

Frame = tuple[int, bytes, bytes]
"""The first byte's flags, opcode included, the second's, and the payload, unmasked."""


class RawUpstream:
    """A server that answers the upgrade by hand and keeps every frame's head as it came."""

    def __init__(self) -> None:
        self.head = b""
        self.frames: list[tuple[int, bool, bytes]] = []
        """First byte, masked or not, payload."""
        self.writer: asyncio.StreamWriter
        self.open = asyncio.Event()
        self.arrived = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)sec-websocket-key: (\S+)", self.head)
        assert found
        accept = base64.b64encode(hashlib.sha1(found[1] + GUID).digest()).decode()
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self.open.set()
        while True:
            frame = await _read(reader)
            async with self.arrived:
                self.frames.append(frame)
                self.arrived.notify_all()

    async def heard(self, count: int) -> list[tuple[int, bool, bytes]]:
        """The first frames, once there are so many."""
        async with asyncio.timeout(PATIENCE), self.arrived:
            await self.arrived.wait_for(lambda: len(self.frames) >= count)
            return self.frames[:count]

    def send(self, first: int, payload: bytes) -> None:
        """One frame, unmasked as servers' are."""
        self.writer.write(bytes([first]) + _size(len(payload)) + payload)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    if not second & 0x80:
        return first, False, await reader.readexactly(size)
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    stretched = (mask * (size // 4 + 1))[:size]
    unmasked = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
    return first, True, unmasked.to_bytes(size, "big")


def _size(size: int) -> bytes:
    if size < 126:
        return bytes([size])
    return b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")


@asynccontextmanager
async def wired(path: str, *lines: str) -> AsyncIterator[tuple[RawClient, RawUpstream]]:
    """Both ends of one session."""
    upstream = RawUpstream()
    async with (
        raw_server(upstream.serve) as port,
        proxied(f"ws://127.0.0.1:{port}") as proxy,
        asking(proxy.url + path, *lines) as client,
    ):
        assert await client.answer() == 101
        async with asyncio.timeout(PATIENCE):
            await upstream.open.wait()
        yield client, upstream


SIZES = (1, 125, 126, 65535, 65536, 1 << 20)
PAYLOADS = [
    (TEXT, b'{ "type" : "KeepAlive" }'),
    (BINARY, b""),
    (BINARY, b'{"type":"Settings"}'),
    (TEXT, "Grüße 你好 👋".encode()),
    (TEXT, b"not json"),
    (TEXT, b""),
    *(
        (BINARY, random.Random(size).randbytes(size))
        for size in (1, 125, 126, 65535, 65536, 1 << 20)
    ),
]


@pytest.mark.parametrize("path", UNTOUCHED)
async def test_every_frame_is_one_whole_plain_frame_with_the_same_bytes_both_ways(path):
    async with wired(path) as (client, upstream):
        for opcode, payload in PAYLOADS:
            client.send(opcode, payload)
        assert await upstream.heard(len(PAYLOADS)) == [
            (0x80 | opcode, True, payload) for opcode, payload in PAYLOADS
        ]
        for opcode, payload in PAYLOADS:
            upstream.send(0x80 | opcode, payload)
        async with asyncio.timeout(PATIENCE):
            received = [await _read(client.reader) for _ in PAYLOADS]
        assert received == [(0x80 | opcode, False, payload) for opcode, payload in PAYLOADS]


@pytest.mark.parametrize("path", [AGENT, *STREAMS, "/deepgram"])
@pytest.mark.parametrize("lines", [(), ("Origin: http://localhost:1",)], ids=["sdk", "browser"])
async def test_an_offer_to_deflate_is_declined_and_none_is_made(path, lines):
    async with wired(path, DEFLATE, *lines) as (client, upstream):
        assert "sec-websocket-extensions" not in client.headers
        assert b"sec-websocket-extensions" not in upstream.head.lower()
        client.send(TEXT, b'{"type":"Settings"}')
        [(first, _, payload)] = await upstream.heard(1)
        assert first == 0x80 | TEXT  # no reserved bit
        assert payload == b'{"type":"Settings"}'
        upstream.send(0x80 | BINARY, bytes(4096))
        async with asyncio.timeout(PATIENCE):
            assert await _read(client.reader) == (0x80 | BINARY, False, bytes(4096))


async def test_a_message_in_pieces_arrives_whole():
    """Boundaries are those of messages: a proxy may join the pieces of one (RFC 6455, 5.4)."""
    async with wired("/v1/listen") as (client, upstream):
        client.send(BINARY, b"one ", first=0)
        client.send(0, b"two ", first=0)
        client.send(PING, b"between")
        client.send(0, b"three")
        client.send(TEXT, b"next")
        assert await upstream.heard(2) == [
            (0x80 | BINARY, True, b"one two three"),
            (0x80 | TEXT, True, b"next"),
        ]


async def test_text_that_is_no_utf_8_stays_here():
    async with wired("/v2/listen") as (client, upstream):
        client.send(TEXT, b"\xff\xfe")
        client.send(TEXT, b"next")
        assert await upstream.heard(1) == [(0x80 | TEXT, True, b"next")]


async def test_each_leg_answers_pings_itself_and_passes_none_on_dgm_11():
    async with wired(AGENT) as (client, upstream):
        client.send(PING, b"client")
        upstream.send(0x80 | PING, b"upstream")
        async with asyncio.timeout(PATIENCE):
            assert await _read(client.reader) == (0x80 | PONG, False, b"client")
        assert await upstream.heard(1) == [(0x80 | PONG, True, b"upstream")]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"", (1000, b"")),
        ((1000).to_bytes(2, "big"), (1000, b"")),
        ((1008).to_bytes(2, "big") + b"DATA-0000", (1008, b"DATA-0000")),
        ((4321).to_bytes(2, "big") + "ü".encode(), (4321, "ü".encode())),
    ],
)
async def test_only_legal_closes_cross_dgm_8(sent, received):
    async with wired("/v2/listen") as (client, upstream):
        upstream.send(0x80 | CLOSE, sent)
        frames, code, reason = await client.frames_until_close()
        client.send(CLOSE, code.to_bytes(2, "big"))
        assert (frames, (code, reason)) == ([], received)


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"", b"\x03\xe8"),
        ((1001).to_bytes(2, "big") + b"away", (1001).to_bytes(2, "big") + b"away"),
        ((4000).to_bytes(2, "big"), (4000).to_bytes(2, "big")),
    ],
)
async def test_only_legal_closes_cross_dgm_9(sent, received):
    async with wired("/v1/speak") as (client, upstream):
        client.send(CLOSE, sent)
        assert await upstream.heard(1) == [(0x80 | CLOSE, True, received)]
        upstream.send(0x80 | CLOSE, received[:2])


async def test_a_client_that_is_lost_closes_the_upstream_normally_dgm_9():
    async with wired("/v1/listen") as (client, upstream):
        client.leave()
        assert await upstream.heard(1) == [(0x80 | CLOSE, True, b"\x03\xe8")]
        upstream.send(0x80 | CLOSE, b"\x03\xe8")
