"""Each named fault does what its name says, and the proxy is not blamed for it."""

from __future__ import annotations

from typing import Any, get_args

import orjson
import pytest
from openai.types.realtime import RealtimeServerEvent
from test_simulator_events import TOOLS, Checked

from voiceproxy_simulator import SCENARIOS, Scenario
from voiceproxy_simulator.scenarios import description, scenario_class
from voiceproxy_simulator.testing import Rehearsal, silence, tone
from voiceproxy_simulator.wire import Event

UPDATE = {"type": "session.update", "session": {"type": "realtime"}, "event_id": "mine"}
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
KNOWN = {
    get_args(model.model_fields["type"].annotation)[0]
    for model in get_args(get_args(RealtimeServerEvent)[0])
}
CREATE = {"type": "conversation.item.create", "item": ITEM}


def done(events: list[Event]) -> dict[str, Any]:
    (event,) = [event for event in events if event["type"] == "response.done"]
    return dict(event["response"])


def test_every_scenario_says_in_one_line_what_it_does() -> None:
    for name, scenario in SCENARIOS.items():
        assert description(scenario).endswith("."), name
        assert len(description(scenario)) <= 100, name


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


def of_type(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def calls(events: list[Event]) -> list[tuple[str, str]]:
    output = done(events)["output"]
    return [(item["name"], item["status"]) for item in output if item["type"] == "function_call"]


@pytest.mark.parametrize("modality", ["audio", "text"])
def test_error_mid_response_fails_after_three_pieces(modality: str) -> None:
    rehearsal = Checked(scenario="error-mid-response")
    events = rehearsal.ask("hello there", output_modalities=[modality])
    delta = {"audio": "response.output_audio.delta", "text": "response.output_text.delta"}
    assert len(of_type(events, delta[modality])) == 3
    response = done(events)
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "server_error"
    assert [item["status"] for item in response["output"]] == ["incomplete"]
    assert of_type(events, "error") == []
    assert done(rehearsal.ask("and again"))["status"] == "failed"


def test_incomplete_ends_every_response_after_three_pieces() -> None:
    response = done(Checked(scenario="incomplete").ask("hello"))
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}


def test_parallel_calls_calls_every_function_of_the_session() -> None:
    rehearsal = Checked(scenario="parallel-calls", session={"tools": TOOLS})
    events = rehearsal.ask("call get_weather")
    assert calls(events) == [("get_weather", "completed"), ("get-time", "completed")]
    assert calls(rehearsal.ask("hello")) == []


def test_parallel_calls_calls_a_function_alone_twice_with_two_ids() -> None:
    rehearsal = Checked(scenario="parallel-calls", session={"tools": TOOLS[:1]})
    output = done(rehearsal.ask("call get_weather"))["output"]
    assert [item["name"] for item in output] == ["get_weather"] * 2
    assert len({item["call_id"] for item in output}) == 2


