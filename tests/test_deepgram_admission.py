"""Who is let in when a client key is set, whichever way it is presented."""

from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
from multidict import CIMultiDict, MultiDict

from voiceproxy import Refuse
from voiceproxy_deepgram.admission import Admission, presented
from voiceproxy_deepgram.tokens import Tokens

KEY = "a-client-key-of-ours"
OFFERED = "Sec-WebSocket-Protocol"


def admits(headers=None, query=None, tokens=None) -> bool:
    admission = Admission(KEY, tokens)
    try:
        admission.check(CIMultiDict(headers or {}), MultiDict(query or {}))
    except Refuse:
        return False
    return True


def test_the_refusal_says_what_to_present():
    with pytest.raises(Refuse, match="client key") as refused:
        Admission(KEY).check(CIMultiDict(), MultiDict())
    assert refused.value.status == 401
    assert KEY not in refused.value.reason


WAYS = [
    lambda key: ({"Authorization": f"Token {key}"}, {}),
    lambda key: ({"Authorization": f"token  {key} "}, {}),
    lambda key: ({"Authorization": f"Bearer {key}"}, {}),
    lambda key: ({"authorization": f"bearer {key}"}, {}),
    lambda key: ({OFFERED: f"token, {key}"}, {}),
    lambda key: ({OFFERED: f"bearer,{key}"}, {}),
    lambda key: ({OFFERED: f"x-mine, token, {key}, x-deepgram-session-id, run"}, {}),
    lambda key: ({OFFERED: f"access_token.{key}"}, {}),
    lambda key: ({OFFERED: f"x-mine, access_token.{key}"}, {}),
    lambda key: ({}, {"token": key}),
    lambda key: ({"Authorization": "Token wrong"}, {"token": key}),
]


@pytest.mark.parametrize("way", WAYS)
def test_the_client_key_opens_in_every_way_an_sdk_presents_it(way):
    assert admits(*way(KEY))
    for wrong in ("", KEY[:-1], KEY + "x", KEY.upper(), "k\udcff", "ключ"):
        assert not admits(*way(wrong)), wrong


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, {}),
        ({"Authorization": KEY}, {}),
        ({"Authorization": f"Basic {KEY}"}, {}),
        ({OFFERED: KEY}, {}),
        ({OFFERED: f"x-mine, {KEY}"}, {}),
        ({OFFERED: "token"}, {}),
        ({"Cookie": f"token={KEY}"}, {}),
        ({}, {"Token": KEY}),
    ],
)
def test_nothing_else_opens(headers, query):
    assert not admits(headers, query)


@pytest.mark.parametrize("way", WAYS)
def test_a_granted_token_opens_in_the_same_ways_until_its_time_is_over(way):
    tokens = Tokens("secret")
    late = Tokens("secret", now=lambda: time.time() - 100)
    assert admits(*way(tokens.issue(30)), tokens)
    assert not admits(*way(late.issue(30)), tokens)
    assert not admits(*way(Tokens("other secret").issue(30)), tokens)
    assert not admits(*way(tokens.issue(30)))


def test_a_token_grants_no_token():
    tokens = Tokens("secret")
    admission = Admission(KEY, tokens)
    query = MultiDict[str]()
    of_key = CIMultiDict({"Authorization": f"Token {KEY}"})
    of_token = CIMultiDict({"Authorization": f"Bearer {tokens.issue(30)}"})
    assert admission.has_client_key(of_key, query)
    assert not admission.has_client_key(of_token, query)


def test_a_token_lasts_no_less_than_it_says():
    claims = jwt.decode(
        Tokens("s", now=lambda: 1000.9).issue(1), options={"verify_signature": False}
    )
    assert claims["exp"] == 1002
    assert claims["iat"] == 1000


def forged(header: dict, claims: dict) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(it).encode()) for it in (header, claims))
    return ".".join(part.decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "not a token",
        "\udcff",
        forged({"alg": "none", "typ": "JWT"}, {"aud": "voiceproxy", "exp": 9_999_999_999}),
        jwt.encode({"aud": "voiceproxy", "exp": 9_999_999_999}, "k" * 32, "HS256"),
    ],
)
def test_what_is_no_token_of_ours_is_not_valid(token):
    assert not Tokens("secret").is_valid(token)


@pytest.mark.parametrize("claims", [{"aud": "voiceproxy"}, {"exp": 9_999_999_999}, {}])
def test_a_token_has_an_end_and_is_meant_for_us(claims):
    tokens = Tokens("secret")
    assert not tokens.is_valid(jwt.encode(claims, tokens._key, "HS256"))


def test_everything_presented_is_looked_at():
    headers = CIMultiDict({"Authorization": "Token a", OFFERED: "token, b, access_token.c"})
    assert list(presented(headers, MultiDict({"token": "d"}))) == ["a", "b", "c", "d"]
