"""Audio that goes straight from one socket to the other: when it does, and that nobody can tell."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from running import PATIENCE, hear, hear_one, raw_client, relaying, reset, running, until
from session_parts import APPLIED, SETTINGS, Plain, say

from voiceproxy import Binary, Session, Text, hookimpl
from voiceproxy.closing import Closing, Traffic
from voiceproxy.inputs import Origin, Source
from voiceproxy.testing import FakeBackend, connected, listening

both_loops = pytest.mark.both_loops


class Closings:
    """Notes how sessions end; it sees no frame."""

    def __init__(self) -> None:
        self.seen: list[Closing] = []

    @hookimpl
    def voiceproxy_close(self, session: Session, close: Closing) -> None:
        self.seen.append(close)


async def _echo_in_kind(ws, request):
    async for message in ws:
        await (ws.send_str if isinstance(message.data, str) else ws.send_bytes)(message.data)


async def _converse(ws):
    """Text last from the client, then audio there and back twice: the first begins a turn."""
    await ws.send_json(say("hello"))
    await hear_one(ws)
    for _ in range(2):
        await ws.send_bytes(b"audio")
        assert await hear_one(ws) == b"audio"


@both_loops
async def test_audio_nobody_looks_at_is_no_input_of_the_session():
    async with relaying(_echo_in_kind) as proxy, connected(proxy.endpoint) as ws:
        await _converse(ws)
        handled_last = proxy.core.inputs.origin = Origin(Source.PROXY)
        await ws.send_bytes(b"audio")
        assert await hear_one(ws) == b"audio"
        assert proxy.core.inputs.origin is handled_last
        await ws.send_json(say("a question"))
        assert await hear_one(ws) == say("a question")
        assert proxy.core.inputs.origin is not handled_last


@both_loops
async def test_a_plugin_that_registers_for_audio_sees_every_frame_of_it():
    seen = []

    class Watching:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, frame: Text | Binary) -> None:
            seen.append(("client", frame.data))

        @hookimpl
        def voiceproxy_upstream_frame(self, session: Session, frame: Text | Binary) -> None:
            seen.append(("upstream", frame.data))

    async with relaying(_echo_in_kind, Watching()) as proxy, connected(proxy.endpoint) as ws:
        for number in range(5):
            await ws.send_bytes(bytes([number]))
            assert await hear_one(ws) == bytes([number])
    assert seen == [(side, bytes([n])) for n in range(5) for side in ("client", "upstream")]


async def test_straight_frames_are_counted_like_all_others():
    closings = Closings()
    async with relaying(_echo_in_kind, closings) as proxy, connected(proxy.endpoint) as ws:
        await _converse(ws)
        await ws.send_bytes(b"")
        assert await hear_one(ws) == b""
    [close] = closings.seen
    size = len(json.dumps(say("hello"))) + 2 * len(b"audio")
    assert close.from_client == close.to_upstream == Traffic(4, size)
    assert close.from_upstream == close.to_client == Traffic(4, size)


@both_loops
async def test_audio_and_messages_keep_their_order_through_a_client_that_stops_reading():
    total = 400

    async def speak(ws, request):
        for number in range(total):
            if number % 7 == 3:
                await ws.send_str(f'{{"type": "Numbered", "number": {number}}}')
            else:
                await ws.send_bytes(number.to_bytes(4, "big") * 8_000)
        await ws.close(code=4002)

    async with (
        relaying(speak, client_buffer=300_000, close_timeout=3.0) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        core = proxy.core
        await until(lambda: core.client.full)
        await asyncio.sleep(0.1)  # time to do wrong
        assert core.client.bytes < 300_000 + 32_000
        client.go_on_reading()
        for number in range(total):
            opcode, payload = await client.frame()
            if opcode == 1:
                assert payload == f'{{"type": "Numbered", "number": {number}}}'.encode()
            else:
                assert payload[:4] == number.to_bytes(4, "big")
        assert (await client.frames_until_close())[1] == 4002


@both_loops
async def test_audio_and_messages_keep_their_order_through_an_upstream_that_stops_reading():
    go_on, got = asyncio.Event(), []

    async def stall(ws, request):
        request.transport.pause_reading()
        await go_on.wait()
        request.transport.resume_reading()
        got.extend([message.data async for message in ws])

    frames = [str(n) if n % 5 == 2 else n.to_bytes(4, "big") * 8_000 for n in range(300)]

    async def send_all(ws):
        for frame in frames:
            await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))

    async with (
        relaying(stall, upstream_buffer=300_000) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        sending = asyncio.ensure_future(send_all(ws))
        await until(lambda: proxy.live)
        core = proxy.core
        await until(lambda: not core.client_may_send)
        assert not sending.done()
        go_on.set()
        async with asyncio.timeout(PATIENCE):
            await sending
        await ws.close()
    assert got == frames


@asynccontextmanager
async def held_back(script, let):
    """A server that answers an upgrade only when ``let`` is set; yields its URL."""

    async def answer(request):
        await let.wait()
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        await script(ws, request)
        return ws

    app = web.Application()
    app.router.add_get("/", answer)
    async with listening(app) as url:
        yield f"ws{url.removeprefix('http')}/"


async def test_what_comes_before_the_upstream_is_there_goes_before_what_comes_then():
    let, got = asyncio.Event(), []

    async def listen(ws, request):
        got.extend([message.data async for message in ws])

    async with (
        held_back(listen, let) as url,
        running(FakeBackend(url, dial="after")) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        for number in range(200):
            if number == 100:
                await until(lambda: len(proxy.core.upstream) == 100)
                let.set()
            await ws.send_bytes(bytes([number]))
        await until(lambda: proxy.core.to_upstream.came.frames == 200)
        await until(lambda: proxy.core.upstream.first is None)
        await ws.close()
    assert got == [bytes([number]) for number in range(200)]


@pytest.mark.parametrize("kind", ["bytes", "str"])
async def test_a_frame_over_the_limit_is_refused_where_others_go_straight(kind):
    async with (
        relaying(_echo_in_kind, max_client_frame=1000) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await _converse(ws)
        await ws.send_bytes(bytes(1000))
        assert await hear_one(ws) == bytes(1000)
        await (ws.send_bytes(bytes(1001)) if kind == "bytes" else ws.send_str("x" * 1001))
        heard = await hear(ws)
    assert (heard.frames[0]["code"], heard.code) == ("frame_too_big", 1009)


@both_loops
async def test_an_upstream_that_is_gone_in_the_middle_of_speech_ends_the_session():
    async def leave(ws, request):
        for _ in range(3):
            await ws.receive()
        reset(request.transport)

    async with relaying(leave) as proxy, connected(proxy.endpoint) as ws:
        for _ in range(3):
            await ws.send_bytes(b"speech")
        heard = await hear(ws)
    assert heard.code == 1011


@both_loops
async def test_a_client_that_is_gone_in_the_middle_of_speech_ends_the_session():
    ended = asyncio.get_running_loop().create_future()

    async def speak(ws, request):
        while not ws.closed:
            try:
                await ws.send_bytes(bytes(1000))
            except ConnectionError:
                break
            await asyncio.sleep(0)
        ended.set_result(True)

    async with relaying(speak) as proxy, raw_client(proxy.endpoint) as client:
        for _ in range(10):
            await client.frame()
        client.reset()
        await until(lambda: not proxy.live)
        async with asyncio.timeout(PATIENCE):
            assert await ended


class Redialling(Plain):
    """Forwards audio and goes on with another connection when the upstream leaves."""

    checks = "order"
    forwards_audio = True

    def upstream_closed(self, close):
        self.session.dial()


@both_loops
async def test_audio_for_an_upstream_that_is_dialled_again_waits_for_it():
    let, got = asyncio.Event(), []
    let.set()

    async def take_two(ws, request):
        got.append([])
        if len(got) == 1:
            await ws.receive()
            await ws.send_json(APPLIED)
        for _ in range(2):
            got[-1].append((await ws.receive()).data)
        if len(got) == 1:
            let.clear()

    async with (
        held_back(take_two, let) as url,
        running(FakeBackend(url, translator=Redialling)) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_json(SETTINGS)
        await until(lambda: proxy.core.to_upstream.passes_audio())
        await ws.send_bytes(b"1")
        await ws.send_bytes(b"2")
        await until(lambda: not let.is_set())
        await until(lambda: proxy.core.dialled.upstream and not proxy.core.dialled.again)
        await ws.send_bytes(b"3")
        await until(lambda: proxy.core.upstream.first == Binary(b"3"))
        let.set()
        await ws.send_bytes(b"4")
        await until(lambda: len(got) > 1 and len(got[1]) == 2)
    assert got[:2] == [[b"1", b"2"], [b"3", b"4"]]


async def test_an_empty_frame_is_left_to_the_gate_where_a_translator_only_forwards_audio():
    got = []

    async def listen(ws, request):
        await ws.receive()
        await ws.send_json(APPLIED)
        got.extend([message.data async for message in ws])

    async with (
        relaying(listen, backend={"translator": Redialling}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_json(SETTINGS)
        await until(lambda: proxy.core.to_upstream.passes_audio())
        for data in (b"", b"1", b"", b"2"):
            await ws.send_bytes(data)
        await until(lambda: proxy.core.to_upstream.came.frames == 5)
        await ws.close()
    assert got == [b"1", b"2"]


class Uninterested(Plain):
    """Notes the audio it sees and lets the rest pass."""

    checks = "order"

    def __init__(self, session):
        super().__init__(session)
        self.seen = []

    def opened(self):
        self.session.pass_audio(True)

    def upstream_frame(self, frame):
        if isinstance(frame, Binary):
            self.seen.append(frame.data)
        super().upstream_frame(frame)


@both_loops
async def test_audio_a_translator_lets_pass_keeps_its_order_and_its_time_is_noted():
    frames = [b"first", b"2", b"", b"3", say("4"), b"5", APPLIED, b"6", b"7"]

    async def speak(ws, request):
        await ws.receive()
        for frame in frames:
            await (ws.send_bytes if isinstance(frame, bytes) else ws.send_json)(frame)
        await ws.receive()

    async with (
        relaying(speak, backend={"translator": Uninterested}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        began = asyncio.get_running_loop().time()
        await ws.send_json(SETTINGS)
        assert [await hear_one(ws) for _ in frames] == frames
        translator = proxy.core.translator
        assert translator.seen == [b"first", b""]  # the host looks at the first, gates the empty
        assert began <= translator.session.audio_passed_at <= translator.session.now()
        assert proxy.core.to_client.came.frames == len(frames)
