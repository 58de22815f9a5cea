"""Responses: their events in order, their pace, their ends."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from test_simulator_events import TOOLS, Checked

from voiceproxy_simulator.formats import FORMATS, PCM
from voiceproxy_simulator.testing import silence, tone

CREATE = {"type": "response.create"}
CANCEL = {"type": "response.cancel"}
SPOKEN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
]
SPOKEN_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def only(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [event for event in events if event["type"] == kind]
    return found


def all_of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


def begun(rehearsal: Checked, text: str) -> list[dict[str, Any]]:
    """A text turn without moving the clock after ``response.create``."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    rehearsal.client({"type": "conversation.item.create", "item": item})
    rehearsal.advance(0.01)
    rehearsal.events()
    rehearsal.client(CREATE)
    return rehearsal.events()


def test_a_spoken_reply_has_the_order_of_the_real_api() -> None:
    rehearsal = Checked()
    types = [event["type"] for event in begun(rehearsal, "hello")]
    rehearsal.advance(0)
    types += [event["type"] for event in rehearsal.events()]
    assert list(dict.fromkeys(types[:8])) == SPOKEN
    assert types[-7:] == SPOKEN_END


def test_a_spoken_reply_is_consistent() -> None:
    events = Checked().ask("hello")
    done = only(events, "response.done")["response"]
    (item,) = done["output"]
    words = [event["delta"] for event in all_of(events, SPOKEN[4])]
    assert "".join(words) == item["content"][0]["transcript"] == 'You said "hello".'
    assert {event["item_id"] for event in events if "item_id" in event} == {item["id"]}
    assert done["status"] == "completed"
    assert done["status_details"] is None
    assert done["usage"]["output_token_details"]["audio_tokens"] > 10


def test_a_written_reply_has_no_audio() -> None:
    events = Checked().ask("hello", output_modalities=["text"])
    types = [event["type"] for event in events]
    begin = types.index("response.created")
    assert list(dict.fromkeys(types[begin:])) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        *SPOKEN_END[2:],
    ]
    (item,) = only(events, "response.done")["response"]["output"]
    assert item["content"] == [{"type": "output_text", "text": 'You said "hello".'}]
    assert only(events, "response.output_text.done")["text"] == 'You said "hello".'


def test_a_function_call_comes_with_its_arguments_in_pieces() -> None:
    rehearsal = Checked(session={"tools": TOOLS})
    events = rehearsal.ask('call get_weather {"city": "Reykjavik"}')
    types = [event["type"] for event in events]
    begin = types.index("response.created")
    assert list(dict.fromkeys(types[begin:])) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        *SPOKEN_END[3:],
    ]
    pieces = all_of(events, "response.function_call_arguments.delta")
    done = only(events, "response.function_call_arguments.done")
    assert len(pieces) > 1
    assert "".join(piece["delta"] for piece in pieces) == done["arguments"]
    assert done["arguments"] == '{"city":"Reykjavik"}'
    (call,) = only(events, "response.done")["response"]["output"]
    assert (call["name"], call["status"]) == ("get_weather", "completed")
    assert call["call_id"] == done["call_id"]


def test_parallel_calls_are_outputs_of_one_response() -> None:
    events = Checked(session={"tools": TOOLS}).ask("get weather and get time")
    calls = only(events, "response.done")["response"]["output"]
    assert [call["name"] for call in calls] == ["get_weather", "get-time"]
    assert len({call["call_id"] for call in calls}) == 2
    assert [event["output_index"] for event in all_of(events, "response.output_item.done")] == [
        0,
        1,
    ]


def test_a_second_response_is_refused_by_the_name_of_the_first() -> None:
    rehearsal = Checked(scenario="stall")
    events = rehearsal.ask("hello")
    active = only(events, "response.created")["response"]["id"]
    rehearsal.client(CREATE | {"event_id": "mine"})
    (refused,) = rehearsal.events()
    assert refused["error"]["code"] == "conversation_already_has_active_response"
    assert active in refused["error"]["message"]
    assert refused["error"]["event_id"] == "mine"
    assert [one.detail for one in rehearsal.violations] == [refused["error"]["code"]]


