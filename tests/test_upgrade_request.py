"""voiceproxy/visit.py: what counts as a WebSocket client's opening handshake."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from running import PATIENCE, echo, relaying

from voiceproxy.testing import listening
from voiceproxy.visit import asks_for_websocket

UPGRADE = "Upgrade: websocket"
CONNECTION = "Connection: Upgrade"
VERSION = "Sec-WebSocket-Version: 13"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
FOUR = (UPGRADE, CONNECTION, VERSION, KEY)

HANDSHAKES = [
    FOUR,
    ("upgrade: WebSocket", "connection: upgrade", VERSION, KEY),
    (UPGRADE, "Connection: keep-alive, Upgrade", VERSION, KEY),
    (UPGRADE, "Connection: keep-alive", CONNECTION, VERSION, KEY),
    (UPGRADE, "Connection: Upgrade , keep-alive", VERSION, KEY),
    *((UPGRADE, CONNECTION, f"Sec-WebSocket-Version: {n}", KEY) for n in (7, 8)),
]

OTHERS = [
    (),
    *(tuple(line for line in FOUR if line is not missing) for missing in FOUR),
    ("Upgrade: h2c", CONNECTION, VERSION, KEY),
    (UPGRADE, "Connection: close", VERSION, KEY),
    (UPGRADE, "Connection: upgraded", VERSION, KEY),
    (UPGRADE, CONNECTION, "Sec-WebSocket-Version: 12", KEY),
    (UPGRADE, CONNECTION, "Sec-WebSocket-Version: thirteen", KEY),
    (UPGRADE, CONNECTION, VERSION, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="),
    (UPGRADE, CONNECTION, VERSION, "Sec-WebSocket-Key: not base64"),
    (UPGRADE, CONNECTION, VERSION, "Sec-WebSocket-Key: "),
]


async def judge(request: web.Request) -> web.Response:
    """What we say of a request, and what aiohttp does."""
    aiohttps = bool(web.WebSocketResponse().can_prepare(request))
    response = web.json_response([asks_for_websocket(request), aiohttps])
    response.force_close()
    return response


async def verdicts_on(*lines: str) -> list[bool]:
    app = web.Application()
    app.router.add_get("/", judge)
    async with listening(app) as url, asyncio.timeout(PATIENCE):
        where = urlsplit(str(url))
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        head = ["GET / HTTP/1.1", f"Host: {where.netloc}", *lines, "", ""]
        writer.write("\r\n".join(head).encode())
        answer = await reader.read()
        writer.close()
    verdicts: list[bool] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return verdicts


@pytest.mark.parametrize("lines", HANDSHAKES, ids=" | ".join)
async def test_a_handshake_is_known_for_one_as_aiohttp_knows_it(lines: tuple[str, ...]):
    assert await verdicts_on(*lines) == [True, True]


@pytest.mark.parametrize("lines", OTHERS, ids=" | ".join)
async def test_what_is_no_handshake_is_known_for_none_as_aiohttp_knows_it(lines: tuple[str, ...]):
    assert await verdicts_on(*lines) == [False, False]


async def test_a_key_that_is_not_ascii_is_refused_as_any_other_request():
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\u00e9"
    async with relaying(echo) as proxy, asyncio.timeout(PATIENCE):
        where = urlsplit(proxy.endpoint)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        head = [f"GET {where.path} HTTP/1.1", f"Host: {where.netloc}", *FOUR[:3], key, "", ""]
        writer.write("\r\n".join(head).encode())
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 426 ")
