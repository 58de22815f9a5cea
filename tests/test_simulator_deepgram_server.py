"""The Deepgram side of the simulator over real sockets: handshakes, refusals, ends."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from stream_rehearsal import bounded

from voiceproxy_simulator import DeepgramScenario, SimulatedDeepgram
from voiceproxy_simulator.simulated_server import SimulatedServer
from voiceproxy_simulator.testing import silence, tone

KEY = "dg-key-of-the-test"
LISTEN = "/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000"
FIRST = {
    "/v1/agent/converse": "Welcome",
    "/v2/listen?model=flux-general-en": "Connected",
    "/v1/speak?model=aura-2-thalia-en": "Metadata",
    "/v2/speak?model=flux-alexis-en": "Connected",
}
PATHS = [*FIRST, LISTEN]

pytestmark = pytest.mark.both_loops


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def refused(client: aiohttp.ClientSession, url: str, **options: Any) -> dict[str, Any]:
    """Status, headers and body of a handshake that is not answered with 101."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"} | options.pop("headers", {})
    upgrade |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    url = url.replace("ws:", "http:", 1)
    async with client.get(url, headers=upgrade, **options) as response:
        return {
            "status": response.status,
            "headers": response.headers,
            **(await response.json()),
        }


async def ended(ws: aiohttp.ClientWebSocketResponse) -> tuple[list[str], Any, Any]:
    """The types of the messages to the end, and the close."""
    kinds = []
    while True:
        message = await ws.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            kinds.append(message.json()["type"])
        elif message.type is not aiohttp.WSMsgType.BINARY:
            return kinds, message.data, message.extra


class Recording(SimulatedServer):
    """A server whose one session writes down what it is told."""

    name = "nothing"
    path = "/"

    def __init__(self) -> None:
        super().__init__(pace="burst", key=None, host="127.0.0.1", port=0, record=True)
        self.calls: list[str | bytes] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self._connect)]

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        return await self.upgrade(request, socket, lambda line: line.serve(self))

    def open(self) -> None:
        self.calls.append("open")

    def receive(self, text: str) -> None:
        self.calls.append(text)

    def receive_binary(self, data: bytes) -> None:
        self.calls.append(data)

    def drained(self) -> None:
        self.calls.append("drained")

    def closed(self) -> None:
        self.calls.append("closed")


# Handshakes


@pytest.mark.parametrize("path", FIRST)
@bounded
async def test_every_api_answers_at_its_path_under_its_request_id(
    client: aiohttp.ClientSession, path: str
) -> None:
    async with SimulatedDeepgram() as upstream, client.ws_connect(upstream.url + path) as ws:
        first = await ws.receive_json()
        assert first["type"] == FIRST[path]
        headers = ws._response.headers
        assert first["request_id"] == headers["dg-request-id"]
        assert "dg-request-id,dg-error" in headers["access-control-expose-headers"]
        assert "Sec-WebSocket-Protocol" not in headers
    assert upstream.violations == []


@bounded
async def test_a_stream_is_heard_over_a_socket(client: aiohttp.ClientSession) -> None:
    async with SimulatedDeepgram() as upstream, client.ws_connect(upstream.url + LISTEN) as ws:
        await ws.send_bytes(tone(1.0, 16000) + silence(0.5, 16000))
        result = await ws.receive_json()
        assert result["channel"]["alternatives"][0]["transcript"] == "1.0 s of speech"
        await ws.send_bytes(b"")
        assert await ended(ws) == (["Results", "Metadata"], 1000, "")
    assert upstream.received == []


@bounded
async def test_messages_are_received_and_requests_kept(client: aiohttp.ClientSession) -> None:
    async with SimulatedDeepgram() as upstream:
        query = "model=nova-3&keyterm=a+b&keyterm=c%20d"
        headers = {"X-DG-Session": "x"}
        async with client.ws_connect(f"{upstream.url}/v1/listen?{query}", headers=headers) as ws:
            await ws.send_json({"type": "CloseStream"})
            await ended(ws)
        [dialled] = upstream.dialled
        assert (dialled.path, dialled.query) == ("/v1/listen", query)
        assert dialled.headers["x-dg-session"] == "x"
        assert [one.event for one in upstream.received] == [{"type": "CloseStream"}]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (["token", KEY], "token"),
        (["Token", KEY], "Token"),
        (["token", KEY, "x-deepgram-session-id", "0b7e"], "token"),
        (["x-my", "token", KEY], "token"),
    ],
)
@bounded
async def test_a_key_may_come_as_a_subprotocol_which_is_not_answered(
    client: aiohttp.ClientSession, offered: list[str], answered: str
) -> None:
    async with (
        SimulatedDeepgram(key=KEY) as upstream,
        client.ws_connect(upstream.url + LISTEN, protocols=offered) as ws,
    ):
        assert ws.protocol == answered


