"""The relay between TLS sockets: closes cross, stalled and vanished peers end, nothing is left."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
import trustme
from running import QUICK, Running, echo, hear, hear_one, until

from voiceproxy import create_app, stop_sessions
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening

both_loops = pytest.mark.both_loops


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@asynccontextmanager
async def relaying(authority, script, **settings):
    """A proxy that speaks TLS on both sides, and what a client needs to connect."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with FakeUpstream(script, tls=server) as upstream:
        backend = FakeBackend(upstream.url, ssl=client)
        app = create_app([backend], settings={**QUICK, **settings}, environ={})
        async with listening(app, tls=server) as url:
            proxy = Running(app, url)
            yield proxy, client
            await proxy.settle()


async def _listen(ws, request):
    await hear(ws)


@pytest.fixture
def quiet(caplog):
    """Nothing of ours or of the event loop's is an error."""
    yield
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


@both_loops
async def test_frames_and_the_clients_close_cross(authority, quiet):
    codes = []

    async def listen(ws, request):
        await echo(ws, request)
        codes.append(ws.close_code)

    async with relaying(authority, listen) as (proxy, context):
        async with connected(proxy.endpoint, ssl=context) as ws:
            await ws.send_bytes(b"x" * 100_000)
            assert await hear_one(ws) == b"x" * 100_000
            await ws.close(code=4001)
        await proxy.settle()
    assert codes == [4001]


@both_loops
async def test_the_upstreams_close_crosses(authority, quiet):
    async def leave(ws, request):
        await ws.send_str("bye")
        await ws.close(code=4002, message=b"enough")

    async with (
        relaying(authority, leave) as (proxy, context),
        connected(proxy.endpoint, ssl=context) as ws,
    ):
        heard = await hear(ws)
    assert (heard.frames, heard.code, heard.reason) == (["bye"], 4002, "enough")


@both_loops
async def test_shutdown_closes_with_1001(authority, quiet):
    async with (
        relaying(authority, _listen) as (proxy, context),
        connected(proxy.endpoint, ssl=context) as ws,
    ):
        stopping = asyncio.ensure_future(stop_sessions(proxy.app))
        heard = await hear(ws)
        await ws.close()
        await stopping
    assert heard.code == 1001


@both_loops
async def test_a_client_that_vanishes_ends_the_session(authority, quiet):
    async with relaying(authority, echo) as (proxy, context), aiohttp.ClientSession() as session:
        ws = await session.ws_connect(proxy.endpoint, ssl=context)
        await ws.send_str("x")
        assert await hear_one(ws) == "x"
        ws._response.connection.transport.abort()
        await proxy.settle()


@both_loops
async def test_a_client_that_stops_reading_stops_the_upstream_and_is_given_up(authority, quiet):
    sent = [0]

    async def flood(ws, request):
        for _ in range(4000):
            await ws.send_bytes(bytes(64_000))
            sent[0] += 64_000

    async with relaying(authority, flood, client_buffer=1_000_000) as (proxy, context):
        address = proxy.endpoint.removeprefix("https://").partition("/")[0]
        host, port = address.split(":")
        _, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.transport.pause_reading()
        writer.write(
            f"GET /fake HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        await until(lambda: proxy.live)
        core = proxy.core
        await until(lambda: core.client.full)
        assert core.client.bytes < 1_000_000 + 64_000
        assert sent[0] < 30_000_000
        async with asyncio.timeout(3):
            await stop_sessions(proxy.app)
        writer.transport.abort()
