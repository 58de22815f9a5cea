"""POST /v1/auth/grant: off, tokens of our own, tokens of the upstream's."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from running import raw_server

from voiceproxy import SettingsError, create_app
from voiceproxy.testing import FakeUpstream, connected, listening, serve
from voiceproxy_deepgram.grant import ttl_seconds
from voiceproxy_deepgram.upstream_tokens import Service, UpstreamTokens

CLIENT_KEY = "a-client-key-of-ours"
API_KEY = "0123456789abcdef0123456789abcdef01234567"
AS_CLIENT = {"Authorization": f"Token {CLIENT_KEY}"}


@asynccontextmanager
async def granting(**settings: object) -> AsyncIterator[str]:
    """A proxy; nothing it dials is real."""
    given = {
        "agent_url": "ws://127.0.0.1:9",
        "listen_url": "ws://127.0.0.1:9",
        "rest_url": "http://127.0.0.1:9",
        "api_key": API_KEY,
        "client_key": CLIENT_KEY,
        **settings,
    }
    async with serve("deepgram", settings={f"deepgram.{k}": v for k, v in given.items()}) as url:
        yield url


async def post(url: str, body: Any = None, path: str = "/v1/auth/grant", **headers: str) -> Any:
    """Status, body and headers of the answer. ``body``: bytes as they are, else JSON."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    async with (
        asyncio.timeout(10),
        aiohttp.request("POST", url + path, data=data, headers=headers) as answer,
    ):
        text = await answer.text()
        is_json = answer.content_type == "application/json"
        return answer.status, json.loads(text) if is_json else text, answer.headers


def is_refusal(answer: Any, status: int) -> bool:
    found, body, headers = answer
    assert set(body) == {"err_code", "err_msg", "request_id"}
    assert headers["dg-request-id"] == body["request_id"]
    return bool(found == status)


async def test_there_is_no_such_route_by_default():
    async with granting() as url:
        status, _, _ = await post(url, {}, **AS_CLIENT)
        assert status == 404


# Our own.


async def test_a_token_of_our_own_opens_sessions_here():
    async def script(ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.send_str('{"type":"Welcome"}')

    async with (
        FakeUpstream(script) as upstream,
        granting(grant="own", agent_url=upstream.url) as url,
    ):
        status, granted, headers = await post(url, {"ttl_seconds": 60}, **AS_CLIENT)
        assert (status, granted["expires_in"]) == (200, 60)
        assert headers["dg-request-id"]
        async with connected(
            url + "/v1/agent/converse", protocols=("bearer", granted["access_token"])
        ) as ws:
            assert ws.protocol == "bearer"
            assert await ws.receive_json() == {"type": "Welcome"}
        assert upstream.requests[0].headers["Authorization"] == f"Token {API_KEY}"


@pytest.mark.parametrize("grant", ["own", "upstream"])
async def test_only_the_client_key_gets_a_token(grant):
    async with granting(grant=grant) as url:
        assert is_refusal(await post(url, {}), 401)
        assert is_refusal(await post(url, {}, Authorization="Token wrong"), 401)
        assert is_refusal(await post(url, {}, Authorization=f"Token {API_KEY}"), 401)


async def test_a_token_gets_no_further_token():
    async with granting(grant="own") as url:
        _, granted, _ = await post(url, {}, **AS_CLIENT)
        token = granted["access_token"]
        assert is_refusal(await post(url, {}, Authorization=f"Bearer {token}"), 401)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b"", 30),
        (b"{}", 30),
        (b'{"ttl_seconds":null}', 30),
        (b'{"ttl_seconds":1}', 1),
        (b'{"ttl_seconds":3600}', 3600),
        (b'{"ttl_seconds":2.5,"other":1}', 2.5),
    ],
)
def test_a_token_lasts_as_long_as_asked_or_30_seconds(body, seconds):
    assert ttl_seconds(body) == seconds


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"ttl_seconds":0}', "ttl_seconds"),
        (b'{"ttl_seconds":0.5}', "ttl_seconds"),
        (b'{"ttl_seconds":3601}', "ttl_seconds"),
        (b'{"ttl_seconds":-1}', "ttl_seconds"),
        (b'{"ttl_seconds":"60"}', "ttl_seconds"),
        (b'{"ttl_seconds":true}', "ttl_seconds"),
        (b'{"ttl_seconds":[]}', "ttl_seconds"),
        (b"[]", "object"),
        (b"{", "JSON"),
        (b"\xff", "JSON"),
    ],
)
async def test_a_body_that_is_wrong_is_answered_with_what_is_wrong(body, says):
    with pytest.raises(ValueError, match=says):
        ttl_seconds(body)
    async with granting(grant="own") as url:
        answer = await post(url, body, **AS_CLIENT)
        assert is_refusal(answer, 400)
        assert says in answer[1]["err_msg"]


async def test_doubled_slashes_lead_to_the_route_and_foreign_pages_do_not():
    async with granting(grant="own") as url:
        status, _, _ = await post(url, {}, "//v1//auth/grant", **AS_CLIENT)
        assert status == 200
        status, _, _ = await post(url, {}, Origin="https://elsewhere.example", **AS_CLIENT)
        assert status == 403


