"""``/v2/listen`` of the simulator: turns, and what it refuses as Deepgram does."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import pytest
from deepgram.listen.v2 import types as sdk
from deepgram.types import ListenV2Encoding, ListenV2Model
from stream_rehearsal import StreamRehearsal, check_by_sdk, fields_of, parameters_of, query

from voiceproxy_simulator.deepgram import listen_v2_query as queries
from voiceproxy_simulator.deepgram.handshake import Refused
from voiceproxy_simulator.deepgram.listen_v2 import ListenV2
from voiceproxy_simulator.deepgram.listen_v2_query import listen_v2_query
from voiceproxy_simulator.testing import silence, tone
from voiceproxy_simulator.wire import NO_STATUS

RATE = 16000
SDK = {
    "Connected": sdk.ListenV2Connected,
    "TurnInfo": sdk.ListenV2TurnInfo,
    "ConfigureSuccess": sdk.ListenV2ConfigureSuccess,
    "ConfigureFailure": sdk.ListenV2ConfigureFailure,
    "Error": sdk.ListenV2FatalError,
}
REQUESTS = {
    "CloseStream": sdk.ListenV2CloseStream,
    "ForceEndTurn": sdk.ListenV2ForceEndTurn,
    "Configure": sdk.ListenV2Configure,
}
QUIET, SPEECH = silence(0.5, RATE), tone(1.4, RATE)


class Turns(StreamRehearsal):
    def __init__(self, **parameters: Any) -> None:
        asked = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": RATE}
        given = {name: value for name, value in (asked | parameters).items() if value is not None}
        super().__init__(partial(make, query=listen_v2_query(query(**given))))
        [self.connected] = self.messages()

    def events(self) -> list[str]:
        """The events of turns since last asked, updates left out."""
        return [one["event"] for one in self.turns() if one["event"] != "Update"]

    def turns(self) -> list[dict[str, Any]]:
        return [one for one in self.messages() if one["type"] == "TurnInfo"]


def make(line: Any, journal: Any, request_id: str, query: Any) -> ListenV2:
    return ListenV2(line, journal, request_id, query)


# Turns


def test_it_greets_with_the_request_id():
    connected = {"type": "Connected", "request_id": "request", "sequence_id": 0}
    assert Turns().connected == connected


def test_a_turn_starts_is_updated_and_ends():
    turns = Turns()
    turns.client(QUIET + SPEECH + QUIET + QUIET)
    told = turns.turns()
    events = [one["event"] for one in told]
    assert (events[0], events[-1]) == ("StartOfTurn", "EndOfTurn")
    assert set(events[1:-1]) == {"Update"}
    end = told[-1]
    assert (end["transcript"], end["trigger"], end["turn_index"]) == (
        "1.4 s of speech",
        "model",
        0,
    )
    assert end["end_of_turn_confidence"] >= 0.7
    assert (end["words"][0]["start"], end["words"][-1]["end"]) == (0.5, 1.9)
    assert end["audio_window_start"] == 0.5
    assert ["trigger" in one for one in told[:-1]] == [False] * (len(told) - 1)


def test_everything_it_sends_is_numbered_in_order():
    turns = Turns()
    turns.client(SPEECH + QUIET, {"type": "Configure"}, QUIET)
    assert [one["sequence_id"] for one in turns.messages()] == list(range(1, len(turns.line.sent)))


def test_every_turn_has_an_index_of_its_own():
    turns = Turns()
    turns.client((SPEECH + QUIET + QUIET) * 2)
    ends = [one for one in turns.turns() if one["event"] == "EndOfTurn"]
    assert [(one["turn_index"], one["transcript"]) for one in ends] == [
        (0, "1.4 s of speech"),
        (1, "1.4 s of speech"),
    ]


def test_a_pause_is_no_end():
    turns = Turns()
    turns.client(SPEECH + QUIET + SPEECH + QUIET + QUIET)
    assert turns.events() == ["StartOfTurn", "EndOfTurn"]


def test_an_eager_end_is_taken_back_when_speech_goes_on():
    turns = Turns(eager_eot_threshold=0.4)
    turns.client(SPEECH + QUIET + SPEECH + QUIET + QUIET)
    assert turns.events() == [
        "StartOfTurn",
        "EagerEndOfTurn",
        "TurnResumed",
        "EagerEndOfTurn",
        "EndOfTurn",
    ]


def test_a_threshold_of_one_leaves_the_end_to_the_timeout():
    turns = Turns(eot_threshold="1.0", eot_timeout_ms=2000)
    turns.client(SPEECH + silence(1.9, RATE))
    assert turns.events() == ["StartOfTurn"]
    turns.client(silence(0.3, RATE))
    [end] = [one for one in turns.turns() if one["event"] == "EndOfTurn"]
    assert end["trigger"] == "timeout"


def test_force_end_turn_ends_the_turn_at_once_and_nothing_without_one():
    turns = Turns()
    turns.client({"type": "ForceEndTurn"}, SPEECH, {"type": "ForceEndTurn"}, QUIET + QUIET)
    told = turns.turns()
    assert (told[-1]["event"], told[-1]["trigger"]) == ("EndOfTurn", "manual")
    assert turns.events() == []


def test_the_multilingual_model_tells_languages_and_hints():
    turns = Turns(model="flux-general-multi", language_hint=["en", "de"])
    turns.client(SPEECH)
    told = turns.turns()[0]
    assert (told["languages"], told["languages_hinted"]) == (["en"], ["en", "de"])
    check_by_sdk([told], SDK)


def test_closing_tells_what_was_heard_and_closes_without_a_status():
    turns = Turns()
    turns.client(SPEECH, {"type": "CloseStream"}, SPEECH)
    last = turns.turns()[-1]
    assert (last["event"], last["transcript"]) == ("Update", "1.4 s of speech")
    assert turns.closed == (NO_STATUS, "")
    assert turns.violations == []


def test_closing_between_turns_tells_nothing():
    turns = Turns()
    turns.client({"type": "CloseStream"})
    assert (turns.messages(), turns.closed) == ([], (NO_STATUS, ""))


# Configure


def test_configure_changes_when_turns_end_and_tells_all_that_is_in_force():
    turns = Turns(keyterm="Rome")
    turns.client(
        {
            "type": "Configure",
            "thresholds": {"eot_threshold": 0.5, "eager_eot_threshold": None},
            "numerals": True,
        }
    )
    assert turns.messages() == [
        {
            "type": "ConfigureSuccess",
            "sequence_id": 1,
            "request_id": "request",
            "thresholds": {"eot_threshold": 0.5, "eot_timeout_ms": 5000},
            "keyterms": ["Rome"],
            "numerals": True,
        }
    ]
    turns.client(SPEECH + silence(0.6, RATE))
    assert turns.events() == ["StartOfTurn", "EndOfTurn"]


@pytest.mark.parametrize("keyterms", ["Rome", ["Rome"]])
def test_configure_takes_one_keyterm_or_a_list(keyterms: Any):
    turns = Turns(model="flux-general-multi")
    turns.client({"type": "Configure", "keyterms": keyterms, "language_hints": ["de"]})
    [success] = turns.messages()
    assert (success["keyterms"], success["language_hints"]) == (["Rome"], ["de"])


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": {"eot_threshold": 0.4}},
        {"thresholds": {"eager_eot_threshold": 0.95}},
        {"thresholds": {"eot_timeout_ms": 100}},
        {"language_hints": ["de"]},
    ],
)
def test_what_cannot_be_had_fails_and_changes_nothing(change: dict[str, Any]):
    turns = Turns()
    turns.client({"type": "Configure", "numerals": True, **change}, {"type": "Configure"})
    failure, success = turns.messages()
    assert (failure["type"], success["type"]) == ("ConfigureFailure", "ConfigureSuccess")
    assert success["thresholds"] == {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    assert success["numerals"] is False
    check_by_sdk([failure, success], SDK)


# What is refused


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ('{"type": "KeepAlive"}', "KeepAlive"),
        ('{"type": "Finalize"}', "Finalize"),
        ('{"type": "Configure", "thresholds": {"eot_treshold": 0.6}}', "Configure"),
        ('{"type": "Configure", "thresholds": {"eot_timeout_ms": 0.6}}', "Configure"),
        ('{"type": "Configure", "keyterms": 7}', "Configure"),
        ("CloseStream", ""),
    ],
)
def test_what_is_no_message_is_an_error_and_the_end(frame: str, kind: str):
    turns = Turns()
    turns.client(frame, SPEECH)
    [error] = turns.messages()
    assert (error["type"], error["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")
    assert turns.closed == (NO_STATUS, "")
    assert [one for one, _ in turns.violations] == [kind]
    check_by_sdk([error], SDK)


def test_what_is_no_audio_is_an_error_and_the_end():
    turns = Turns(encoding=None, sample_rate=None)
    turns.client(b"this is text, not audio")
    [error] = turns.messages()
    assert (error["code"], turns.closed) == ("DATA-0000", (NO_STATUS, ""))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "model is required"),
        ({"model": "nova-3"}, "model must be one of"),
        ({"model": "flux-general-en", "interim_results": "true"}, "unknown parameter"),
        ({"model": "flux-general-en", "encoding": "flac", "sample_rate": 16000}, "encoding must"),
        ({"model": "flux-general-en", "encoding": "linear16"}, "needs a sample_rate"),
        ({"model": "flux-general-en", "eot_threshold": 0.4}, "eot_threshold must"),
        ({"model": "flux-general-en", "eot_threshold": "nan"}, "eot_threshold must"),
        ({"model": "flux-general-en", "eager_eot_threshold": 1}, "eager_eot_threshold must"),
        ({"model": "flux-general-en", "eot_timeout_ms": 1}, "eot_timeout_ms must"),
        ({"model": "flux-general-en", "language_hint": "de"}, "flux-general-multi only"),
        ({"model": "flux-general-en", "redact": "everything"}, "redact must"),
        ({"model": "flux-general-en", "mip_opt_out": "maybe"}, "mip_opt_out must"),
    ],
)
def test_a_query_deepgram_would_not_take_is_a_400(asked: dict[str, Any], said: str):
    with pytest.raises(Refused, match=said) as refused:
        listen_v2_query(query(**asked))
    assert refused.value.status == 400


# The SDK


def test_everything_it_sends_is_a_message_of_the_sdk():
    turns = Turns(eager_eot_threshold=0.4)
    configure = {"type": "Configure", "thresholds": {"eot_threshold": 0.6}}
    refused = {"type": "Configure", "thresholds": {"eot_threshold": 6}}
    turns.client(SPEECH + QUIET + QUIET, configure, refused, "junk")
    sent = [turns.connected, *turns.messages()]
    assert {one["type"] for one in sent} == set(SDK)
    check_by_sdk(sent, SDK)


def test_it_takes_the_messages_of_the_sdk_and_no_others():
    assert set(ListenV2.shapes) == set(REQUESTS)
    for kind, shape in ListenV2.shapes.items():
        assert (set(shape.required), set(shape.optional)) == fields_of(REQUESTS[kind])


def test_it_takes_the_parameters_of_the_sdk_and_no_others():
    assert parameters_of("deepgram.listen.v2.client") == set(queries.PARAMETERS)
    assert set(get_args(get_args(ListenV2Encoding)[0])) == set(queries.ENCODINGS)
    assert set(get_args(get_args(ListenV2Model)[0])) == set(queries.MODELS)
