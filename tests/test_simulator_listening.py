"""Spoken turns: speech found in the audio, committed, transcribed, answered, timed out."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from test_simulator_events import Checked

from voiceproxy_simulator.formats import FORMATS, PCM
from voiceproxy_simulator.testing import silence, tone

VAD = {"type": "server_vad"}
TURN = silence(0.5) + tone(1.0) + silence(0.5)
COMMIT = {"type": "input_audio_buffer.commit"}
VAD_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


def listening(**settings: Any) -> dict[str, Any]:
    return {"audio": {"input": settings}}


def detecting(**settings: Any) -> dict[str, Any]:
    return listening(turn_detection=VAD | settings)


def heard(rehearsal: Checked, audio: bytes, chunk: int = 4800) -> list[dict[str, Any]]:
    rehearsal.say(audio, chunk)
    rehearsal.advance(0)
    return rehearsal.events()


def of_type(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


@pytest.mark.parametrize("chunk", [960, 4800, 10**6])
def test_a_spoken_turn_has_the_order_of_the_real_api(chunk: int) -> None:
    events = heard(Checked(), TURN, chunk)
    assert [event["type"] for event in events][:6] == VAD_TURN
    started, stopped, committed, added = events[:4]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (200, 1700)
    ids = {started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"]}
    assert len(ids) == 1
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert events[-2]["response"]["output"][0]["content"][0]["transcript"] == (
        "I heard 1.0 s of speech."
    )


def test_times_count_all_audio_of_the_session() -> None:
    rehearsal = Checked()
    heard(rehearsal, TURN)
    started = of_type(heard(rehearsal, TURN), "input_audio_buffer.speech_started")
    assert [event["audio_start_ms"] for event in started] == [2000 + 200]


def test_a_turn_does_not_begin_before_the_audio_that_is_not_committed() -> None:
    events = heard(Checked(), silence(0.1) + tone(0.5) + silence(0.25) + tone(0.5) + silence(0.25))
    starts = [e["audio_start_ms"] for e in of_type(events, VAD_TURN[0])]
    assert starts == [0, 800]


def test_silence_duration_and_prefix_padding_are_honoured() -> None:
    rehearsal = Checked(session=detecting(silence_duration_ms=400, prefix_padding_ms=100))
    started, stopped = heard(rehearsal, TURN)[:2]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (400, 1900)


def test_a_higher_threshold_does_not_hear_quiet_speech() -> None:
    quiet = tone(0.5, amplitude=0.03) + silence(0.3)
    assert heard(Checked(session=detecting(threshold=1)), quiet) == []
    assert heard(Checked(session=detecting(threshold=0.5)), quiet) != []


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_an_eager_semantic_listener_waits_for_less_silence(eagerness: str) -> None:
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    rehearsal = Checked(session=listening(turn_detection=detection))
    events = heard(rehearsal, tone(0.5) + silence(2.0))
    stopped = of_type(events, "input_audio_buffer.speech_stopped")
    waited = {"low": 1200, "medium": 600, "high": 300, "auto": 600}
    assert [event["audio_end_ms"] for event in stopped] == [500 + waited[eagerness]]


def test_without_create_response_the_turn_ends_with_its_item() -> None:
    events = heard(Checked(session=detecting(create_response=False)), TURN)
    assert [event["type"] for event in events] == VAD_TURN[:5]


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_telephone_audio_is_heard(name: str) -> None:
    form = FORMATS[name]
    samples = np.concatenate([PCM.decode(part)[::3] for part in (silence(0.4), tone(0.8))])
    audio = form.encode(np.concatenate([samples, np.zeros(4000, dtype=np.float32)]))
    started, stopped = heard(Checked(session=listening(format={"type": name})), audio, 160)[:2]
    assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (100, 1400)


def test_a_sample_cut_in_two_by_appends_is_put_together() -> None:
    assert [event["type"] for event in heard(Checked(), TURN, 961)][:6] == VAD_TURN


def test_speech_interrupts_a_response_which_is_cancelled_as_turn_detected() -> None:
    rehearsal = Checked(scenario="stall")
    rehearsal.ask("count to 20")
    events = heard(rehearsal, tone(0.1))
    types = [event["type"] for event in events]
    assert types == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = events[-2]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"


def test_without_interrupt_response_the_automatic_response_fails_beside_an_active_one() -> None:
    rehearsal = Checked(scenario="stall", session=detecting(interrupt_response=False))
    rehearsal.ask("count to 20")
    events = heard(rehearsal, TURN)
    assert of_type(events, "response.done") == []
    error = events[-1]["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] is None
    assert rehearsal.violations == []


def test_manual_commit_makes_an_item_and_no_response() -> None:
    rehearsal = Checked(session=listening(turn_detection=None))
    assert heard(rehearsal, TURN) == []
    rehearsal.client(COMMIT)
    assert rehearsal.types() == VAD_TURN[2:5]
    rehearsal.client({"type": "response.create"})
    rehearsal.advance(0)
    (part,) = rehearsal.events()[-2]["response"]["output"][0]["content"]
    assert part["transcript"] == "I heard 1.0 s of speech."


@pytest.mark.parametrize(
    ("session", "audio", "held"),
    [
        (listening(turn_detection=None), b"", "0.00ms"),
        (listening(turn_detection=None), tone(0.099), "99.00ms"),
        ({}, silence(1.0), "0.00ms"),
    ],
)
def test_a_commit_of_less_than_100_ms_is_refused(
    session: dict[str, Any], audio: bytes, held: str
) -> None:
    rehearsal = Checked(session=session)
    heard(rehearsal, audio)
    rehearsal.client(COMMIT | {"event_id": "mine"})
    (event,) = rehearsal.events()
    assert event["error"]["code"] == "input_audio_buffer_commit_empty"
    assert f"buffer only has {held}" in event["error"]["message"]
    assert event["error"]["event_id"] == "mine"


def test_a_second_commit_finds_the_buffer_empty() -> None:
    rehearsal = Checked(session=listening(turn_detection=None))
    heard(rehearsal, tone(0.2))
    rehearsal.client(COMMIT, COMMIT)
    assert rehearsal.types()[-1] == "error"


def test_a_commit_in_the_middle_of_speech_takes_the_item_announced_for_it() -> None:
    rehearsal = Checked()
    (started,) = heard(rehearsal, tone(0.5))
    rehearsal.client(COMMIT)
    committed = rehearsal.events()[0]
    assert committed["item_id"] == started["item_id"]


def test_clearing_forgets_audio_and_speech() -> None:
    rehearsal = Checked()
    heard(rehearsal, tone(0.5))
    rehearsal.client({"type": "input_audio_buffer.clear"})
    assert rehearsal.types() == ["input_audio_buffer.cleared"]
    assert heard(rehearsal, silence(1.0)) == []


@pytest.mark.parametrize("audio", ["***", "AAA", "é"])
def test_an_append_that_is_no_base64_is_refused(audio: str) -> None:
    rehearsal = Checked()
    rehearsal.client({"type": "input_audio_buffer.append", "audio": audio})
    (event,) = rehearsal.events()
    assert (event["error"]["code"], event["error"]["param"]) == ("invalid_value", "audio")


def test_an_append_of_more_than_15_mib_is_refused() -> None:
    rehearsal = Checked()
    audio = base64.b64encode(bytes(15 * 1024 * 1024 + 1)).decode()
    rehearsal.client({"type": "input_audio_buffer.append", "audio": audio})
    (event,) = rehearsal.events()
    assert event["error"]["code"] == "string_above_max_length"


@pytest.mark.parametrize(
    ("model", "usage"), [("gpt-4o-transcribe", "tokens"), ("whisper-1", "duration")]
)
def test_a_transcription_says_what_was_measured(model: str, usage: str) -> None:
    rehearsal = Checked(session=listening(transcription={"model": model}))
    item_id = heard(rehearsal, TURN)[0]["item_id"]
    rehearsal.advance(0.1)
    *deltas, completed = rehearsal.events()
    assert completed["type"] == "conversation.item.input_audio_transcription.completed"
    assert completed["transcript"] == "1.0 s of speech"
    assert completed["usage"]["type"] == usage
    assert "".join(delta["delta"] for delta in deltas) == completed["transcript"]
    assert {event["item_id"] for event in (*deltas, completed)} == {item_id}


def test_silence_is_transcribed_as_no_speech() -> None:
    transcription = {"model": "whisper-1"}
    rehearsal = Checked(session=listening(turn_detection=None, transcription=transcription))
    heard(rehearsal, silence(0.5))
    rehearsal.client(COMMIT)
    rehearsal.advance(0.1)
    assert rehearsal.events()[-1]["transcript"] == "no speech"


def test_log_probabilities_come_when_they_are_included() -> None:
    session = listening(transcription={"model": "gpt-4o-transcribe"})
    session["include"] = ["item.input_audio_transcription.logprobs"]
    rehearsal = Checked(session=session)
    heard(rehearsal, TURN)
    rehearsal.advance(0.1)
    assert all(event["logprobs"][0]["token"] for event in rehearsal.events())


def test_a_transcription_session_transcribes_and_never_answers() -> None:
    session = listening(transcription={"model": "whisper-1"})
    rehearsal = Checked(kind="transcription", session=session)
    events = heard(rehearsal, TURN)
    rehearsal.advance(0.1)
    assert of_type(events + rehearsal.events(), "response.created") == []


class Idle(Checked):
    """A rehearsal with an idle timeout of five seconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(session=detecting(idle_timeout_ms=5000), **options)


