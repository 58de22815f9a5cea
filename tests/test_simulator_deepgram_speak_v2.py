"""``/v2/speak`` of the simulator: turns of speech, and what it refuses as Deepgram does."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, get_args

import pytest
from deepgram.speak.v2 import types as sdk
from deepgram.types import SpeakV2Encoding, SpeakV2SampleRate
from stream_rehearsal import StreamRehearsal, check_by_sdk, fields_of, parameters_of, query

from voiceproxy_simulator.deepgram.handshake import Refused
from voiceproxy_simulator.deepgram.speak_query import V2_PARAMETERS, V2_RATES, speak_v2_query
from voiceproxy_simulator.deepgram.speak_v1 import MAX_TEXT
from voiceproxy_simulator.deepgram.speak_v2 import SpeakV2
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.wire import NO_STATUS

SDK = {
    "Connected": sdk.SpeakV2Connected,
    "SpeechStarted": sdk.SpeakV2SpeechStarted,
    "SpeechMetadata": sdk.SpeakV2SpeechMetadata,
    "SpeechInterrupted": sdk.SpeakV2SpeechInterrupted,
    "Flushed": sdk.SpeakV2Flushed,
    "SessionMetadata": sdk.SpeakV2SessionMetadata,
    "ConfigureSuccess": sdk.SpeakV2ConfigureSuccess,
    "ConfigureFailure": sdk.SpeakV2ConfigureFailure,
    "Warning": sdk.SpeakV2Warning,
    "Error": sdk.SpeakV2Error,
}
REQUESTS = {
    "Speak": sdk.SpeakV2Speak,
    "Flush": sdk.SpeakV2Flush,
    "Interrupt": sdk.SpeakV2Interrupt,
    "Configure": sdk.SpeakV2Configure,
    "Close": sdk.SpeakV2Close,
}
FLUSH, CLOSE, INTERRUPT = {"type": "Flush"}, {"type": "Close"}, {"type": "Interrupt"}
HELLO = {"type": "Speak", "text": "Hello there, my friend."}


class Speaking(StreamRehearsal):
    def __init__(self, pace: Pace = "burst", **parameters: Any) -> None:
        given = query(model="flux-alexis-en", **parameters)
        super().__init__(partial(make, query=speak_v2_query(given), pace=pace))
        [self.connected] = self.messages()

    def the(self, kind: str) -> dict[str, Any]:
        """The one message of a type sent since last asked."""
        [message] = [one for one in self.messages() if one["type"] == kind]
        return message


def make(line: Any, journal: Any, request_id: str, query: Any, pace: Pace) -> SpeakV2:
    return SpeakV2(line, journal, request_id, query, pace=pace)


def interrupt_at(milliseconds: int) -> dict[str, Any]:
    return {**INTERRUPT, "playback_offset": {"type": "time_ms", "value": milliseconds}}


# Turns


def test_a_turn_is_spoken_when_it_is_flushed_and_summed_up():
    speaking = Speaking()
    speaking.client(HELLO)
    assert speaking.frames() == []
    speaking.client(FLUSH)
    frames = speaking.frames()
    audio = b"".join(frame for frame in frames if isinstance(frame, bytes))
    started, flushed, metadata = (frame for frame in frames if isinstance(frame, dict))
    assert (started["type"], flushed["type"]) == ("SpeechStarted", "Flushed")
    assert re.fullmatch("dg_sp_[0-9a-f]{12}", started["speech_id"])
    assert {one["speech_id"] for one in (started, flushed, metadata)} == {started["speech_id"]}
    assert metadata["audio_duration_ms"] == pytest.approx(len(audio) / 48, abs=1)
    assert metadata["input_character_count"] == len(HELLO["text"])
    assert frames[0] == started


def test_turns_are_spoken_one_after_the_other():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, FLUSH, HELLO, FLUSH)
    assert speaking.types() == ["SpeechStarted", "binary"]
    speaking.line.advance(10)
    assert speaking.types() == [
        "binary",
        "Flushed",
        "SpeechMetadata",
        "SpeechStarted",
        "binary",
        "Flushed",
        "SpeechMetadata",
    ]


def test_a_turn_without_words_is_warned_of_and_has_no_audio():
    speaking = Speaking()
    speaking.client({"type": "Speak", "text": " ... "}, FLUSH)
    _, warning, _, metadata = speaking.messages()
    assert (warning["code"], metadata["audio_duration_ms"]) == ("NO_SYNTHESIZABLE_TEXT", 0)


def test_a_flush_without_a_turn_is_warned_of():
    speaking = Speaking()
    speaking.client(FLUSH)
    assert speaking.the("Warning")["code"] == "NO_ACTIVE_SPEECH"


def test_nothing_is_produced_while_the_client_does_not_read():
    speaking = Speaking()
    speaking.line.full = True
    speaking.client(HELLO, FLUSH)
    assert speaking.types() == ["SpeechStarted"]
    speaking.line.full = False
    speaking.stream.drained()
    assert speaking.types() == ["binary", "Flushed", "SpeechMetadata"]


# Interruptions


def test_an_interrupt_stops_the_turn_and_splits_its_text_where_the_user_heard_it():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, FLUSH, {"type": "Speak", "text": "More."})
    speaking.line.advance(0.5)
    speaking.client(interrupt_at(500))
    cut = speaking.the("SpeechInterrupted")
    assert (cut["audio_played_ms"], cut["text_spoken"]) == (500, "Hello")
    assert cut["text_remaining"] == "there, my friend."
    speaking.line.advance(5)
    speaking.client(FLUSH)
    assert speaking.the("Warning")["code"] == "NO_ACTIVE_SPEECH"


def test_an_interrupt_without_an_offset_tells_what_was_generated_and_no_text():
    speaking = Speaking()
    speaking.client(HELLO, FLUSH)
    made = speaking.the("SpeechMetadata")["audio_duration_ms"]
    speaking.client(INTERRUPT)
    cut = speaking.the("SpeechInterrupted")
    assert (cut["audio_played_ms"], "text_spoken" in cut) == (made, False)


def test_an_interrupt_before_any_audio_is_ignored_with_a_warning():
    speaking = Speaking()
    speaking.client(interrupt_at(100))
    assert speaking.the("Warning")["code"] == "NO_AUDIO_GENERATED"


def test_offsets_advance_and_sessions_count_what_was_played():
    speaking = Speaking()
    speaking.client(HELLO, FLUSH, interrupt_at(500), HELLO, FLUSH, interrupt_at(500))
    assert speaking.the("Warning")["code"] == "INVALID_INTERRUPT_OFFSET"
    speaking.client(interrupt_at(700))
    assert speaking.the("SpeechInterrupted")["text_spoken"] == ""
    speaking.client(CLOSE)
    total = speaking.the("SessionMetadata")
    assert total["total_audio_duration_ms"] == 700
    assert total["total_input_character_count"] == 2 * len(HELLO["text"])


# Configure and Close


@pytest.mark.parametrize(
    ("speed", "code"),
    [(1.6, "SPEED_OUT_OF_RANGE"), (0.4, "SPEED_OUT_OF_RANGE"), (1.01, "SPEED_INCREMENT_INVALID")],
)
def test_a_speed_that_cannot_be_had_fails(speed: float, code: str):
    speaking = Speaking()
    speaking.client({"type": "Configure", "speed": speed})
    failure = speaking.the("ConfigureFailure")
    assert (failure["code"], failure["field"], failure["value"]) == (code, "speed", speed)
    assert speaking.closed is None


def test_a_speed_holds_for_the_turns_that_follow():
    speaking = Speaking()
    speaking.client(HELLO, FLUSH)
    slow = speaking.the("SpeechMetadata")["audio_duration_ms"]
    speaking.client({"type": "Configure"}, {"type": "Configure", "speed": 1.25}, HELLO, FLUSH)
    messages = speaking.messages()
    applied = [one["applied"] for one in messages if one["type"] == "ConfigureSuccess"]
    assert applied == [{}, {"speed": 1.25}]
    assert slow / messages[-1]["audio_duration_ms"] == pytest.approx(1.25, abs=0.02)


def test_the_speed_of_the_query_is_in_force():
    speaking = Speaking(speed=0.95)
    speaking.client({"type": "Configure"})
    assert speaking.the("ConfigureSuccess")["applied"] == {"speed": 0.95}


def test_close_says_the_rest_sums_up_and_closes_without_a_status():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, CLOSE, HELLO, FLUSH, "junk")
    speaking.line.advance(5)
    assert speaking.types() == [
        "SpeechStarted",
        "binary",
        "Flushed",
        "SpeechMetadata",
        "SessionMetadata",
    ]
    assert speaking.closed == (NO_STATUS, "")


def test_close_with_nothing_left_sums_up():
    speaking = Speaking()
    speaking.client(CLOSE)
    assert (speaking.types(), speaking.closed) == (["SessionMetadata"], (NO_STATUS, ""))


def test_a_connection_that_is_gone_speaks_no_more():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, FLUSH)
    speaking.frames()
    speaking.stream.closed()
    speaking.line.advance(5)
    assert speaking.frames() == []


# What is refused


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\0\0", "MESSAGE-0000"),
        ("junk", "MESSAGE-0000"),
        ({"type": "Clear"}, "MESSAGE-0000"),
        ({"type": "Speak", "txt": ""}, "MESSAGE-0000"),
        ({**INTERRUPT, "playback_offset": {"type": "bytes", "value": 1}}, "MESSAGE-0000"),
        ({**INTERRUPT, "playback_offset": {"type": "time_ms", "value": 1.5}}, "MESSAGE-0000"),
        ({"type": "Configure", "speed": True}, "MESSAGE-0000"),
        ({"type": "Speak", "text": "x" * (MAX_TEXT + 1)}, "BIG-0000"),
    ],
)
def test_what_it_cannot_take_is_an_error_and_the_end(frame: Any, code: str):
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, FLUSH)
    speaking.frames()
    speaking.client(frame, HELLO, FLUSH)
    [error] = speaking.messages()
    assert (error["type"], error["code"]) == ("Error", code)
    assert speaking.closed == (NO_STATUS, "")
    assert len(speaking.violations) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "model is required"),
        ({"model": "aura-2-thalia-en"}, "Use /v1/speak"),
        ({"model": "flux-alexis-en", "container": "none"}, "unknown parameter"),
        ({"model": "flux-alexis-en", "encoding": "opus"}, "encoding must"),
        ({"model": "flux-alexis-en", "sample_rate": 22050}, "Unsupported audio format"),
        ({"model": "flux-alexis-en", "speed": "fast"}, "speed must"),
    ],
)
def test_a_query_deepgram_would_not_take_is_a_400(asked: dict[str, Any], said: str):
    with pytest.raises(Refused, match=said) as refused:
        speak_v2_query(query(**asked))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"speed": 2}, "SPEED_OUT_OF_RANGE"),
        ({"speed": 1.01}, "SPEED_INCREMENT_INVALID"),
        ({"expressivity": 3}, "EXPRESSIVITY_OUT_OF_RANGE"),
        ({"expressivity": 0.5}, "EXPRESSIVITY_INCREMENT_INVALID"),
        ({"encoding": "mulaw", "sample_rate": 48000}, "UNSUPPORTED_AUDIO_FORMAT"),
    ],
)
def test_refusals_name_what_is_wrong(asked: dict[str, Any], code: str):
    with pytest.raises(Refused) as refused:
        speak_v2_query(query(model="flux-alexis-en", **asked))
    assert refused.value.err_code == code


@pytest.mark.parametrize("expressivity", [-2, 0, 2])
def test_expressivity_is_taken(expressivity: int):
    given = query(model="flux-alexis-en", expressivity=expressivity)
    assert speak_v2_query(given).model == "flux-alexis-en"


# The SDK


def test_everything_it_sends_is_a_message_of_the_sdk():
    sent = []
    for last in (CLOSE, "junk"):
        speaking = Speaking()
        fast, slow = ({"type": "Configure", "speed": speed} for speed in (1.5, 0.1))
        speaking.client(HELLO, FLUSH, interrupt_at(500), FLUSH, fast, slow, last)
        sent += [speaking.connected, *speaking.messages()]
    assert {one["type"] for one in sent} == set(SDK)
    check_by_sdk(sent, SDK)


def test_it_takes_the_messages_of_the_sdk_and_no_others():
    assert set(SpeakV2.shapes) == set(REQUESTS)
    for kind, shape in SpeakV2.shapes.items():
        assert (set(shape.required), set(shape.optional)) == fields_of(REQUESTS[kind])


def test_it_takes_the_parameters_of_the_sdk_and_no_others():
    assert parameters_of("deepgram.speak.v2.client") == V2_PARAMETERS
    assert set(V2_RATES) == set(get_args(get_args(SpeakV2Encoding)[0]))
    rates = {str(rate) for rates in V2_RATES.values() for rate in rates}
    assert rates == set(get_args(get_args(SpeakV2SampleRate)[0]))
