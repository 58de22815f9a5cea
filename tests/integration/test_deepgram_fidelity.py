"""Where nothing is translated, frames come out as they went in: kind, bytes and boundaries."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiohttp import WSMsgType, web
from deepgram_proxy import AGENT, STREAMS, UNTOUCHED, relayed, wait
from running import PATIENCE, echo, hear

from voiceproxy.testing import connected

MIB = 1024 * 1024
SIZES = (0, 1, 2, 125, 126, 127, 4095, 65535, 65536, 65537, 300_000)
TEXTS = (
    '{"type":"KeepAlive"}',
    '{ "type" :\t"Settings", "agent":{"idleTimeoutMs":1.50,"think":{"toolChoice":"auto"}} }',
    '{"type":"InjectAgentMessage","content":"as it is"}',
    '{"type":"ConversationText","role":"assistant","content":"Grüße, 你好 👋 \\ud83d"}',
    '{"type":"AgentAudioDone"}',
    '{"type":"NobodyKnowsThis"}',
    '{"type":"Settings"',
    "not json: \x00\x1f\x7f\ufeff",
    "[1,2,3]",
    "null",
    "",
)

Sent = str | bytes


def random_frames(seed: int) -> list[Sent]:
    """Text and audio of every length that matters, shuffled."""
    dice = random.Random(seed)
    frames: list[Sent] = [dice.randbytes(size) for size in SIZES]
    frames += TEXTS
    frames += ["".join(dice.choices('aé€𝄞"\\\n', k=dice.randrange(3000))) for _ in range(5)]
    dice.shuffle(frames)
    return frames


async def send(ws, frame: Sent) -> None:
    await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))


async def receive(ws, count: int) -> list[Sent]:
    received = []
    async with asyncio.timeout(PATIENCE):
        for _ in range(count):
            message = await ws.receive()
            assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY)
            received.append(message.data)
    return received


@pytest.mark.parametrize("path", UNTOUCHED)
@pytest.mark.parametrize("keep_alive", [0, 60], ids=["bare", "watched"])
async def test_random_frames_come_back_as_they_went_dgm_5(path, keep_alive):
    frames = random_frames(seed=len(path))
    async with (
        relayed(echo, keep_alive=keep_alive) as (proxy, _),
        connected(proxy.url + path) as ws,
    ):
        sending = asyncio.ensure_future(_send_all(ws, frames))
        assert await receive(ws, len(frames)) == frames
        await sending


async def _send_all(ws, frames: list[Sent]) -> None:
    for frame in frames:
        await send(ws, frame)


@pytest.mark.parametrize("path", [AGENT, "/v1/listen", "/v1/speak"])
async def test_eight_mebibytes_are_one_frame(path):
    audio = random.Random(8).randbytes(8 * MIB)
    text = "é" * (4 * MIB)
    async with relayed(echo) as (proxy, _), connected(proxy.url + path) as ws:
        for frame in (audio, text):
            await send(ws, frame)
            [received] = await receive(ws, 1)
            assert received == frame


@pytest.mark.parametrize("path", [AGENT, *STREAMS])
async def test_early_frames_wait_in_order_for_the_upstream_dgm_5(path):
    """The client, a browser, is answered at once; the upstream takes its time."""
    answered = asyncio.Event()
    received: list[Sent] = []
    frames = random_frames(seed=5)

    async def collect(ws: web.WebSocketResponse, request: web.Request) -> None:
        received.extend(await receive(ws, len(frames)))
        answered.set()
        await wait(ws, request)

    async with relayed(collect, dial="after") as (proxy, _), connected(proxy.url + path) as ws:
        await _send_all(ws, frames)
        async with asyncio.timeout(PATIENCE):
            await answered.wait()
    assert received == frames


CONTROL = {
    "/v1/listen": ("CloseStream", "Finalize", "KeepAlive", "Configure"),
    "/v2/listen": ("CloseStream", "ForceEndTurn", "Configure"),
    "/v1/speak": ("Speak", "Flush", "Clear", "Close"),
    "/v2/speak": ("Speak", "Interrupt", "Flush", "Close"),
    AGENT: ("Settings", "KeepAlive", "UpdatePrompt"),
}


@pytest.mark.parametrize("path", CONTROL)
async def test_control_messages_stay_messages_and_close_nothing(path):
    """What the server still has to say after CloseStream or Close arrives, then its close."""
    kinds = CONTROL[path]

    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        got = await receive(ws, len(kinds) + 1)
        assert got[-1] == b""  # ends a listen stream, and is a frame like any other
        for text in got[:-1]:
            await ws.send_str(text)
        await ws.send_json({"type": "Metadata"})
        await ws.close(code=1000, message=b"done")

    async with relayed(script) as (proxy, _), connected(proxy.url + path) as ws:
        for kind in kinds:
            await ws.send_json({"type": kind})
        await ws.send_bytes(b"")
        heard = await hear(ws)
    assert heard.types == [*kinds, "Metadata"]
    assert (heard.code, heard.reason) == (1000, "done")


CLOSES = pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, ""),
        (1000, "Closed by client"),
        (1001, "away"),
        (1008, "DATA-0000"),
        (1011, "NET-0001: dpgr.am/net0001"),
        (4000, "théirs"),
    ],
)


@CLOSES
@pytest.mark.parametrize("path", [AGENT, "/v1/listen"])
async def test_the_upstreams_close_reaches_the_client_dgm_8(path, code, reason):
    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.send_str("last words")
        await ws.close(code=code, message=reason.encode())

    async with relayed(script) as (proxy, _), connected(proxy.url + path) as ws:
        heard = await hear(ws)
    assert (heard.frames, heard.code, heard.reason) == (["last words"], code, reason)


@CLOSES
async def test_the_clients_close_reaches_the_upstream_dgm_9(code, reason):
    closes = []

    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        heard = await hear(ws)
        closes.append((heard.code, heard.reason))

    async with relayed(script) as (proxy, _), connected(proxy.url + "/v1/listen") as ws:
        await ws.close(code=code, message=reason.encode())
    assert closes == [(code, reason)]


async def test_a_close_without_a_status_is_a_normal_one_dgm_8():
    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws._writer.send_frame(b"", WSMsgType.CLOSE)
        await ws.receive()

    async with relayed(script) as (proxy, _), connected(proxy.url + "/v2/listen") as ws:
        heard = await hear(ws)
    assert (heard.frames, heard.code) == ([], 1000)


@pytest.mark.parametrize("path", [AGENT, *STREAMS])
async def test_an_upstream_that_is_lost_closes_the_client_with_1011(path):
    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        request.transport.abort()

    async with relayed(script) as (proxy, _), connected(proxy.url + path) as ws:
        heard = await hear(ws)
    assert heard.code == 1011


async def test_pings_are_answered_on_both_legs_and_are_no_frames_dgm_11():
    ponged = asyncio.Event()

    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.ping(b"are you there")
        while (await ws.receive()).type is not WSMsgType.PONG:
            pass
        ponged.set()

    async with (
        relayed(_without_autoping(script)) as (proxy, _),
        connected(proxy.url + "/v1/listen", autoping=False) as ws,
        asyncio.timeout(PATIENCE),
    ):
        await ws.ping(b"and you")
        message = await ws.receive()
        await ponged.wait()
    assert (message.type, bytes(message.data)) == (WSMsgType.PONG, b"and you")


def _without_autoping(script):
    async def run(ws: web.WebSocketResponse, request: web.Request) -> None:
        ws._autoping = False
        await script(ws, request)

    return run


def test_the_random_frames_hold_every_size_once():
    frames = random_frames(1)
    sizes = [len(one) for one in frames if isinstance(one, bytes)]
    assert sorted(sizes) == sorted(SIZES)
    assert set(TEXTS) <= {one for one in frames if isinstance(one, str)}
