"""Each named fault does what its name says, and the proxy is not blamed for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from test_simulator_events import Checked

from voiceproxy_simulator import SCENARIOS, Scenario
from voiceproxy_simulator.scenarios import scenario_class
from voiceproxy_simulator.wire import Event

UPDATE = {"type": "session.update", "session": {"type": "realtime"}, "event_id": "mine"}
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
CREATE = {"type": "conversation.item.create", "item": ITEM}


def done(events: list[Event]) -> dict[str, Any]:
    (event,) = [event for event in events if event["type"] == "response.done"]
    return dict(event["response"])


def test_every_scenario_says_in_one_line_what_it_does() -> None:
    for name, scenario in SCENARIOS.items():
        first = (scenario.__doc__ or "").splitlines()[0]
        assert first.endswith("."), name


def test_quota_fails_every_response_in_its_done_alone() -> None:
    rehearsal = Checked(scenario="quota")
    for _ in range(2):
        events = rehearsal.ask("hello")
        response = done(events)
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["code"] == "insufficient_quota"
        assert response["output"] == []
        assert "error" not in [event["type"] for event in events]


def test_expired_ends_the_session_after_the_first_reply() -> None:
    rehearsal = Checked(scenario="expired")
    assert done(rehearsal.ask("hello"))["status"] == "completed"
    rehearsal.advance(0.2)
    (error,) = rehearsal.events()
    assert error["error"]["code"] == "session_expired"
    assert rehearsal.closed is not None
    assert rehearsal.closed[0] == 1001


def test_refuse_settings_refuses_every_update_by_its_event_id() -> None:
    rehearsal = Checked(scenario="refuse-settings", configured=False)
    rehearsal.events()
    rehearsal.client(UPDATE, UPDATE)
    rehearsal.advance(1)
    errors = [event["error"] for event in rehearsal.events()]
    assert [(error["code"], error["event_id"]) for error in errors] == [
        ("invalid_value", "mine")
    ] * 2
    assert rehearsal.violations == []
    assert rehearsal.ask("hello")


def test_late_acks_come_half_a_second_late_and_a_response_before_them_is_a_violation() -> None:
    rehearsal = Checked(scenario="late-acks", configured=False)
    rehearsal.events()
    rehearsal.client(UPDATE)
    rehearsal.advance(0.4)
    assert rehearsal.events() == []
    rehearsal.advance(0.2)
    rehearsal.client(CREATE)
    rehearsal.advance(0.4)
    assert rehearsal.types() == ["session.updated"]
    rehearsal.client({"type": "response.create"})
    assert rehearsal.types()[0] == "response.created"
    assert [one.rule for one in rehearsal.violations] == ["response-before-item-added"]
    rehearsal.advance(0.2)
    assert "conversation.item.added" in rehearsal.types()


def test_missing_acks_never_come_and_waiting_for_them_in_vain_is_no_violation() -> None:
    rehearsal = Checked(scenario="missing-acks")
    rehearsal.client(CREATE)
    rehearsal.advance(60)
    assert rehearsal.events() == []
    rehearsal.client({"type": "response.create"})
    rehearsal.advance(0)
    spoken = done(rehearsal.events())["output"][0]["content"][0]
    assert spoken["transcript"] == 'You said "hello".'
    assert rehearsal.violations == []


def test_silent_never_answers_an_update_which_is_in_force_all_the_same() -> None:
    rehearsal = Checked(scenario="silent", configured=False)
    rehearsal.events()
    session = {"type": "realtime", "output_modalities": ["text"]}
    rehearsal.client(UPDATE | {"session": session})
    rehearsal.advance(60)
    assert rehearsal.events() == []
    assert done(rehearsal.ask("hello"))["output_modalities"] == ["text"]


def test_stall_sends_one_delta_and_waits_to_be_cancelled() -> None:
    rehearsal = Checked(scenario="stall")
    events = rehearsal.ask("count to 50")
    assert [event["type"] for event in events].count("response.output_audio.delta") == 1
    rehearsal.advance(600)
    assert rehearsal.events() == []
    rehearsal.client({"type": "response.cancel"})
    assert done(rehearsal.events())["status"] == "cancelled"


def test_junk_comes_before_sound_events() -> None:
    rehearsal = Checked(scenario="junk")
    rehearsal.ask("hello")
    junk = [frame for frame in rehearsal.line.sent if not isinstance(frame, dict)]
    assert len(junk) == 16
    assert any(isinstance(frame, bytes) for frame in junk)
    assert any(not _is_json(frame) for frame in junk if isinstance(frame, str))
    assert rehearsal.violations == []


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def test_a_scenario_may_be_given_as_a_class() -> None:
    class Mute(Scenario):
        """Nothing goes out."""

        def outgoing(self, event: Event) -> tuple[()]:
            return ()

    assert scenario_class(Mute) is Mute
    assert Checked(scenario=Mute).line.sent == []


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_scenario_is_the_api_as_it_should_be(nothing: str | None) -> None:
    assert scenario_class(nothing) is Scenario


def test_an_unknown_scenario_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown scenario 'x'.*quota.*late-acks"):
        scenario_class("x")
