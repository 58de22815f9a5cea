"""A Voice Agent client for tests: it keeps what it hears, and every wait of it ends."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from collections.abc import Callable
from typing import Any

import aiohttp

Message = dict[str, Any]


class Caller:
    """A client that keeps everything it hears, in order: JSON objects, and audio as bytes.

    ``patience``: seconds until what it listens for must have come.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, patience: float = 10.0) -> None:
        self.heard: list[Message | bytes] = []
        self.socket = socket
        self._patience = patience

    async def say(self, *frames: Message | bytes | str) -> None:
        """Send messages, audio, or raw text."""
        for frame in frames:
            if isinstance(frame, bytes):
                await self.socket.send_bytes(frame)
            else:
                text = frame if isinstance(frame, str) else json.dumps(frame)
                await self.socket.send_str(text)

    async def until(self, kind: str, times: int = 1, **fields: object) -> Message:
        """Listen until a message of that type, with those fields, has come that often in all.

        Raises AssertionError when it does not come in time, or the connection ends before.
        """

        def is_there() -> list[Message]:
            return [
                one
                for one in self.messages(kind)
                if all(one.get(name) == value for name, value in fields.items())
            ]

        await self._listen(lambda: len(is_there()) >= times, f"{kind} {fields or ''}")
        return is_there()[times - 1]

    async def first(self) -> Message | bytes:
        """The first frame."""
        await self._listen(lambda: bool(self.heard), "a first frame")
        return self.heard[0]

    async def rest(self, seconds: float = 0.3) -> None:
        """Listen a moment longer, for what should not come."""
        try:
            async with asyncio.timeout(seconds):
                while await self._hear():
                    pass
        except TimeoutError:
            return

    async def _listen(self, done: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while not done():
                    if not await self._hear():
                        raise AssertionError(f"closed with {self.socket.close_code} before {what}")
        except TimeoutError:
            text = f"no {what} within {self._patience:g} s; heard {self.types()}"
            raise AssertionError(text) from None

    async def _hear(self) -> bool:
        message = await self.socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            self.heard.append(json.loads(message.data))
        elif message.type is aiohttp.WSMsgType.BINARY:
            self.heard.append(message.data)
        else:
            return False
        return True

    def messages(self, kind: str) -> list[Message]:
        """The messages of a type."""
        return [one for one in self.heard if isinstance(one, dict) and one.get("type") == kind]

    def types(self) -> list[str]:
        """What was heard, shortly: types, and ``audio`` for each run of binary frames."""
        short: list[str] = []
        for one in self.heard:
            kind = str(one.get("type")) if isinstance(one, dict) else "audio"
            if kind != "audio" or short[-1:] != ["audio"]:
                short.append(kind)
        return short


def tone(milliseconds: int, sample_rate: int = 16000) -> bytes:
    """linear16 of a voice-like sound; what is silent is not heard."""
    samples = (
        int(9000 * math.sin(2 * math.pi * 220 * n / sample_rate))
        for n in range(sample_rate * milliseconds // 1000)
    )
    return b"".join(struct.pack("<h", sample) for sample in samples)
