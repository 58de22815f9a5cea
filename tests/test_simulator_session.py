"""A session's own business: dispatch, refusals, confirmations, and breaches of our own contract."""

from __future__ import annotations

from typing import Any

import pytest
from test_simulator_events import Checked

from voiceproxy_simulator.journal import RULES
from voiceproxy_simulator.testing import tone

ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
CREATE = {"type": "conversation.item.create", "item": ITEM}
UPDATE = {"type": "session.update", "session": {"type": "realtime"}}


def rules(rehearsal: Checked) -> list[tuple[str, str, str]]:
    return [(one.rule, one.event_type, one.detail) for one in rehearsal.violations]


def errors(rehearsal: Checked) -> list[dict[str, Any]]:
    return [event["error"] for event in rehearsal.events() if event["type"] == "error"]


def test_the_first_event_is_session_created_with_the_whole_configuration() -> None:
    (created,) = Checked(configured=False, model="gpt-realtime-2").events()
    session = created["session"]
    assert created["type"] == "session.created"
    assert (session["model"], session["audio"]["output"]["voice"]) == ("gpt-realtime-2", "alloy")
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_an_update_is_answered_with_the_whole_configuration_a_moment_later() -> None:
    rehearsal = Checked(configured=False)
    rehearsal.events()
    rehearsal.client({**UPDATE, "session": {"type": "realtime", "instructions": "be brief"}})
    assert rehearsal.types() == []
    rehearsal.advance(0.01)
    (updated,) = rehearsal.events()
    assert updated["session"]["instructions"] == "be brief"
    assert updated["session"]["tools"] == []


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null", '"text"', "7"])
def test_what_is_no_json_object_is_an_invalid_event(text: str) -> None:
    rehearsal = Checked()
    rehearsal.client(text)
    (error,) = errors(rehearsal)
    assert (error["type"], error["code"], error["event_id"]) == (
        "invalid_request_error",
        "invalid_event",
        None,
    )
    assert rules(rehearsal) == [("refused", "", "invalid_event")]


def test_a_refusal_names_the_clients_event() -> None:
    rehearsal = Checked()
    rehearsal.client(
        {"type": "session.update", "session": {"type": "realtime", "voice": 1}, "event_id": "mine"}
    )
    (error,) = errors(rehearsal)
    assert (error["code"], error["param"], error["event_id"]) == (
        "unknown_parameter",
        "session.voice",
        "mine",
    )
    assert rules(rehearsal) == [("refused", "session.update", "unknown_parameter session.voice")]


def test_a_refused_update_leaves_the_old_configuration_in_force() -> None:
    rehearsal = Checked(session={"instructions": "old"})
    broken = {"type": "realtime", "instructions": "new", "model": "gpt-realtime-other"}
    rehearsal.client({"type": "session.update", "session": broken}, UPDATE)
    rehearsal.advance(0.01)
    error, updated = rehearsal.events()
    assert error["error"]["param"] == "session.model"
    assert updated["session"]["instructions"] == "old"


def test_an_event_id_that_is_too_long_is_refused_and_recorded() -> None:
    rehearsal = Checked()
    rehearsal.client({"type": "response.create", "event_id": "e" * 513})
    assert [error["code"] for error in errors(rehearsal)] == ["string_above_max_length"]
    assert rules(rehearsal) == [("refused", "response.create", "string_above_max_length event_id")]


def test_clearing_a_webrtc_buffer_is_refused() -> None:
    rehearsal = Checked()
    rehearsal.client({"type": "output_audio_buffer.clear"})
    assert [error["code"] for error in errors(rehearsal)] == ["invalid_event"]


def test_a_response_before_the_item_is_added_is_a_violation_but_no_refusal_txt_2() -> None:
    rehearsal = Checked()
    rehearsal.client(CREATE, {"type": "response.create"})
    rehearsal.advance(0)
    types = rehearsal.types()
    assert types[:3] == ["conversation.item.added", "conversation.item.done", "response.created"]
    assert rules(rehearsal) == [("response-before-item-added", "response.create", "")]


def test_a_response_after_the_item_is_added_is_no_violation_txt_2() -> None:
    rehearsal = Checked()
    rehearsal.ask("hello")
    assert rehearsal.violations == []


@pytest.mark.parametrize("configured", [True, False])
def test_input_before_session_updated_is_a_violation_aud_1(configured: bool) -> None:
    rehearsal = Checked(configured=configured)
    rehearsal.say(tone(0.02))
    rehearsal.client(CREATE)
    kinds = ["input_audio_buffer.append", "conversation.item.create"]
    expected = [] if configured else [("input-before-settings", kind, "") for kind in kinds]
    assert rules(rehearsal) == expected


def test_input_between_update_and_updated_is_a_violation_aud_1() -> None:
    rehearsal = Checked(configured=False)
    rehearsal.client(UPDATE)
    rehearsal.say(tone(0.02))
    assert [one.rule for one in rehearsal.violations] == ["input-before-settings"]


def test_a_binary_frame_is_a_violation_and_has_no_answer() -> None:
    rehearsal = Checked()
    rehearsal.client(b"\x00\x01")
    assert rehearsal.events() == []
    assert rules(rehearsal) == [("binary-frame", "", "")]


def test_answers_keep_the_order_of_what_they_answer() -> None:
    rehearsal = Checked()
    rehearsal.client(CREATE, {"type": "conversation.item.delete", "item_id": "none"})
    types = rehearsal.types()
    assert types == ["conversation.item.added", "conversation.item.done", "error"]


def test_a_violation_is_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    rehearsal = Checked()
    secret = "not for logs"
    rehearsal.client({"type": "session.update", "session": {"type": secret}})
    assert "invalid_value session.type" in caplog.text
    assert secret not in caplog.text


def test_every_rule_a_violation_names_is_documented() -> None:
    assert set(RULES) == {
        "refused",
        "refused-connection",
        "response-before-item-added",
        "input-before-settings",
        "binary-frame",
    }


def test_violations_are_bounded_and_events_are_kept_only_when_asked() -> None:
    rehearsal = Checked()
    for _ in range(1100):
        rehearsal.client(b"")
    assert len(rehearsal.violations) == 1000
    assert [one.event["type"] for one in rehearsal.journal.received] == ["session.update"]
    rehearsal.journal._record = False
    rehearsal.client(UPDATE)
    assert len(rehearsal.journal.received) == 1


def test_a_session_expires_after_sixty_minutes_with_close_1001() -> None:
    rehearsal = Checked()
    rehearsal.advance(3599)
    assert rehearsal.closed is None
    rehearsal.advance(1)
    assert [error["code"] for error in errors(rehearsal)] == ["session_expired"]
    assert rehearsal.closed is not None
    assert rehearsal.closed[0] == 1001
    assert "60 minutes" in rehearsal.closed[1]