def test_spoken_call_speaks_and_calls_in_one_response() -> None:
    rehearsal = Checked(scenario="spoken-call", session={"tools": TOOLS})
    output = done(rehearsal.ask("call get_weather"))["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]
    (message,) = done(rehearsal.ask("hello"))["output"]
    assert message["content"][0]["transcript"] == 'You said "hello".'


def test_cancelled_call_cuts_the_arguments_and_answers_what_was_overheard() -> None:
    rehearsal = Checked(scenario="cancelled-call", session={"tools": TOOLS})
    events = rehearsal.ask('call get_weather {"city": "Reykjavik"}')
    (arguments,) = of_type(events, "response.function_call_arguments.done")
    assert not _is_json(arguments["arguments"])
    assert of_type(events, "input_audio_buffer.speech_started")
    assert calls(events) == [("get_weather", "incomplete")]
    details = {"type": "cancelled", "reason": "turn_detected"}
    assert done(events)["status_details"] == details
    rehearsal.advance(1)
    (message,) = done(rehearsal.events())["output"]
    assert message["content"][0]["transcript"] == "I heard 0.6 s of speech."
    assert done(rehearsal.ask("hello"))["status"] == "completed"


def test_refused_create_begins_its_own_response_first_and_grants_the_second_attempt() -> None:
    rehearsal = Checked(scenario="refused-create")
    events = rehearsal.ask("hello")
    (error,) = of_type(events, "error")
    assert error["error"]["code"] == "conversation_already_has_active_response"
    (message,) = done(events)["output"]
    assert message["content"][0]["transcript"] == "The server began this one."
    rehearsal.client({"type": "response.create"})
    rehearsal.advance(0)
    (message,) = done(rehearsal.events())["output"]
    assert message["content"][0]["transcript"] == 'You said "hello".'
    assert rehearsal.violations == []


def test_refused_create_has_nothing_to_begin_while_a_response_is_active() -> None:
    rehearsal = Checked(scenario="refused-create", pace="realtime")
    rehearsal.client({"type": "response.create"}, {"type": "response.create"})
    rehearsal.client({"type": "response.create"})
    assert len(of_type(rehearsal.events(), "response.created")) == 1


def test_burst_sends_a_minute_of_audio_at_once_at_either_pace() -> None:
    rehearsal = Checked(scenario="burst", pace="realtime", session={"tools": TOOLS})
    events = rehearsal.ask("hello")
    assert len(of_type(events, "response.output_audio.delta")) > 400
    assert done(events)["status"] == "completed"
    assert calls(rehearsal.ask("get weather")) == [("get_weather", "completed")]


def test_oversized_sends_a_sound_event_of_30_mb_within_a_response() -> None:
    rehearsal = Checked(scenario="oversized")
    (big,) = of_type(rehearsal.ask("hello"), "conversation.item.retrieved")
    assert len(orjson.dumps(big)) > 30_000_000


def test_idle_timeout_asks_once_after_the_first_reply() -> None:
    rehearsal = Checked(scenario="idle-timeout")
    rehearsal.ask("hello")
    rehearsal.advance(0.3)
    events = rehearsal.events()
    assert of_type(events, "input_audio_buffer.timeout_triggered")
    (message,) = done(events)["output"]
    assert message["content"][0]["transcript"] == "Are you still there?"
    rehearsal.advance(60)
    assert rehearsal.events() == []


def test_idle_timeout_says_nothing_into_a_response() -> None:
    rehearsal = Checked(scenario="idle-timeout")
    rehearsal.ask("hello")
    rehearsal.session.volunteer("Something longer than the grace of the scenario.")
    rehearsal.session.time_out()
    rehearsal.advance(0)
    assert of_type(rehearsal.events(), "input_audio_buffer.timeout_triggered") == []


def test_late_done_withholds_the_end_of_a_response_with_calls_until_it_is_cancelled() -> None:
    rehearsal = Checked(scenario="late-done", session={"tools": TOOLS})
    assert done(rehearsal.ask("hello"))["status"] == "completed"
    events = rehearsal.ask("get weather")
    assert of_type(events, "response.output_item.done")[0]["item"]["status"] == "completed"
    rehearsal.advance(600)
    assert of_type(events + rehearsal.events(), "response.done") == []
    rehearsal.client({"type": "response.cancel"})
    assert done(rehearsal.events())["status"] == "cancelled"


def test_a_scenario_may_let_a_response_end_some_seconds_late() -> None:
    class Hesitant(Scenario):
        """The end comes two seconds late."""

        def hesitation(self, _parts: object) -> float:
            return 2.0

    rehearsal = Checked(scenario=Hesitant)
    assert of_type(rehearsal.ask("hello"), "response.done") == []
    rehearsal.advance(2)
    assert done(rehearsal.events())["status"] == "completed"


def test_late_transcripts_come_after_the_reply() -> None:
    session = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    rehearsal = Checked(scenario="late-transcripts", pace="realtime", session=session)
    rehearsal.say(silence(0.4) + tone(1.0) + silence(0.4))
    rehearsal.advance(10)
    types = rehearsal.types()
    transcribed = types.index("conversation.item.input_audio_transcription.completed")
    assert types[transcribed - 2] == "response.done"


def test_late_transcripts_of_a_turn_without_a_reply_come_as_usual() -> None:
    detection = {"type": "server_vad", "create_response": False}
    audio_input = {"transcription": {"model": "whisper-1"}, "turn_detection": detection}
    session = {"audio": {"input": audio_input}}
    rehearsal = Checked(scenario="late-transcripts", session=session)
    rehearsal.say(silence(0.4) + tone(1.0) + silence(0.4))
    rehearsal.advance(0.1)
    assert rehearsal.types()[-1] == "conversation.item.input_audio_transcription.completed"


def test_unauthorized_is_told_so_in_the_place_of_session_created() -> None:
    rehearsal = Checked(scenario="unauthorized", configured=False)
    (error,) = rehearsal.events()
    assert error["error"]["code"] == "invalid_api_key"
    assert rehearsal.closed == (3000, "Incorrect API key provided.")
    assert rehearsal.violations == []


@pytest.mark.parametrize(
    ("scenario", "code"), [("close-1011", 1011), ("close-4001", 4001), ("reset", 1006)]
)
def test_a_connection_ends_after_three_pieces_of_a_response(scenario: str, code: int) -> None:
    rehearsal = Checked(scenario=scenario)
    events = rehearsal.ask("hello")
    assert len(of_type(events, "response.output_audio.delta")) == 3
    assert of_type(events, "response.done") == []
    assert rehearsal.closed is not None
    assert rehearsal.closed[0] == code


def test_replaced_ids_knows_nothing_of_the_clients_ids() -> None:
    rehearsal = Checked(scenario="replaced-ids")
    rehearsal.client(CREATE | {"item": ITEM | {"id": "mine"}})
    rehearsal.advance(0.01)
    (added,) = of_type(rehearsal.events(), "conversation.item.added")
    assert added["item"]["id"] != "mine"
    rehearsal.client({"type": "response.create", "response": {"metadata": {"mark": "mine"}}})
    rehearsal.advance(0)
    assert done(rehearsal.events())["metadata"] is None
    rehearsal.client({"type": "response.cancel", "event_id": "mine"})
    (error,) = rehearsal.events()
    assert error["error"]["event_id"] is None


def test_missing_indexes_come_without_what_servers_leave_out() -> None:
    events = Rehearsal(scenario="missing-indexes").ask("hello")
    names = {name for event in events for name in event}
    missing = {"event_id", "output_index", "content_index", "previous_item_id", "part"}
    assert not names & missing
    assert done(events)["status"] == "completed"


def test_string_error_makes_every_error_a_string_and_sends_one_before_each_reply() -> None:
    rehearsal = Rehearsal(scenario="string-error")
    (error,) = of_type(rehearsal.ask("hello"), "error")
    assert error == {"type": "error", "error": "The server is busy.", "code": "server_busy"}
    rehearsal.client({"type": "nonsense"})
    (error,) = rehearsal.events()
    assert isinstance(error["error"], str)
    assert error["code"] == "invalid_event"


def test_unknown_events_come_between_the_others_and_deltas_are_padded() -> None:
    events = Rehearsal(scenario="unknown-events").ask("hello")
    known = [event for event in events if event["type"] in KNOWN]
    assert len(events) == len(known) + 10
    assert all("obfuscation" in event for event in known if "delta" in event)


def test_beta_names_flatten_a_transcription_session_too() -> None:
    rehearsal = Rehearsal(scenario="beta-names", kind="transcription", configured=False)
    (created,) = rehearsal.events()
    assert created["session"]["input_audio_format"] == "pcm16"
    assert "modalities" not in created["session"]


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
    with pytest.raises(ValueError, match=r"unknown scenario 'x'.*late-acks.*quota"):
        scenario_class("x")
