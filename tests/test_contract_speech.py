"""Spoken turns, where no other test says so (TRN-8, AUD-7, AUD-12, AUD-13, AUD-18)."""

from __future__ import annotations

import pytest
from openai_session import (
    PAIR,
    UPDATED,
    Conversation,
    appended,
    assistant,
    created,
    done,
    item_event,
)

WORDS = "conversation.item.input_audio_transcription"
COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "mic"}


def completed(words: str, item_id: str = "mic"):
    return {"type": f"{WORDS}.completed", "item_id": item_id, "transcript": words}


@pytest.mark.parametrize("kind", ["committed", "cleared", "timeout_triggered"])
def test_the_buffers_own_events_say_nothing_to_the_client_aud_18(kind):
    s = Conversation()
    s.upstream({"type": f"input_audio_buffer.{kind}", "item_id": "mic"})
    s.advance(12)
    assert s.got() == []
    assert s.sent() == []


def test_transcripts_come_in_manual_turns_too_trn_8():
    s = Conversation(applied=False)
    s.client({"type": "Settings", "agent": {"useOpenAIManualAudioCommit": True}})
    assert s.sent()[0]["session"]["audio"]["input"]["transcription"]["model"]
    s.upstream(UPDATED)
    s.got()
    s.client(bytes(32_000))
    s.advance(1)
    s.upstream(COMMITTED, {"type": f"{WORDS}.delta", "item_id": "mic", "delta": "Hi"})
    s.upstream(completed("Hi"))
    messages = s.got()
    assert [m["type"] for m in messages] == ["Transcript", "Transcript"]
    assert [m["is_final"] for m in messages] == [False, True]
    s.upstream(created("r1"), item_event("done", assistant("i1", "Ho")), done("r1"))
    assert s.got_types() == ["AgentStartedSpeaking", "ConversationText", *PAIR]


def test_after_a_commit_nothing_is_pending_aud_13():
    s = Conversation(agent={"useOpenAIManualAudioCommit": True})
    s.client(bytes(40_000))
    s.advance(1)
    create = s.sent()[-1]
    s.upstream(created("r1", create), done("r1"))
    s.advance(60)
    assert s.sent() == []


def test_with_server_vad_no_pause_and_no_end_commits_aud_7():
    s = Conversation()
    s.client(bytes(64_000))
    s.advance(10)
    s.client(bytes(64_000))
    s.upstream(COMMITTED, created("vad"), done("vad"))
    s.advance(10)
    s.driver.client_closes()
    assert len(appended(s.sent())) == 2 * 64_000 * 3 // 2


def test_one_turn_asks_once_when_its_response_is_over_too_aud_12():
    s = Conversation(agent={"useOpenAIManualAudioCommit": True})
    s.client(bytes(40_000))
    s.advance(1)
    *_, create = s.sent()
    s.upstream(created("r1", create), done("r1"))
    s.advance(60)
    assert s.sent_types() == []
