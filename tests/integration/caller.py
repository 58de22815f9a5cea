"""A plain client of the Voice Agent protocol: aiohttp, JSON and nothing else. Every wait ends."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import aiohttp
import pytest

Heard = dict[str, Any] | bytes

PATIENCE = 10.0
"""Seconds any answer may take."""

SPEECH = Path(__file__).parents[1] / "data" / "speech.wav"
SPEECH_SECONDS = 2.7
"""How much of the recording the simulator hears as speech."""

FRAME_SECONDS = 0.02

PATHS = {"component": "/openai", "agent": "/v1/agent/converse"}

BOTH = pytest.mark.parametrize("dialect", PATHS)
"""Runs a test in either dialect."""

DONE = {"component": ["AgentDone", "AgentAudioDone"], "agent": ["AgentAudioDone"]}
"""How a reply ends."""

WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def speech(trailing_silence: float = 0.6) -> bytes:
    """The recording, 16 kHz linear16, and enough silence behind it to end the turn."""
    with wave.open(str(SPEECH)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        return file.readframes(file.getnframes()) + bytes(2 * round(16000 * trailing_silence))


def in_frames(audio: bytes, rate: int = 16000) -> list[bytes]:
    """Audio as microphones send it: 20 ms at a time."""
    size = round(rate * FRAME_SECONDS) * 2
    return [audio[start : start + size] for start in range(0, len(audio), size)]


def settings(**agent: Any) -> dict[str, Any]:
    """Settings with a 16 kHz microphone; ``think`` has a prompt unless it is given."""
    return {
        "type": "Settings",
        "audio": {
            "input": {"encoding": "linear16", "sample_rate": 16000},
            "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
        },
        "agent": {"think": {"prompt": "Be brief."}} | agent,
    }


def names(heard: Sequence[Heard]) -> list[str]:
    """What was heard: ``user: hello``, ``audio`` for any run of it, types for the rest."""
    return [name for name, _ in groupby(map(_name, heard))]


def _name(one: Heard) -> str:
    if isinstance(one, bytes):
        return "audio"
    if one["type"] == "ConversationText":
        return f"{one['role']}: {one['content']}"
    return str(one["type"])


def turn(dialect: str, said: str, reply: str) -> list[str]:
    """The names of a typed turn that is answered aloud (OUT-14)."""
    return [
        f"user: {said}",
        "AgentStartedSpeaking",
        "audio",
        f"assistant: {reply}",
        *DONE[dialect],
    ]


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    """The types of events, in order."""
    return [event["type"] for event in events]


def of_type(heard: Sequence[Heard], kind: str) -> list[dict[str, Any]]:
    """The messages of one type."""
    return [one for one in heard if isinstance(one, dict) and one["type"] == kind]


def sound(heard: Sequence[Heard]) -> bytes:
    """All audio, joined."""
    return b"".join(one for one in heard if isinstance(one, bytes))


class Caller:
    """One connection. ``heard`` is everything so far, without the interjections of ``History``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[Heard] = []
        self.history: list[dict[str, Any]] = []

    async def send(self, *frames: Heard | str) -> None:
        """Messages, audio, or text as it is."""
        for frame in frames:
            if isinstance(frame, bytes):
                await self.socket.send_bytes(frame)
            else:
                await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def inject(self, *contents: str) -> None:
        """InjectUserMessage, one for each."""
        await self.send(*({"type": "InjectUserMessage", "content": one} for one in contents))

    async def answer(self, call: dict[str, Any], content: str) -> None:
        """FunctionCallResponse to a call of a FunctionCallRequest."""
        answer = {"id": call["id"], "name": call["name"], "content": content}
        await self.send({"type": "FunctionCallResponse", **answer})

    async def until(self, kind: str, times: int = 1) -> list[Heard]:
        """Listen until messages of a type have come so often (``audio``: binary frames).

        Returns what came since the last call. Raises ConnectionError when the proxy closes.
        """
        heard: list[Heard] = []
        async with asyncio.timeout(PATIENCE):
            while times:
                one = await self._next()
                if one is None:
                    came = f"{self.socket.close_code} after {names(self.heard)[-5:]}"
                    raise ConnectionError(f"closed before {kind}: {came}")
                heard.append(one)
                times -= (one["type"] if isinstance(one, dict) else "audio") == kind
        return heard

    async def until_closed(self) -> tuple[int | None, list[Heard]]:
        """Listen to the end; the close code and what came before it."""
        heard: list[Heard] = []
        async with asyncio.timeout(PATIENCE):
            while (one := await self._next()) is not None:
                heard.append(one)
        return self.socket.close_code, heard

    async def _next(self) -> Heard | None:
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                self.heard.append(message.data)
                return bytes(message.data)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return None
            one: dict[str, Any] = json.loads(message.data)
            if one["type"] != "History":
                self.heard.append(one)
                return one
            self.history.append(one)

    async def hello(self, message: dict[str, Any] | None = None) -> list[Heard]:
        """Send Settings; returns what came up to SettingsApplied."""
        await self.send(message or settings())
        return await self.until("SettingsApplied")

    async def ask(self, content: str) -> list[Heard]:
        """A text turn, to its end."""
        await self.inject(content)
        return await self.until("AgentAudioDone")

    async def leave(self, code: int = 1000, reason: bytes = b"") -> None:
        """Close from this side."""
        async with asyncio.timeout(PATIENCE):
            await self.socket.close(code=code, message=reason)


@asynccontextmanager
async def calling(url: str, **options: Any) -> AsyncIterator[Caller]:
    """A connection to the proxy, closed with 1000 in the end."""
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(PATIENCE):
            socket = await session.ws_connect(url, max_msg_size=0, **options)
        caller = Caller(socket)
        try:
            yield caller
        finally:
            await caller.leave()
