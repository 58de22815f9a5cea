"""Welcome, Settings, greeting: how a session becomes ready (SES)."""

from __future__ import annotations

import asyncio

import pytest
from openai_session import PAIR, UPDATED, Conversation, created, done, error

import voiceproxy_openai
from voiceproxy import Upstream
from voiceproxy.testing import connected, serve
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_simulator import SimulatedOpenAI


def fresh(dialect="component", **options) -> Conversation:
    return Conversation(dialect, applied=False, **options)


def test_welcome_is_the_first_frame():
    assert fresh().got() == [{"type": "Welcome", "request_id": "0" * 32}]


def test_settings_give_one_session_update_and_nothing_to_the_client_ses_1():
    s = fresh()
    s.got()
    s.client({"type": "Settings"})
    assert s.sent_types() == ["session.update"]
    assert s.got() == []


def test_session_created_does_not_apply_the_settings_ses_2():
    s = fresh()
    s.got()
    s.client({"type": "Settings"})
    s.sent()
    s.upstream({"type": "session.created", "session": {}})
    assert (s.got(), s.sent()) == ([], [])


def test_session_updated_applies_them_without_another_field_ses_3():
    s = fresh()
    s.got()
    s.client({"type": "Settings"})
    s.upstream(UPDATED)
    assert s.got() == [{"type": "SettingsApplied"}]


def test_a_repeated_session_updated_says_nothing_ses_5():
    s = Conversation(agent={"greeting": "Hi"})
    s.upstream(UPDATED, UPDATED)
    assert s.got() == []


def test_a_session_updated_before_any_settings_does_not_make_it_ready_ses_6():
    s = fresh()
    s.got()
    s.upstream(UPDATED)
    assert s.got() == []
    s.client({"type": "Settings"})
    assert s.got() == []
    s.upstream(UPDATED)
    assert s.got_types() == ["SettingsApplied"]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("component", ["SettingsApplied", "ConversationText", *PAIR]),
        ("agent", ["SettingsApplied", "ConversationText", "History", "AgentAudioDone"]),
    ],
)
def test_the_greeting_is_the_clients_alone_ses_9_ses_11(dialect, expected):
    s = fresh(dialect)
    s.got()
    s.client({"type": "Settings", "agent": {"greeting": "Hello!"}})
    s.sent()
    s.upstream(UPDATED)
    messages = s.got()
    assert [message["type"] for message in messages] == expected
    assert messages[1] == {"type": "ConversationText", "role": "assistant", "content": "Hello!"}
    assert s.sent() == []


def test_the_greeting_is_left_out_when_a_conversation_goes_on_ses_10():
    s = fresh()
    s.got()
    context = {"messages": [{"role": "user", "content": "hi"}]}
    s.client({"type": "Settings", "agent": {"greeting": "Hello!", "context": context}})
    s.upstream(UPDATED)
    assert s.got_types() == ["SettingsApplied"]
    assert "user: hi" in s.sent()[0]["session"]["instructions"]


def test_what_waited_follows_the_greeting_injects_first_then_audio_ses_4_txt_6_aud_1():
    s = fresh()
    s.client(b"\1\0" * 320)
    s.client({"type": "Settings", "agent": {"greeting": "Hello!"}})
    s.inject("typed")
    assert s.sent_types() == ["session.update"]
    s.got()
    s.upstream(UPDATED)
    assert s.got_types() == ["SettingsApplied", "ConversationText", *PAIR, "ConversationText"]
    assert s.sent_types() == ["conversation.item.create", "input_audio_buffer.append"]


def test_no_append_before_session_updated_aud_2():
    s = fresh()
    s.client({"type": "Settings"})
    s.sent()
    s.client(b"\1\0" * 320)
    assert s.sent() == []


@pytest.mark.parametrize("history", [True, False])
def test_history_mirrors_conversation_text_unless_it_is_turned_off(history):
    s = Conversation("agent", flags={"history": history})
    s.inject("hello")
    expected = ["ConversationText", "History"] if history else ["ConversationText"]
    assert s.got_types() == expected


@pytest.mark.parametrize(
    ("named", "param", "kind"),
    [
        (True, "session.voice", "invalid_request_error"),
        (False, "session.voice", "server_error"),
        (False, None, "invalid_request_error"),
    ],
)
def test_a_refused_update_is_the_settings_error_and_others_are_taken_def_13(named, param, kind):
    s = fresh()
    s.got()
    s.client({"type": "Settings"})
    (update,) = s.sent()
    event_id = update["event_id"] if named else None
    s.upstream(error("unknown_parameter", event_id, param=param, type=kind))
    (message,) = s.got()
    assert message["code"] == "INVALID_SETTINGS"
    assert "No." in message["description"]
    assert (param or "") in message["description"]
    s.client({"type": "Settings"})
    assert s.sent_types() == ["session.update"]
    s.upstream(UPDATED)
    assert s.got_types() == ["SettingsApplied"]


def test_an_error_about_something_else_is_no_refusal_of_the_settings():
    s = fresh()
    s.got()
    s.client({"type": "Settings"})
    s.sent()
    s.upstream(error("server_error", type="server_error"), error("x", "other_9"))
    assert [message["code"] for message in s.got()] == ["server_error", "x"]
    s.upstream(UPDATED)
    assert s.got_types() == ["SettingsApplied"]


