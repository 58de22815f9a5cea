"""Audio that a translator only encodes: the host sends it on itself, and nobody can tell."""

from __future__ import annotations

import asyncio

import pytest
from running import PATIENCE, hear, hear_one, relaying, until
from session_parts import APPLIED, SETTINGS, Plain, say

from voiceproxy import Binary, Session, Text, hookimpl
from voiceproxy.inputs import Origin, Source
from voiceproxy.leg import MAX_ENCODED
from voiceproxy.testing import connected

both_loops = pytest.mark.both_loops


class Encoding(Plain):
    """Numbers the frames of audio, whoever sends them; notes those it sends itself.

    ``b"nothing"`` becomes nothing.
    """

    checks = "order"

    def __init__(self, session):
        super().__init__(session)
        self.number = 0
        self.own = []

    def opened(self):
        self.session.encode_audio(self.encode)

    def encode(self, data):
        self.number += 1
        return b"" if data == b"nothing" else b"%d %b" % (self.number, data)

    def client_frame(self, frame, message):
        if isinstance(frame, Binary):
            self.own.append(frame.data)
            self.session.to_upstream(Text(self.encode(frame.data)))
        else:
            super().client_frame(frame, message)


class Upstream:
    """Applies the Settings, then notes what it hears."""

    def __init__(self):
        self.got = []

    async def __call__(self, ws, request):
        while (await ws.receive_json()) != SETTINGS:
            pass
        await ws.send_json(APPLIED)
        self.got.extend([message.data async for message in ws])


def encoding(upstream, *plugins, translator=Encoding, **settings):
    return relaying(upstream, *plugins, backend={"translator": translator}, **settings)


async def apply(proxy, ws):
    await ws.send_json(SETTINGS)
    assert await hear_one(ws) == APPLIED
    await until(lambda: proxy.core.to_upstream.passes_audio())


@both_loops
async def test_audio_goes_up_encoded_and_is_no_input_of_the_session():
    upstream = Upstream()
    async with encoding(upstream) as proxy, connected(proxy.endpoint) as ws:
        await apply(proxy, ws)
        handled_last = proxy.core.inputs.origin = Origin(Source.PROXY)
        for data in (b"a", b"nothing", b"b"):
            await ws.send_bytes(data)
        await until(lambda: proxy.core.to_upstream.came.frames == 4)
        assert proxy.core.inputs.origin is handled_last
        assert proxy.core.translator.own == []
        assert proxy.core.upstream.total.frames == 3  # the Settings and two of audio
        await ws.close()
    assert upstream.got == ["1 a", "3 b"]


async def test_audio_that_comes_before_the_settings_are_applied_is_the_translators():
    upstream = Upstream()
    async with (
        encoding(upstream, dialect="component") as proxy,
        connected(proxy.endpoint) as ws,
    ):
        for data in (b"a", b"b"):
            await ws.send_bytes(data)
        await apply(proxy, ws)
        translator = proxy.core.translator
        await ws.send_bytes(b"c")
        await until(lambda: proxy.core.to_upstream.came.frames == 4)
        assert translator.own == [b"a", b"b"]
        await ws.close()
    assert upstream.got == ["1 a", "2 b", "3 c"]


async def test_a_very_long_frame_is_the_translators():
    upstream = Upstream()
    long = b"x" * (MAX_ENCODED + 1)
    async with encoding(upstream) as proxy, connected(proxy.endpoint) as ws:
        await apply(proxy, ws)
        translator = proxy.core.translator
        for data in (long[1:], long, b"b"):
            await ws.send_bytes(data)
        await until(lambda: proxy.core.to_upstream.came.frames == 4)
        assert translator.own[:1] == [long]  # what follows may find the line busy
        await ws.close()
    assert upstream.got == [f"1 {long[1:].decode()}", f"2 {long.decode()}", "3 b"]


async def test_a_translator_may_want_to_see_audio_again():
    upstream = Upstream()
    async with encoding(upstream) as proxy, connected(proxy.endpoint) as ws:
        await apply(proxy, ws)
        translator = proxy.core.translator
        await ws.send_bytes(b"a")
        await until(lambda: proxy.core.to_upstream.came.frames == 2)
        translator.session.encode_audio(None)
        await ws.send_bytes(b"b")
        await until(lambda: translator.own)
        translator.session.encode_audio(translator.encode)
        await ws.send_bytes(b"c")
        await until(lambda: proxy.core.to_upstream.came.frames == 4)
        assert translator.own == [b"b"]
        await ws.close()
    assert upstream.got == ["1 a", "2 b", "3 c"]


async def test_plugins_see_what_is_encoded():
    upstream, seen = Upstream(), []

    class Watching:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, frame: Text | Binary) -> None:
            if isinstance(frame, Binary):
                seen.append(frame.data)

    async with encoding(upstream, Watching()) as proxy, connected(proxy.endpoint) as ws:
        await ws.send_json(SETTINGS)
        assert await hear_one(ws) == APPLIED
        for data in (b"a", b"b"):
            await ws.send_bytes(data)
        await until(lambda: len(seen) == 2)
        await ws.close()
    assert upstream.got == ["1 a", "2 b"]
    assert seen == [b"a", b"b"]


@both_loops
async def test_audio_is_encoded_once_and_in_order_for_an_upstream_that_stops_reading():
    go_on, got = asyncio.Event(), []

    async def stall(ws, request):
        await ws.receive()
        await ws.send_json(APPLIED)
        request.transport.pause_reading()
        await go_on.wait()
        request.transport.resume_reading()
        got.extend([message.data async for message in ws])

    frames = [str(n) if n % 5 == 2 else b"%03d" % n * 10_000 for n in range(300)]

    async def send_all(ws):
        for frame in frames:
            if isinstance(frame, str):
                await ws.send_json(say(frame))
            else:
                await ws.send_bytes(frame)

    async with encoding(stall, upstream_buffer=300_000) as proxy, connected(proxy.endpoint) as ws:
        await apply(proxy, ws)
        sending = asyncio.ensure_future(send_all(ws))
        await until(lambda: not proxy.core.client_may_send)
        go_on.set()
        async with asyncio.timeout(PATIENCE):
            await sending
        await ws.close()
    audio = iter(range(1, 301))
    expected = [
        frame if isinstance(frame, str) else f"{next(audio)} {frame.decode()}" for frame in frames
    ]
    heard = [text if text[0] != "{" else Text(text.encode()).message()["content"] for text in got]
    assert heard == expected


@pytest.mark.parametrize("failure", [ValueError, SystemExit])
async def test_an_encoder_that_fails_ends_its_session_and_no_other(failure):
    class Failing(Encoding):
        def encode(self, data):
            if data == b"fail":
                raise failure
            return super().encode(data)

    translator, upstream = Failing, Upstream()
    async with (
        encoding(upstream, translator=translator) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await apply(proxy, ws)
        async with connected(proxy.endpoint) as other:
            await other.send_json(SETTINGS)
            assert await hear_one(other) == APPLIED
            await ws.send_bytes(b"fail")
            heard = await hear(ws)
            assert (heard.frames[0]["code"], heard.code) == ("internal_error", 1011)
            await other.send_bytes(b"still here")
            await other.close()
        await until(lambda: "1 still here" in upstream.got)
