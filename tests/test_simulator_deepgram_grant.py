"""``POST /v1/auth/grant`` of the simulator: tokens that open sessions for a while."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from deepgram.types import GrantV1Response
from stream_rehearsal import bounded

from voiceproxy_simulator import SimulatedDeepgram
from voiceproxy_simulator.deepgram.grant import Credentials
from voiceproxy_simulator.deepgram.handshake import Refused

KEY = "dg-key-of-the-test"
LISTEN = "/v1/listen?model=nova-3"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


# The credentials


def test_a_token_opens_sessions_until_it_expires():
    clock = Clock()
    credentials = Credentials(KEY, clock)
    granted = credentials.grant(("token", KEY), b'{"ttl_seconds": 60}')
    assert granted["expires_in"] == 60
    GrantV1Response.model_validate(granted)
    clock.now += 59
    credentials.admit(("bearer", granted["access_token"]))
    clock.now += 2
    with pytest.raises(Refused) as refused:
        credentials.admit(("bearer", granted["access_token"]))
    assert refused.value.status == 401


def test_a_token_looks_like_the_jwt_it_is():
    granted = Credentials(KEY, Clock()).grant(("token", KEY), b"")
    head, claims, signature = granted["access_token"].split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    assert decoded[0] == {"alg": "HS256", "typ": "JWT"}
    assert decoded[1]["exp"] == 1030
    assert len(base64.urlsafe_b64decode(signature + "=")) == 32


@pytest.mark.parametrize("body", [b"", b" ", b"{}"])
def test_a_token_lasts_thirty_seconds_unless_asked_otherwise(body: bytes):
    assert Credentials(None).grant(None, body)["expires_in"] == 30


@pytest.mark.parametrize(
    "body",
    [
        b"junk",
        b"[]",
        b'{"ttl_seconds": 0}',
        b'{"ttl_seconds": 3601}',
        b'{"ttl_seconds": 1.5}',
        b'{"ttl_seconds": true}',
        b'{"ttl_seconds": "60"}',
        b'{"ttl_seconds": null}',
    ],
)
def test_a_body_that_makes_no_sense_is_a_400(body: bytes):
    with pytest.raises(Refused) as refused:
        Credentials(KEY).grant(("token", KEY), body)
    assert refused.value.status == 400


@pytest.mark.parametrize("seconds", ["1", "3600", "60.0"])
def test_the_whole_range_is_granted(seconds: str):
    granted = Credentials(None).grant(None, f'{{"ttl_seconds": {seconds}}}'.encode())
    assert granted["expires_in"] == float(seconds)


@pytest.mark.parametrize("credential", [None, ("token", "wrong"), ("bearer", KEY)])
def test_who_has_no_key_is_granted_nothing(credential: Any):
    with pytest.raises(Refused) as refused:
        Credentials(KEY).grant(credential, b"")
    assert refused.value.status == 401


def test_a_token_grants_no_tokens():
    credentials = Credentials(KEY)
    token = credentials.grant(("token", KEY), b"")["access_token"]
    with pytest.raises(Refused) as refused:
        credentials.grant(("bearer", token), b"")
    assert (refused.value.status, refused.value.err_code) == (403, "INSUFFICIENT_PERMISSIONS")


def test_a_token_is_no_key():
    credentials = Credentials(KEY)
    token = credentials.grant(("token", KEY), b"")["access_token"]
    with pytest.raises(Refused):
        credentials.admit(("token", token))


def test_a_key_that_is_not_ascii_is_just_wrong():
    with pytest.raises(Refused):
        Credentials(KEY).admit(("token", "schlüssel"))


# Over HTTP


@bounded
async def test_a_granted_token_opens_a_session_by_header_and_by_subprotocol(
    client: aiohttp.ClientSession,
):
    async with SimulatedDeepgram(key=KEY) as upstream:
        url = upstream.url.replace("ws:", "http:") + "/v1/auth/grant"
        key = {"Authorization": f"Token {KEY}"}
        async with client.post(url, headers=key, json={"ttl_seconds": 60}) as response:
            assert response.status == 200
            assert response.headers["dg-request-id"]
            token = (await response.json())["access_token"]
        header = {"Authorization": f"bearer {token}"}
        async with client.ws_connect(upstream.url + LISTEN, headers=header) as ws:
            assert not ws.closed
        offered = ["bearer", token]
        async with client.ws_connect(upstream.url + LISTEN, protocols=offered) as ws:
            assert ws.protocol == "bearer"
    assert upstream.violations == []


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 401),
        ({"Authorization": "Token wrong"}, b"", 401),
        ({"Authorization": f"Token {KEY}"}, b"junk", 400),
    ],
)
@bounded
async def test_refusals_have_deepgram_s_shape(
    client: aiohttp.ClientSession, headers: dict[str, str], body: bytes, status: int
):
    async with SimulatedDeepgram(key=KEY) as upstream:
        url = upstream.url.replace("ws:", "http:") + "/v1/auth/grant"
        async with client.post(url, headers=headers, data=body) as response:
            assert response.status == status
            refusal = await response.json()
            assert set(refusal) == {"err_code", "err_msg", "request_id"}
            assert response.headers["dg-error"] == refusal["err_msg"]