def test_settings_that_cannot_be_served_never_go_up():
    s = fresh()
    s.got()
    s.client({"type": "Settings", "audio": {"input": {"encoding": "opus", "sample_rate": 48000}}})
    (message,) = s.got()
    assert message["code"] == "INVALID_SETTINGS"
    assert "'opus'" in message["description"]
    assert s.sent() == []
    s.client({"type": "Settings"})
    assert s.sent_types() == ["session.update"]


def test_first_settings_during_a_response_are_applied_after_it_ses_8_def_13():
    s = fresh()
    s.upstream(created("r1"))
    s.got()
    s.client({"type": "Settings"})
    assert s.sent() == []
    s.upstream(done("r1"))
    assert s.sent_types() == ["session.update"]
    s.upstream(UPDATED)
    assert s.got_types() == [*PAIR, "SettingsApplied"]


def test_an_update_that_is_never_answered_ends_the_session():
    s = fresh(settings=OpenAISettings(session_timeout=10))
    s.got()
    s.client({"type": "Settings"})
    s.advance(9.9)
    assert s.driver.closed is None
    s.advance(0.2)
    assert [message["code"] for message in s.got()] == ["upstream_timeout"]
    assert s.driver.closed.code == 1011


def test_warnings_about_the_settings_follow_settings_applied():
    s = fresh()
    s.got()
    speak = {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}}
    s.client({"type": "Settings", "agent": {"speak": speak, "greeting": "Hi"}})
    s.upstream(UPDATED)
    assert s.got_types() == ["SettingsApplied", "Warning", "ConversationText", *PAIR]


def test_a_message_the_backend_does_not_serve_is_refused_by_name_msg_3():
    s = Conversation()
    s.client({"type": "ForceEndTurn"})
    (message,) = s.got()
    assert message["code"] == "disallowed_client_message_type"
    assert s.sent() == []


# Which model.

OTHER = {"type": "Settings", "agent": {"think": {"provider": {"model": "gpt-realtime-mini"}}}}


def connecting(settings=None, url="ws://h/v1/realtime?a=b&model=gpt-realtime-2.1"):
    s = fresh(settings=settings)
    s.driver.core.dialled.upstream = Upstream(url, {"Authorization": "Bearer k"})
    s.got()
    return s


def test_a_realtime_model_in_the_settings_is_the_one_connected_to_map_2():
    s = connecting()
    s.client(OTHER)
    dialled = s.driver.asked_to_dial()
    assert dialled.url == "ws://h/v1/realtime?a=b&model=gpt-realtime-mini"
    assert dialled.headers == {"Authorization": "Bearer k"}
    [update] = s.sent()
    assert update["session"]["model"] == "gpt-realtime-mini"
    s.driver.upstream_opens()
    s.upstream(UPDATED)
    assert s.got() == [{"type": "SettingsApplied"}]


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        (OpenAISettings(provider_model=False), True),
        (OpenAISettings(url="ws://h/v1/realtime?model=gpt-realtime-2.1"), True),
        (OpenAISettings(url="wss://h/openai/v1/realtime?deployment=d"), True),
        (OpenAISettings(model="gpt-realtime-mini"), False),
    ],
)
def test_the_operators_url_or_setting_keeps_the_model_map_2(settings, warned):
    s = connecting(settings)
    s.client(OTHER)
    assert s.driver.asked_to_dial() is None
    assert s.sent_types() == ["session.update"]
    s.upstream(UPDATED)
    codes = [one.get("code") for one in s.got() if one["type"] == "Warning"]
    assert codes == (["MODEL_NOT_APPLIED"] if warned else [])


def test_settings_that_are_refused_connect_to_nothing_else():
    s = connecting()
    s.client({**OTHER, "audio": {"input": {"encoding": "opus", "sample_rate": 48000}}})
    assert s.driver.asked_to_dial() is None
    assert [one["code"] for one in s.got()] == ["INVALID_SETTINGS"]
    s.client({"type": "Settings"})
    [update] = s.sent()
    assert update["session"]["model"] == "gpt-realtime-2.1"


def test_a_model_the_upstream_refuses_may_be_corrected():
    s = connecting()
    s.client(OTHER)
    s.driver.asked_to_dial()
    [update] = s.sent()
    s.upstream(error("model_not_found", update["event_id"], param="session.model"))
    s.got()
    s.client({"type": "Settings", "agent": {"think": {"provider": {"model": "gpt-realtime-2"}}}})
    assert s.driver.asked_to_dial().url.endswith("model=gpt-realtime-2")


async def test_a_conversation_goes_on_with_the_model_of_the_settings_map_2():
    async with (
        asyncio.timeout(10),
        SimulatedOpenAI() as upstream,
        serve(voiceproxy_openai, settings={"openai.url": upstream.url}) as url,
        connected(url + "/openai") as client,
    ):
        await client.send_json(OTHER)
        await client.send_json({"type": "InjectUserMessage", "content": "hello"})
        heard = []
        while "AgentAudioDone" not in heard:
            frame = await client.receive()
            heard.append(frame.json()["type"] if isinstance(frame.data, str) else "audio")
    [update] = [one for one in upstream.received if one.event["type"] == "session.update"]
    assert update.event["session"]["model"] == "gpt-realtime-mini"
    assert upstream.violations == []
    assert heard[:3] == ["Welcome", "SettingsApplied", "ConversationText"]
