"""What the upstream sees of a client's request, what the client sees of the upstream's answer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import re
from typing import Any

import pytest
from aiohttp import web
from deepgram_proxy import (
    AGENT,
    API_KEY,
    CLIENT_KEY,
    STREAMS,
    asking,
    proxied,
    refusing,
    relayed,
    wait,
)
from running import answer_nothing, hear, raw_server, running, until

from voiceproxy import Session, hookimpl
from voiceproxy.testing import connected

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl"
BROWSER = {"Origin": "http://localhost:3000"}
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""


# Up.


@pytest.mark.parametrize(
    ("asked", "dialled"),
    [
        (f"{AGENT}?x=1", f"{AGENT}?x=1"),
        (f"/{AGENT}", AGENT),
        ("//v1///listen?model=nova-3", "/v1/listen?model=nova-3"),
        (
            "/v1/listen?keyterm=a+b&keyterm=%c3%a9&extra%5Ba%5D=b%2Bc&keyterm=&&x",
            "/v1/listen?keyterm=a+b&keyterm=%c3%a9&extra%5Ba%5D=b%2Bc&keyterm=&&x",
        ),
        ("/v2/listen?token=secret&model=flux&traceId=t", "/v2/listen?model=flux"),
        (
            "/v1/speak?model=aura&profile=p&encoding=linear16",
            "/v1/speak?model=aura&encoding=linear16",
        ),
        ("/v2/speak?tag=%74oken&%74oken=secret", "/v2/speak?tag=%74oken"),
        ("/deepgram?service=agent&token=secret&a=%7E", f"{AGENT}?a=%7E"),
        ("/deepgram-proxy?service=transcription&model=m&a=b&a=c", "/v1/listen?model=m&a=b&a=c"),
        ("/deepgram-proxy?traceId=t", AGENT),
        ("/deepgram?service=transcription&service=agent", "/v1/listen"),
    ],
)
async def test_the_query_goes_up_as_it_came_without_what_is_ours_dgm_2_dgm_3(asked, dialled):
    heads: list[bytes] = []
    async with (
        refusing(403, b"", heads) as upstream,
        proxied(upstream) as proxy,
        asking(proxy.url + asked) as client,
    ):
        assert await client.answer() == 403
    [head] = heads
    assert head.partition(b"\r\n")[0] == f"GET {dialled} HTTP/1.1".encode()


async def test_the_bases_own_query_is_kept_dgm_3():
    heads: list[bytes] = []
    async with (
        refusing(403, b"", heads) as upstream,
        proxied(f"{upstream}/prefix?mine=a%2Bb") as proxy,
        asking(f"{proxy.url}/v1/listen?theirs=%41") as client,
    ):
        await client.answer()
    assert heads[0].startswith(b"GET /prefix/v1/listen?mine=a%2Bb&theirs=%41 HTTP/1.1\r\n")


@pytest.mark.parametrize("path", [AGENT, *STREAMS, "/deepgram"])
async def test_nothing_of_the_clients_request_goes_up_but_its_session_id_dgm_4(path):
    theirs = {
        "Authorization": "Token of-the-client",
        "Cookie": "session=1",
        "User-Agent": "their-agent",
        "X-Fern-Language": "Python",
        "X-Deepgram-Session-Id": "run-1",
        **BROWSER,
    }
    offered = ("token", "of-the-client")
    async with (
        relayed(wait, headers=["X-Ours: yes"], dial="before") as (proxy, upstream),
        connected(f"{proxy.url}{path}?token=secret", headers=theirs, protocols=offered),
    ):
        [request] = upstream.requests
    ours = {
        name.lower(): value
        for name, value in request.headers.items()
        if not name.lower().startswith("sec-websocket-")
    }
    assert set(ours) - {"host", "upgrade", "connection", "accept", "accept-encoding"} == {
        "authorization",
        "user-agent",
        "x-deepgram-session-id",
        "x-ours",
    }
    assert ours["authorization"] == f"Token {API_KEY}"
    assert ours["x-deepgram-session-id"] == "run-1"
    assert "their" not in ours["user-agent"]
    assert "Sec-WebSocket-Protocol" not in request.headers
    assert "of-the-client" not in str(request.headers)


# The subprotocol.


OFFERS: dict[tuple[str, ...], str | None] = {
    (): None,
    ("token", "KEY"): "token",
    ("bearer", JWT): "bearer",
    ("token", "KEY", "x-deepgram-session-id", "run"): "token",
    ("x-mine", "token", "KEY"): "token",
    (f"access_token.{JWT}",): f"access_token.{JWT}",
    ("x-mine",): "x-mine",
}
"""What SDKs offer, and the one value that is answered."""


@pytest.mark.parametrize("path", [AGENT, "/deepgram", "/v1/listen"])
@pytest.mark.parametrize("headers", [{}, BROWSER], ids=["sdk", "browser"])
async def test_every_sdks_offer_is_answered_with_one_value_and_no_secret(path, headers, caplog):
    caplog.set_level(logging.DEBUG)
    async with relayed(wait) as (proxy, _):
        for offered, answered in OFFERS.items():
            options = {"protocols": offered, "headers": headers}
            async with connected(proxy.url + path, **options) as ws:
                assert ws.protocol == answered
    assert "KEY" not in caplog.text
    assert JWT not in caplog.text


# The upstream's refusal.

BODY = {"err_code": "INSUFFICIENT_PERMISSIONS", "err_msg": "Not you.", "request_id": "theirs"}


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503])
async def test_the_upstreams_refusal_is_the_clients_dgm_10(status):
    async with refusing(status, json.dumps(BODY).encode()) as upstream, proxied(upstream) as proxy:
        for path in (AGENT, "/deepgram", "/v1/listen", "/v2/speak"):
            async with asking(proxy.url + path) as client:
                assert await client.answer() == status
                assert await client.body() == BODY
            assert client.headers["dg-request-id"] == "theirs"
            assert client.headers["dg-error"] == "why not"
            assert "x-theirs" not in client.headers


async def test_a_refusal_without_a_reason_gets_one_of_ours():
    async with (
        refusing(401, b"<html>") as upstream,
        proxied(upstream) as proxy,
        asking(proxy.url + AGENT) as client,
    ):
        assert await client.answer() == 401
        body = await client.body()
    assert set(body) == {"err_code", "err_msg", "request_id"}
    assert "API key" in body["err_msg"]


async def test_a_refusal_that_quotes_our_key_does_not_tell_it(caplog):
    caplog.set_level(logging.DEBUG)
    said = json.dumps({**BODY, "err_msg": f"{API_KEY} is unknown"}).encode()
    async with (
        refusing(401, said) as upstream,
        proxied(upstream) as proxy,
        asking(proxy.url + AGENT) as client,
    ):
        await client.answer()
        assert API_KEY not in json.dumps(await client.body())
    assert API_KEY not in caplog.text


async def test_an_upstream_nobody_reaches_is_a_502_def_25():
    async with proxied("ws://127.0.0.1:9") as proxy, asking(proxy.url + AGENT) as client:
        assert await client.answer() == 502
        assert (await client.body())["request_id"] == client.headers["dg-request-id"]


async def test_an_upstream_that_is_silent_is_a_504_def_25():
    async with (
        raw_server(answer_nothing) as port,
        proxied(f"ws://127.0.0.1:{port}", host={"connect_timeout": 0.2}) as proxy,
        asking(proxy.url + "/v1/listen") as client,
    ):
        assert await client.answer() == 504


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (AGENT, {"type": "Error", "code": "upstream_unauthorized"}),
        ("/deepgram", {"type": "Error", "code": "upstream_unauthorized"}),
        ("/v1/listen", {"type": "Error", "variant": "upstream_unauthorized"}),
        ("/deepgram?service=transcription", {"type": "Error", "variant": "upstream_unauthorized"}),
        ("/v2/listen", {"type": "Error", "code": "upstream_unauthorized"}),
        ("/v2/speak", {"type": "Error", "code": "upstream_unauthorized"}),
        ("/v1/speak", None),
    ],
)
async def test_a_browser_is_told_in_the_language_of_the_path_dgm_10(path, named):
    async with (
        refusing(401, b"") as upstream,
        proxied(upstream) as proxy,
        connected(proxy.url + path, headers=BROWSER) as ws,
    ):
        heard = await hear(ws)
    assert heard.code == 1000
    if named is None:
        assert heard.frames == []
        assert "API key" in heard.reason
    else:
        [error] = heard.frames
        assert named.items() <= error.items()
        assert "API key" in error["description"]


# The upstream's answer.


async def _accept(ws: web.WebSocketResponse, request: web.Request) -> None:
    await ws.send_json({"type": "Welcome", "request_id": "r"})
    await wait(ws, request)


@pytest.mark.parametrize("path", [AGENT, "/deepgram", "/v2/listen"])
async def test_the_headers_of_the_upstreams_answer_reach_who_waits_for_it(path):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"(?i)sec-websocket-key: (\S+)", head)[1]
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
            "dg-request-id: theirs",
            "dg-model-name: nova-3",
            "access-control-expose-headers: dg-request-id,dg-error",
            "Set-Cookie: theirs=1",
            "X-Theirs: 1",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await reader.read()

    async with (
        raw_server(answer) as port,
        proxied(f"ws://127.0.0.1:{port}") as proxy,
        asking(proxy.url + path) as client,
    ):
        assert await client.answer() == 101
    assert client.headers["dg-request-id"] == "theirs"
    assert client.headers["dg-model-name"] == "nova-3"
    assert client.headers["access-control-expose-headers"] == "dg-request-id,dg-error"
    assert not {"set-cookie", "x-theirs"} & set(client.headers)


async def test_every_answer_names_its_request():
    async with relayed(wait) as (proxy, _):
        async with asking(proxy.url + AGENT, "Origin: http://localhost:1") as client:
            assert await client.answer() == 101
            assert re.fullmatch("[0-9a-f]{32}", client.headers["dg-request-id"])
        async with asking(proxy.url + "/deepgram?service=speak") as client:
            assert await client.answer() == 400
            body = await client.body()
    assert "service" in body["err_msg"]
    assert body["request_id"] == client.headers["dg-request-id"]


async def test_an_upstream_dialled_after_the_upgrade_still_says_welcome_first():
    async with (
        relayed(_accept) as (proxy, _),
        connected(proxy.url + "/deepgram", headers=BROWSER) as ws,
    ):
        heard = await hear(ws, 1)
    assert heard.types == ["Welcome"]


async def test_a_client_that_leaves_while_the_upstream_is_dialled_leaves_nothing_behind_def_25():
    """``running`` counts what is left."""
    async with raw_server(answer_nothing) as port, proxied(f"ws://127.0.0.1:{port}") as proxy:
        for lines in ((), ("Origin: http://localhost:1",)):
            async with asking(proxy.url + AGENT, *lines):
                await until(lambda: proxy.live)


async def test_a_long_reason_of_the_upstream_crashes_nobody_def_25():
    said = "ü" * 4000
    async with (
        refusing(401, json.dumps({"err_msg": said}).encode()) as upstream,
        proxied(upstream) as proxy,
        connected(proxy.url + "/v1/speak", headers=BROWSER) as ws,
    ):
        heard = await hear(ws)
    assert heard.code == 1000
    assert len(heard.reason.encode()) <= 123


# Whom we let in.


WAYS_IN: list[dict[str, Any]] = [
    {"headers": {"Authorization": f"Token {CLIENT_KEY}"}},
    {"headers": {"Authorization": f"bearer {CLIENT_KEY}"}},
    {"protocols": ("token", CLIENT_KEY)},
    {"protocols": (f"access_token.{CLIENT_KEY}",)},
    {"params": {"token": CLIENT_KEY}},
]


@pytest.mark.parametrize("path", [AGENT, "/deepgram", "/v1/listen", "/v2/speak"])
async def test_who_presents_the_client_key_is_let_in_and_it_stays_here(path, caplog):
    caplog.set_level(logging.DEBUG)
    async with relayed(wait, client_key=CLIENT_KEY) as (proxy, upstream):
        for options in WAYS_IN:
            async with connected(proxy.url + path, **options):
                pass
    assert len(upstream.requests) == len(WAYS_IN)
    for request in upstream.requests:
        assert request.headers["Authorization"] == f"Token {API_KEY}"
        assert CLIENT_KEY not in request.path_qs + str(request.headers)
    assert CLIENT_KEY not in caplog.text
    assert API_KEY not in caplog.text


@pytest.mark.parametrize("path", [AGENT, "/deepgram", "/v1/listen", "/v2/speak"])
async def test_who_does_not_is_told_so_before_anything_is_dialled_dgm_12(path, caplog):
    caplog.set_level(logging.DEBUG)
    async with relayed(wait, client_key=CLIENT_KEY) as (proxy, upstream):
        for lines in ((), ("Origin: http://localhost:1",)):
            async with asking(f"{proxy.url}{path}?token=guessed", *lines) as client:
                assert await client.answer() == 401
                body = await client.body()
            assert body["err_code"] == "INVALID_AUTH"
            assert body["request_id"] == client.headers["dg-request-id"]
    assert upstream.requests == []
    assert "guessed" not in caplog.text


async def test_other_backends_keep_their_doors_as_they_are():
    """The hook sees every session of the application; the key is for this backend's."""
    settings = {
        "deepgram.client_key": CLIENT_KEY,
        "deepgram.api_key": API_KEY,
        "openai.url": "ws://127.0.0.1:9",
    }
    async with running("openai", "deepgram", **settings) as proxy:
        for path, status in (("/openai", 101), (AGENT, 101), ("/deepgram", 401)):
            async with asking(proxy.url + path) as client:
                assert await client.answer() == status


async def test_other_plugins_are_not_asked_about_who_is_not_let_in():
    asked = []

    class Busy:
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            asked.append(session.path)

    settings = {"deepgram.client_key": CLIENT_KEY, "deepgram.api_key": API_KEY}
    async with (
        running(Busy(), "deepgram", **settings) as proxy,
        asking(proxy.url + AGENT) as client,
    ):
        assert await client.answer() == 401
    assert asked == []
