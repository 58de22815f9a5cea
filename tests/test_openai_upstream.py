"""What is dialled, with which credential, and the plugin's registration."""

from __future__ import annotations

import hashlib

import pytest
from multidict import CIMultiDict

import voiceproxy_openai
from voiceproxy import SettingsError, create_app, endpoints, settings_of
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.upstream import connected_model, make_upstream, missing_key, realtime_url

KEY = "sk-test-0123456789"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://api.openai.com/v1/realtime", "wss://api.openai.com/v1/realtime?model=m"),
        ("ws://h:1/v1/realtime?a=b&a=c", "ws://h:1/v1/realtime?a=b&a=c&model=m"),
        ("ws://h/r?model=theirs", "ws://h/r?model=theirs"),
        ("ws://h/r?intent=transcription", "ws://h/r?intent=transcription"),
        ("ws://h/r?call_id=rtc_1", "ws://h/r?call_id=rtc_1"),
        ("wss://h/openai/realtime?deployment=d", "wss://h/openai/realtime?deployment=d"),
    ],
)
def test_the_model_is_added_to_the_url_when_nothing_takes_its_place(url, expected):
    assert realtime_url(url, "m") == expected
    assert realtime_url(url, "") == url


def test_the_model_of_a_connection_is_the_urls():
    assert connected_model("ws://h/r", "m") == "m"
    assert connected_model("ws://h/r?model=theirs", "m") == "theirs"
    assert connected_model("ws://h/r?deployment=d", "m") == ""


def upstream(stand_in=None, request=None, **settings):
    return make_upstream(OpenAISettings(api_key=KEY, **settings), None, stand_in, request or {})


def test_the_key_is_a_bearer_token_and_the_beta_is_not_asked_for_net_6():
    assert upstream().headers == {"Authorization": f"Bearer {KEY}"}


def test_azure_takes_the_key_in_its_own_header():
    assert upstream(auth="api-key").headers == {"api-key": KEY}


def test_organization_project_and_other_headers_are_sent():
    headers = upstream(organization="o", project="p", headers=["X-A: b:c"]).headers
    assert headers == {
        "Authorization": f"Bearer {KEY}",
        "OpenAI-Organization": "o",
        "OpenAI-Project": "p",
        "X-A": "b:c",
    }


def test_a_stand_in_gets_no_credential_and_no_private_authority():
    made = upstream("ws://127.0.0.1:9/v1/realtime", organization="o", headers=["A: b"])
    assert made.url == "ws://127.0.0.1:9/v1/realtime?model=gpt-realtime-2.1"
    assert made.headers == {}


@pytest.mark.parametrize(
    ("query", "model"), [("?model=theirs", "theirs"), ("?deployment=d", "m"), ("", "m")]
)
def test_a_stand_in_is_asked_for_the_model_of_the_connection_it_stands_in_for(query, model):
    made = upstream("ws://127.0.0.1:9/v1/realtime", url=f"wss://h/r{query}", model="m")
    assert made.url == f"ws://127.0.0.1:9/v1/realtime?model={model}"


def test_without_a_key_none_is_sent():
    assert make_upstream(OpenAISettings(api_key="  "), None, None, {}).headers == {}


def test_subprotocols_are_offered_as_set():
    assert upstream().protocols == ()
    assert upstream(subprotocols=["voice-agent.v1"]).protocols == ("voice-agent.v1",)


def test_the_end_user_goes_up_as_a_hash_when_a_header_names_one():
    request = CIMultiDict({"X-User": " jo@example.net "})
    made = upstream(request=request, user_header="x-user")
    digest = hashlib.sha256(b"jo@example.net").hexdigest()
    assert made.headers["OpenAI-Safety-Identifier"] == digest
    assert "jo@" not in str(made)


@pytest.mark.parametrize(
    ("request_headers", "settings"),
    [
        ({"X-User": "jo"}, {}),
        ({"X-User": " "}, {"user_header": "X-User"}),
        ({}, {"user_header": "X-User"}),
        ({"X-User": "jo"}, {"user_header": "X-User", "stand_in": "ws://127.0.0.1:9"}),
    ],
)
def test_nobody_is_named_without_the_setting_the_header_or_the_real_service(
    request_headers, settings
):
    made = upstream(request=request_headers, **settings)
    assert "OpenAI-Safety-Identifier" not in made.headers


def test_the_upstream_is_dialled_after_the_upgrade_by_default():
    assert upstream().dial == "after"
    assert upstream(dial="before").dial == "before"


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        ("wss://api.openai.com/v1/realtime", True),
        ("wss://mine.openai.azure.com/openai/v1/realtime", True),
        ("ws://127.0.0.1:9/v1/realtime", False),
        ("wss://api.openai.com.example.net/v1/realtime", False),
    ],
)
def test_a_key_is_needed_for_the_real_services_only(url, needed):
    problems = missing_key(OpenAISettings(url=url))
    assert bool(problems) is needed
    for problem in problems:
        assert "OPENAI_API_KEY" in problem
        assert "VOICEPROXY_OPENAI_API_KEY" in problem
        assert "--plugin simulator" in problem
    assert not missing_key(OpenAISettings(url=url, api_key=KEY))


def make_app(environ=None, **settings):
    named = {f"openai.{name}": value for name, value in settings.items()}
    return create_app([voiceproxy_openai], settings=named, environ=environ or {})


def test_the_plugin_answers_at_its_path_and_at_the_sdks():
    registered = {made.path: made for made in endpoints(make_app(api_key=KEY))}
    assert set(registered) == {"/openai", "/v1/agent/converse"}
    assert registered["/openai"].dialect == "component"
    assert registered["/v1/agent/converse"].dialect == "agent"
    assert registered["/v1/agent/converse"].shared
    assert {made.upstream_protocol for made in registered.values()} == {"openai-realtime"}


def test_customary_variables_are_read():
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_REALTIME_URL": "ws://127.0.0.1:9/r"}
    settings = settings_of(make_app(environ), OpenAISettings)
    assert (settings.api_key, settings.url) == (KEY, "ws://127.0.0.1:9/r")


def test_without_a_key_the_application_does_not_start():
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        make_app()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "https://api.openai.com"),
        ("auth", "basic"),
        ("dial", "never"),
        ("ack_timeout", 0),
        ("headers", ["no colon"]),
        ("headers", ["A: b\r\nC: d"]),
        ("subprotocols", ["two words"]),
        ("user_header", "X-User: me"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(SettingsError, match=name.upper()):
        make_app(api_key=KEY, **{name: value})


def test_an_authority_file_that_cannot_be_read_is_a_settings_error(tmp_path):
    with pytest.raises(SettingsError, match="CA_FILE"):
        make_app(api_key=KEY, ca_file=str(tmp_path / "absent.pem"))
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(SettingsError, match="CA_FILE"):
        make_app(api_key=KEY, ca_file=str(broken))


def test_settings_show_no_key():
    assert KEY not in repr(OpenAISettings(api_key=KEY, headers=[f"A: {KEY}"]))


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-a b", "sk-ä", "sk-\x00"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_at_start_and_not_shown(key):
    with pytest.raises(SettingsError) as refused:
        create_app(["openai"], environ={"OPENAI_API_KEY": key})
    assert "OPENAI_API_KEY" in str(refused.value)
    assert key not in str(refused.value)