@pytest.mark.parametrize("header", [f"Token {KEY}", f"token {KEY}"])
@bounded
async def test_the_key_comes_in_a_header(client: aiohttp.ClientSession, header: str) -> None:
    async with (
        SimulatedDeepgram(key=KEY) as upstream,
        client.ws_connect(upstream.url + LISTEN, headers={"Authorization": header}) as ws,
    ):
        assert not ws.closed


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Token wrong"},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Token"},
        {"Sec-WebSocket-Protocol": "token, wrong"},
        {"Sec-WebSocket-Protocol": f"access_token.{KEY}"},
        {"Sec-WebSocket-Protocol": "token"},
    ],
)
@pytest.mark.parametrize("path", PATHS)
@bounded
async def test_everything_else_is_a_401_and_nothing_of_it_is_logged(
    client: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    path: str,
    headers: dict[str, str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with SimulatedDeepgram(key=KEY) as upstream:
        answer = await refused(client, upstream.url + path, headers=headers)
        assert (answer["status"], answer["err_code"]) == (401, "INVALID_AUTH")
        assert answer["headers"]["dg-error"] == answer["err_msg"] == "Invalid credentials."
        assert answer["headers"]["dg-request-id"] == answer["request_id"]
    assert upstream.violations == []
    assert KEY not in caplog.text


@bounded
async def test_subprotocols_without_a_scheme_are_refused_even_where_no_key_is_needed(
    client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with SimulatedDeepgram() as upstream:
        offered = {"Sec-WebSocket-Protocol": f"access_token.{KEY}"}
        answer = await refused(client, upstream.url + LISTEN, headers=offered)
        assert answer["status"] == 401
    assert KEY not in caplog.text


@bounded
async def test_a_bad_query_is_a_400_that_says_why_and_a_violation(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedDeepgram() as upstream:
        answer = await refused(client, f"{upstream.url}/v1/listen?model=nova-3&keywords=x")
        assert (answer["status"], answer["err_code"]) == (400, "Bad Request")
        assert "Keywords are not supported" in answer["headers"]["dg-error"]
        answer = await refused(
            client, f"{upstream.url}/v2/listen?model=flux-general-en&b%0d=%C3%A9"
        )
        assert "unknown parameter 'b\\r'" in answer["headers"]["dg-error"]
        assert {one.rule for one in upstream.violations} == {"refused-connection"}


@bounded
async def test_what_is_no_upgrade_and_what_is_nowhere_is_refused(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedDeepgram() as upstream:
        base = upstream.url.replace("ws:", "http:")
        for method, path, status in [
            ("GET", LISTEN, 400),
            ("GET", "//v1/listen", 404),
            ("GET", "/v1/auth/grant", 404),
            ("POST", "/v1/listen", 404),
        ]:
            async with client.request(method, base + path, allow_redirects=False) as response:
                assert response.status == status
                assert response.headers["dg-request-id"] == (await response.json())["request_id"]


@bounded
async def test_what_should_have_stayed_with_the_proxy_is_a_violation(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedDeepgram() as upstream:
        headers = {"Origin": "http://localhost", "Cookie": "a=b"}
        query = "&token=t&service=agent&traceId=t"
        async with client.ws_connect(upstream.url + LISTEN + query, headers=headers) as ws:
            assert not ws.closed
        noticed = {(one.rule, one.detail) for one in upstream.violations}
        assert noticed == {
            ("own-parameter", "token"),
            ("own-parameter", "service"),
            ("own-parameter", "traceId"),
            ("client-header", "Cookie"),
            ("client-header", "Origin"),
        }


# Bad days


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
@pytest.mark.parametrize("path", PATHS)
@bounded
async def test_scenarios_refuse_every_handshake(
    client: aiohttp.ClientSession, path: str, status: int
) -> None:
    async with SimulatedDeepgram(scenario=f"refused-{status}") as upstream:
        answer = await refused(client, upstream.url + path)
        assert answer["status"] == status
        assert answer["headers"]["dg-error"] == answer["err_msg"]
    assert upstream.violations == []


@bounded
async def test_a_silent_handshake_is_left_alone_until_its_client_gives_up(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedDeepgram(scenario="silent-handshake") as upstream:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.ws_connect(upstream.url + LISTEN)
        assert upstream.sessions == 0


@bounded
async def test_a_silent_handshake_is_cut_off_when_the_simulator_stops(
    client: aiohttp.ClientSession,
) -> None:
    async with SimulatedDeepgram(scenario="silent-handshake") as upstream:
        dialling = asyncio.create_task(client.ws_connect(upstream.url + LISTEN))
        while not upstream.dialled:
            await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientConnectionError):
        await dialling


@bounded
async def test_a_scenario_of_one_s_own_is_given_as_a_class(client: aiohttp.ClientSession) -> None:
    class Mute(DeepgramScenario):
        welcome_delay = None
        settings_delay = None

    async with (
        SimulatedDeepgram(scenario=Mute) as upstream,
        client.ws_connect(f"{upstream.url}/v1/agent/converse") as ws,
    ):
        await ws.send_str("junk")
        assert (await ws.receive_json())["type"] == "Error"


# Ends


@bounded
async def test_patience_scales_the_service_s_own_time_outs(client: aiohttp.ClientSession) -> None:
    async with SimulatedDeepgram(patience=0.01) as upstream:
        async with client.ws_connect(upstream.url + LISTEN) as ws:
            kinds, code, reason = await ended(ws)
            assert (kinds, code, reason.endswith("net0001")) == ([], 1011, True)
        async with client.ws_connect(f"{upstream.url}/v1/agent/converse") as ws:
            assert (await ended(ws))[0] == ["Welcome", "Error"]


@bounded
async def test_a_close_without_a_status_is_an_empty_close_frame(
    client: aiohttp.ClientSession,
) -> None:
    del client
    async with SimulatedDeepgram() as upstream:
        port = int(upstream.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "GET /v2/listen?model=flux-general-en HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        writer.write(f"{head}Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer
        assert b"permessage-deflate" not in answer
        junk = b"\x81\x81\0\0\0\0x"
        writer.write(junk)
        frames = await reader.readuntil(b"\x88\x00")
        assert b"UNPARSABLE_CLIENT_MESSAGE" in frames
        with pytest.raises(TimeoutError):  # the connection is the peer's until it has answered
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.write(junk + b"\x88\x80\0\0\0\0")  # what is under way, then the answer
        assert await reader.read() == b""
        writer.close()


@bounded
async def test_a_peer_that_never_answers_a_close_without_a_status_is_cut_off(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voiceproxy_simulator.connection.CLOSE_SECONDS", 0.1)
    async with SimulatedDeepgram() as upstream:
        url = f"{upstream.url}/v2/listen?model=flux-general-en"
        ws = await client.ws_connect(url, autoclose=False)
        await ws.send_str("junk")
        assert [(await ws.receive_json())["type"] for _ in range(2)] == ["Connected", "Error"]
        while upstream.sessions:
            await asyncio.sleep(0)


@bounded
async def test_stopping_closes_every_session_with_1001(client: aiohttp.ClientSession) -> None:
    upstream = SimulatedDeepgram()
    await upstream.start()
    sockets = [await client.ws_connect(upstream.url + path) for path in PATHS]
    while upstream.sessions < len(PATHS):
        await asyncio.sleep(0)
    ends = [asyncio.create_task(ended(ws)) for ws in sockets]
    await upstream.stop()
    assert [(await end)[1] for end in ends] == [1001] * len(PATHS)
    with pytest.raises(RuntimeError, match="not running"):
        assert upstream.url


@bounded
async def test_a_client_that_vanishes_leaves_nothing(client: aiohttp.ClientSession) -> None:
    async with SimulatedDeepgram(pace="realtime") as upstream:
        ws = await client.ws_connect(f"{upstream.url}/v1/speak?model=aura-2-thalia-en")
        await ws.send_json({"type": "Speak", "text": "A long story. " * 50})
        await ws.send_json({"type": "Flush"})
        await ws.receive()
        ws._response.connection.transport.abort()
        while upstream.sessions:
            await asyncio.sleep(0)


@bounded
async def test_a_session_is_told_that_it_is_over_last(client: aiohttp.ClientSession) -> None:
    async with Recording() as server:
        async with client.ws_connect(server.url) as ws:
            await ws.send_str("text")
            await ws.send_bytes(b"bytes")
        while "closed" not in server.calls:
            await asyncio.sleep(0)
        assert server.calls == ["open", "text", b"bytes", "closed"]


@bounded
async def test_nothing_is_kept_when_nobody_asks(client: aiohttp.ClientSession) -> None:
    async with SimulatedDeepgram(record=False) as upstream:
        async with client.ws_connect(upstream.url + LISTEN) as ws:
            await ws.send_json({"type": "CloseStream"})
            await ended(ws)
        assert (upstream.received, upstream.dialled) == ([], [])


@bounded
async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        upstream = SimulatedDeepgram(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await upstream.start()


@pytest.mark.parametrize(
    "options", [{"host": "192.0.2.1"}, {"pace": "slow"}, {"scenario": "unknown"}]
)
def test_wrong_options_are_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        SimulatedDeepgram(**options)
