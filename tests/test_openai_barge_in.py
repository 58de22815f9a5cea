"""Barge-in over real sockets, at a client that takes the audio no faster than it plays it."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import orjson
from openai_session import PAIR

import voiceproxy_openai
from voiceproxy.testing import FakeUpstream, serve

BYTES_PER_SECOND = 48_000
QUEUED = 30
"""Seconds of audio that wait in the proxy when the user speaks."""

KERNEL = 32_768
"""Bytes the client's kernel is asked to hold (it doubles them). Left to itself it takes more the
longer it has known the connection."""

LONGEST = 2.5
"""Seconds of audio that may have left the proxy by then: the client plays them first. Most of them
lie in that kernel."""

PATIENCE = 30


class Speaker:
    """An upstream that says thirty seconds at once; then the user speaks."""

    def __init__(self) -> None:
        self.truncated: asyncio.Future[dict] = asyncio.get_running_loop().create_future()

    async def __call__(self, upstream, request) -> None:
        async for message in upstream:
            event = orjson.loads(message.data)
            if event["type"] == "conversation.item.truncate":
                self.truncated.set_result(event)
            elif event["type"] == "session.update":
                await upstream.send_json({"type": "session.updated", "session": {}})
                await self.speak(upstream)

    async def speak(self, upstream) -> None:
        await upstream.send_json({"type": "response.created", "response": {"id": "r1"}})
        for _ in range(QUEUED * 10):
            await upstream.send_json(delta(b"\1\0"))
        await upstream.send_json({"type": "input_audio_buffer.speech_started", "item_id": "mic"})
        await upstream.send_json(delta(b"\2\0"))
        cut = {"id": "r1", "status": "cancelled", "output": []}
        await upstream.send_json({"type": "response.done", "response": cut})


def delta(sample: bytes) -> dict:
    """A tenth of a second."""
    audio = base64.b64encode(sample * (BYTES_PER_SECOND // 20)).decode()
    return {
        "type": "response.output_audio.delta",
        "response_id": "r1",
        "item_id": "i1",
        "content_index": 0,
        "delta": audio,
    }


class Player:
    """A client on a bare socket, which buffers nothing beyond what its kernel does."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()

    async def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(self._connection, size - len(data))
            assert more, "the proxy has closed"
            data += more
        return data

    async def upgrade(self, path: str, host: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        await self._loop.sock_sendall(
            self._connection,
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode(),
        )
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await self.take(1)
        assert b" 101 " in answer.splitlines()[0]

    async def send(self, message: dict) -> None:
        payload = orjson.dumps(message)
        assert len(payload) < 126
        frame = bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload
        await self._loop.sock_sendall(self._connection, frame)

    async def frame(self) -> bytes | dict:
        opcode, length = await self.take(2)
        if length == 126:
            length = int.from_bytes(await self.take(2), "big")
        data = await self.take(length)
        return orjson.loads(data) if opcode & 15 == 1 else data


@asynccontextmanager
async def player(url: str) -> AsyncIterator[Player]:
    address = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (address.hostname, address.port))
        client = Player(connection)
        await client.upgrade("/openai", address.netloc)
        yield client


async def test_a_client_that_reads_at_its_own_pace_soon_hears_of_the_user_out_15():
    speaker = Speaker()
    async with (
        asyncio.timeout(PATIENCE),
        FakeUpstream(speaker) as upstream,
        serve(voiceproxy_openai, settings={"openai.url": upstream.url}) as url,
        player(url) as client,
    ):
        await client.send({"type": "Settings"})
        truncated = await speaker.truncated  # the client has not read a frame of it yet
        frames = [await client.frame()]
        while kind_of(frames[-1]) != "AgentAudioDone":
            frames.append(await client.frame())
        heard = [kind_of(frame) for frame in frames]
        messages = [kind for kind in heard if kind != "audio"]
        assert messages[-4:] == ["AgentStartedSpeaking", "UserStartedSpeaking", *PAIR]
        assert "audio" not in heard[heard.index("UserStartedSpeaking") :]
        audio = b"".join(frame for frame in frames if isinstance(frame, bytes))
        assert 0 < len(audio) <= LONGEST * BYTES_PER_SECOND
        assert b"\2" not in audio
        assert 0 < truncated["audio_end_ms"] <= QUEUED * 1000 - 2000


def kind_of(frame: bytes | dict) -> str:
    return "audio" if isinstance(frame, bytes) else frame["type"]
