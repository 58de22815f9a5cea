"""The user's words come before the reply to them, where that delays no audio (TRN-4, OUT-14)."""

from __future__ import annotations

import pytest
from openai_session import (
    PAIR,
    Conversation,
    assistant,
    audio_delta,
    created,
    done,
    function_call,
    item_event,
    output_item,
)

from voiceproxy_openai.settings import OpenAISettings

TRANSCRIPTION = "conversation.item.input_audio_transcription"


def spoken(item_id: str) -> list[dict]:
    """A spoken turn the server is to answer."""
    kinds = ("speech_started", "speech_stopped", "committed")
    return [{"type": f"input_audio_buffer.{kind}", "item_id": item_id} for kind in kinds]


def written(item_id: str, words: str = "my words") -> dict:
    return {"type": f"{TRANSCRIPTION}.completed", "item_id": item_id, "transcript": words}


def reply(name: str = "r1", words: str = "the reply") -> list[dict]:
    item = assistant(f"i_{name}", words)
    return [audio_delta(name, item_id=item["id"]), item_event("done", item)]


def words(s: Conversation) -> list[str]:
    """Who said what, in the order the client is told; the pair that ends a response as a dash."""
    kinds = {"ConversationText": "content", "Transcript": "transcript"}
    told = []
    for frame in s.got():
        if isinstance(frame, bytes):
            told.append("audio")
        elif frame["type"] in kinds:
            told.append(frame[kinds[frame["type"]]])
        elif frame["type"] == "AgentAudioDone":
            told.append("-")
    return told


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_a_late_transcript_comes_before_the_words_of_the_reply_but_not_its_audio(dialect):
    s = Conversation(dialect)
    s.upstream(*spoken("m1"), created("r1"), *reply())
    assert words(s) == ["audio"]
    s.upstream(written("m1"))
    assert words(s) == ["my words", "the reply"]
    s.upstream(done("r1"))
    assert words(s) == ["-"]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_the_words_of_the_reply_wait_no_longer_than_for_its_end(dialect):
    s = Conversation(dialect)
    s.upstream(*spoken("m1"), created("r1"), *reply(), done("r1"))
    assert words(s) == ["audio", "the reply", "-"]
    s.upstream(written("m1"))
    assert words(s) == ["my words"]


def test_history_has_the_order_of_the_words():
    s = Conversation("agent")
    s.upstream(*spoken("m1"), created("r1"), *reply(), written("m1"), done("r1"))
    told = [frame for frame in s.got() if isinstance(frame, dict) and frame["type"] == "History"]
    assert [frame["role"] for frame in told] == ["user", "assistant"]


@pytest.mark.parametrize(
    "instead",
    [
        {"type": f"{TRANSCRIPTION}.failed", "item_id": "m1"},
        written("m1", " "),
    ],
)
def test_a_turn_without_words_is_not_waited_for_def_17(instead):
    s = Conversation("agent")
    s.upstream(*spoken("m1"), created("r1"), instead, *reply())
    assert words(s) == ["audio", "the reply"]


def test_silence_that_was_committed_is_not_waited_for():
    s = Conversation()
    s.upstream({"type": "input_audio_buffer.timeout_triggered", "item_id": "m1"})
    s.upstream(spoken("m1")[-1], created("r1"), *reply())
    assert words(s) == ["audio", "the reply"]


def test_without_transcription_nothing_is_waited_for():
    s = Conversation(settings=OpenAISettings(transcription_model=""))
    s.upstream(*spoken("m1"), created("r1"), *reply())
    assert words(s) == ["audio", "the reply"]


def test_a_reply_does_not_wait_for_a_turn_that_came_after_it_began():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1"), *spoken("m2"))
    s.upstream(item_event("done", assistant("i1", "cut sh", "incomplete")))
    assert words(s) == ["cut sh"]  # its audio was dropped before the client took it


def test_two_turns_are_both_waited_for_by_the_response_that_answers_them():
    s = Conversation("agent")
    s.upstream(*spoken("m1"), *spoken("m2"), created("r1"), *reply(), written("m2", "second"))
    assert words(s) == ["audio"]
    s.upstream(written("m1", "first"))
    assert words(s) == ["first", "second", "the reply"]


def test_what_the_agent_said_keeps_its_order():
    s = Conversation()
    s.upstream(*spoken("m1"), created("r1"), *reply())
    s.upstream(item_event("done", assistant("i2", "more")))
    assert words(s) == ["audio"]
    s.upstream(written("m1"))
    assert words(s) == ["my words", "the reply", "more"]


def test_what_the_user_types_comes_behind_what_was_said_before():
    s = Conversation()
    s.upstream(*spoken("m1"), created("r1"), *reply())
    s.inject("typed")
    assert words(s) == ["audio", "the reply", "typed"]


def test_words_of_a_calling_response_do_not_wait_for_the_answers():
    s = Conversation()
    s.upstream(*spoken("m1"), created("r1"), *reply())
    s.upstream(output_item("done", "r1", function_call("c1")), done("r1"))
    assert words(s) == ["audio", "the reply"]
    s.advance(30)
    assert s.got_types() == PAIR


