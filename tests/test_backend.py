"""What a backend gives the host."""

import inspect

import pytest

from voiceproxy import Endpoint, Text, Translator, Upstream
from voiceproxy.backend import agent_error


def test_an_upstream_is_dialled_with_system_trust_and_in_its_own_time_unless_it_says_otherwise():
    upstream = Upstream(url="wss://api.example/v1")
    assert (upstream.ssl, upstream.timeout, upstream.dial) == (None, None, "auto")
    assert (upstream.headers, upstream.protocols, upstream.translator) == ({}, (), None)


def test_upstreams_share_no_headers():
    first, second = Upstream(url=None), Upstream(url=None)
    first.headers["authorization"] = "secret"
    assert second.headers == {}


def test_an_endpoint_speaks_the_voice_agent_protocol_unless_it_says_otherwise():
    endpoint = Endpoint("x", "/x", lambda session, url: Upstream(url), "x-protocol")
    assert (endpoint.protocol, endpoint.dialect, endpoint.shared) == ("agent", "component", False)
    assert list(endpoint.problems()) == []
    assert endpoint.error("What.", "CODE") == agent_error("What.", "CODE")


def test_an_error_of_the_voice_agent_protocol_has_a_description_and_a_code():
    assert agent_error("What.", "CODE") == Text(
        b'{"type":"Error","description":"What.","code":"CODE"}'
    )


@pytest.mark.parametrize("name", [name for name in vars(Translator) if not name.startswith("_")])
def test_every_call_a_translator_gets_is_described(name):
    method = getattr(Translator, name)
    assert inspect.getdoc(method)
    assert not inspect.iscoroutinefunction(method)


def test_a_translator_needs_only_the_calls_it_cares_for():
    class Least(Translator):
        accepts = frozenset({"Settings"})

    least = Least()
    assert least.opened() is None
    assert least.upstream_opened({}) is None
    assert least.client_frame(Text(b"{}"), {}) is None
    assert least.upstream_frame(Text(b"{}")) is None
    assert least.closed() is None
