"""Turns of the agent: their order, their audio, their pace, and what cuts them short."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from test_simulator_deepgram_agent_messages import CheckedAgent

from voiceproxy_simulator.deepgram.agent_conversation import UPDATE_SECONDS
from voiceproxy_simulator.deepgram.audio import audio_format
from voiceproxy_simulator.deepgram.rehearsal import SETTINGS, settings, types
from voiceproxy_simulator.deepgram.scenario import Message
from voiceproxy_simulator.speech import Speech
from voiceproxy_simulator.testing import silence, tone
from voiceproxy_simulator.wire import Frame

TURN = [
    "ConversationText",
    "History",
    "AgentThinking",
    "LatencyReport",
    "ConversationText",
    "History",
    "audio",
    "LatencyReport",
    "audio",
    "AgentAudioDone",
]
"""A turn of one sentence that answers a text."""


def texts(frames: list[Frame], role: str = "assistant") -> list[str]:
    """What was said, by its ConversationText."""
    return [
        frame["content"]
        for frame in frames
        if isinstance(frame, dict)
        and (frame["type"], frame.get("role")) == ("ConversationText", role)
    ]


def inject(message: str, behavior: str | None = None) -> Message:
    return {"type": "InjectAgentMessage", "message": message} | (
        {} if behavior is None else {"behavior": behavior}
    )


def ask(text: str) -> Message:
    return {"type": "InjectUserMessage", "content": text}


def spoken(frames: list[Frame]) -> bytes:
    return b"".join(frame for frame in frames if isinstance(frame, bytes))


# Whole turns


def test_a_text_turn_is_echo_thought_words_audio_and_done_in_this_order() -> None:
    frames = CheckedAgent().ask("hello")
    assert types(frames) == TURN
    assert texts(frames, "user") == ["hello"]
    assert texts(frames) == ['You said "hello".']


def test_history_mirrors_every_conversation_text() -> None:
    messages = [one for one in CheckedAgent().ask("hello") if isinstance(one, dict)]
    for text, mirror in itertools.pairwise(messages):
        if text["type"] == "ConversationText":
            assert mirror == {**text, "type": "History"}


def test_history_is_left_out_on_request() -> None:
    rehearsal = CheckedAgent({**SETTINGS, "flags": {"history": False}})
    assert "History" not in types(rehearsal.ask("hello"))


def test_a_greeting_is_said_before_anything_without_a_thought() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(settings(greeting="Hello."))
    rehearsal.advance(1)
    assert rehearsal.types() == ["Welcome", "SettingsApplied", *TURN[4:]]


def test_every_sentence_has_its_words_before_its_audio() -> None:
    frames = CheckedAgent().ask('He said "yes." Did he? Yes')
    assert texts(frames) == ['You said "He said "yes."', "Did he?", 'Yes".']
    kinds = [kind for kind in types(frames) if kind in {"ConversationText", "audio"}]
    pieces = ["ConversationText", "audio", "audio"] + ["ConversationText", "audio"] * 2
    assert kinds == ["ConversationText", *pieces]


def test_sentences_end_at_their_marks_and_the_last_may_have_none() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(inject("One.  Two!\n3.5 is (three?) a number… or not"))
    rehearsal.advance(1)
    assert texts(rehearsal.frames()) == ["One.", "Two!", "3.5 is (three?)", "a number…", "or not"]


def test_two_texts_at_once_are_answered_together() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(ask("one"), ask("two"))
    rehearsal.advance(1)
    frames = rehearsal.frames()
    assert texts(frames, "user") == ["one", "two"]
    assert texts(frames) == ['You said "one".', 'You said "two".']
    assert types(frames).count("AgentAudioDone") == 1


def test_a_text_in_the_middle_of_a_turn_cuts_it_short_and_is_answered() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.ask("count to 50")
    frames = rehearsal.ask("stop", 10)
    assert types(frames)[-len(TURN) :] == TURN
    assert types(frames).count("AgentAudioDone") == 1
    assert texts(frames) == ['You said "stop".']


def test_the_agent_started_speaking_is_told_with_its_latencies_in_experiments() -> None:
    rehearsal = CheckedAgent({**SETTINGS, "experimental": True})
    frames = rehearsal.ask("hello")
    (started,) = [
        one for one in frames if isinstance(one, dict) and one["type"] == "AgentStartedSpeaking"
    ]
    assert set(started) == {"type", "total_latency", "tts_latency", "ttt_latency"}
    assert types(frames).index("AgentStartedSpeaking") < types(frames).index("audio")


def test_latencies_are_reported_one_by_one() -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(tone(0.5) + silence(0.5))
    rehearsal.advance(1)
    reports = [one for one in rehearsal.messages() if one["type"] == "LatencyReport"]
    assert [set(one) - {"type"} for one in reports] == [
        {"stt_latency"},
        {"ttt_text_latency"},
        {"tts_latency"},
        {"total_latency"},
    ]


# Audio


@pytest.mark.parametrize(
    ("output", "encoding", "rate"),
    [
        ({}, "linear16", 24000),
        ({"encoding": "linear16", "sample_rate": 8000}, "linear16", 8000),
        ({"encoding": "linear16", "sample_rate": 44100}, "linear16", 44100),
        ({"encoding": "mulaw", "sample_rate": 8000}, "mulaw", 8000),
        ({"encoding": "alaw", "sample_rate": 16000}, "alaw", 16000),
    ],
)
def test_audio_is_the_words_in_the_format_that_was_asked_for(
    output: dict[str, Any], encoding: str, rate: int
) -> None:
    rehearsal = CheckedAgent(settings({"output": output}))
    frames = rehearsal.ask("hello")
    audio = audio_format(encoding, rate)
    expected = Speech('You said "hello". ', audio, "aura-2-thalia-en")
    assert spoken(frames) == b"".join(expected.deltas())
    assert audio.milliseconds(len(spoken(frames))) / 1000 == pytest.approx(expected.seconds, 0.01)
    assert np.abs(audio.decode(spoken(frames))).max() > 0.1


def test_frames_of_audio_are_at_most_100_ms() -> None:
    frames = [one for one in CheckedAgent().ask("hello") if isinstance(one, bytes)]
    assert {len(one) for one in frames[:-1]} == {4800}
    assert 0 < len(frames[-1]) <= 4800


def test_another_voice_speaks_from_the_next_sentence_on() -> None:
    rehearsal = CheckedAgent()
    before = spoken(rehearsal.ask("hello"))
    provider = {"type": "deepgram", "model": "aura-2-zeus-en"}
    rehearsal.client({"type": "UpdateSpeak", "speak": {"provider": provider}})
    after = spoken(rehearsal.ask("hello"))
    assert len(before) == len(after)
    assert before != after


def test_a_real_time_pace_sends_audio_as_it_is_spoken_with_a_head_start() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.client(ask("count to 20"))
    rehearsal.advance(0.01 + 1.05)
    second = spoken(rehearsal.frames())
    assert len(second) == 14 * 4800
    rehearsal.advance(1.0)
    assert len(spoken(rehearsal.frames())) == 10 * 4800


def test_nothing_is_produced_while_the_line_is_full() -> None:
    rehearsal = CheckedAgent()
    rehearsal.session.drained()
    rehearsal.client(ask("hello"))
    rehearsal.line.full = True
    rehearsal.advance(1)
    assert "audio" not in rehearsal.types()
    rehearsal.session.drained()
    assert rehearsal.frames() == []
    rehearsal.line.full = False
    rehearsal.session.drained()
    rehearsal.advance(1)
    assert rehearsal.types()[-2:] == ["audio", "AgentAudioDone"]


def test_a_drained_line_disturbs_no_turn_that_was_not_waiting() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.client(ask("count to 20"))
    rehearsal.advance(1)
    rehearsal.frames()
    for _ in range(5):
        rehearsal.session.drained()
    assert rehearsal.frames() == []


def test_a_line_that_drains_before_settings_disturbs_nothing() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.session.drained()
    assert rehearsal.types() == ["Welcome"]


# What is put into the agent's mouth


def test_an_injected_message_is_said_as_a_turn_of_its_own() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(inject("Here I am."))
    rehearsal.advance(1)
    frames = rehearsal.frames()
    assert types(frames) == TURN[4:]
    assert texts(frames) == ["Here I am."]


@pytest.mark.parametrize("nothing", ["", " \n"])
def test_an_injection_of_nothing_is_a_turn_of_nothing(nothing: str) -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(inject(nothing))
    rehearsal.advance(1)
    assert [kind for kind in rehearsal.types() if kind != "LatencyReport"] == ["AgentAudioDone"]


@pytest.mark.parametrize("behavior", [None, "default"])
def test_an_injection_is_refused_while_the_agent_thinks_or_speaks(behavior: str | None) -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.client(ask("count to 10"))
    rehearsal.frames()
    rehearsal.client(inject("Hi.", behavior))
    assert rehearsal.types() == ["InjectionRefused"]
    rehearsal.advance(1)
    rehearsal.frames()
    rehearsal.client(inject("Hi.", behavior))
    assert rehearsal.types() == ["InjectionRefused"]
    rehearsal.advance(10)
    frames = rehearsal.frames()
    assert texts(frames) == []
    assert types(frames)[-1] == "AgentAudioDone"


def test_a_queued_injection_is_said_after_the_turn_each_with_its_own_done() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.client(ask("hello"), inject("First.", "queue"), inject("Second.", "queue"))
    rehearsal.advance(11)
    frames = rehearsal.frames()
    assert texts(frames) == ['You said "hello".', "First.", "Second."]
    assert types(frames).count("AgentAudioDone") == 3


def test_a_queued_injection_is_said_at_once_when_nobody_speaks() -> None:
    rehearsal = CheckedAgent()
    rehearsal.client(inject("Now.", "queue"))
    rehearsal.advance(1)
    assert texts(rehearsal.frames()) == ["Now."]


def test_an_interrupting_injection_cuts_the_turn_and_the_queue() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.client(ask("count to 50"), inject("Later.", "queue"))
    rehearsal.advance(1)
    rehearsal.frames()
    rehearsal.client(inject("Stop.", "interrupt"))
    rehearsal.advance(10)
    frames = rehearsal.frames()
    assert types(frames) == TURN[4:]
    assert texts(frames) == ["Stop."]


@pytest.mark.parametrize("behavior", ["default", "queue"])
def test_an_injection_is_refused_while_the_user_speaks(behavior: str) -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(tone(0.3))
    rehearsal.client(inject("Hi.", behavior))
    rehearsal.advance(1)
    assert rehearsal.types() == ["UserStartedSpeaking", "InjectionRefused"]


def test_an_interrupting_injection_is_never_refused() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.speak(tone(0.3))
    rehearsal.client(inject("Hi, this is a long message.", "interrupt"))
    rehearsal.frames()
    rehearsal.speak(silence(0.5))
    rehearsal.advance(10)
    frames = rehearsal.frames()
    assert texts(frames) == ["I heard 0.3 s of speech."]
    assert types(frames).count("AgentAudioDone") == 1


# The user's voice


def test_a_spoken_turn_is_heard_shown_and_answered() -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(tone(1) + silence(0.5))
    rehearsal.advance(1)
    frames = rehearsal.frames()
    assert types(frames) == ["UserStartedSpeaking", *TURN[:2], "LatencyReport", *TURN[2:]]
    assert texts(frames, "user") == ["1.0 s of speech"]
    assert texts(frames) == ["I heard 1.0 s of speech."]


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [("linear16", 8000), ("linear16", 48000), ("linear32", 16000), ("mulaw", 8000), ("alaw", 8000)],
)
def test_speech_is_heard_in_the_format_that_was_declared(encoding: str, rate: int) -> None:
    audio = audio_format(encoding, rate)
    times = np.arange(rate) / rate
    samples = (0.3 * np.sin(2 * np.pi * 220 * times) * (times < 0.5)).astype(np.float32)
    rehearsal = CheckedAgent(
        settings({"input": {"encoding": encoding, "sample_rate": rate}, "output": {}})
    )
    rehearsal.speak(audio.encode(samples), chunk=333)
    rehearsal.advance(1)
    assert texts(rehearsal.frames(), "user") == ["0.5 s of speech"]


def test_encoded_audio_is_heard_as_nothing() -> None:
    audio = {"input": {"encoding": "opus", "sample_rate": 48000}, "output": {}}
    rehearsal = CheckedAgent(settings(audio))
    rehearsal.speak(tone(1) + silence(1))
    rehearsal.client({"type": "ForceEndTurn"}, b"")
    rehearsal.advance(1)
    assert rehearsal.types() == ["Warning"]


def test_silence_and_a_click_begin_no_turn() -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(silence(1) + tone(0.03) + silence(1))
    rehearsal.advance(1)
    assert rehearsal.frames() == []


def test_a_long_silence_is_not_kept() -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(silence(5) + tone(0.5) + silence(0.5))
    rehearsal.advance(1)
    assert texts(rehearsal.frames(), "user") == ["0.5 s of speech"]


def test_speaking_over_the_agent_cuts_it_short_without_a_done() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.client(ask("count to 50"))
    rehearsal.advance(1)
    rehearsal.frames()
    rehearsal.speak(tone(0.3))
    assert rehearsal.types() == ["UserStartedSpeaking"]
    rehearsal.advance(5)
    assert rehearsal.frames() == []
    rehearsal.speak(silence(0.5))
    rehearsal.advance(11)
    frames = rehearsal.frames()
    assert texts(frames) == ["I heard 0.3 s of speech."]
    assert types(frames)[-1] == "AgentAudioDone"


def test_a_turn_begun_while_the_user_speaks_is_cut_when_the_user_is_heard() -> None:
    rehearsal = CheckedAgent(pace="realtime")
    rehearsal.speak(tone(0.3))
    rehearsal.client(ask("count to 50"))
    rehearsal.advance(1)
    rehearsal.speak(silence(0.5))
    rehearsal.frames()
    rehearsal.advance(10)
    frames = rehearsal.frames()
    assert texts(frames) == ["I heard 0.3 s of speech."]
    assert types(frames).count("AgentAudioDone") == 1


# ForceEndTurn

FORCE: Message = {"type": "ForceEndTurn"}
FLUX = settings(listen={"provider": {"type": "deepgram", "model": "flux-general-en"}})


def test_a_forced_end_answers_what_was_said_so_far() -> None:
    rehearsal = CheckedAgent(FLUX)
    rehearsal.speak(tone(0.5))
    rehearsal.client(FORCE)
    rehearsal.advance(1)
    frames = rehearsal.frames()
    assert types(frames)[0] == "UserStartedSpeaking"
    assert texts(frames) == ["I heard 0.5 s of speech."]


def test_a_forced_end_of_no_turn_is_ignored() -> None:
    rehearsal = CheckedAgent(FLUX)
    rehearsal.speak(silence(0.5))
    rehearsal.client(FORCE)
    rehearsal.advance(1)
    assert rehearsal.frames() == []


def test_a_forced_end_needs_a_flux_listener() -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(tone(0.5))
    rehearsal.client(FORCE)
    rehearsal.advance(1)
    messages = rehearsal.messages()
    assert [one["type"] for one in messages] == ["UserStartedSpeaking", "Warning"]
    assert messages[1]["code"] == "FORCE_END_TURN_UNSUPPORTED"


def test_an_update_of_the_listener_is_confirmed_when_the_user_has_finished() -> None:
    rehearsal = CheckedAgent()
    rehearsal.speak(tone(0.5))
    rehearsal.client({"type": "UpdateListen", "listen": FLUX["agent"]["listen"]})
    rehearsal.advance(5)
    assert rehearsal.types() == ["UserStartedSpeaking"]
    rehearsal.client(FORCE)
    rehearsal.advance(UPDATE_SECONDS)
    assert "ListenUpdated" in rehearsal.types()