def test_turns_that_are_never_written_down_are_forgotten():
    s = Conversation()
    s.upstream(*spoken("m0"), created("r1"), *reply())
    for number in range(1, 33):
        assert words(s)[1:] == []
        s.upstream(spoken(f"m{number}")[-1])
    assert words(s) == ["the reply"]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_words_that_overtake_those_of_the_turn_before_wait_for_them_trn_9(dialect):
    s = Conversation(dialect)
    s.upstream(*spoken("m1"), *spoken("m2"), *spoken("m3"), written("m3", "third"))
    s.upstream(written("m2", "second"))
    assert words(s) == []
    s.upstream(written("m1", "first"))
    assert words(s) == ["first", "second", "third"]
    s.advance(60)
    assert words(s) == []


def test_interim_words_wait_for_nobody_trn_9():
    s = Conversation()
    delta = {"type": f"{TRANSCRIPTION}.delta", "item_id": "m2", "delta": "sec"}
    s.upstream(*spoken("m1"), *spoken("m2"), delta)
    assert words(s) == ["sec"]


@pytest.mark.parametrize(
    "instead",
    [
        {"type": f"{TRANSCRIPTION}.failed", "item_id": "m1"},
        done("r1"),
    ],
)
def test_words_wait_no_longer_for_a_turn_that_is_given_up_trn_9(instead):
    s = Conversation()
    s.upstream(*spoken("m1"), created("r1"), *spoken("m2"), written("m2", "second"))
    assert words(s) == []
    s.upstream(instead)
    assert words(s)[0] == "second"


def test_words_wait_a_while_for_a_turn_that_is_never_written_down_trn_9():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    s.upstream(*spoken("m1"), *spoken("m2"), *spoken("m3"), written("m2", "second"))
    s.advance(4.9)
    assert words(s) == []
    s.advance(0.2)
    assert words(s) == ["second"]
    s.upstream(written("m1", "first"), written("m3", "third"))
    assert words(s) == ["first", "third"]


def test_the_while_begins_anew_with_the_next_words_that_wait_trn_9():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    s.upstream(*spoken("m1"), *spoken("m2"), written("m2", "second"))
    s.advance(4)
    s.upstream(written("m1", "first"), *spoken("m3"), *spoken("m4"), written("m4", "fourth"))
    assert words(s) == ["first", "second"]
    s.advance(4)
    assert words(s) == []
    s.advance(2)
    assert words(s) == ["fourth"]


def test_what_the_user_types_comes_behind_words_that_waited():
    s = Conversation("agent")
    s.upstream(*spoken("m1"), *spoken("m2"), written("m2", "second"))
    s.inject("typed")
    assert words(s) == ["second", "typed"]
    s.upstream(created("r1"), *reply())
    assert words(s) == ["audio"]
    s.upstream(written("m1", "first"))
    assert words(s) == ["first", "the reply"]


def test_a_turn_that_was_never_written_down_delays_one_reply_only_def_17():
    s = Conversation()
    s.upstream(*spoken("m1"), created("r1"), *reply(), done("r1"))
    assert words(s) == ["audio", "the reply", "-"]
    s.upstream(*spoken("m2"), written("m2", "second"), created("r2"), *reply("r2", "another"))
    assert words(s) == ["second", "audio", "another"]


def test_words_that_come_before_the_turn_is_committed_are_not_waited_for():
    s = Conversation()
    s.upstream(written("m1"), *spoken("m1"), created("r1"), *reply())
    assert words(s) == ["my words", "audio", "the reply"]


def said(name: str, text: str) -> dict:
    return output_item("done", name, assistant(f"i_{name}", text))


def test_the_end_of_one_response_does_not_hurry_the_words_of_another():
    s = Conversation()
    s.upstream(created("r1"), *spoken("m2"), created("r2"), said("r2", "the reply"))
    s.upstream(done("r1", "cancelled"))
    assert words(s) == ["-"]
    s.upstream(written("m2", "second"))
    assert words(s) == ["second", "the reply"]


def test_words_of_a_response_that_is_over_wait_for_no_turn_at_all():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1"), *spoken("m2"), created("r2"))
    s.upstream(said("r2", "the reply"), said("r1", "cut sh"))
    assert words(s) == []
    s.upstream(done("r1", "cancelled"))
    assert words(s) == ["the reply", "cut sh", "-"]


@pytest.mark.parametrize("code", [1000, 1001, 1006])
def test_what_was_said_is_told_before_the_session_ends_with_the_upstream_err_3(code):
    s = Conversation("agent")
    s.upstream(*spoken("m1"), *spoken("m2"), created("r1"), *reply(), written("m2", "second"))
    s.upstream({"type": "error", "error": {"code": "idle_timeout", "message": "x"}})
    s.driver.upstream_closes(code)
    frames = [frame for frame in s.got() if isinstance(frame, dict)]
    told = [frame["content"] for frame in frames if frame["type"] == "ConversationText"]
    assert told == ["second", "the reply"]
    assert next(frame["code"] for frame in frames if frame["type"] == "Error") == "idle_timeout"
