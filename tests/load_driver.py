"""Many conversations at once, from one process: ``python tests/load_driver.py --url ws://...``.

Each session is a person on a line whose microphone sends a frame every 20 ms all the time: speaks
for its own length of time, listens to the answer, types something only it would say, listens again,
and so on.
Every answer is compared with what was said: words with words, seconds of speech with the seconds
spoken, and the agent's audio byte by byte with what the simulator sings for that text. One answer
that reaches another session is a failure.

Prints one line of JSON: how many turns, how fast, and every failure.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import sys
from collections import deque
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any

import aiohttp
import numpy as np

from voiceproxy_simulator.formats import FORMATS
from voiceproxy_simulator.speech import Speech

RATE = 16000
FRAME_SECONDS = 0.02
FRAME_BYTES = round(RATE * FRAME_SECONDS) * 2
SILENCE = bytes(FRAME_BYTES)
TURN_TIMEOUT = 20.0
VOICE = "marin"

SETTINGS = {
    "type": "Settings",
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": RATE},
        "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
    },
    "agent": {"think": {"prompt": "Be brief."}, "sessionAudioOutput": {"voice": VOICE}},
}

HEARD = re.compile(r"I heard (\d+\.\d) s of speech\.")


@dataclass
class Reply:
    """What came of one turn."""

    text: str = ""
    audio: hashlib._Hash = field(default_factory=lambda: hashlib.sha1(usedforsecurity=False))
    bytes: int = 0
    latency: float = 0.0
    """Seconds until its first audio."""


@dataclass
class Result:
    """What came of everything."""

    turns: dict[int, int] = field(default_factory=dict)
    """Turns by session."""
    latencies: list[tuple[float, str]] = field(default_factory=list)
    """Seconds from the end of what was said to the first audio of the answer; what was said."""
    frames: int = 0
    """Frames of 20 ms all microphones sent."""
    lateness: float = 0.0
    """Seconds by which a microphone was behind at worst: this process was slow, or was stopped."""
    replies: list[tuple[int, str, int, str]] = field(default_factory=list)
    """Session, text, bytes and digest of every answer, to be compared when all is over."""
    failures: list[str] = field(default_factory=list)


class Session:
    """One person."""

    def __init__(
        self, number: int, socket: aiohttp.ClientWebSocketResponse, result: Result
    ) -> None:
        self._number = number
        self._socket = socket
        self._result = result
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._speech: deque[bytes] = deque()

    async def begin(self) -> None:
        """Settings, and the answer to them."""
        await self._socket.send_json(SETTINGS)
        while (await self._message())["type"] != "SettingsApplied":
            continue

    async def converse(self, until: float) -> None:
        """Turn after turn until the time is over; a turn that began is finished."""
        for turn, speaks in enumerate(cycle([True, False])):
            if self._loop.time() >= until:
                return
            async with asyncio.timeout(TURN_TIMEOUT):
                await (self._speak(turn) if speaks else self._type(turn))
            self._result.turns[self._number] = turn + 1
            await asyncio.sleep(0.2 + 0.05 * ((self._number + turn) % 7))

    async def _type(self, turn: int) -> None:
        words = f"session {self._number} turn {turn} {self._number * 7919 + turn}"
        began = self._loop.time()
        await self._socket.send_json({"type": "InjectUserMessage", "content": words})
        reply = await self._reply(began)
        self._check(reply, reply.text == f'You said "{words}".', words)

    async def _speak(self, turn: int) -> None:
        seconds = 0.4 + 0.1 * ((self._number * 3 + turn) % 12)
        self._speech.extend(_hum(seconds, 200 + self._number))
        reply = await self._reply(0.0)
        heard = HEARD.fullmatch(reply.text)
        fits = heard is not None and abs(float(heard[1]) - seconds) < 0.11
        self._check(reply, fits, f"{seconds:.1f} s of speech")

    async def hold_the_line(self) -> None:
        """The microphone: a frame every 20 ms for as long as the session lasts."""
        for place in count():
            wait = self._began + place * FRAME_SECONDS - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            self._result.frames += 1
            self._result.lateness = max(self._result.lateness, -wait)
            await self._socket.send_bytes(self._speech.popleft() if self._speech else SILENCE)

    async def _reply(self, began: float) -> Reply:
        reply, first_audio = Reply(), 0.0
        while True:
            message = await self._message()
            if isinstance(message["type"], bytes):
                first_audio = first_audio or self._loop.time()
                reply.audio.update(message["type"])
                reply.bytes += len(message["type"])
            elif message["type"] == "UtteranceEnd":
                began = self._loop.time()
            elif message["type"] == "ConversationText" and message["role"] == "assistant":
                reply.text += message["content"]
            elif message["type"] == "Error":
                self._result.failures.append(f"session {self._number}: {message}")
            elif message["type"] == "AgentAudioDone":
                reply.latency = max(0.0, first_audio - began)
                return reply

    def _check(self, reply: Reply, fits: bool, said: str) -> None:
        self._result.latencies.append((reply.latency, said))
        if not fits:
            self._result.failures.append(
                f"session {self._number} said {said!r}, got {reply.text!r}"
            )
        self._result.replies.append(
            (self._number, reply.text, reply.bytes, reply.audio.hexdigest())
        )

    async def _message(self) -> dict[str, Any]:
        """The next message; a binary frame is ``{"type": its bytes}``."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            parsed: dict[str, Any] = json.loads(message.data)
            return parsed
        if message.type is aiohttp.WSMsgType.BINARY:
            return {"type": message.data}
        raise ConnectionError(f"closed with {self._socket.close_code}")


