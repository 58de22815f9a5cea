"""The simulator over real sockets: admission, pace, backpressure, ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from voiceproxy_simulator import Scenario, SimulatedOpenAI, connection
from voiceproxy_simulator.wire import Event

UPDATE = {"type": "session.update", "session": {"type": "realtime"}}
SECONDS = 10

pytestmark = pytest.mark.both_loops


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def dial(
    client: aiohttp.ClientSession,
    upstream: SimulatedOpenAI,
    query: str = "model=gpt-realtime",
    **kw: Any,
) -> aiohttp.ClientWebSocketResponse:
    return await client.ws_connect(f"{upstream.url}?{query}", max_msg_size=0, **kw)


async def test_a_connection_given_up_in_its_handshake_is_no_error(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    head = "GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    head += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    head += "MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    async with SimulatedOpenAI() as upstream:
        port = int(upstream.url.split(":")[2].partition("/")[0])
        for _ in range(50):
            line = socket.create_connection(("127.0.0.1", port))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            line.sendall(head.encode())
            line.close()  # a reset
            await asyncio.sleep(0)
        await until(await dial(client, upstream), "session.created")  # the others came before
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def until(ws: aiohttp.ClientWebSocketResponse, kind: str) -> Event:
    async with asyncio.timeout(SECONDS):
        while True:
            event: Event = await ws.receive_json()
            if event["type"] == kind:
                return event


async def closed(ws: aiohttp.ClientWebSocketResponse) -> tuple[int | None, str]:
    async with asyncio.timeout(SECONDS):
        while True:
            message = await ws.receive()
            if message.type is aiohttp.WSMsgType.CLOSE:
                return message.data, str(message.extra)


async def no_sessions(upstream: SimulatedOpenAI) -> None:
    async with asyncio.timeout(SECONDS):
        while upstream.sessions:
            await asyncio.sleep(0)


async def ask(ws: aiohttp.ClientWebSocketResponse, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await ws.send_json({"type": "conversation.item.create", "item": item})
    await until(ws, "conversation.item.done")
    await ws.send_json({"type": "response.create"})


async def test_a_text_turn_over_a_socket(client: aiohttp.ClientSession) -> None:
    async with SimulatedOpenAI() as upstream:
        async with await dial(client, upstream) as ws:
            assert (await until(ws, "session.created"))["session"]["model"] == "gpt-realtime"
            await ws.send_json(UPDATE)
            await until(ws, "session.updated")
            await ask(ws, "hello")
            await until(ws, "response.done")
            assert upstream.sessions == 1
        await no_sessions(upstream)
    kinds = [received.event["type"] for received in upstream.received]
    assert kinds == ["session.update", "conversation.item.create", "response.create"]
    assert len({received.session_id for received in upstream.received}) == 1
    assert upstream.violations == []


async def test_sessions_share_nothing(client: aiohttp.ClientSession) -> None:
    async with (
        SimulatedOpenAI() as upstream,
        await dial(client, upstream) as one,
        await dial(client, upstream) as two,
    ):
        for ws, text in ((one, "first"), (two, "second")):
            await ws.send_json(UPDATE)
            await ask(ws, text)
        for ws, text in ((one, "first"), (two, "second")):
            done = await until(ws, "response.done")
            assert text in str(done["response"]["output"])
        assert upstream.sessions == 2


@pytest.mark.parametrize(
    ("query", "headers", "code", "close"),
    [
        ("", {}, "missing_model", 4000),
        ("model=gpt-realtime&intent=transcription", {}, "invalid_model", 4000),
        ("intent=x", {}, "invalid_intent", 4000),
        ("model=gpt-realtime", {"OpenAI-Beta": "realtime=v1"}, "beta_api_shape_disabled", 4000),
    ],
)
async def test_a_refused_connection_is_upgraded_told_why_closed_and_recorded(
    client: aiohttp.ClientSession, query: str, headers: dict[str, str], code: str, close: int
) -> None:
    async with SimulatedOpenAI() as upstream:
        ws = await dial(client, upstream, query, headers=headers)
        error = (await ws.receive_json(timeout=SECONDS))["error"]
        assert error["code"] == code
        assert (await closed(ws))[0] == close
    assert [one.rule for one in upstream.violations] == ["refused-connection"]


async def test_a_wrong_key_is_upgraded_told_and_closed_with_3000(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedOpenAI(key="right") as upstream:
        ws = await dial(client, upstream, headers={"Authorization": "Bearer wrong"})
        assert (await ws.receive_json(timeout=SECONDS))["error"]["code"] == "invalid_api_key"
        assert (await closed(ws))[0] == 3000
        await no_sessions(upstream)
    assert upstream.violations == []


async def test_a_browser_passes_its_key_as_a_subprotocol_and_gets_realtime(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedOpenAI(key="right") as upstream:
        protocols = ("realtime", "openai-insecure-api-key.right")
        async with await dial(client, upstream, protocols=protocols) as ws:
            assert ws.protocol == "realtime"
            await until(ws, "session.created")


async def test_a_binary_frame_and_a_frame_that_is_not_utf_8_end_nothing_else(
    client: aiohttp.ClientSession,
) -> None:
    async with (
        SimulatedOpenAI() as upstream,
        await dial(client, upstream) as ws,
        await dial(client, upstream) as broken,
    ):
        await until(broken, "session.created")
        await broken.send_frame(b"\xff\xfe", aiohttp.WSMsgType.TEXT)
        assert (await closed(broken))[0] == 1007
        await ws.send_bytes(b"\x00")
        await ws.send_json(UPDATE)
        await until(ws, "session.updated")
    assert [one.rule for one in upstream.violations] == ["binary-frame"]


async def test_other_paths_do_not_exist(client: aiohttp.ClientSession) -> None:
    async with SimulatedOpenAI() as upstream:
        url = upstream.url.replace("ws:", "http:").replace("/realtime", "/other")
        async with client.get(url) as answer:
            assert answer.status == 404


async def test_stopping_closes_every_session_with_1001(client: aiohttp.ClientSession) -> None:
    upstream = SimulatedOpenAI()
    await upstream.start()
    ws = await dial(client, upstream)
    await until(ws, "session.created")
    stopping = asyncio.create_task(upstream.stop())
    assert await closed(ws) == (1001, "The simulator stops.")
    await ws.close()
    async with asyncio.timeout(SECONDS):
        await stopping
    assert upstream.sessions == 0
    with pytest.raises(RuntimeError, match="not running"):
        _ = upstream.url
    await upstream.stop()


async def test_the_expired_scenario_closes_the_socket_with_1001(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedOpenAI(scenario="expired") as upstream:
        ws = await dial(client, upstream)
        await ws.send_json(UPDATE)
        await ask(ws, "hello")
        assert (await until(ws, "error"))["error"]["code"] == "session_expired"
        code, reason = await closed(ws)
        assert code == 1001
        assert "60 minutes" in reason


async def test_junk_arrives_as_it_is(client: aiohttp.ClientSession) -> None:
    async with SimulatedOpenAI(scenario="junk") as upstream, await dial(client, upstream) as ws:
        await ws.send_json(UPDATE)
        await ask(ws, "hello")
        kinds = set()
        async with asyncio.timeout(SECONDS):
            while aiohttp.WSMsgType.BINARY not in kinds:
                kinds.add((await ws.receive()).type)
        assert kinds == {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}


async def test_a_client_that_vanishes_leaves_nothing(client: aiohttp.ClientSession) -> None:
    async with SimulatedOpenAI(pace="realtime") as upstream:
        ws = await dial(client, upstream)
        await ws.send_json(UPDATE)
        await ask(ws, "count to 100")
        await until(ws, "response.output_audio.delta")
        assert ws._response.connection is not None
        transport = ws._response.connection.transport
        assert transport is not None
        transport.abort()
        await no_sessions(upstream)


class Stubborn:
    """A WebSocket peer on a bare socket, so that not reading is really not reading."""

    def __init__(self, upstream: SimulatedOpenAI) -> None:
        host, port = upstream.url.split("/")[2].split(":")
        self.address = (host, int(port))

    async def __aenter__(self) -> Stubborn:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self.address)
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=1024)
        self.writer.write(
            b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await self.reader.readuntil(b"\r\n\r\n")
        return self

    def send(self, text: bytes) -> None:
        """One masked text frame; the mask is zero."""
        size = len(text)
        head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.writer.write(head + bytes(4) + text)

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()


def queued(upstream: SimulatedOpenAI) -> int:
    (line,) = upstream._connections
    return line._queued


async def filled(upstream: SimulatedOpenAI, size: int) -> int:
    """The queue's size, some hundred turns of the loop after it grew beyond ``size``."""
    async with asyncio.timeout(SECONDS):
        while upstream.sessions == 0 or queued(upstream) <= size:
            await asyncio.sleep(0)
        for _ in range(500):
            await asyncio.sleep(0)
    return queued(upstream)


