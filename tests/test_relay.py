"""voiceproxy/relay.py: frames, order, bounds and closes between two real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import replace

import aiohttp
import psutil
import pytest
from aiohttp import WSMsgType, web
from running import (
    PATIENCE,
    QUICK,
    Heard,
    echo,
    hear,
    hear_one,
    raw_client,
    relaying,
    reset,
    running,
    until,
)

from voiceproxy import Binary, Close, Session, Text, Upstream, hookimpl
from voiceproxy.app import RECEPTION
from voiceproxy.backlog import UNSENT_BYTES
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening

both_loops = pytest.mark.both_loops

CLOSES = [(1000, ""), (1001, "bye"), (1011, "broken"), (4001, "mine"), (3000, "é" * 61)]


@both_loops
async def test_frames_cross_untouched_in_both_directions_and_in_order():
    frames = ['{"type": "A",  "spaced" : 1}', b"\x00", b"", "not json", b"\xff" * 3, "é"]
    async with relaying(echo) as proxy, connected(proxy.endpoint) as ws:
        for frame in frames:
            await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
        got = [(await ws.receive()).data for _ in frames]
    assert got == frames


@both_loops
async def test_a_30_mb_upstream_frame_passes():
    frame = os.urandom(1024) * 30_000

    async def send_it(ws, request):
        await ws.send_bytes(frame)

    async with relaying(send_it) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert [len(one) for one in heard.frames] == [len(frame)]
    assert heard.frames == [frame]


@both_loops
async def test_a_20_mb_client_frame_gets_an_error_and_1009_that_arrive():
    async with relaying(echo) as proxy, connected(proxy.endpoint) as ws:
        await ws.send_bytes(bytes(20_000_000))
        heard = await hear(ws)
    assert (heard.errors, heard.code) == (["frame_too_big"], 1009)


async def test_a_frame_of_exactly_the_limit_passes_in_both_directions():
    limits = {"max_client_frame": 1000, "max_upstream_frame": 1000}
    async with relaying(echo, **limits) as proxy, connected(proxy.endpoint) as ws:
        await ws.send_bytes(bytes(1000))
        assert await hear_one(ws) == bytes(1000)


async def test_an_upstream_frame_over_the_limit_ends_the_session_with_1009():
    async def send_it(ws, request):
        await ws.send_bytes(bytes(1001))
        await ws.receive()

    async with (
        relaying(send_it, max_upstream_frame=1000) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        heard = await hear(ws)
    assert (heard.errors, heard.code) == (["frame_too_big"], 1009)


async def test_a_client_that_is_told_its_frame_is_too_big_by_the_upstream_gets_that_close():
    async def refuse(ws, request):
        await ws.close(code=1009, message=b"too big for me")

    async with relaying(refuse) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert (heard.errors, heard.code, heard.reason) == ([], 1009, "too big for me")


# Closing.


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_an_upstreams_close_reaches_the_client_and_is_echoed_to_the_upstream(code, reason):
    echoed = asyncio.get_running_loop().create_future()

    async def close(ws, request):
        await ws.send_str("last words")
        await ws.close(code=code, message=reason.encode())
        echoed.set_result(ws.close_code)

    async with relaying(close) as proxy:
        async with connected(proxy.endpoint) as ws:
            heard = await hear(ws)
        assert await echoed == code
    assert (heard.frames, heard.code, heard.reason) == (["last words"], code, reason)


@pytest.mark.parametrize(("code", "reason"), CLOSES)
async def test_a_clients_close_reaches_the_upstream_behind_what_it_sent(code, reason):
    got = Heard()

    async def listen(ws, request):
        nonlocal got
        got = await hear(ws)

    async with relaying(listen) as proxy, connected(proxy.endpoint) as ws:
        for number in range(100):
            await ws.send_str(str(number))
        await ws.close(code=code, message=reason.encode())
        assert ws.close_code == code
    assert got.frames == list(range(100))
    assert (got.code, got.reason) == (code, reason)


async def test_a_close_without_a_code_becomes_1000():
    async def close(ws, request):
        await ws._writer.send_frame(b"", WSMsgType.CLOSE)
        await ws.receive()

    async with relaying(close) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert (heard.code, heard.reason) == (1000, "")


@pytest.mark.parametrize("code", [1005, 1006, 1015, 999, 5000, 0, 2999])
async def test_a_plugin_cannot_put_an_illegal_close_on_the_wire(code):
    class Closer:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, frame: Text | Binary) -> None:
            session.close(code, "ü" * 200)

    async with relaying(echo, Closer()) as proxy, connected(proxy.endpoint) as ws:
        await ws.send_bytes(b"x")
        heard = await hear(ws)
    assert heard.code == (1000 if code == 1005 else 1011)
    assert heard.reason == "ü" * 61


async def test_our_close_code_wins_over_an_upstream_that_talks_on():
    codes = []

    async def talk(ws, request):
        talking = asyncio.ensure_future(_talk(ws))
        codes.append((await hear(ws)).code)
        talking.cancel()

    class Closer:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, frame: Text | Binary) -> None:
            session.later(0.002, lambda: session.close(4002))

    async with relaying(talk, Closer()) as proxy:
        for _ in range(20):
            async with connected(proxy.endpoint) as ws:
                await ws.send_bytes(b"x")
                await hear(ws)
        await until(lambda: not proxy.live)
    assert codes == [4002] * 20


async def _talk(ws):
    with contextlib.suppress(ConnectionError):
        while True:
            await ws.send_str("and another thing")
            await asyncio.sleep(0)


async def test_a_clients_illegal_close_code_goes_no_further():
    got = Heard()

    async def listen(ws, request):
        nonlocal got
        got = await hear(ws)

    async with relaying(listen) as proxy, connected(proxy.endpoint) as ws:
        await ws.close(code=5000)
    assert got.code == 1011


@both_loops
async def test_a_client_that_breaks_the_websocket_protocol_is_closed_with_1002():
    async with relaying(echo) as proxy, raw_client(proxy.endpoint) as client:
        client.send(0x3, b"reserved")
        assert (await client.frames_until_close())[1] == 1002


@both_loops
@pytest.mark.parametrize("how", ["reset", "leave"])
async def test_a_client_that_is_gone_ends_the_upstream_with_1000(how):
    got = Heard()

    async def listen(ws, request):
        nonlocal got
        got = await hear(ws)

    async with relaying(listen) as proxy, raw_client(proxy.endpoint) as client:
        getattr(client, how)()
        await proxy.settle()
    assert got.code == 1000


@both_loops
async def test_a_peer_that_never_answers_the_close_does_not_keep_the_session():
    async def close(ws, request):
        await ws.close(code=4000)

    async with relaying(close) as proxy, raw_client(proxy.endpoint) as client:
        assert (await client.frames_until_close())[1] == 4000
        await until(lambda: not proxy.live)


@both_loops
async def test_shutdown_reaches_every_client_at_once_with_1001_and_the_reason():
    async with relaying(echo) as proxy, aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(proxy.endpoint) for _ in range(20)]
        await sockets[0].send_str("hello")
        assert await hear_one(sockets[0]) == "hello"
        stopped = asyncio.get_running_loop().time()
        stopping = asyncio.ensure_future(proxy.app[RECEPTION].stop())
        heard = await asyncio.gather(*(hear(ws) for ws in sockets))
        await stopping
        took = asyncio.get_running_loop().time() - stopped
    assert {(one.code, one.reason) for one in heard} == {(1001, "the proxy is shutting down")}
    assert all(one.errors == ["SERVER_GOING_AWAY"] for one in heard)
    assert took < 2


@both_loops
async def test_shutdown_does_not_wait_long_for_a_client_that_reads_nothing():
    async with (
        relaying(_flood(1 << 24), client_buffer=100_000) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        core = proxy.core
        await until(lambda: core.client.full)
        async with asyncio.timeout(3):
            await proxy.app[RECEPTION].stop()


# Bounds.


def _flood(total: int, size: int = 64_000, sent: list[int] | None = None):
    """An upstream that offers that many bytes, each frame numbered."""

    async def flood(ws, request):
        for number in range(total // size):
            await ws.send_bytes(number.to_bytes(4, "big") * (size // 4))
            if sent is not None:
                sent[0] = (number + 1) * size
        await hear(ws)

    return flood


@both_loops
async def test_a_stalled_client_stops_the_reading_of_its_upstream_at_the_bound():
    total, sent = 300_000_000, [0]
    async with (
        relaying(_flood(total, sent=sent), client_buffer=1_000_000) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        core = proxy.core
        await until(lambda: core.client.full)
        before = psutil.Process().memory_info().rss
        await asyncio.sleep(0.3)  # time to do wrong
        assert core.client.bytes < 1_000_000 + 64_000
        assert proxy.unsent < 64_000 + 65_536 + 16_384 + 100
        assert sent[0] < 20_000_000
        assert psutil.Process().memory_info().rss - before < 10_000_000


@both_loops
async def test_a_client_that_reads_again_gets_everything_in_order():
    total = 30_000_000
    async with (
        relaying(_flood(total), client_buffer=1_000_000) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        core = proxy.core
        await until(lambda: core.client.full)
        client.go_on_reading()
        for number in range(total // 64_000):
            _, payload = await client.frame()
            assert payload == number.to_bytes(4, "big") * 16_000


@both_loops
async def test_a_client_that_does_not_read_is_still_heard():
    got: list[bytes] = []

    async def flood_and_listen(ws, request):
        flood = asyncio.ensure_future(_flood(100_000_000)(ws, request))
        # The flood's task never receives before it is through.
        while len(got) < 500:
            got.append((await ws.receive()).data)
        flood.cancel()

    settings = {"client_buffer": 500_000}
    async with (
        relaying(flood_and_listen, **settings) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        core = proxy.core
        await until(lambda: core.client.full)
        for number in range(500):
            client.send(2, number.to_bytes(2, "big"))
        await until(lambda: len(got) == 500)
    assert got == [number.to_bytes(2, "big") for number in range(500)]


@both_loops
async def test_a_stalled_upstream_stops_the_reading_of_the_client_and_nothing_is_lost():
    go_on, got = asyncio.Event(), []

    async def stall(ws, request):
        request.transport.pause_reading()
        await go_on.wait()
        request.transport.resume_reading()
        got.extend([message.data async for message in ws])

    frames = [number.to_bytes(4, "big") * 8_000 for number in range(600)]
    settings = {"upstream_buffer": 500_000}
    async with relaying(stall, **settings) as proxy, connected(proxy.endpoint) as ws:
        sending = asyncio.ensure_future(_send_all(ws, frames))
        await until(lambda: proxy.live)
        core = proxy.core
        await until(lambda: not core.client_may_send)
        await asyncio.sleep(0.1)  # time to do wrong
        assert core.upstream.bytes < 500_000 + 32_000
        assert not sending.done()
        go_on.set()
        async with asyncio.timeout(10):
            await sending
        await ws.close()
    assert got == frames


async def test_text_stops_the_reading_of_either_side_at_the_bound_too():
    words, go_on = "x" * 32_000, asyncio.Event()

    async def flood(ws, request):
        request.transport.pause_reading()
        flooding = asyncio.ensure_future(_send_text(ws.send_str, words))
        await go_on.wait()
        flooding.cancel()
        request.transport.resume_reading()

    settings = {"client_buffer": 300_000, "upstream_buffer": 300_000}
    async with (
        relaying(flood, **settings) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        core = proxy.core

        async def send(text):
            client.send(1, text.encode())
            await client.writer.drain()

        flooding = asyncio.ensure_future(_send_text(send, words))
        await until(lambda: not core.client_may_send and not core.upstream_may_send)
        await asyncio.sleep(0.2)  # time to do wrong
        assert core.client.bytes < 300_000 + 32_000
        assert core.upstream.bytes < 300_000 + 32_000
        flooding.cancel()
        client.reset()
        go_on.set()


async def test_reading_goes_on_as_soon_as_what_was_held_goes_on(monkeypatch):
    monkeypatch.setattr("voiceproxy.reader.ROOM_CHECK", 3600)
    holds = []

    class Holding:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, text: Text) -> bool:
            holds.append(session.hold(text, 3600))
            return True

    async with (
        relaying(echo, Holding(), upstream_buffer=100_000) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_str("wait")
        await until(lambda: holds)
        core = proxy.core
        sending = asyncio.ensure_future(_send_all(ws, [bytes(32_000)] * 30))
        await until(lambda: not core.client_may_send)
        holds[0].release(None)
        assert (await hear(ws, 30)).frames == [bytes(32_000)] * 30
        await sending


async def _send_text(send, words):
    for _ in range(3000):
        await send(words)


async def _send_all(ws, frames):
    for frame in frames:
        await ws.send_bytes(frame)


@both_loops
async def test_a_slow_reader_gets_everything_before_the_close():
    async def send_and_close(ws, request):
        for number in range(60):
            await ws.send_bytes(number.to_bytes(4, "big") * 8_000)
        await ws.close(code=4000)

    settings = {"close_timeout": 0.5, "client_buffer": 10_000_000}
    async with (
        relaying(send_and_close, **settings) as proxy,
        raw_client(proxy.endpoint) as client,
    ):
        client.stop_reading()
        await until(lambda: _closing(proxy))
        for number in range(60):
            client.go_on_reading()
            _, payload = await client.frame()
            client.stop_reading()
            assert payload[:4] == number.to_bytes(4, "big")
            await asyncio.sleep(0.02)
        client.go_on_reading()
        assert (await client.frames_until_close())[1] == 4000


def _closing(proxy):
    return proxy.live and proxy.core.closing


@both_loops
async def test_the_kernel_hides_little_unsent_speech(monkeypatch):
    set_options = []
    lowat = socket.TCP_NOTSENT_LOWAT

    async def look(ws, request):
        await ws.receive()

    async with relaying(look) as proxy, connected(proxy.endpoint) as ws:
        await ws.send_str("x")
        for task in asyncio.all_tasks():
            if task.get_name().startswith("voiceproxy session"):
                [request] = [
                    one.request for one in _visits(task) if one.request.transport is not None
                ]
                peer = request.transport.get_extra_info("socket")
                set_options.append(peer.getsockopt(socket.IPPROTO_TCP, lowat))
    assert set_options == [UNSENT_BYTES]


def _visits(task):
    frame = task.get_coro().cr_frame
    return [frame.f_locals["visit"]] if frame is not None else []


# Early frames, and a second upstream.


async def test_what_a_client_says_while_the_upstream_is_dialled_is_sent_when_it_is_there():
    answer, got = asyncio.Event(), Heard()

    async def listen(ws, request):
        nonlocal got
        got = await hear(ws, 5)

    async with FakeUpstream(listen) as upstream:
        backend = FakeBackend(upstream.url, dial="after")

        class Delay:
            @hookimpl
            def voiceproxy_connect(self, session: Session, upstream: Upstream) -> None:
                async def release() -> None:
                    await asyncio.sleep(0.05)
                    answer.set()

                session.start(release())

        async with running(backend, Delay()) as proxy, connected(proxy.endpoint) as ws:
            for number in range(5):
                await ws.send_str(str(number))
            await until(lambda: len(got.frames) == 5)
    assert got.frames == list(range(5))


class Redialling:
    """A translator that dials again when its upstream goes, and passes on what it hears."""

    accepts = frozenset({"Settings", "InjectUserMessage"})

    def __init__(self, session) -> None:
        self.session = session
        self.dials = 1

    def opened(self) -> None:
        self.session.to_client({"type": "Welcome", "request_id": self.session.id})

    def upstream_opened(self, headers) -> None:
        self.session.to_upstream({"type": "opened", "number": self.dials})

    def client_frame(self, frame, message) -> None:
        self.session.to_upstream(frame)

    def upstream_frame(self, frame) -> None:
        self.session.to_client(frame)

    def upstream_closed(self, close: Close) -> None:
        if self.dials == 3:
            self.session.close(close.code, close.reason)
            return
        self.dials += 1
        self.session.to_upstream({"type": "queued", "for": self.dials})
        self.session.dial()

    def closed(self) -> None:
        pass


@both_loops
async def test_a_translator_dials_again_and_its_frames_go_to_the_new_upstream():
    heard: list[Heard] = []

    async def hang_up(ws, request):
        await ws.send_json({"type": "hello", "number": len(heard) + 1})
        heard.append(await hear(ws, 1 if len(heard) == 0 else 2))
        await ws.close(code=4000 + len(heard))

    async with (
        relaying(hang_up, backend={"translator": Redialling}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        client = await hear(ws)
    assert [one["number"] for one in client.frames[1:]] == [1, 2, 3]
    assert (client.code, [one.types for one in heard]) == (
        4003,
        [["opened"], ["queued", "opened"], ["queued", "opened"]],
    )


class Choosing(Redialling):
    """A translator that learns from the Settings what to dial."""

    def upstream_opened(self, headers) -> None:
        self.session.to_upstream({"type": "opened"})

    def client_frame(self, frame, message) -> None:
        if message["type"] == "Settings":
            self.session.to_upstream({"type": "too late"})
            current = self.session.upstream
            url = (current.url or message["agent"]["url"]).removesuffix("/") + "/other"
            self.session.dial(replace(current, url=url))
            self.session.to_upstream({"type": "queued"})
            self.session.to_client({"type": "SettingsApplied"})
        else:
            self.session.to_upstream(frame)

    def upstream_closed(self, close: Close) -> None:
        self.session.close(close.code, close.reason)


@both_loops
@pytest.mark.parametrize("dial", ["before", "after"])
async def test_a_translator_may_have_another_upstream_than_the_one_it_has(dial):
    heard: dict[str, Heard] = {}

    async def listen(ws, request):
        heard[request.path] = got = Heard()
        await hear(ws, into=got)

    async with (
        relaying(listen, backend={"translator": Choosing, "dial": dial}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await until(lambda: "/" in heard and heard["/"].types == ["opened"])
        await ws.send_json({"type": "Settings"})
        await until(lambda: "/other" in heard and len(heard["/other"].frames) == 2)
        await ws.send_json({"type": "InjectUserMessage", "content": "hi"})
        await until(lambda: len(heard["/other"].frames) == 3)
        await until(lambda: heard["/"].code is not None)
        await ws.close()
    assert heard["/"].types == ["opened"]
    assert heard["/"].code == 1000
    assert heard["/other"].types == ["queued", "opened", "InjectUserMessage"]


@both_loops
async def test_an_upstream_that_is_still_being_dialled_may_be_let_go():
    asked, over = asyncio.Event(), asyncio.Event()
    heard: dict[str, Heard] = {}

    async def listen(ws, request):
        heard[request.path] = got = Heard()
        await hear(ws, into=got)

    async def never(request):
        asked.set()
        await over.wait()

    app = web.Application()
    app.router.add_get("/", never)
    async with FakeUpstream(listen) as upstream, listening(app) as slow:

        class Elsewhere(Choosing):
            def client_frame(self, frame, message) -> None:
                self.session.dial(Upstream(upstream.url))

        backend = FakeBackend(slow.replace("http", "ws") + "/", translator=Elsewhere, dial="after")
        async with running(backend, **QUICK) as proxy, connected(proxy.endpoint) as ws:
            await asyncio.wait_for(asked.wait(), PATIENCE)
            await ws.send_json({"type": "Settings"})
            await until(lambda: "/" in heard and heard["/"].types == ["opened"])
            await ws.close()
            over.set()


async def test_a_backend_that_dialled_nothing_may_dial_when_it_knows_what():
    heard: dict[str, Heard] = {}

    async def listen(ws, request):
        heard[request.path] = got = Heard()
        await hear(ws, into=got)

    async with FakeUpstream(listen) as upstream:
        settings = {"type": "Settings", "agent": {"url": upstream.url}}
        async with (
            running(FakeBackend(None, translator=Choosing), **QUICK) as proxy,
            connected(proxy.endpoint) as ws,
        ):
            await ws.send_json(settings)
            await until(lambda: "/other" in heard and len(heard["/other"].frames) == 2)
            await ws.close()
    assert heard["/other"].types == ["queued", "opened"]


async def test_another_upstream_that_cannot_be_reached_ends_the_session_as_the_first_would():
    async def listen(ws, request):
        await hear(ws)

    class Nowhere(Choosing):
        def client_frame(self, frame, message) -> None:
            self.session.dial(Upstream("ws://127.0.0.1:1/"))

    async with (
        relaying(listen, backend={"translator": Nowhere}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_json({"type": "Settings"})
        client = await hear(ws)
    assert (client.errors, client.code) == (["upstream_unreachable"], 1011)


async def test_a_session_that_ends_while_another_upstream_is_wanted_dials_nothing():
    async def listen(ws, request):
        await hear(ws)

    class Leaving(Choosing):
        def client_frame(self, frame, message) -> None:
            self.session.close(1000, "bye")
            self.session.dial(Upstream("ws://127.0.0.1:1/"))

    async with (
        relaying(listen, backend={"translator": Leaving}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_json({"type": "Settings"})
        client = await hear(ws)
    assert (client.errors, client.code) == ([], 1000)


# What breaks inside.


class Broken(Redialling):
    def __init__(self, session) -> None:
        raise RuntimeError("no translator today")


async def test_a_translator_that_cannot_be_made_ends_its_session_with_1011():
    async with (
        relaying(echo, backend={"translator": Broken}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        heard = await hear(ws)
    assert (heard.errors, heard.code) == (["internal_error"], 1011)


async def test_a_dial_that_fails_in_an_unknown_way_ends_its_session_with_1011():
    async with (
        running(FakeBackend("ws://127.0.0.1:1/", dial="after", headers=[1])) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        heard = await hear(ws)
    assert (heard.errors, heard.code) == (["internal_error"], 1011)


class Garbling(Redialling):
    """Sends what no socket takes."""

    def client_frame(self, frame, message) -> None:
        self.session.to_upstream(Binary("text"))  # type: ignore[arg-type]

    def upstream_frame(self, frame) -> None:
        self.session.to_client(Binary("text"))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", ["client", "upstream"])
async def test_a_frame_no_socket_takes_ends_only_its_session_with_1011(side, caplog):
    async def speak(ws, request):
        await ws.receive()
        if side == "upstream":
            await ws.send_str("{}")
        await hear(ws)

    async with (
        relaying(speak, backend={"translator": Garbling}) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        await hear_one(ws)
        await ws.send_json({"type": "Settings"} if side == "client" else {"type": "KeepAlive"})
        heard = await hear(ws)
    assert (heard.errors, heard.code) == (["internal_error"], 1011)


async def test_an_upstream_that_is_not_dialled_leaves_the_session_to_its_translator():
    async with (
        running(FakeBackend(None, translator=Redialling)) as proxy,
        connected(proxy.endpoint) as ws,
    ):
        assert (await hear_one(ws))["type"] == "Welcome"


async def test_text_that_is_not_utf_8_is_refused_and_the_session_goes_on_without_it():
    got = Heard()

    async def listen(ws, request):
        nonlocal got
        got = await hear(ws)

    async with relaying(listen) as proxy, raw_client(proxy.endpoint) as client:
        client.send(1, b"\xff\xfe")
        client.send(1, "né".encode())
        client.send(8, b"\x03\xe8")
        frames, code, _ = await client.frames_until_close()
    assert [b"UNPARSABLE_CLIENT_MESSAGE" in payload for _, payload in frames] == [True]
    assert (got.frames, code) == (["né"], 1000)


async def test_upstream_text_that_is_not_utf_8_ends_the_session():
    async def send_it(ws, request):
        await ws._writer.send_frame(b"\xff", WSMsgType.TEXT)
        await ws.receive()

    async with relaying(send_it) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert (heard.errors, heard.code) == (["upstream_closed"], 1011)


async def test_an_upstream_that_breaks_the_websocket_protocol_counts_as_lost():
    async def send_it(ws, request):
        request.transport.write(b"\x83\x00")
        await ws.receive()

    async with relaying(send_it) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert (heard.code, heard.reason) == (1011, "the peer broke the WebSocket protocol")


@both_loops
async def test_an_upstream_that_resets_closes_the_client_with_1011():
    async def drop(ws, request):
        reset(request.transport)

    async with relaying(drop) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert (heard.code, heard.errors) == (1011, [])
