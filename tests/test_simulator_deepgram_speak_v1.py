"""``/v1/speak`` of the simulator: speech, and what it refuses as Deepgram does."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
from deepgram.speak.v1 import types as sdk
from deepgram.types import SpeakV1Encoding, SpeakV1Model, SpeakV1SampleRate
from stream_rehearsal import StreamRehearsal, check_by_sdk, fields_of, query

from voiceproxy_simulator.deepgram.handshake import Refused
from voiceproxy_simulator.deepgram.speak_query import V1_RATES, speak_v1_query
from voiceproxy_simulator.deepgram.speak_v1 import MAX_FLUSHES, MAX_TEXT, SpeakV1
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.wire import Frame

SDK = {
    "Metadata": sdk.SpeakV1Metadata,
    "Flushed": sdk.SpeakV1Flushed,
    "Cleared": sdk.SpeakV1Cleared,
    "Warning": sdk.SpeakV1Warning,
}
REQUESTS = {
    "Speak": sdk.SpeakV1Text,
    "Flush": sdk.SpeakV1Flush,
    "Clear": sdk.SpeakV1Clear,
    "Close": sdk.SpeakV1Close,
}
FLUSH, CLEAR, CLOSE = {"type": "Flush"}, {"type": "Clear"}, {"type": "Close"}
HELLO = {"type": "Speak", "text": "Hello there, my friend."}


class Speaking(StreamRehearsal):
    def __init__(self, pace: Pace = "burst", **parameters: Any) -> None:
        given = query(model="aura-2-thalia-en", **parameters)
        super().__init__(partial(make, query=speak_v1_query(given), pace=pace))
        [self.metadata] = self.messages()


def make(line: Any, journal: Any, request_id: str, query: Any, pace: Pace) -> SpeakV1:
    return SpeakV1(line, journal, request_id, query, pace=pace)


def audio_of(frames: list[Frame]) -> bytes:
    return b"".join(frame for frame in frames if isinstance(frame, bytes))


def test_it_says_which_model_speaks_first():
    metadata = Speaking().metadata
    assert (metadata["request_id"], metadata["model_name"]) == ("request", "aura-2-thalia-en")


def test_text_is_spoken_when_it_is_flushed():
    speaking = Speaking()
    speaking.client(HELLO)
    assert speaking.frames() == []
    speaking.client(FLUSH)
    frames = speaking.frames()
    assert frames[-1] == {"type": "Flushed", "sequence_id": 0}
    samples = np.frombuffer(audio_of(frames), dtype="<i2")
    assert 1.0 < len(samples) / 24000 < 3.0
    assert np.abs(samples).max() > 5000


def test_texts_are_spoken_together_and_flushes_are_counted():
    apart, together = Speaking(), Speaking()
    together.client(HELLO, {"type": "Speak", "text": " Bye."}, FLUSH, FLUSH)
    apart.client({"type": "Speak", "text": HELLO["text"] + " Bye."}, FLUSH)
    frames = together.frames()
    assert audio_of(frames) == audio_of(apart.frames())
    assert [one for one in frames if isinstance(one, dict)] == [
        {"type": "Flushed", "sequence_id": 0},
        {"type": "Flushed", "sequence_id": 1},
    ]


@pytest.mark.parametrize(
    ("parameters", "seconds_of_bytes"),
    [
        ({}, 48000),
        ({"encoding": "linear16", "sample_rate": 8000}, 16000),
        ({"encoding": "mulaw"}, 8000),
        ({"encoding": "alaw", "sample_rate": 16000}, 16000),
    ],
)
def test_speech_comes_in_the_format_that_was_asked_for(
    parameters: dict[str, Any], seconds_of_bytes: int
):
    speaking, default = Speaking(**parameters), Speaking()
    for one in (speaking, default):
        one.client(HELLO, FLUSH)
    seconds = len(audio_of(default.frames())) / 48000
    assert len(audio_of(speaking.frames())) / seconds_of_bytes == pytest.approx(seconds, abs=0.01)


def test_faster_speech_is_shorter():
    slow, fast = Speaking(speed=1.0), Speaking(speed=1.5)
    for one in (slow, fast):
        one.client(HELLO, FLUSH)
    ratio = len(audio_of(slow.frames())) / len(audio_of(fast.frames()))
    assert ratio == pytest.approx(1.5, abs=0.05)


def test_at_the_pace_of_real_time_audio_comes_as_it_is_heard():
    speaking = Speaking(pace="realtime")
    speaking.client({"type": "Speak", "text": "One two three four five six seven."}, FLUSH)
    early = len(audio_of(speaking.frames())) / 48000
    assert early == pytest.approx(0.4, abs=0.11)
    speaking.line.advance(1.0)
    assert len(audio_of(speaking.frames())) / 48000 == pytest.approx(1.0, abs=0.11)
    assert speaking.types() == []
    speaking.line.advance(2.0)
    assert speaking.types() == ["binary", "Flushed"]


def test_nothing_is_produced_while_the_client_does_not_read():
    speaking = Speaking()
    speaking.line.full = True
    speaking.client(HELLO, FLUSH)
    assert speaking.frames() == []
    speaking.line.full = False
    speaking.stream.drained()
    assert speaking.types() == ["binary", "Flushed"]


def test_a_paced_utterance_is_not_hurried_by_a_client_that_reads():
    speaking = Speaking(pace="realtime")
    speaking.client({"type": "Speak", "text": "One two three four five six seven."}, FLUSH)
    speaking.frames()
    speaking.stream.drained()
    assert speaking.frames() == []


def test_clear_drops_what_is_not_sent_and_its_flushed():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, FLUSH, HELLO, FLUSH, {"type": "Speak", "text": "Unflushed."}, CLEAR)
    assert speaking.types() == ["binary", "Cleared"]
    speaking.line.advance(5)
    assert speaking.types() == []
    speaking.client({"type": "Speak", "text": "No."}, FLUSH)
    speaking.line.advance(5)
    assert speaking.types() == ["binary", "Flushed"]


def test_close_says_the_rest_and_closes_with_1000():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, CLOSE, CLEAR, "junk")
    speaking.line.advance(0.1)
    assert speaking.closed is None
    speaking.line.advance(5)
    assert (speaking.types(), speaking.closed) == (["binary"], (1000, ""))
    assert speaking.violations == []


def test_a_connection_that_is_gone_speaks_no_more():
    speaking = Speaking(pace="realtime")
    speaking.client(HELLO, FLUSH)
    speaking.frames()
    speaking.stream.closed()
    speaking.line.advance(5)
    assert speaking.frames() == []


# What is refused


def test_the_twenty_first_flush_in_a_minute_is_a_warning():
    speaking = Speaking()
    speaking.client(*[FLUSH] * MAX_FLUSHES)
    assert speaking.types() == ["Flushed"] * MAX_FLUSHES
    speaking.client(FLUSH)
    [warning] = speaking.messages()
    assert (warning["type"], warning["code"]) == ("Warning", "EXCESSIVE_FLUSH")
    speaking.line.advance(60)
    speaking.client(FLUSH)
    assert speaking.types() == ["Flushed"]


@pytest.mark.parametrize(
    ("frame", "code", "reason"),
    [
        (b"\0\0", 1003, "MESSAGE-0000"),
        ("junk", 1003, "MESSAGE-0000"),
        ({"type": "Speak"}, 1003, "MESSAGE-0000"),
        ({"type": "Speak", "text": 7}, 1003, "MESSAGE-0000"),
        ({"type": "KeepAlive"}, 1003, "MESSAGE-0000"),
        ({"type": "K" * 500}, 1003, "MESSAGE-0000"),
        ({"type": "Speak", "text": "x" * (MAX_TEXT + 1)}, 1009, "BIG-0000"),
    ],
)
def test_what_it_cannot_take_ends_it(frame: Any, code: int, reason: str):
    speaking = Speaking()
    speaking.client(frame, HELLO, FLUSH)
    assert speaking.closed is not None
    assert (speaking.closed[0], speaking.closed[1].partition(":")[0]) == (code, reason)
    assert len(speaking.closed[1].encode()) <= 123
    assert speaking.frames() == []
    assert len(speaking.violations) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "flux-alexis-en"}, "No such model"),
        ({"encoding": "mp3"}, "encoding must be one of"),
        ({"encoding": "mulaw", "sample_rate": 24000}, "Unsupported audio format"),
        ({"sample_rate": 44100}, "Unsupported audio format"),
        ({"sample_rate": "x"}, "sample_rate must"),
        ({"speed": 3}, "speed must"),
        ({"mip_opt_out": "x"}, "mip_opt_out must"),
    ],
)
def test_a_query_deepgram_would_not_take_is_a_400(asked: dict[str, Any], said: str):
    with pytest.raises(Refused, match=said) as refused:
        speak_v1_query(query(**asked))
    assert refused.value.status == 400


# The SDK


def test_everything_it_sends_is_a_message_of_the_sdk():
    speaking = Speaking()
    speaking.client(HELLO, *[FLUSH] * (MAX_FLUSHES + 1), CLEAR)
    sent = [speaking.metadata, *speaking.messages()]
    assert {one["type"] for one in sent} == set(SDK)
    check_by_sdk(sent, SDK)


def test_it_takes_the_messages_of_the_sdk_and_no_others():
    assert set(SpeakV1.shapes) == set(REQUESTS)
    for kind, shape in SpeakV1.shapes.items():
        assert (set(shape.required), set(shape.optional)) == fields_of(REQUESTS[kind])


@pytest.mark.parametrize("model", get_args(get_args(SpeakV1Model)[0]))
def test_it_knows_the_sdk_s_models(model: str):
    assert speak_v1_query(query(model=model)).model == model


def test_it_knows_the_sdk_s_formats():
    assert set(V1_RATES) == set(get_args(get_args(SpeakV1Encoding)[0]))
    rates = {str(rate) for rates in V1_RATES.values() for rate in rates}
    assert rates == set(get_args(get_args(SpeakV1SampleRate)[0]))
