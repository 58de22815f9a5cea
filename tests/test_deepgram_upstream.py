"""What the deepgram backend dials, with which query and credential, and what it registers."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from multidict import CIMultiDict, MultiDict

import voiceproxy_deepgram
from voiceproxy import Endpoint, Refuse, SettingsError, create_app, endpoints, settings_of
from voiceproxy_deepgram.backend import Backend, by_service
from voiceproxy_deepgram.query import without_ours
from voiceproxy_deepgram.settings import DeepgramSettings
from voiceproxy_deepgram.upstream import AGENT, looks_cut, make_upstream, missing_key, target

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("", ""),
        ("model=nova-3", "model=nova-3"),
        ("keyterm=a+b&keyterm=c&model=m", "keyterm=a+b&keyterm=c&model=m"),
        ("token=secret&model=m", "model=m"),
        ("model=m&token=a&token=b&service=transcription&x=1", "model=m&x=1"),
        ("traceId=t&profile=p", ""),
        ("extra%5Ba%5D=%E2%82%AC&tag=%2B", "extra%5Ba%5D=%E2%82%AC&tag=%2B"),
        ("%74oken=secret&to%6ben=secret", ""),
        ("a&b=&&=c&b=", "a&b=&&=c&b="),
        ("Token=kept&tokens=kept&x=token", "Token=kept&tokens=kept&x=token"),
        ("token", ""),
        ("name=zoë", "name=zo%C3%AB"),
        ("name=%41\udcff'()*", "name=%41%FF'()*"),
    ],
)
def test_the_query_keeps_order_repeats_and_escapes_and_loses_what_is_ours_dgm_3(raw, kept):
    assert without_ours(raw) == kept


@pytest.mark.parametrize(
    ("base", "raw_query", "url"),
    [
        ("wss://h", "", "wss://h/v1/listen"),
        ("wss://h/", "a=b", "wss://h/v1/listen?a=b"),
        ("ws://h:9/prefix/", "a=b&a=c", "ws://h:9/prefix/v1/listen?a=b&a=c"),
        ("wss://h/v1/listen", "", "wss://h/v1/listen"),
        ("wss://h/x/v1/agent/converse/", "", "wss://h/x/v1/listen"),
        ("wss://h/v1/listen?mine=%20", "a=b", "wss://h/v1/listen?mine=%20&a=b"),
        ("wss://h?mine=1", "token=t", "wss://h/v1/listen?mine=1"),
    ],
)
def test_the_path_and_the_clients_query_are_added_to_the_base_dgm_2_dgm_3(base, raw_query, url):
    assert target(base, "/v1/listen", raw_query) == url


def upstream(path=AGENT, stand_in=None, request=None, raw_query="", **settings):
    made = DeepgramSettings(**{"api_key": KEY, **settings})
    return make_upstream(made, None, stand_in, path, raw_query, CIMultiDict(request or {}))


def test_the_agent_and_the_other_apis_have_hosts_of_their_own_dgm_2():
    assert upstream().url == "wss://agent.deepgram.com/v1/agent/converse"
    assert upstream("/v2/listen").url == "wss://api.deepgram.com/v2/listen"
    assert upstream("/v1/speak").url == "wss://api.deepgram.com/v1/speak"
    regional = {"agent_url": "wss://api.eu.deepgram.com", "listen_url": "ws://10.0.0.7:8080/dg"}
    assert upstream(**regional).url == "wss://api.eu.deepgram.com/v1/agent/converse"
    assert upstream("/v1/listen", **regional).url == "ws://10.0.0.7:8080/dg/v1/listen"


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({}, {"Authorization": f"Token {KEY}"}),
        ({"auth": "bearer"}, {"Authorization": f"Bearer {KEY}"}),
        ({"auth": "none"}, {}),
        ({"api_key": f"  dgkey_{KEY} "}, {"Authorization": f"Token {KEY}"}),
        ({"api_key": " "}, {}),
        ({"headers": ["X-A: b:c"]}, {"X-A": "b:c", "Authorization": f"Token {KEY}"}),
        ({"headers": ["authorization: x"]}, {"Authorization": f"Token {KEY}"}),
        ({"headers": ["authorization: x"], "auth": "none"}, {"authorization": "x"}),
    ],
)
def test_the_key_goes_up_by_header_and_never_by_subprotocol_dgm_4_dgm_14(settings, headers):
    made = upstream(**settings)
    assert made.headers == headers
    assert made.protocols == ()


def test_of_the_clients_request_only_the_session_id_goes_up():
    theirs = {
        "Authorization": "Token client",
        "Cookie": "a=b",
        "Origin": "https://example.net",
        "User-Agent": "x",
        "X-Fern-SDK-Name": "y",
        "X-Deepgram-Session-Id": "run-1",
    }
    assert upstream(request=theirs).headers == {
        "Authorization": f"Token {KEY}",
        "x-deepgram-session-id": "run-1",
    }


def test_a_session_id_offered_as_a_subprotocol_goes_up_as_a_header():
    offered = {"Sec-WebSocket-Protocol": "token, KEY, x-deepgram-session-id, run-2"}
    assert upstream(auth="none", request=offered).headers == {"x-deepgram-session-id": "run-2"}


@pytest.mark.parametrize("value", ["a b", "\udcff", "x" * 201, ""])
def test_a_session_id_that_is_none_stays_here(value):
    assert upstream(auth="none", request={"x-deepgram-session-id": value}).headers == {}


def test_a_stand_in_gets_the_query_and_no_credential():
    made = upstream(
        "/v1/listen",
        "ws://127.0.0.1:9",
        {"x-deepgram-session-id": "run"},
        "token=t&model=m",
        headers=["A: b"],
    )
    assert made.url == "ws://127.0.0.1:9/v1/listen?model=m"
    assert made.headers == {"x-deepgram-session-id": "run"}


def test_who_dials_when_is_a_setting():
    assert upstream().dial == "auto"
    assert upstream(dial="before").dial == "before"


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({}, True),
        ({"auth": "none"}, False),
        ({"headers": ["Authorization: Bearer abc"]}, False),
        ({"agent_url": "ws://127.0.0.1:9"}, True),
        ({"agent_url": "ws://127.0.0.1:9", "listen_url": "wss://api.eu.deepgram.com"}, True),
        ({"agent_url": "ws://127.0.0.1:9", "listen_url": "ws://127.0.0.1:9"}, False),
        ({"agent_url": "ws://h", "listen_url": "ws://h", "grant": "upstream"}, True),
        ({"agent_url": "ws://deepgram.com.example.net", "listen_url": "ws://h"}, False),
    ],
)
def test_a_key_is_needed_for_the_vendors_own_hosts_only_dgm_7(settings, needed):
    problems = missing_key(DeepgramSettings(**settings))
    assert bool(problems) is needed
    for problem in problems:
        assert "DEEPGRAM_API_KEY" in problem
        assert "VOICEPROXY_DEEPGRAM_API_KEY" in problem
        assert "--plugin simulator" in problem
    assert not missing_key(DeepgramSettings(**{"api_key": KEY, **settings}))


def make_app(environ=None, plugins=(voiceproxy_deepgram,), **settings):
    named = {f"deepgram.{name}": value for name, value in settings.items()}
    return create_app(plugins, settings=named, environ=environ or {})


def test_the_plugin_answers_at_the_components_paths_and_at_the_sdks():
    registered = {made.path: made for made in endpoints(make_app(api_key=KEY))}
    assert {path: (it.protocol, it.dialect, it.shared) for path, it in registered.items()} == {
        "/v1/agent/converse": ("agent", "agent", True),
        "/v1/listen": ("listen", "component", True),
        "/v2/listen": ("listen", "component", True),
        "/v1/speak": ("speak", "component", True),
        "/v2/speak": ("speak", "component", True),
        "/deepgram": ("agent", "component", False),
        "/deepgram-proxy": ("agent", "component", False),
    }
    assert {made.upstream_protocol for made in registered.values()} == {"deepgram"}
    assert {made.request_id_header for made in registered.values()} == {"dg-request-id"}
    assert all("dg-error" in made.relayed_headers for made in registered.values())


def variant(path: str, *query: tuple[str, str]) -> Endpoint:
    [registered] = [one for one in Backend(DeepgramSettings()).endpoints() if one.path == path]
    assert registered.variant is not None
    return registered.variant(MultiDict(query))


@pytest.mark.parametrize("path", ["/deepgram", "/deepgram-proxy"])
def test_the_service_parameter_chooses_the_protocol_first_value_first_dgm_2(path):
    assert variant(path).protocol == "agent"
    assert variant(path, ("service", "")).protocol == "agent"
    assert variant(path, ("service", "agent")).dialect == "component"
    listening = variant(path, ("service", "transcription"), ("service", "agent"))
    assert (listening.protocol, listening.path) == ("listen", "/v1/listen")


def test_a_service_there_is_not_is_refused_by_name():
    with pytest.raises(Refuse, match="service") as refused:
        variant("/deepgram", ("service", "speak"))
    assert refused.value.status == 400
    assert by_service.__doc__


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("agent_url", "https://api.eu.deepgram.com", "ws:// or wss://"),
        ("listen_url", "api.eu.deepgram.com", "ws:// or wss://"),
        ("rest_url", "wss://api.eu.deepgram.com", "http:// or https://"),
    ],
)
def test_a_base_with_another_scheme_is_refused_with_the_right_one(name, value, wanted):
    with pytest.raises(SettingsError, match=f"begins with {wanted}"):
        make_app(api_key=KEY, **{name: value})


def test_the_name_of_a_container_is_a_host():
    base = "ws://my_engine:8080/with_a_path"
    made = settings_of(make_app(agent_url=base, listen_url=base), DeepgramSettings)
    assert made.agent_url == base


def test_customary_variables_are_read_dgm_14():
    environ = {
        "VITE_DEEPGRAM_API_KEY": KEY,
        "DEEPGRAM_AGENT_URL": "ws://127.0.0.1:9/v1/agent/converse",
    }
    settings = settings_of(make_app(environ), DeepgramSettings)
    assert (settings.api_key, settings.agent_url) == (KEY, "ws://127.0.0.1:9/v1/agent/converse")
    environ["DEEPGRAM_API_KEY"] = KEY[::-1]
    assert settings_of(make_app(environ), DeepgramSettings).api_key == KEY[::-1]


def test_without_a_key_the_application_does_not_start_dgm_1_dgm_7():
    with pytest.raises(SettingsError, match="DEEPGRAM_API_KEY"):
        make_app()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"agent_url": "https://agent.deepgram.com"}, "VOICEPROXY_DEEPGRAM_AGENT_URL"),
        ({"rest_url": "wss://api.deepgram.com"}, "VOICEPROXY_DEEPGRAM_REST_URL"),
        ({"auth": "basic"}, "VOICEPROXY_DEEPGRAM_AUTH"),
        ({"headers": ["no colon"]}, "VOICEPROXY_DEEPGRAM_HEADERS"),
        ({"keep_alive": -1}, "VOICEPROXY_DEEPGRAM_KEEP_ALIVE"),
        ({"client_key": "short"}, "VOICEPROXY_DEEPGRAM_CLIENT_KEY"),
        ({"client_key": "long enough but with blanks"}, "VOICEPROXY_DEEPGRAM_CLIENT_KEY"),
        ({"api_key": "a b"}, "VOICEPROXY_DEEPGRAM_API_KEY"),
        ({"ca_file": "/nowhere/ca.pem"}, "VOICEPROXY_DEEPGRAM_CA_FILE"),
        ({"grant": "own"}, "VOICEPROXY_DEEPGRAM_CLIENT_KEY"),
        ({"grant": "upstream"}, "VOICEPROXY_DEEPGRAM_CLIENT_KEY"),
    ],
)
def test_a_setting_that_cannot_work_is_named_at_the_start(settings, named):
    with pytest.raises(SettingsError, match=named):
        make_app(**{"api_key": KEY, **settings})


def test_a_key_that_lost_its_end_is_warned_of_and_not_shown_dgm_14(caplog):
    make_app(api_key=KEY[:30])
    [warning] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "whole" in warning.getMessage()
    assert KEY[:30] not in caplog.text


@pytest.mark.parametrize(
    "settings", [{"api_key": KEY}, {"api_key": "test-key"}, {"api_key": "k", "agent_url": "ws://h"}]
)
def test_other_keys_are_not_warned_of_dgm_14(settings: dict[str, Any], caplog):
    make_app(**settings)
    assert caplog.records == []
    assert not looks_cut("")
