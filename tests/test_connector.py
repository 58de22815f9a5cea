"""voiceproxy/connector.py: upstreams are reached at whatever addresses their names have."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from running import PATIENCE
from yarl import URL

from voiceproxy import connector as module
from voiceproxy.connector import Connector, connector
from voiceproxy.testing import listening

both_loops = pytest.mark.both_loops


class Addresses(AbstractResolver):
    """Every name has these."""

    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self._hosts
        ]

    async def close(self) -> None:
        pass


async def greet(request: web.Request) -> web.WebSocketResponse[Any]:
    websocket: web.WebSocketResponse[Any] = web.WebSocketResponse()
    await websocket.prepare(request)
    await websocket.send_str(f"hello, {request.host.partition(':')[0]}")
    await websocket.close()
    return websocket


async def greeting(*addresses: str, certified: str = "") -> str:
    """What is heard from an upstream on 127.0.0.1 whose name, a.example, has these addresses.

    ``certified``: over TLS, with a certificate for that name.
    """
    theirs = ours = None
    if certified:
        authority = trustme.CA()
        theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(certified).configure_cert(theirs)
        ours = ssl.create_default_context()
        authority.configure_trust(ours)
    app = web.Application()
    app.router.add_get("/", greet)
    found = Connector(limit=0, force_close=True, resolver=Addresses(*addresses))
    async with (
        asyncio.timeout(PATIENCE),
        listening(app, tls=theirs) as url,
        aiohttp.ClientSession(connector=found) as client,
        client.ws_connect(URL(url).with_host("a.example"), ssl=ours or True) as websocket,
    ):
        return await websocket.receive_str()


@both_loops
async def test_an_upstream_with_one_address_is_reached():
    assert await greeting("127.0.0.1") == "hello, a.example"


@both_loops
async def test_the_certificate_of_the_only_address_must_be_for_the_name():
    assert await greeting("127.0.0.1", certified="a.example") == "hello, a.example"
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await greeting("127.0.0.1", certified="b.example")


@both_loops
async def test_of_several_addresses_one_that_answers_is_taken():
    nobody_listens = "127.0.0.9"
    assert await greeting(nobody_listens, "127.0.0.1") == "hello, a.example"


@both_loops
async def test_an_address_where_nobody_listens_is_aiohttps_own_error():
    with pytest.raises(aiohttp.ClientConnectorError, match=r"a\.example"):
        await greeting("127.0.0.9")


class Renamed(aiohttp.TCPConnector):
    """An aiohttp to come."""

    _wrap_existing_connection = None  # type: ignore[assignment]


class Changed(aiohttp.TCPConnector):
    """Another one."""

    async def _wrap_create_connection(  # type: ignore[override]
        self, addresses: list[Any]
    ) -> Any: ...


@pytest.mark.parametrize("other", [Renamed, Changed])
async def test_of_an_aiohttp_that_does_it_in_another_way_its_own_connector_is_used(
    other: type[aiohttp.TCPConnector], monkeypatch: pytest.MonkeyPatch
):
    found = connector()
    assert type(found) is Connector
    await found.close()
    monkeypatch.setattr(module.aiohttp, "TCPConnector", other)
    found = connector()
    assert type(found) is other
    await found.close()
