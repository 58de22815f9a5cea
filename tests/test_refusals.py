"""voiceproxy/refusals.py: an upstream's HTTP refusal reaches the client, without our secrets."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from running import hear, raw_server

from voiceproxy import Endpoint, Refuse, Upstream, add_endpoint, hookimpl, refusals
from voiceproxy.testing import FakeUpstream, connected, listening, serve

KEY = "sk-marker-4711/+and-more"
PARTLY = KEY[:-5]
"""Another credential, which the key begins with."""
IN_QUERY = "jwt/of+the=client"
WITH_TOKEN = f"/?model=general&keyterm=credentials&access_token={quote(IN_QUERY, safe='')}"
BODY = {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials.", "request_id": "up-1"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Backend:
    """A backend whose servers name their requests, like Deepgram's."""

    def __init__(self, url, dial="before", variant=None, scheme="Token", more=()):
        self.endpoint = Endpoint(
            "named",
            "/named",
            lambda session, stand_in: Upstream(
                url,
                headers={"Authorization": f"{scheme} {KEY}"},
                protocols=("token", PARTLY),
                dial=dial,
            ),
            "named",
            variant=variant,
            relayed_headers=("X-Request-Id", "X-Error", *more),
            request_id_header="X-Request-Id",
        )

    @hookimpl
    def voiceproxy_setup(self, app):
        add_endpoint(app, self.endpoint)


def _refusing(status, *, body=None, text="", headers=None):
    async def answer(request):
        if body is not None:
            return web.json_response(body, status=status, headers=headers)
        return web.Response(status=status, text=text, headers=headers)

    app = web.Application()
    app.router.add_get("/", answer)
    return listening(app)


async def _refusal(proxy):
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        answer = await session.get(proxy + "/named", headers=UPGRADE)
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503, 599])
async def test_the_status_and_the_words_of_the_upstream_reach_the_client(status):
    headers = {"x-error": "said so", "X-REQUEST-ID": "up-1", "X-Other": "ours"}
    async with (
        _refusing(status, body=BODY, headers=headers) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/")) as proxy,
    ):
        answered, body, got = await _refusal(proxy)
    assert (answered, body) == (status, BODY)
    assert (got["X-Error"], got["X-Request-Id"]) == ("said so", "up-1")
    assert "X-Other" not in got


@pytest.mark.parametrize("status", [407, 421, 426, 200, 302])
async def test_a_status_that_is_not_about_the_client_becomes_502(status):
    async with (
        _refusing(status, body=BODY) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/")) as proxy,
    ):
        answered, _, got = await _refusal(proxy)
    assert answered == 502
    assert len(got["X-Request-Id"]) == 32


@pytest.mark.parametrize(
    "options",
    [
        {"text": "<html>no</html>"},
        {"text": "[1]"},
        {"body": {"err_msg": 7, "err_code": ["x"], "request_id": "a\nb"}},
        {"text": "x" * 100_000},
    ],
)
async def test_a_refusal_without_words_gets_ours(options):
    async with (
        _refusing(403, **options) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/")) as proxy,
    ):
        answered, body, got = await _refusal(proxy)
    assert (answered, body["err_code"]) == (403, "UPSTREAM_UNAUTHORIZED")
    assert "Check the API key" in body["err_msg"]
    assert body["request_id"] == got["X-Request-Id"]


async def test_a_refusal_that_repeats_our_key_is_masked_for_client_and_log(caplog):
    body = {"err_code": "X", "err_msg": f"bad key {KEY}", "request_id": "1"}
    headers = {"X-Error": f"Token {KEY}"}
    async with (
        _refusing(401, body=body, headers=headers) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/")) as proxy,
    ):
        _, told, got = await _refusal(proxy)
    assert told["err_msg"] == "bad key ****"
    assert got["X-Error"] == "Token ****"
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "said",
    [
        "x" * 490 + f" {KEY}",  # cut in the middle of the key
        f"{quote(KEY, safe='')} and {quote(KEY)}",
        f"{PARTLY} and {KEY}",
        f"?access_token={IN_QUERY}&model=general",
        f"?access_token={quote(IN_QUERY, safe='')}",
    ],
)
async def test_no_part_of_a_key_is_repeated_however_it_is_written(said, caplog):
    body = {"err_code": said[-200:], "err_msg": said, "request_id": said[-200:]}
    async with (
        _refusing(400, body=body, headers={"X-Error": said, "X-Request-Id": said}) as upstream,
        serve(Backend(upstream.replace("http", "ws") + WITH_TOKEN)) as proxy,
    ):
        _, told, got = await _refusal(proxy)
    everything = f"{told} {dict(got)} {caplog.text}"
    for secret in (KEY[:9], "more", PARTLY, "jwt", quote(IN_QUERY, safe="")):
        assert secret not in everything
    assert "****" in everything


async def test_what_is_no_credential_is_repeated():
    said = "No model 'general': send Bearer or Token credentials."
    async with (
        _refusing(400, body={"err_msg": said}) as upstream,
        serve(Backend(upstream.replace("http", "ws") + WITH_TOKEN, scheme="Bearer")) as proxy,
    ):
        _, told, _ = await _refusal(proxy)
    assert told["err_msg"] == said