def test_long_silence_after_a_reply_commits_it_and_speaks() -> None:
    rehearsal = Idle(pace="realtime")
    rehearsal.ask("hello")
    rehearsal.say(silence(0.5))
    rehearsal.advance(12)
    types = rehearsal.types()
    begin = types.index("input_audio_buffer.timeout_triggered")
    assert types[begin + 1 : begin + 5] == VAD_TURN[2:]
    said = [
        event["transcript"]
        for event in rehearsal.line.sent
        if isinstance(event, dict) and event["type"] == "response.output_audio_transcript.done"
    ]
    assert said[-1] == "Are you still there?"


def test_the_silence_is_counted_from_the_end_of_playback() -> None:
    rehearsal = Idle(pace="burst")
    (done,) = of_type(rehearsal.ask("count to 30"), "response.done")
    seconds = done["response"]["usage"]["output_token_details"]["audio_tokens"] / 20
    rehearsal.advance(seconds + 4.8)
    assert of_type(rehearsal.events(), "input_audio_buffer.timeout_triggered") == []
    rehearsal.advance(0.4)
    assert len(of_type(rehearsal.events(), "input_audio_buffer.timeout_triggered")) == 1


def test_speech_or_another_response_ends_the_silence() -> None:
    rehearsal = Idle()
    rehearsal.ask("hello")
    rehearsal.advance(4)
    rehearsal.say(tone(0.2))
    rehearsal.advance(30)
    assert of_type(rehearsal.events(), "input_audio_buffer.timeout_triggered") == []