async def test_a_caller_that_never_sends_its_body_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("voiceproxy_deepgram.grant.BODY_TIMEOUT", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with (
        asyncio.timeout(10),
        granting(grant="own") as url,
        aiohttp.ClientSession() as client,
        client.post(url + "/v1/auth/grant", data=body(), headers=AS_CLIENT) as answer,
    ):
        assert answer.status == 408


async def test_a_body_that_is_far_too_long_is_refused_in_the_same_shape():
    async with (
        asyncio.timeout(10),
        granting(grant="own") as url,
        aiohttp.request(
            "POST", url + "/v1/auth/grant", data=io.BytesIO(bytes(1_100_000)), headers=AS_CLIENT
        ) as answer,
    ):
        assert is_refusal((answer.status, await answer.json(), answer.headers), 413)


def test_without_pyjwt_the_operator_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jwt", None)
    monkeypatch.delitem(sys.modules, "voiceproxy_deepgram.tokens", raising=False)
    given = {"deepgram.grant": "own", "deepgram.client_key": CLIENT_KEY}
    with pytest.raises(SettingsError, match=r"voiceproxy\[auth\]"):
        create_app(["deepgram"], settings={**given, "deepgram.api_key": API_KEY}, environ={})


async def test_tokens_are_signed_with_the_secret_if_there_is_one():
    async with granting(grant="own", token_secret="first") as url:
        _, granted, _ = await post(url, {}, **AS_CLIENT)
    token = granted["access_token"]
    for secret, status in (("first", 502), ("second", 401)):
        async with granting(grant="own", token_secret=secret) as url:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with connected(f"{url}/v1/listen?token={token}"):
                    pass
            assert refused.value.status == status


# The upstream's.


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def rest(handler: Handler) -> AsyncIterator[str]:
    """An upstream's REST API."""
    app = web.Application()
    app.router.add_post("/v1/auth/grant", handler)
    async with listening(app) as url:
        yield url


async def test_the_upstream_mints_for_who_has_the_client_key():
    asked: list[tuple[Any, bytes]] = []

    async def mint(request: web.Request) -> web.Response:
        asked.append((request.headers.copy(), await request.read()))
        granted = {"access_token": "jwt", "expires_in": 60}
        return web.json_response(granted, headers={"dg-request-id": "r-1", "Set-Cookie": "a=b"})

    async with rest(mint) as there, granting(grant="upstream", rest_url=there + "/") as url:
        status, body, headers = await post(url, {"ttl_seconds": 60}, Cookie="c=d", **AS_CLIENT)
    assert (status, body) == (200, {"access_token": "jwt", "expires_in": 60})
    assert headers["dg-request-id"] == "r-1"
    assert "Set-Cookie" not in headers
    [(sent, said)] = asked
    assert sent["Authorization"] == f"Token {API_KEY}"
    assert "Cookie" not in sent
    assert CLIENT_KEY not in str(sent)
    assert json.loads(said) == {"ttl_seconds": 60}


async def test_what_the_upstream_refuses_is_relayed_without_our_key(caplog):
    caplog.set_level(logging.DEBUG)

    async def refuse(request: web.Request) -> web.Response:
        body = {"err_code": "FORBIDDEN", "err_msg": f"Not with {API_KEY}.", "request_id": "r"}
        return web.json_response(body, status=403, headers={"dg-error": f"{API_KEY} is no member"})

    async with rest(refuse) as there, granting(grant="upstream", rest_url=there) as url:
        status, body, headers = await post(url, {}, **AS_CLIENT)
    assert (status, body["err_code"]) == (403, "FORBIDDEN")
    assert body["err_msg"] == "Not with ****."
    assert headers["dg-error"] == "**** is no member"
    assert API_KEY not in caplog.text
    assert CLIENT_KEY not in caplog.text


@pytest.mark.parametrize("status", [301, 307, 407, 421, 426])
async def test_an_answer_that_is_not_for_the_caller_is_a_502_and_leads_nowhere(status):
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.Response(status=status, headers={"Location": "/v1/auth/grant?again"})

    async with rest(elsewhere) as there, granting(grant="upstream", rest_url=there) as url:
        assert is_refusal(await post(url, {}, **AS_CLIENT), 502)
    assert asked == ["/v1/auth/grant"]


async def test_an_upstream_nobody_reaches_is_a_502():
    async with granting(grant="upstream") as url:
        assert is_refusal(await post(url, {}, **AS_CLIENT), 502)


async def test_an_answer_without_end_is_a_502():
    async def flood(request: web.Request) -> web.Response:
        return web.Response(body=bytes(70_000))

    async with rest(flood) as there, granting(grant="upstream", rest_url=there) as url:
        assert is_refusal(await post(url, {}, **AS_CLIENT), 502)


async def test_a_silent_upstream_is_a_504():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(silent) as port:
        service = Service(f"http://127.0.0.1:{port}")
        answer = await UpstreamTokens(lambda: service, timeout=0.05).mint(b"{}")
    assert answer.status == 504
