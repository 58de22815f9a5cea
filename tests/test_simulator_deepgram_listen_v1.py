"""``/v1/listen`` of the simulator: what it hears, and what it refuses as Deepgram does."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import pytest
from deepgram.listen.v1 import types as sdk
from deepgram.types import ListenV1Encoding, ListenV1Model
from stream_rehearsal import StreamRehearsal, check_by_sdk, fields_of, query

from voiceproxy_simulator.deepgram.handshake import Refused
from voiceproxy_simulator.deepgram.listen_v1 import IDLE_SECONDS, ListenV1
from voiceproxy_simulator.deepgram.listen_v1_query import ENCODINGS, listen_v1_query
from voiceproxy_simulator.testing import silence, tone

RATE = 16000
SDK = {
    "Results": sdk.ListenV1Results,
    "Metadata": sdk.ListenV1Metadata,
    "UtteranceEnd": sdk.ListenV1UtteranceEnd,
    "SpeechStarted": sdk.ListenV1SpeechStarted,
    "ConfigureSuccess": sdk.ListenV1ConfigureSuccess,
    "ConfigureFailure": sdk.ListenV1ConfigureFailure,
    "Error": sdk.ListenV1Error,
}
REQUESTS = {
    "KeepAlive": sdk.ListenV1KeepAlive,
    "Finalize": sdk.ListenV1Finalize,
    "CloseStream": sdk.ListenV1CloseStream,
    "Configure": sdk.ListenV1Configure,
}
QUIET, SPEECH = silence(0.5, RATE), tone(1.4, RATE)
UTTERANCE = QUIET + SPEECH + QUIET


class Listening(StreamRehearsal):
    def __init__(self, **parameters: Any) -> None:
        asked = {"model": "nova-3", "encoding": "linear16", "sample_rate": RATE, **parameters}
        given = query(**{name: value for name, value in asked.items() if value is not None})
        super().__init__(partial(make, query=listen_v1_query(given)))

    def results(self) -> list[dict[str, Any]]:
        return [one for one in self.messages() if one["type"] == "Results"]


def make(line: Any, journal: Any, request_id: str, query: Any) -> ListenV1:
    return ListenV1(line, journal, request_id, query)


def transcript(result: dict[str, Any]) -> str:
    return str(result["channel"]["alternatives"][0]["transcript"])


# What is heard


def test_an_utterance_becomes_one_final_result_with_words_where_it_was_said():
    listening = Listening()
    listening.client(UTTERANCE)
    [result] = listening.results()
    assert (transcript(result), result["is_final"], result["speech_final"]) == (
        "1.4 s of speech",
        True,
        True,
    )
    words = result["channel"]["alternatives"][0]["words"]
    assert [word["word"] for word in words] == ["1.4", "s", "of", "speech"]
    assert (words[0]["start"], words[-1]["end"]) == (0.5, 1.9)
    assert (result["start"], result["channel_index"]) == (0.0, [0, 1])


def test_the_size_of_frames_changes_nothing():
    whole, pieces = Listening(interim_results="true"), Listening(interim_results="true")
    whole.client(UTTERANCE)
    pieces.client(*(UTTERANCE[at : at + 2560] for at in range(0, len(UTTERANCE), 2560)))
    assert whole.results() == pieces.results()


def test_odd_frames_are_put_together():
    listening = Listening()
    listening.client(*(UTTERANCE[at : at + 1001] for at in range(0, len(UTTERANCE), 1001)))
    assert [transcript(one) for one in listening.results()] == ["1.4 s of speech"]


def test_interim_results_grow_and_are_asked_for():
    listening = Listening(interim_results="true")
    listening.client(UTTERANCE)
    results = listening.results()
    assert [one["is_final"] for one in results] == [False, False, False, True]
    assert [transcript(one)[:3] for one in results] == ["0.1", "0.6", "1.2", "1.4"]


def test_without_endpointing_speech_is_never_final():
    listening = Listening(endpointing="false")
    listening.client(UTTERANCE)
    assert [one["speech_final"] for one in listening.results()] == [False]


def test_longer_endpointing_waits_longer():
    listening = Listening(endpointing="400")
    listening.client(QUIET + SPEECH + silence(0.3, RATE) + SPEECH + QUIET)
    assert [transcript(one) for one in listening.results()] == ["3.1 s of speech"]


def test_vad_events_tell_when_speech_starts():
    listening = Listening(vad_events="true")
    listening.client(UTTERANCE)
    assert listening.messages()[0] == {
        "type": "SpeechStarted",
        "channel": [0, 1],
        "timestamp": 0.5,
    }


def test_the_end_of_an_utterance_follows_its_gap_and_names_its_last_word():
    listening = Listening(interim_results="true", utterance_end_ms="1000")
    listening.client(UTTERANCE)
    assert "UtteranceEnd" not in listening.types()
    listening.client(silence(0.7, RATE))
    assert listening.messages() == [
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.9}
    ]


def test_speech_that_goes_on_puts_the_end_of_the_utterance_off():
    listening = Listening(interim_results="true", utterance_end_ms="1000")
    listening.client(UTTERANCE + SPEECH + silence(1.1, RATE))
    ends = [one["last_word_end"] for one in listening.messages() if one["type"] == "UtteranceEnd"]
    assert ends == [3.8]


def test_an_utterance_does_not_end_while_somebody_speaks():
    listening = Listening(interim_results="true", utterance_end_ms="1000")
    listening.client(tone(8.0, RATE))
    assert "UtteranceEnd" not in listening.types()


def test_long_audio_becomes_final_every_five_seconds():
    listening = Listening()
    listening.client(silence(5.1, RATE) + tone(5.1, RATE))
    first, second = listening.results()
    assert (transcript(first), first["duration"]) == ("", pytest.approx(5, abs=0.1))
    assert (transcript(second), second["speech_final"]) == ("5.0 s of speech", False)


def test_the_same_speech_is_not_told_twice():
    listening = Listening()
    listening.client(tone(1.0, RATE), {"type": "Finalize"}, tone(1.0, RATE), QUIET)
    assert [transcript(one) for one in listening.results()] == ["1.0 s of speech"] * 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"punctuate": "true"}, {"punctuated_word": "1.4"}),
        ({"smart_format": "true"}, {"punctuated_word": "1.4"}),
        ({"diarize": "true"}, {"speaker": 0}),
        ({"diarize_model": "latest"}, {"speaker": 0}),
        ({"language": "multi"}, {"language": "en"}),
    ],
)
def test_words_carry_what_was_asked_for(asked: dict[str, str], told: dict[str, Any]):
    listening = Listening(**asked)
    listening.client(UTTERANCE)
    messages = listening.messages()
    assert messages[0]["channel"]["alternatives"][0]["words"][0].items() >= told.items()
    check_by_sdk(messages, SDK)


def test_entities_come_with_final_results_alone():
    listening = Listening(detect_entities="true", interim_results="true")
    listening.client(UTTERANCE)
    assert ["entities" in one for one in listening.results()] == [False, False, False, True]


def interleaved(*channels: bytes) -> bytes:
    pairs = range(0, len(channels[0]), 2)
    return b"".join(one[at : at + 2] for at in pairs for one in channels)


def test_channels_are_heard_each_for_itself_when_asked_for():
    listening = Listening(channels="2", multichannel="true")
    listening.client(interleaved(UTTERANCE, bytes(len(UTTERANCE))), {"type": "CloseStream"})
    heard = [(one["channel_index"], transcript(one)) for one in listening.results()]
    assert heard == [
        ([0, 2], "1.4 s of speech"),
        ([0, 2], ""),
        ([1, 2], ""),
    ]


def test_channels_are_heard_together_otherwise():
    listening = Listening(channels="2")
    listening.client(interleaved(UTTERANCE, bytes(len(UTTERANCE))))
    [result] = listening.results()
    assert (result["channel_index"], transcript(result)) == ([0, 1], "1.4 s of speech")


def test_what_is_encoded_is_taken_and_heard_as_nothing():
    listening = Listening(encoding="opus")
    listening.client(UTTERANCE, {"type": "CloseStream"})
    [metadata] = listening.messages()
    assert (metadata["type"], metadata["duration"]) == ("Metadata", 0)


# What is sent


def test_everything_it_sends_is_a_message_of_the_sdk():
    listening = Listening(
        interim_results="true",
        utterance_end_ms="1000",
        vad_events="true",
        detect_entities="true",
        diarize="true",
        language="multi",
    )
    listening.client(
        UTTERANCE + QUIET + QUIET,
        {"type": "Configure", "keyterms": ["one"]},
        {"type": "Configure", "keyterms": ["one"] * 501},
        "no JSON",
        {"type": "CloseStream"},
    )
    messages = listening.messages()
    assert {one["type"] for one in messages} == set(SDK)
    check_by_sdk(messages, SDK)


def test_it_takes_the_messages_of_the_sdk_and_no_others():
    assert set(ListenV1.shapes) == set(REQUESTS)
    for kind, shape in ListenV1.shapes.items():
        required, optional = fields_of(REQUESTS[kind])
        assert set(shape.required) == required
        assert set(shape.optional) - {"channel"} == optional, kind


# Control messages


def test_finalize_makes_what_was_heard_final_and_says_so():
    listening = Listening()
    listening.client(tone(1.0, RATE), {"type": "Finalize"})
    [result] = listening.results()
    assert (transcript(result), result["is_final"]) == ("1.0 s of speech", True)
    assert (result["from_finalize"], result["speech_final"]) == (True, False)
    assert listening.closed is None


def test_finalize_of_one_channel_leaves_the_others():
    listening = Listening(channels="2", multichannel="true")
    listening.client(interleaved(SPEECH, SPEECH), {"type": "Finalize", "channel": 1})
    assert [one["channel_index"] for one in listening.results()] == [[1, 2]]


@pytest.mark.parametrize("last", [{"type": "CloseStream"}, b""], ids=["CloseStream", "empty"])
def test_closing_sends_the_last_results_and_metadata_and_closes_with_1000(last: Any):
    listening = Listening()
    listening.client(tone(1.0, RATE), last, UTTERANCE, {"type": "Finalize"}, "junk")
    result, metadata = listening.messages()
    assert (transcript(result), result["is_final"]) == ("1.0 s of speech", True)
    assert metadata["request_id"] == "request"
    assert (metadata["duration"], metadata["channels"]) == (1.0, 1)
    assert len(metadata["sha256"]) == 64
    assert listening.closed == (1000, "")
    assert listening.violations == []


def test_configure_replaces_keyterms_and_echoes_them():
    listening = Listening()
    listening.client({"type": "Configure", "keyterms": ["Rome"]})
    listening.client({"type": "Configure", "features": {"numerals": True}})
    replaced, kept = listening.messages()
    assert (replaced["type"], replaced["keyterms"]) == ("ConfigureSuccess", ["Rome"])
    assert (kept["type"], "keyterms" in kept) == ("ConfigureSuccess", False)


@pytest.mark.parametrize(
    ("model", "keyterms", "code"),
    [
        ("nova-2", ["Rome"], "CONFIGURE_KEYTERMS_NOT_SUPPORTED"),
        ("nova-3", ["a b c"] * 167, "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"),
    ],
)
def test_configure_fails_as_deepgram_s(model: str, keyterms: list[str], code: str):
    listening = Listening(model=model)
    listening.client({"type": "Configure", "keyterms": keyterms})
    [failure] = listening.messages()
    assert (failure["type"], failure["code"]) == ("ConfigureFailure", code)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ("", ""),
        ("[]", ""),
        ('{"no": "type"}', ""),
        ('{"type": 7}', ""),
        ('{"type": "Speak", "text": "x"}', "Speak"),
        ('{"type": "KeepAlive", "extra": 1}', "KeepAlive"),
        ('{"type": "Finalize", "channel": "0"}', "Finalize"),
        ('{"type": "Configure", "keyterms": "one"}', "Configure"),
        ('{"type": "Configure", "features": {"numerals": "yes"}}', "Configure"),
    ],
)
def test_what_is_no_message_gets_an_error_and_the_stream_goes_on(frame: str, kind: str):
    listening = Listening()
    listening.client(frame)
    [error] = listening.messages()
    assert (error["type"], error["variant"], error["message"]) == ("Error", "SchemaError", frame)
    assert [one for one, _ in listening.violations] == [kind]
    listening.client(UTTERANCE)
    assert listening.types() == ["Results"]


# Silence and junk


def test_net_0001_ends_a_silent_stream_with_1011():
    listening = Listening()
    listening.line.advance(IDLE_SECONDS - 0.1)
    assert listening.closed is None
    listening.line.advance(0.2)
    assert listening.closed is not None
    code, reason = listening.closed
    assert (code, len(reason.encode()) <= 123) == (1011, True)
    assert reason.endswith("https://dpgr.am/net0001")


def test_the_window_begins_with_the_last_frame():
    listening = Listening()
    listening.line.advance(0.5)
    listening.client(QUIET)
    listening.line.advance(IDLE_SECONDS - 0.1)
    assert listening.closed is None
    listening.line.advance(0.2)
    assert listening.closed is not None


@pytest.mark.parametrize("frame", [{"type": "KeepAlive"}, QUIET], ids=["KeepAlive", "audio"])
def test_any_frame_keeps_the_stream_alive(frame: Any):
    listening = Listening()
    for _ in range(5):
        listening.line.advance(IDLE_SECONDS - 1)
        listening.client(frame)
    assert listening.closed is None
    listening.line.advance(IDLE_SECONDS)
    assert listening.closed is not None


def test_a_stream_that_is_over_is_not_ended_again():
    listening = Listening()
    listening.client({"type": "CloseStream"})
    listening.stream.drained()
    listening.stream.closed()
    listening.line.advance(2 * IDLE_SECONDS)
    assert listening.closed == (1000, "")


def test_data_0000_ends_a_stream_that_is_no_audio():
    listening = Listening(encoding=None, sample_rate=None)
    listening.client(b"this is text, not audio", UTTERANCE)
    assert listening.closed is not None
    assert listening.closed[0] == 1008
    assert listening.closed[1].startswith("DATA-0000")
    assert listening.violations == [("", "DATA-0000")]


# The query


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "model is required"),
        ({"model": "nova-9"}, "No such model"),
        ({"model": "flux-general-en"}, "No such model"),
        ({"model": "nova-3", "keywords": "Rome"}, "Use keyterm"),
        ({"model": "nova-2", "keyterm": "Rome"}, "Nova-3 models only"),
        ({"model": "nova-3", "keyterm": ["a"] * 501}, "500 tokens"),
        ({"model": "nova-3", "encoding": "mp3", "sample_rate": 16000}, "encoding must be one of"),
        ({"model": "nova-3", "encoding": "linear16"}, "needs a sample_rate"),
        ({"model": "nova-3", "encoding": "linear16", "sample_rate": "fast"}, "sample_rate must"),
        ({"model": "nova-3", "encoding": "linear16", "sample_rate": 1}, "sample_rate must"),
        ({"model": "nova-3", "channels": 0}, "channels must"),
        ({"model": "nova-3", "interim_results": "True"}, "interim_results must"),
        ({"model": "nova-3", "utterance_end_ms": 1000}, "requires interim_results"),
        (
            {"model": "nova-3", "utterance_end_ms": 500, "interim_results": "true"},
            "utterance_end_ms must",
        ),
        ({"model": "nova-3", "endpointing": "soon"}, "endpointing must"),
        ({"model": "nova-3", "diarize_model": "v2"}, "diarize_model must"),
        ({"model": "nova-3", "language": "Old English"}, "language is not a language"),
    ],
)
def test_a_query_deepgram_would_not_take_is_a_400(asked: dict[str, Any], said: str):
    with pytest.raises(Refused, match=said) as refused:
        listen_v1_query(query(**asked))
    assert refused.value.status == 400


@pytest.mark.parametrize("model", get_args(get_args(ListenV1Model)[0]))
def test_it_knows_the_sdk_s_models(model: str):
    assert listen_v1_query(query(model=model)).model == model


def test_it_knows_the_sdk_s_encodings():
    assert set(get_args(get_args(ListenV1Encoding)[0])) == set(ENCODINGS)


def test_unknown_parameters_are_ignored():
    assert listen_v1_query(query(model="nova-3", traceId="x", extra="a:b")).model == "nova-3"