def _hum(seconds: float, pitch: int) -> list[bytes]:
    """A voice of that length, in frames."""
    time = np.arange(round(seconds * RATE)) / RATE
    hum = (0.3 * 32767 * np.sin(2 * np.pi * pitch * time)).astype("<i2").tobytes()
    starts = range(0, len(hum), FRAME_BYTES)
    return [hum[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0") for start in starts]


async def run(url: str, sessions: int, seconds: float) -> Result:
    """All sessions at once; returns when the last has finished its last turn."""
    result = Result()
    loop = asyncio.get_running_loop()

    async def one(client: aiohttp.ClientSession, number: int) -> None:
        await asyncio.sleep(number * min(2.0, seconds / 4) / sessions)  # people do not call as one
        try:
            async with client.ws_connect(url, max_msg_size=0) as socket:
                session = Session(number, socket, result)
                async with asyncio.timeout(TURN_TIMEOUT):
                    await session.begin()
                microphone = asyncio.create_task(session.hold_the_line())
                try:
                    await session.converse(until)
                finally:
                    microphone.cancel()
                    await asyncio.wait([microphone])
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            result.failures.append(f"session {number}: {type(error).__name__}: {error}")

    until = loop.time() + seconds
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:
        await asyncio.gather(*(one(client, number) for number in range(sessions)))
    compare_audio(result)
    return result


def compare_audio(result: Result) -> None:
    """Every answer's audio is what the simulator sings for its text, whole and nothing else."""
    expected: dict[str, tuple[int, str]] = {}
    for number, text, size, digest in result.replies:
        if text not in expected:
            audio = b"".join(Speech(text, FORMATS["audio/pcm"], VOICE).deltas())
            sha = hashlib.sha1(audio, usedforsecurity=False).hexdigest()
            expected[text] = (len(audio), sha)
        if expected[text] != (size, digest):
            result.failures.append(
                f"session {number}: {size} bytes of audio for {text!r}, not {expected[text][0]}"
                if expected[text][0] != size
                else f"session {number}: other audio than that of {text!r}"
            )


def summary(result: Result) -> dict[str, Any]:
    """The figures."""
    latencies = sorted(seconds for seconds, _ in result.latencies) or [0.0]
    turns = list(result.turns.values()) or [0]
    return {
        "sessions": len(result.turns),
        "turns": sum(turns),
        "fewest_turns": min(turns),
        "most_turns": max(turns),
        "first_audio_ms": {
            "median": round(latencies[len(latencies) // 2] * 1000, 1),
            "p95": round(latencies[int(len(latencies) * 0.95)] * 1000, 1),
            "worst": round(latencies[-1] * 1000, 1),
        },
        "slowest": [f"{round(s * 1000)} ms: {said}" for s, said in sorted(result.latencies)[-5:]],
        "frames": result.frames,
        "worst_lateness_ms": round(result.lateness * 1000, 1),
        "failures": len(result.failures),
        "first_failures": result.failures[:10],
    }


def main() -> int:
    """Run and print; 1 when anything failed."""
    parser = argparse.ArgumentParser(description="Hold many conversations at once.")
    parser.add_argument("--url", default="ws://127.0.0.1:8080/openai")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    result = asyncio.run(run(given.url, given.sessions, given.seconds))
    print(json.dumps(summary(result)), flush=True)
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