LONG_REPLY = (
    b'{"type":"response.create","response":{"input":[{"type":"message","role":"user",'
    b'"content":[{"type":"input_text","text":"count to 200"}]}]}}'
)


async def test_a_client_that_does_not_read_stops_production_at_two_seconds_of_audio() -> None:
    async with SimulatedOpenAI() as upstream, Stubborn(upstream) as peer:
        peer.send(LONG_REPLY)
        held = await filled(upstream, connection.FULL_BYTES)
        assert connection.FULL_BYTES < held < connection.FULL_BYTES + 32_768
        done = b'"response.done"'
        seen = b""
        async with asyncio.timeout(SECONDS):
            while done not in seen:
                seen = seen[-64:] + await peer.reader.read(65536)


async def test_a_client_that_only_sends_is_not_read_beyond_a_mebibyte_of_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "DEAF_BYTES", 64 * 1024)
    async with SimulatedOpenAI() as upstream, Stubborn(upstream) as peer:
        for _ in range(12_000):
            peer.send(b'{"type":"input_audio_buffer.clear"}')
        await filled(upstream, connection.DEAF_BYTES)
        assert len(upstream.received) < 12_000
        async with asyncio.timeout(SECONDS):
            while len(upstream.received) < 12_000:
                await peer.reader.read(65536)