async def test_the_upstreams_own_time_to_come_back_is_told_once():
    headers = {"Retry-After": "120"}
    async with (
        _refusing(503, body=BODY, headers=headers) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/", more=("Retry-After",))) as proxy,
    ):
        _, _, got = await _refusal(proxy)
    assert got.getall("Retry-After") == ["120"]


async def test_a_refusal_whose_body_never_ends_still_has_its_status(monkeypatch):
    monkeypatch.setattr(refusals, "BODY_TIMEOUT", 0.05)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 500\r\n\r\n{")
        await reader.read()

    async with (
        raw_server(answer) as port,
        serve(Backend(f"ws://127.0.0.1:{port}/")) as proxy,
    ):
        answered, body, _ = await _refusal(proxy)
    assert (answered, body["err_code"]) == (401, "UPSTREAM_UNAUTHORIZED")


async def test_a_refusal_cut_off_in_its_body_still_has_its_status():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 402 Payment Required\r\nContent-Length: 500\r\n\r\n{")
        writer.close()

    async with (
        raw_server(answer) as port,
        serve(Backend(f"ws://127.0.0.1:{port}/")) as proxy,
    ):
        answered, body, _ = await _refusal(proxy)
    assert answered == 402
    assert "no credit" in body["err_msg"]


async def test_the_connection_of_a_refusal_is_not_kept():
    left = asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}")
        await reader.read()
        left.set()
        writer.close()

    async with (
        raw_server(answer) as port,
        serve(Backend(f"ws://127.0.0.1:{port}/")) as proxy,
        asyncio.timeout(10),
    ):
        assert (await _refusal(proxy))[0] == 401
        await left.wait()


async def test_a_client_answered_first_is_told_the_reason_in_an_error():
    async with (
        _refusing(400, body={**BODY, "err_msg": "No such model."}) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/", dial="after")) as proxy,
        connected(proxy + "/named") as client,
    ):
        heard = await hear(client)
    assert client.close_code == 1000
    [error] = heard.frames
    assert error["code"] == "upstream_rejected"
    assert "answered HTTP 400 (No such model). " in error["description"]


async def test_the_101_carries_the_headers_of_the_upstreams_answer():
    async def answer(request):
        socket = web.WebSocketResponse()
        socket.headers["X-Request-Id"] = "up-2"
        socket.headers["X-Other"] = "no"
        await socket.prepare(request)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/", answer)
    async with (
        listening(app) as upstream,
        serve(Backend(upstream.replace("http", "ws") + "/")) as proxy,
        connected(proxy + "/named") as client,
    ):
        headers = client._response.headers
    assert headers["X-Request-Id"] == "up-2"
    assert "X-Other" not in headers


async def test_a_client_answered_first_gets_our_id_in_that_header():
    async def idle(socket, request):
        await socket.receive()

    async with (
        FakeUpstream(idle) as upstream,
        serve(Backend(upstream.url, dial="after")) as proxy,
        connected(proxy + "/named") as client,
    ):
        assert len(client._response.headers["X-Request-Id"]) == 32


# One path, several protocols.


async def test_the_query_chooses_what_a_path_serves():
    async def tell(socket, request):
        await socket.send_str(str(request.rel_url))
        await socket.receive()

    async with FakeUpstream(tell) as upstream:
        other = Backend(upstream.url + "other").endpoint

        def variant(query):
            if query.get("service") not in (None, "other"):
                raise Refuse(400, "service is 'other' or absent")
            return other if "service" in query else backend.endpoint

        backend = Backend(upstream.url, variant=variant)
        async with serve(backend, settings={"dialect": "agent"}) as proxy:
            async with connected(proxy + "/named?service=other") as client:
                assert await client.receive_str(timeout=5) == "/other"
            async with connected(proxy + "/named") as client:
                assert await client.receive_str(timeout=5) == "/"
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with connected(proxy + "/named?service=x"):
                    pass
    assert caught.value.status == 400


# The query as it came.


QUERY = "b=2&a=1&a=%2B+x%20y&e=%C3%A9&k=;|&empty=&flag&z=%7e"


async def test_a_url_of_ascii_is_dialled_as_it_stands():
    heard = []

    async def read(reader, writer):
        heard.append((await reader.readuntil(b"\r\n")).decode())
        writer.close()

    class Raw(Backend):
        def __init__(self, port):
            super().__init__("")
            self.endpoint = Endpoint(
                "named",
                "/named",
                lambda session, stand_in: Upstream(
                    f"ws://127.0.0.1:{port}/v1/x?{session.raw_query}", dial="before"
                ),
                "named",
            )

    async with raw_server(read) as port, serve(Raw(port)) as proxy:
        address = proxy.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(address[0], int(address[1]))
        request = (
            f"GET /named?{QUERY} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        writer.write(request.encode())
        async with asyncio.timeout(10):
            await reader.read(1000)
        writer.close()
    assert set(heard) == {f"GET /v1/x?{QUERY} HTTP/1.1\r\n"}