def test_a_create_that_crosses_the_turns_own_response_is_refused_but_no_violation() -> None:
    rehearsal = Checked(scenario="stall")
    rehearsal.say(tone(0.5) + silence(0.3))
    rehearsal.events()
    rehearsal.client(CREATE)
    assert rehearsal.types() == ["error"]
    assert rehearsal.violations == []
    rehearsal.advance(0.3)
    rehearsal.client(CREATE)
    assert len(rehearsal.violations) == 1


@pytest.mark.parametrize("named", [True, False])
def test_cancelling_leaves_the_reply_incomplete(named: bool) -> None:
    rehearsal = Checked(pace="realtime")
    events = begun(rehearsal, "count to 20")
    response_id = only(events, "response.created")["response"]["id"]
    rehearsal.advance(0.5)
    rehearsal.events()
    rehearsal.client(CANCEL | ({"response_id": response_id} if named else {}))
    events = rehearsal.events()
    assert [event["type"] for event in events] == SPOKEN_END
    response = only(events, "response.done")["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    rehearsal.advance(60)
    assert rehearsal.events() == []


def test_cancelling_a_function_call_cuts_its_arguments() -> None:
    rehearsal = Checked(scenario="stall", session={"tools": TOOLS})
    rehearsal.ask("get_weather")
    rehearsal.client(CANCEL)
    events = rehearsal.events()
    assert only(events, "response.function_call_arguments.done")["arguments"] == '{"city":"Par'
    assert only(events, "response.output_item.done")["item"]["status"] == "incomplete"


@pytest.mark.parametrize("event", [CANCEL, CANCEL | {"response_id": "resp_unknown"}])
def test_cancelling_nothing_is_refused(event: dict[str, Any]) -> None:
    rehearsal = Checked()
    rehearsal.client(event)
    (refused,) = rehearsal.events()
    assert refused["error"]["code"] == "response_cancel_not_active"
    assert len(rehearsal.violations) == 1


def test_a_cancel_that_crosses_the_end_is_refused_but_no_violation() -> None:
    rehearsal = Checked()
    rehearsal.ask("hello")
    rehearsal.client(CANCEL)
    assert rehearsal.types() == ["error"]
    assert rehearsal.violations == []


def test_another_response_may_follow() -> None:
    rehearsal = Checked()
    first = rehearsal.ask("hello")
    second = rehearsal.ask("goodbye")
    assert only(second, "response.done")["response"]["output"][0]["content"][0]["transcript"] == (
        'You said "goodbye".'
    )
    assert only(first, "response.done")["response"]["id"] not in str(second)


def test_an_out_of_band_response_is_outside_the_conversation_and_blocks_nothing() -> None:
    rehearsal = Checked(scenario="stall")
    rehearsal.ask("hello")
    given = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "aside"}],
    }
    fields = {"conversation": "none", "input": [given], "metadata": {"for": "me"}}
    rehearsal.client(CREATE | {"response": fields})
    events = rehearsal.events()
    created = only(events, "response.created")["response"]
    assert (created["conversation_id"], created["metadata"]) == (None, {"for": "me"})
    assert all_of(events, "conversation.item.added") == []
    rehearsal.client(CANCEL | {"response_id": created["id"]})
    events = rehearsal.events()
    assert only(events, "response.done")["response"]["metadata"] == {"for": "me"}
    assert all_of(events, "conversation.item.done") == []


def test_an_out_of_band_response_ends_and_is_forgotten() -> None:
    rehearsal = Checked()
    rehearsal.client(CREATE | {"response": {"conversation": "none"}})
    rehearsal.advance(0)
    response = only(rehearsal.events(), "response.done")["response"]
    assert response["output"][0]["content"][0]["transcript"] == "This is the simulator."
    rehearsal.client(CANCEL | {"response_id": response["id"]})
    assert rehearsal.types() == ["error"]


def test_input_replaces_the_conversation_and_may_refer_to_it() -> None:
    rehearsal = Checked()
    added = rehearsal.ask("first")[0]
    reference = {"type": "item_reference", "id": added["item"]["id"]}
    rehearsal.client(CREATE | {"response": {"input": [reference]}})
    rehearsal.advance(0)
    (item,) = only(rehearsal.events(), "response.done")["response"]["output"]
    assert item["content"][0]["transcript"] == 'You said "first".'