async def test_closing_a_client_that_does_not_read_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.1)
    async with SimulatedOpenAI() as upstream, Stubborn(upstream) as peer:
        peer.send(LONG_REPLY)
        await filled(upstream, connection.FULL_BYTES)
        async with asyncio.timeout(SECONDS):
            await upstream.stop()
        assert upstream.sessions == 0


class Broken(Scenario):
    """A mistake in the simulator itself."""

    def outgoing(self, event: Event) -> tuple[Event, ...]:
        if event["type"] in {"session.updated", "input_audio_buffer.cleared"}:
            raise LookupError("broken on purpose")
        return (event,)


@pytest.mark.parametrize("event", [UPDATE, {"type": "input_audio_buffer.clear"}])
async def test_a_mistake_of_the_simulator_ends_one_session_with_1011(
    client: aiohttp.ClientSession, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    async with SimulatedOpenAI(scenario=Broken) as upstream:
        ws = await dial(client, upstream)
        await ws.send_json(event)
        assert (await closed(ws))[0] == 1011
    assert "broken on purpose" in caplog.text


class Unsendable(Scenario):
    """A scenario with a mistake: what it sends is no frame."""

    def outgoing(self, event: Event) -> Any:
        return ([event],)


async def test_a_frame_that_cannot_be_sent_is_logged_and_ends_the_session(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with SimulatedOpenAI(scenario=Unsendable) as upstream:
        ws = await dial(client, upstream)
        await closed(ws)
        await no_sessions(upstream)
    assert "the simulator's socket failed" in caplog.text


async def test_received_events_are_not_kept_when_nobody_asks(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedOpenAI(record=False) as upstream, await dial(client, upstream) as ws:
        await ws.send_json(UPDATE)
        await until(ws, "session.updated")
    assert upstream.received == []


async def test_a_taken_port_is_an_error() -> None:
    async with SimulatedOpenAI() as upstream:
        port = int(upstream.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            await SimulatedOpenAI(port=port).start()


def test_only_loopback_addresses_are_listened_on() -> None:
    with pytest.raises(ValueError, match="loopback"):
        SimulatedOpenAI(host="0.0.0.0")


def test_an_unknown_pace_is_an_error() -> None:
    with pytest.raises(ValueError, match="pace"):
        SimulatedOpenAI(pace="slow")  # type: ignore[arg-type]


async def test_a_reset_connection_ends_without_a_close_frame(client: aiohttp.ClientSession) -> None:
    async with SimulatedOpenAI(scenario="reset") as upstream:
        async with await dial(client, upstream) as ws:
            await ws.send_json(UPDATE)
            await until(ws, "session.updated")
            await ask(ws, "hello")
            async with asyncio.timeout(SECONDS):
                while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                    assert message.json()["type"] != "response.done"
            assert message.type is not aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 1006
        await no_sessions(upstream)
    assert upstream.violations == []


async def test_a_connection_is_reset_once(client: aiohttp.ClientSession) -> None:
    class Twice(Scenario):
        """The first event resets the connection, and tries again."""

        def incoming(self, event: Event) -> Event:
            self.session.line.reset()
            self.session.line.reset()
            return event

    async with SimulatedOpenAI(scenario=Twice) as upstream:
        ws = await dial(client, upstream)
        await ws.send_json(UPDATE)
        async with asyncio.timeout(SECONDS):
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert message.type is not aiohttp.WSMsgType.CLOSE
        await no_sessions(upstream)
