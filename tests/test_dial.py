"""voiceproxy/dial.py: what every failure to reach an upstream is called, and HTTP proxies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
import trustme
from aiohttp import web
from running import PATIENCE, echo, raw_server
from yarl import URL

from voiceproxy import Upstream, UpstreamFault
from voiceproxy.agent import ERROR_CODES
from voiceproxy.dial import UpstreamWebSocket, client_session, dial, proxy_for
from voiceproxy.testing import FakeUpstream, listening

SECRET = "sk-marker-4711"
QUERY = f"?token={SECRET}"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def authority():
    return trustme.CA()


def _server_tls(authority, name="localhost"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def _client_tls(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def _dial(url, timeout=2.0, **options) -> UpstreamWebSocket:
    headers = {"Authorization": f"Bearer {SECRET}", "api-key": SECRET}
    async with client_session() as client, asyncio.timeout(PATIENCE):
        socket = await dial(client, Upstream(url, headers, timeout=timeout, **options), 1000)
        await socket.close()
        return socket


async def _fails(url, **options) -> UpstreamFault:
    with pytest.raises(UpstreamFault) as caught:
        await _dial(url, **options)
    fault = caught.value
    assert SECRET not in _everything_of(fault)
    assert f"Closes {fault.close_code}." in ERROR_CODES[fault.code]
    return fault


def _everything_of(error) -> str:
    """The error with all it is chained to: what a logged traceback shows."""
    text = ""
    while error is not None:
        text += f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


async def test_an_upstream_gets_the_headers_the_query_and_the_subprotocols():
    async with FakeUpstream(echo) as upstream:
        await _dial(upstream.url + "v1?a=1&a=2", protocols=["x", "y"])
    [request] = upstream.requests
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["Sec-WebSocket-Protocol"] == "x,y"
    assert request.rel_url == URL("/v1?a=1&a=2")
    assert "Sec-WebSocket-Extensions" not in request.headers


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, "upstream_rejected"),
        (400, "upstream_rejected"),
        (401, "upstream_unauthorized"),
        (403, "upstream_unauthorized"),
        (404, "upstream_rejected"),
        (407, "upstream_rejected"),
        (429, "upstream_rejected"),
        (500, "upstream_unreachable"),
        (503, "upstream_unreachable"),
    ],
)
async def test_an_http_status_instead_of_an_upgrade_says_what_to_do(status, code):
    async def answer(request):
        return web.Response(status=status, text=f"you sent {SECRET}")

    app = web.Application()
    app.router.add_get("/", answer)
    async with listening(app) as url:
        fault = await _fails(url.replace("http", "ws") + "/" + QUERY)
    assert (fault.code, f"HTTP {status}" in fault.description) == (code, True)


async def test_a_redirect_is_not_followed_with_the_key():
    asked = []

    async def elsewhere(request):
        asked.append(request)
        return web.Response()

    async def redirect(request):
        raise web.HTTPFound(location=str(request.url.with_path("/elsewhere")))

    app = web.Application()
    app.router.add_get("/elsewhere", elsewhere)
    app.router.add_get("/", redirect)
    async with listening(app) as url:
        fault = await _fails(url.replace("http", "ws") + "/" + QUERY)
    assert (fault.code, asked) == ("upstream_rejected", [])
    assert "HTTP 302" in fault.description


async def test_a_refused_connection_is_unreachable():
    async with raw_server(lambda reader, writer: asyncio.sleep(0)) as port:
        pass
    fault = await _fails(f"ws://127.0.0.1:{port}/{QUERY}")
    assert fault.code == "upstream_unreachable"
    assert f"ws://127.0.0.1:{port}/ (Connection refused)" in fault.description


async def test_a_name_that_does_not_resolve_is_a_dns_failure():
    fault = await _fails(f"wss://no-such-host.invalid/{QUERY}")
    assert fault.code == "upstream_dns_failed"


@pytest.mark.parametrize(
    "url", ["", "ws://", "ftp://host/", "ws://[half/", "nonsense", "ws://h:x/"]
)
async def test_a_url_that_is_none_is_rejected(url):
    assert (await _fails(url + ("" if "[" in url else QUERY))).code == "upstream_rejected"


async def test_an_upstream_that_never_answers_the_upgrade_times_out():
    async def never(reader, writer):
        await asyncio.Event().wait()

    async with raw_server(never) as port:
        fault = await _fails(f"ws://127.0.0.1:{port}/{QUERY}", timeout=0.1)
    assert fault.code == "upstream_timeout"
    assert "within 0.1 seconds" in fault.description


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"\x00\x01\x02" * 50,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        (
            b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: wrong\r\n\r\n"
        ),
        b"",
    ],
)
async def test_junk_instead_of_an_upgrade_is_no_upstream(answer):
    async def junk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with raw_server(junk) as port:
        fault = await _fails(f"ws://127.0.0.1:{port}/{QUERY}")
    assert fault.code in ("upstream_unreachable", "upstream_rejected")


async def test_an_upstream_that_resets_right_behind_its_answer_is_unreachable_or_lost():
    async def vanish(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [key] = [line[19:] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key: ")]
        writer.write(_accepting(key))
        await writer.drain()
        writer.transport.abort()

    async with raw_server(vanish) as port:
        outcomes = {await _outcome(f"ws://127.0.0.1:{port}/") for _ in range(20)}
    assert outcomes <= {"upstream_unreachable", "connected"}


async def _outcome(url):
    try:
        await _dial(url)
    except UpstreamFault as fault:
        return fault.code
    return "connected"


def _accepting(key: str) -> bytes:
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    accept = base64.b64encode(digest).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


# TLS.


async def test_a_certificate_nobody_vouches_for_is_refused(authority):
    async with FakeUpstream(echo, tls=_server_tls(authority)) as upstream:
        fault = await _fails(upstream.url + QUERY)
    assert fault.code == "upstream_tls_failed"
    assert "certificate" in fault.description
    assert upstream.requests == []


async def test_a_certificate_for_another_name_is_refused(authority):
    async with FakeUpstream(echo, tls=_server_tls(authority, "other.example")) as upstream:
        fault = await _fails(upstream.url + QUERY, ssl=_client_tls(authority))
    assert fault.code == "upstream_tls_failed"


async def test_an_authority_of_ones_own_makes_it_work(authority):
    async with FakeUpstream(echo, tls=_server_tls(authority)) as upstream:
        await _dial(upstream.url, ssl=_client_tls(authority))
    assert len(upstream.requests) == 1


async def test_tls_to_a_port_that_speaks_none_is_a_tls_failure():
    async with FakeUpstream(echo) as upstream:
        fault = await _fails(upstream.url.replace("ws://", "wss://") + QUERY)
    assert fault.code == "upstream_tls_failed"


# HTTP proxies.


@asynccontextmanager
async def _http_proxy(upstream_port, status=200):
    """A proxy that takes CONNECT for any host and connects to that port; records its requests."""
    asked: list[str] = []

    async def serve(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {status} So\r\n\r\n".encode())
        if status != 200:
            await writer.drain()
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", upstream_port)
        try:
            await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
        finally:
            outer.transport.abort()

    async with raw_server(serve) as port:
        yield f"127.0.0.1:{port}", asked


async def _copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_wss_upstream_is_reached_through_the_proxy_the_environment_names(
    authority, monkeypatch
):
    tls = _server_tls(authority, "api.voice.invalid")
    async with (
        FakeUpstream(echo, tls=tls) as upstream,
        _http_proxy(URL(upstream.url).port) as (proxy, asked),
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass%21@{proxy}")
        await _dial(f"wss://api.voice.invalid/x{QUERY}", ssl=_client_tls(authority))
    [request] = asked
    assert request.startswith("CONNECT api.voice.invalid:443 HTTP/1.1\r\n")
    credential = base64.b64encode(b"user:pass!").decode()
    assert f"Proxy-Authorization: Basic {credential}" in request
    assert SECRET not in request


async def test_a_proxy_that_refuses_is_named_as_the_cause(monkeypatch):
    async with _http_proxy(1, status=407) as (proxy, _):
        monkeypatch.setenv("HTTPS_PROXY", f"http://u:{SECRET}@{proxy}")
        fault = await _fails(f"wss://api.voice.invalid/{QUERY}")
    assert (fault.code, "HTTP proxy answered 407" in fault.description) == (
        "upstream_unreachable",
        True,
    )


async def test_a_proxy_that_is_none_is_named_as_a_cause(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    fault = await _fails(f"wss://api.voice.invalid/{QUERY}")
    assert fault.code == "upstream_rejected"
    assert "HTTP proxy" in fault.description


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("wss://a.example/", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://a.example/", {"https_proxy": "p:1"}, "http://p:1"),
        ("wss://a.example/", {"HTTP_PROXY": "http://p:1"}, None),
        ("ws://a.example/", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("ws://a.example/", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("wss://a.example/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example"}, None),
        ("wss://b.a.example/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".a.example"}, None),
        ("wss://a.example:8/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example:8"}, None),
        ("wss://a.example/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("wss://a.example/", {"HTTPS_PROXY": ""}, None),
        ("wss://localhost:9/", {"HTTPS_PROXY": "http://p:1"}, None),
        ("ws://127.0.0.1:9/", {"ALL_PROXY": "http://p:1"}, None),
        ("ws://[::1]:9/", {"ALL_PROXY": "http://p:1"}, None),
    ],
)
def test_the_environment_names_the_proxy(monkeypatch, url, environment, proxy):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(URL(url))
    assert (str(found).rstrip("/") if found else None) == proxy


def test_the_whole_environment_is_read_once_and_again_when_a_variable_has_changed(monkeypatch):
    reads = []

    def getproxies():
        reads.append(dict(os.environ))
        return {"https": os.environ["HTTPS_PROXY"]}

    monkeypatch.setattr("urllib.request.getproxies", getproxies)
    for proxy in ("http://once:1", "http://then:1"):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for _ in range(2):
            assert str(proxy_for(URL("wss://read.example/"))).rstrip("/") == proxy
    assert len(reads) == 2


async def test_the_connections_to_upstreams_are_not_limited_in_number():
    async with FakeUpstream(echo) as upstream, client_session() as client:
        sockets = [await dial(client, Upstream(upstream.url), 10) for _ in range(110)]
        assert upstream.live == 110
        for socket in sockets:
            socket.abort()


async def test_upstream_cookies_are_not_shared_between_sessions():
    async with client_session() as client:
        assert isinstance(client.cookie_jar, aiohttp.DummyCookieJar)
