"""voiceproxy/guard.py: who may connect, and the subprotocol they are answered with."""

from __future__ import annotations

import pytest

from voiceproxy.guard import Guard, answer_to, is_loopback

LOCAL = "127.0.0.1:8080"


def _status(guard, origin=None, host=LOCAL, **options):
    verdict = guard.refuses(origin, host, **options)
    return verdict[0] if verdict else None


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, None),
        ("http://localhost:3000", None),
        ("https://localhost", None),
        ("http://127.0.0.1:1", None),
        ("http://127.8.9.10", None),
        ("http://[::1]:3000", None),
        ("http://app.localhost:5173", None),
        ("http://evil.example", 403),
        ("https://127.0.0.1.evil.example", 403),
        ("https://localhost.evil.example", 403),
        ("https://notlocalhost", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
        ("http://", 403),
        ("tauri://localhost", 403),
        ("chrome-extension://abcdef", 403),
        ("http://[half", 403),
    ],
)
def test_a_listener_on_loopback_admits_loopback_pages_only(origin, status):
    assert _status(Guard([], [], on_loopback=True), origin) == status


@pytest.mark.parametrize(
    ("origin", "allowed", "status"),
    [
        ("https://app.example", ["https://app.example"], None),
        ("https://APP.example", ["https://app.example/"], None),
        ("http://app.example", ["https://app.example"], 403),
        ("https://app.example:444", ["https://app.example"], 403),
        ("https://sub.app.example", ["https://app.example"], 403),
        ("null", ["null"], None),
        ("tauri://localhost", ["tauri://localhost"], None),
        ("https://anything.example", ["*"], None),
        ("null", ["*"], None),
    ],
)
def test_the_setting_admits_other_pages(origin, allowed, status):
    assert _status(Guard(allowed, [], on_loopback=True), origin) == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("https://voice.example", "voice.example", None),
        ("https://voice.example", "voice.example:443", None),
        ("https://voice.example:8443", "voice.example:8443", None),
        ("http://Voice.Example", "voice.example:80", None),
        ("https://voice.example", "voice.example:8443", 403),
        ("https://evil.example", "voice.example", 403),
        ("http://[2001:db8::1]:80", "[2001:db8::1]", None),
        ("https://voice.example", "voice example[", 403),
    ],
)
def test_a_public_listener_admits_its_own_pages(origin, host, status):
    assert _status(Guard([], [], on_loopback=False), origin, host) == status


@pytest.mark.parametrize(
    ("host", "allowed", "status"),
    [
        ("127.0.0.1:8080", [], None),
        ("localhost", [], None),
        ("LOCALHOST:1", [], None),
        ("app.localhost:8080", [], None),
        ("[::1]:8080", [], None),
        ("evil.example:8080", [], 421),
        ("127.0.0.1.evil.example", [], 421),
        ("", [], 421),
        ("[half", [], 421),
        ("voice.example", ["voice.example"], None),
        ("Voice.Example:8080", ["voice.example"], None),
        ("other.example", ["voice.example"], 421),
        ("anything.example", ["*"], None),
    ],
)
def test_a_listener_on_loopback_answers_to_its_names_only(host, allowed, status):
    assert _status(Guard([], allowed, on_loopback=True), None, host) == status


def test_a_public_listener_answers_to_any_name():
    assert _status(Guard([], [], on_loopback=False), None, "voice.example") is None


def test_a_connection_that_did_not_come_by_loopback_may_name_any_host():
    guard = Guard([], [], on_loopback=True)
    by_network = {"came_by_loopback": lambda: False}
    assert _status(guard, None, "voice.example", **by_network) is None
    assert _status(guard, "https://evil.example", "voice.example", **by_network) == 403


def test_a_refusal_names_the_setting_that_would_allow_it():
    guard = Guard([], [], on_loopback=True)
    assert "allow_origin" in guard.refuses("https://a.example", LOCAL)[1]
    assert "allow_host" in guard.refuses(None, "a.example")[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "LocalHost", "a.localhost"])
def test_loopback_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "", "localhost.com"])
def test_other_names(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        ([], None),
        (["token", "KEY"], "token"),
        (["bearer", "JWT"], "bearer"),
        (["token", "KEY", "x-deepgram-session-id", "1"], "token"),
        (["x-mine", "token", "KEY"], "token"),
        (["access_token.a.b.c"], "access_token.a.b.c"),
        (["x", "access_token.a.b.c"], "access_token.a.b.c"),
        (["graphql-ws"], "graphql-ws"),
        (["eyJhbGci.eyJleHAi.c2ln", "graphql-ws"], "graphql-ws"),
        (["eyJhbGci.eyJleHAi.c2ln"], None),
        (["0123456789abcdef0123456789abcdef01234567"], None),
        (["sk-proj-1", "mine"], "mine"),
    ],
)
def test_a_subprotocol_is_answered_with_one_that_is_offered_and_no_key(offered, answer):
    assert answer_to(offered) == answer