def test_no_timeout_without_voice_activity_detection() -> None:
    rehearsal = Checked()
    rehearsal.ask("hello")
    rehearsal.advance(60)
    assert rehearsal.events() == []


def test_no_timeout_while_a_response_is_active() -> None:
    rehearsal = Idle(scenario="stall")
    rehearsal.ask("hello")
    rehearsal.client({"type": "response.cancel"})
    rehearsal.ask("hello again")
    rehearsal.advance(30)
    assert of_type(rehearsal.events(), "input_audio_buffer.timeout_triggered") == []


def test_no_timeout_while_the_user_speaks_who_interrupted_the_reply() -> None:
    rehearsal = Idle(scenario="stall")
    rehearsal.ask("count to 50")
    assert of_type(heard(rehearsal, tone(0.5)), "response.done")
    rehearsal.advance(30)
    assert rehearsal.events() == []


def test_changing_other_settings_does_not_lose_an_utterance() -> None:
    rehearsal = Checked()
    (started,) = heard(rehearsal, tone(0.5))
    rehearsal.client({"type": "session.update", "session": {"type": "realtime", "tools": []}})
    rehearsal.advance(0.01)
    stopped = of_type(heard(rehearsal, silence(0.5)), "input_audio_buffer.speech_stopped")
    assert [event["item_id"] for event in stopped] == [started["item_id"]]


def test_a_long_utterance_keeps_its_length_and_its_last_minute() -> None:
    rehearsal = Checked(session=listening(turn_detection=None))
    heard(rehearsal, silence(70), 480_000)
    rehearsal.client(COMMIT)
    item_id = rehearsal.events()[0]["item_id"]
    rehearsal.client({"type": "conversation.item.retrieve", "item_id": item_id})
    (part,) = rehearsal.events()[0]["item"]["content"]
    assert PCM.milliseconds(len(base64.b64decode(part["audio"]))) == 60_000


def test_a_new_format_starts_an_empty_buffer() -> None:
    rehearsal = Checked(session=listening(turn_detection=None))
    heard(rehearsal, tone(0.5))
    session = {"type": "realtime", **listening(format={"type": "audio/pcmu"})}
    rehearsal.client({"type": "session.update", "session": session}, COMMIT)
    assert rehearsal.types() == ["session.updated", "error"]
