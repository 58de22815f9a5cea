"""A Voice Agent session's order: Welcome, Settings, everything else, and the ways it ends."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from test_simulator_deepgram_agent_messages import CheckedAgent

from voiceproxy_simulator.deepgram.agent_errors import AGENT_RULES
from voiceproxy_simulator.deepgram.agent_session import AgentSession
from voiceproxy_simulator.deepgram.rehearsal import SETTINGS, settings
from voiceproxy_simulator.deepgram.scenario import Message
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.testing import FakeLine, tone
from voiceproxy_simulator.wire import NO_STATUS

ASK: Message = {"type": "InjectUserMessage", "content": "hello"}
KEEP_ALIVE: Message = {"type": "KeepAlive"}
ENDED = (NO_STATUS, "")


def codes(rehearsal: CheckedAgent) -> list[str]:
    return [one["code"] for one in rehearsal.messages() if one["type"] in {"Error", "Warning"}]


def rules(rehearsal: CheckedAgent) -> list[tuple[str, str, str]]:
    return [(one.rule, one.event_type, one.detail) for one in rehearsal.violations]


def test_welcome_comes_at_once_and_names_the_request() -> None:
    rehearsal = CheckedAgent(None)
    assert rehearsal.frames() == [{"type": "Welcome", "request_id": "rehearsal"}]


def test_a_session_without_a_given_id_makes_its_own() -> None:
    line = FakeLine()
    session = AgentSession(line, Journal())
    session.open()
    assert line.sent == [{"type": "Welcome", "request_id": session.id}]
    assert uuid.UUID(session.id)


def test_settings_are_applied_a_moment_later() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(SETTINGS)
    assert rehearsal.types() == ["Welcome"]
    rehearsal.advance(0.005)
    assert rehearsal.types() == ["SettingsApplied"]
    assert rehearsal.violations == []


@pytest.mark.parametrize("early", [ASK, KEEP_ALIVE, b"\x00\x00"])
def test_whatever_comes_before_settings_is_an_error_and_the_session_goes_on(
    early: Message | bytes,
) -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(early)
    assert codes(rehearsal) == ["NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"]
    kind = "binary" if isinstance(early, bytes) else early["type"]
    assert rules(rehearsal) == [("refused", kind, "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS")]
    rehearsal.client(SETTINGS)
    rehearsal.advance(0.005)
    assert rehearsal.types() == ["SettingsApplied"]


def test_what_comes_between_settings_and_their_answer_waits_in_order_and_is_a_violation() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.frames()
    rehearsal.client(SETTINGS, KEEP_ALIVE, tone(0.2), ASK)
    assert rehearsal.frames() == []
    rehearsal.advance(0.005)
    assert rehearsal.types()[:3] == ["SettingsApplied", "UserStartedSpeaking", "ConversationText"]
    expected = [("input-before-settings-applied", kind, "") for kind in ("binary", ASK["type"])]
    assert rules(rehearsal) == expected


def test_a_fault_in_what_waited_ends_the_session_and_the_rest_is_not_heard() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(SETTINGS, {"type": "InjectAgentMessage", "is_dynamic": True}, ASK)
    rehearsal.advance(0.005)
    assert rehearsal.types() == ["Welcome", "SettingsApplied", "Error"]
    assert rehearsal.closed == ENDED


@pytest.mark.parametrize("seconds", [0, 1])
def test_second_settings_are_an_error_and_the_session_goes_on(seconds: float) -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(SETTINGS)
    rehearsal.advance(seconds)
    rehearsal.client({**SETTINGS, "agent": {"greeting": "Not heard."}})
    assert codes(rehearsal) == ["SETTINGS_ALREADY_APPLIED"]
    assert rehearsal.closed is None
    rehearsal.advance(1)
    assert "ConversationText" not in rehearsal.types()


def test_settings_the_parser_refuses_end_the_session_without_a_status() -> None:
    rehearsal = CheckedAgent(settings(functions=[{"name": "f", "client_side": True}]))
    assert rehearsal.closed == ENDED
    detail = "UNPARSABLE_CLIENT_MESSAGE agent.think.functions[0].client_side"
    assert rules(rehearsal) == [("refused", "Settings", detail)]


@pytest.mark.parametrize("text", ["", "nonsense", '{"type":"Nonsense"}', '{"type":"UpdatePrompt"}'])
def test_what_the_parser_refuses_ends_the_session_and_nothing_is_heard_after_it(text: str) -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(text)
    assert codes(rehearsal) == ["UNPARSABLE_CLIENT_MESSAGE"]
    assert rehearsal.closed == ENDED
    received = len(rehearsal.journal.received)
    rehearsal.client(ASK, tone(1), "nonsense")
    assert len(rehearsal.journal.received) == received
    assert len(rehearsal.violations) == 1


def test_an_end_in_the_middle_of_a_turn_ends_the_turn_too() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(ASK, "nonsense")
    assert rehearsal.types()[-1] == "Error"
    rehearsal.line.closed = None
    rehearsal.advance(5)
    assert rehearsal.frames() == []


def test_nothing_is_heard_once_the_connection_is_over() -> None:
    rehearsal = CheckedAgent()
    rehearsal.session.closed()
    rehearsal.client(ASK, b"\x00\x00")
    rehearsal.session.overhear(1)
    rehearsal.advance(20)
    assert rehearsal.frames() == []


def test_client_messages_are_kept_as_they_came() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(ASK)
    assert [(one.session_id, one.event) for one in rehearsal.journal.received] == [
        ("rehearsal", SETTINGS),
        ("rehearsal", ASK),
    ]


def test_a_violation_is_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    rehearsal = CheckedAgent(settings(greeting={"secret": "not for logs"}))
    assert rehearsal.violations
    assert "agent.greeting" in caplog.text
    assert "not for logs" not in caplog.text


def test_every_rule_a_violation_names_is_documented() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(ASK, SETTINGS, ASK)
    rehearsal.advance(1)
    rehearsal.client({"type": "FunctionCallResponse", "name": "f", "content": ""})
    assert {one.rule for one in rehearsal.violations} == set(AGENT_RULES)


# Time


@pytest.mark.parametrize("first", [None, SETTINGS])
def test_a_silent_client_is_timed_out_after_12_seconds(first: Message | None) -> None:
    rehearsal = CheckedAgent(first)
    rehearsal.advance(11.9)
    assert "Error" not in rehearsal.types()
    rehearsal.advance(0.2)
    assert codes(rehearsal) == ["CLIENT_MESSAGE_TIMEOUT"]
    assert rehearsal.closed == ENDED


@pytest.mark.parametrize("sign", [KEEP_ALIVE, b"\x00\x00"])
def test_audio_or_keep_alive_every_8_seconds_keeps_the_session(sign: Message | bytes) -> None:
    rehearsal = CheckedAgent()
    for _ in range(20):
        rehearsal.advance(8)
        rehearsal.client(sign)
    assert rehearsal.closed is None
    rehearsal.advance(12.1)
    assert rehearsal.closed == ENDED


def test_patience_scales_the_time_outs() -> None:
    rehearsal = CheckedAgent(patience=0.01)
    rehearsal.advance(0.13)
    assert codes(rehearsal) == ["CLIENT_MESSAGE_TIMEOUT"]


@pytest.mark.parametrize(("scenario", "seconds"), [(None, 7200.0), ("short-session", 2.0)])
def test_a_session_ends_after_two_hours_of_which_it_warns_five_minutes_before(
    scenario: str | None, seconds: float
) -> None:
    rehearsal = CheckedAgent(None, scenario=scenario)
    rehearsal.client(SETTINGS)
    heard: dict[str, float] = {}
    step = seconds / 2400
    for number in range(1, 2402):
        rehearsal.client(KEEP_ALIVE)
        rehearsal.advance(step)
        for code in codes(rehearsal):
            heard[code] = number * step
    assert heard == {
        "MAXIMUM_SESSION_LENGTH_APPROACHING": pytest.approx(seconds * 115 / 120, abs=2 * step),
        "MAXIMUM_SESSION_LENGTH_REACHED": pytest.approx(seconds, abs=2 * step),
    }
    assert rehearsal.closed == ENDED


# Settings in force


def test_a_prompt_that_is_too_long_is_cut_with_a_warning() -> None:
    think: dict[str, Any] = {**SETTINGS["agent"]["think"], "prompt": "p" * 25_001}
    rehearsal = CheckedAgent(None)
    rehearsal.client(settings(think=think))
    rehearsal.advance(0.005)
    assert codes(rehearsal) == ["PROMPT_TOO_LONG"]
    rehearsal.client({"type": "UpdatePrompt", "prompt": "more"})
    assert codes(rehearsal) == ["PROMPT_TOO_LONG"]


def test_a_model_of_the_clients_own_reads_a_prompt_of_any_length() -> None:
    think = {**SETTINGS["agent"]["think"], "prompt": "p" * 25_001, "endpoint": {"url": "u"}}
    rehearsal = CheckedAgent(None)
    rehearsal.client(settings(think=think))
    rehearsal.advance(0.005)
    assert rehearsal.types() == ["Welcome", "SettingsApplied"]


@pytest.mark.parametrize(
    ("update", "answer"),
    [
        ({"type": "UpdatePrompt", "prompt": "Be brief."}, "PromptUpdated"),
        ({"type": "UpdateThink", "think": SETTINGS["agent"]["think"]}, "ThinkUpdated"),
        ({"type": "UpdateThink", "think": [SETTINGS["agent"]["think"]]}, "ThinkUpdated"),
        ({"type": "UpdateSpeak", "speak": SETTINGS["agent"]["speak"]}, "SpeakUpdated"),
        ({"type": "UpdateListen", "listen": SETTINGS["agent"]["listen"]}, "ListenUpdated"),
    ],
)
def test_every_update_is_confirmed(update: Message, answer: str) -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(update)
    rehearsal.advance(0.005)
    assert rehearsal.types() == [answer]


def test_two_updates_of_the_listener_at_once_are_confirmed_together() -> None:
    rehearsal = CheckedAgent()
    update = {"type": "UpdateListen", "listen": SETTINGS["agent"]["listen"]}
    rehearsal.client(update, update)
    rehearsal.advance(1)
    assert [one["type"] for one in rehearsal.messages()] == ["ListenUpdated"]
    rehearsal.client(update)
    rehearsal.advance(1)
    assert rehearsal.types() == ["ListenUpdated"]


@pytest.mark.parametrize(
    "update",
    [
        {"type": "UpdateThink", "think": {"provider": {"type": "open_ai", "model": "llama"}}},
        {"type": "UpdateSpeak", "speak": {"provider": {"type": "deepgram", "model": "alloy"}}},
        {"type": "UpdateListen", "listen": {"provider": {"type": "deepgram", "model": "best"}}},
    ],
)
def test_an_update_to_a_model_that_does_not_exist_ends_the_session(update: Message) -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(update)
    assert codes(rehearsal) == ["INVALID_SETTINGS"]
    assert rehearsal.closed == ENDED


def test_think_live_is_unparsable_to_who_is_not_invited() -> None:
    live = {"think_live": {"provider": {"type": "deepgram"}}}
    for message in ({"type": "UpdateThink_Live", **live}, settings(**live)):
        rehearsal = CheckedAgent(None if message["type"] == "Settings" else SETTINGS)
        rehearsal.client(message)
        assert codes(rehearsal) == ["UNPARSABLE_CLIENT_MESSAGE"]


def test_think_live_is_there_for_who_is_invited() -> None:
    live = {"think_live": {"provider": {"type": "deepgram"}}}
    rehearsal = CheckedAgent(settings(**live), scenario="think-live")
    rehearsal.client({"type": "UpdateThink_Live", **live})
    assert rehearsal.types() == ["ThinkLiveUpdated"]
    rehearsal.client({"type": "InjectAgentMessage", "is_dynamic": True})
    rehearsal.advance(1)
    assert rehearsal.types()[0] == "ConversationText"


def test_what_is_for_the_models_provider_comes_back_from_it() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client({"type": "__customToThinkProvider", "content": {"any": [1]}})
    assert rehearsal.frames() == [{"type": "__customFromThinkProvider", "content": {"any": [1]}}]