def test_a_reference_to_an_unknown_item_is_refused() -> None:
    rehearsal = Checked()
    reference = {"type": "item_reference", "id": "nobody"}
    rehearsal.client(CREATE | {"response": {"input": [reference]}})
    assert rehearsal.types() == ["error"]


def test_a_reply_that_exceeds_max_output_tokens_is_incomplete() -> None:
    events = Checked().ask("count to 100", max_output_tokens=5)
    response = only(events, "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["transcript"] == "1, 2, 3, 4, 5,"
    assert response["output"][0]["status"] == "incomplete"
    assert response["max_output_tokens"] == 5


@pytest.mark.parametrize("name", ["audio/pcm", "audio/pcmu", "audio/pcma"])
def test_audio_comes_in_the_format_that_was_asked_for(name: str) -> None:
    events = Checked(session={"audio": {"output": {"format": {"type": name}}}}).ask("hello")
    audio = b"".join(base64.b64decode(event["delta"]) for event in all_of(events, SPOKEN[5]))
    form = FORMATS[name]
    milliseconds = form.milliseconds(len(audio))
    assert 700 < milliseconds < 1500
    assert 0.02 < float(abs(form.decode(audio)).mean()) < 0.2
    shown = only(events, "response.done")["response"]["audio"]["output"]["format"]
    assert shown["type"] == name


def test_a_response_may_have_a_voice_and_format_of_its_own() -> None:
    output = {"voice": {"id": "voice_1"}, "format": {"type": "audio/pcmu"}}
    events = Checked().ask("hello", audio={"output": output})
    shown = only(events, "response.done")["response"]["audio"]["output"]
    assert shown == {"format": {"type": "audio/pcmu"}}


def audio_by_now(rehearsal: Checked) -> float:
    """Milliseconds of audio sent since the response began."""
    deltas = all_of([e for e in rehearsal.line.sent if isinstance(e, dict)], SPOKEN[5])
    return sum(PCM.milliseconds(len(base64.b64decode(event["delta"]))) for event in deltas)


def test_at_real_time_audio_runs_300_ms_ahead_of_playback() -> None:
    rehearsal = Checked(pace="realtime")
    begun(rehearsal, "count to 20")
    sent = []
    for _ in range(5):
        sent.append(audio_by_now(rehearsal))
        rehearsal.advance(0.1)
    assert sent == pytest.approx([400, 500, 600, 700, 800])


def test_the_transcript_runs_ahead_of_the_audio() -> None:
    rehearsal = Checked(pace="realtime")
    events = begun(rehearsal, "one two three four five six seven")
    words = "".join(event["delta"] for event in all_of(events, SPOKEN[4]))
    assert words.startswith("You said")
    assert "seven" not in words


def test_at_real_time_text_comes_a_word_at_a_time() -> None:
    rehearsal = Checked(pace="realtime", session={"output_modalities": ["text"]})
    first = all_of(begun(rehearsal, "count to 5"), "response.output_text.delta")
    rehearsal.advance(0.05)
    second = all_of(rehearsal.events(), "response.output_text.delta")
    assert (len(first), len(second)) == (1, 1)


def test_nothing_is_produced_while_the_line_is_full() -> None:
    rehearsal = Checked()
    rehearsal.line.full = True
    begun(rehearsal, "count to 50")
    rehearsal.advance(60)
    assert audio_by_now(rehearsal) == 0
    rehearsal.line.full = False
    rehearsal.session.drained()
    rehearsal.advance(0)
    assert rehearsal.types()[-1] == "rate_limits.updated"


def test_draining_a_line_that_was_not_full_changes_nothing() -> None:
    rehearsal = Checked(pace="realtime")
    begun(rehearsal, "count to 50")
    before = audio_by_now(rehearsal)
    rehearsal.session.drained()
    assert audio_by_now(rehearsal) == before


def test_draining_a_line_without_a_response_changes_nothing() -> None:
    rehearsal = Checked()
    rehearsal.session.drained()
    assert rehearsal.events() == []
