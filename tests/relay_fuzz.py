"""Mutated frames over real sockets: ``python tests/relay_fuzz.py --count N``.

Clients that break the protocol's rules, and those of WebSockets, talk through one proxy to
upstreams that do the same; one conversation beside them must notice nothing, and in the end nothing
may be left: no session, task or socket.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import sys
import time
from random import Random
from typing import Any

from aiohttp import web
from frame_fuzz import RAISED, Found, a_silent_simulator
from frame_mutations import SETTINGS, Mutator, client_messages, realtime_events
from running import RawClient, Running, reset, running

from voiceproxy import Binary, Frame
from voiceproxy.caller import Caller
from voiceproxy.testing import FakeUpstream, connected
from voiceproxy_simulator import SimulatedDeepgram

FRAMES_OF_A_SESSION = 60
AT_ONCE = 8
"""Fuzzing sessions at a time."""

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9

PATHS = ["/openai", "/v1/agent/converse", "/deepgram", "/v1/listen?model=nova-3"]


class Upstream:
    """A Realtime server without manners."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._mutator = Mutator(random)
        self._events = realtime_events("upstream")
        self.sent = 0

    async def __call__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        reading = asyncio.ensure_future(_read_all(ws))
        try:
            await ws.send_json({"type": "session.updated", "session": {}})
            for _ in range(self._random.randrange(FRAMES_OF_A_SESSION)):
                await self._send(ws, self._mutator.frame(self._random.choice(self._events)))
                await asyncio.sleep(0)
            self._break(request)
            await asyncio.wait([reading], timeout=0.05)
        except OSError:
            pass
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    def _break(self, request: web.Request) -> None:
        """Some connections end badly; this one may be gone already."""
        chance = self._random.random()
        if request.transport is not None and chance < 0.2:
            reset(request.transport)
        elif request.transport is not None and chance < 0.4:
            request.transport.write(self._random.randbytes(9))

    async def _send(self, ws: web.WebSocketResponse, frame: Frame) -> None:
        self.sent += 1
        opcode: Any = BINARY if isinstance(frame, Binary) else TEXT
        await ws.send_frame(frame.data, opcode)


async def _read_all(ws: web.WebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        async for _ in ws:
            pass


class Client:
    """A client without manners; ``sent`` frames so far."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._mutator = Mutator(random)
        self._says = client_messages("client")
        self.sent = 0

    def choose(self, among: list[str]) -> str:
        """One of them."""
        return self._random.choice(among)

    async def visit(self, url: str) -> None:
        """One session, from the upgrade to some bad end."""
        client = await RawClient.connect(url)
        reading = None
        try:
            if await client.answer() != 101:
                raise Found(f"the upgrade was answered with {client.status}")
            reading = asyncio.ensure_future(_swallow(client))
            client.send(TEXT, json.dumps(SETTINGS).encode())
            for _ in range(self._random.randrange(FRAMES_OF_A_SESSION)):
                self._send(client)
                await client.writer.drain()
                await asyncio.sleep(0)
            await self._end(client, reading)
        except OSError:
            pass  # the proxy has closed; it had reason to
        finally:
            client.leave()
            if reading is not None:
                reading.cancel()
                await asyncio.wait([reading])

    def _send(self, client: RawClient) -> None:
        self.sent += 1
        chance = self._random.random()
        if chance < 0.3:
            client.send(BINARY, self._mutator.audio().data)
        elif chance < 0.97:
            frame = self._mutator.frame(self._random.choice(self._says))
            data = frame.data
            client.send(BINARY if isinstance(frame, Binary) else TEXT, data)
        elif chance < 0.98:
            half = json.dumps(self._random.choice(self._says)).encode()
            client.send(TEXT, half[:9], first=0)  # in two fragments, a ping between them
            client.send(PING, b"?")
            client.send(0, half[9:])
        elif chance < 0.99:
            client.send(PING, self._random.randbytes(self._random.choice([0, 5, 125])))
        else:
            client.send(
                self._random.randrange(16),
                self._random.randbytes(self._random.choice([0, 1, 2, 126, 70_000])),
                first=self._random.choice([0x80, 0, 0xC0, 0xF0]),
            )

    async def _end(self, client: RawClient, reading: asyncio.Future[None]) -> None:
        how = self._random.randrange(5)
        if how == 0:
            client.reset()
        elif how == 1:
            client.writer.write(self._random.randbytes(20))
        elif how == 2:
            client.send(CLOSE, self._random.choice([b"", b"\3", b"\3\xe8", b"\0\0x", b"\xff" * 9]))
            await asyncio.wait([reading], timeout=2)
        elif how == 3:
            client.writer.write_eof()


async def _swallow(client: RawClient) -> None:
    with contextlib.suppress(ConnectionError):
        while await client.reader.read(1 << 16):
            pass


async def _witness(proxy: Running, words: str) -> None:
    """A conversation that must go well."""
    async with connected(proxy.url + "/deepgram") as ws:
        caller = Caller(ws, 30.0)
        await caller.say(SETTINGS)
        await caller.until("SettingsApplied")
        for number in range(3):
            said = f"{words} {number}"
            await caller.say({"type": "InjectUserMessage", "content": said})
            await caller.until("ConversationText", content=f'You said "{said}".')
            await caller.until("AgentAudioDone", times=number + 2)  # the first was the greeting's


async def _fuzz(
    proxy: Running, client: Client, upstream: Upstream, count: int, until: float
) -> dict[str, int]:
    """Groups of sessions, one after the other."""
    groups = 0
    while client.sent + upstream.sent < count and time.perf_counter() < until:
        visits = [client.visit(proxy.url + client.choose(PATHS)) for _ in range(AT_ONCE)]
        async with asyncio.timeout(120):
            await asyncio.gather(_witness(proxy, f"witness {groups}"), *visits)
        groups += 1
        if RAISED.texts:
            raise Found(RAISED.texts[0])
    sent = client.sent + upstream.sent
    return {"frames": sent, "sessions": groups * AT_ONCE, "witnesses": groups}


async def run(count: int, seed: int, seconds: float = 600.0) -> dict[str, int]:
    """Until that many frames have been sent, or the time is over. Raises Found, AssertionError."""
    random = Random(seed)
    upstream, client = Upstream(random), Client(random)
    until = time.perf_counter() + seconds
    logger = logging.getLogger("voiceproxy")
    logger.addHandler(RAISED)
    given = {"openai.api_key": "k", "deepgram.api_key": "k"}
    try:
        with a_silent_simulator():
            async with (
                FakeUpstream(upstream) as openai,
                SimulatedDeepgram(record=False) as deepgram,
            ):
                given |= {"deepgram.agent_url": deepgram.url, "deepgram.listen_url": deepgram.url}
                given |= {"openai.url": openai.url}
                async with running("openai", "deepgram", **given) as proxy:
                    return await _fuzz(proxy, client, upstream, count, until)
    finally:
        logger.removeHandler(RAISED)
        RAISED.texts.clear()


def main() -> int:
    """Run and print; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Send mutated frames over real sockets.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=3600.0)
    given = parser.parse_args()
    seed = int(time.time()) if given.seed is None else given.seed
    logging.disable(logging.WARNING)
    try:
        print(json.dumps(asyncio.run(run(given.count, seed, given.seconds)) | {"seed": seed}))
    except AssertionError as found:
        print(f"seed {seed}: {found}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
