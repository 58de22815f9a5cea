"""Manual turns: a pause in the audio commits it and asks for an answer (AUD-9 to AUD-16)."""

from __future__ import annotations

import pytest
from openai_session import Conversation, appended, created, done, error

from voiceproxy_openai.settings import OpenAISettings

COMMIT, CREATE, APPEND = "input_audio_buffer.commit", "response.create", "input_audio_buffer.append"
PCM = {"input": {"encoding": "linear16", "sample_rate": 24000}}


def manual(first: float = 1.0, audio=PCM, **settings) -> Conversation:
    return Conversation(
        settings=OpenAISettings(commit_first_audio=first, **settings),
        audio=audio,
        agent={"useOpenAIManualAudioCommit": True},
    )


def talk(s: Conversation, size: int) -> None:
    """Audio from the client; the appends are checked and taken away."""
    s.client(b"\1\0" * (size // 2))
    assert len(appended(s.sent())) == size


def test_a_pause_commits_and_asks_back_to_back_aud_9():
    s = manual()
    talk(s, 48_000)
    s.advance(0.39)
    assert s.sent() == []
    s.advance(0.02)
    assert s.sent_types() == [COMMIT, CREATE]
    assert s.got() == []


def test_audio_restarts_the_pause_aud_9():
    s = manual(commit_max_wait=60)
    talk(s, 48_000)
    for _ in range(5):
        s.advance(0.3)
        talk(s, 960)
    assert s.sent() == []
    s.advance(0.41)
    assert s.sent_types() == [COMMIT, CREATE]


def test_too_little_first_audio_is_not_committed_aud_10():
    s = manual()
    talk(s, 20_000)
    s.advance(5)
    assert s.sent() == []
    talk(s, 20_000)
    s.advance(5)
    assert s.sent() == []
    talk(s, 8_000)
    s.advance(0.41)
    assert s.sent_types() == [COMMIT, CREATE]
    s.advance(10)
    assert COMMIT not in s.sent_types()


def test_later_turns_need_a_tenth_of_a_second_aud_10():
    s = manual()
    talk(s, 48_000)
    s.advance(0.41)
    _, create = s.sent()
    s.upstream(created("r1", create), done("r1"))
    talk(s, 4_798)
    s.advance(1)
    assert s.sent() == []
    talk(s, 2)
    s.advance(0.41)
    assert s.sent_types() == [COMMIT, CREATE]


def test_a_steady_cadence_is_committed_within_a_bounded_wait_aud_11():
    s = manual()
    talk(s, 48_000)
    waited = 0.0
    while waited < 2:
        s.advance(0.25)
        waited += 0.25
        types = s.sent_types()
        if types:
            break
        talk(s, 12_000)
    assert types == [COMMIT, CREATE]
    assert waited <= 0.75


def test_one_turn_asks_once_aud_12():
    s = manual()
    talk(s, 40_000)
    s.advance(0.25)
    talk(s, 8_000)
    s.advance(5)
    assert s.sent_types()[:2] == [COMMIT, CREATE]
    assert s.sent() == []


@pytest.mark.parametrize(("size", "padded"), [(4_800, 0), (6_000, 0), (1_000, 3_800)])
def test_audio_during_a_response_gets_its_turn_after_it_aud_13_aud_14(size, padded):
    s = manual()
    talk(s, 48_000)
    s.advance(0.41)
    _, create = s.sent()
    s.upstream(created("r1", create))
    talk(s, size)
    s.advance(5)
    assert s.sent() == []
    s.upstream(done("r1"))
    assert appended(s.sent()) == bytes(padded)
    s.advance(0.41)
    assert s.sent_types() == [COMMIT, CREATE]


def test_a_response_without_audio_behind_it_commits_nothing_aud_14():
    s = manual()
    s.upstream(created("r1"), done("r1"))
    s.advance(5)
    assert s.sent() == []


@pytest.mark.parametrize("size", [48_000, 10_000])
def test_the_last_words_of_a_client_that_leaves_are_committed_aud_15_def_24(size):
    s = manual()
    talk(s, size)
    s.driver.client_closes(1000)
    events = s.sent()
    padding = [event for event in events if event["type"] == APPEND]
    assert len(appended(padding)) == 48_000 - size
    assert events[-1]["type"] == COMMIT


def test_what_was_said_during_a_response_is_dropped_when_the_client_leaves_aud_16():
    s = manual()
    s.upstream(created("r1"))
    talk(s, 48_000)
    s.driver.client_closes(1000)
    assert s.sent() == []


def test_the_resamplers_tail_is_committed_with_the_last_words_aud_15():
    s = manual(audio={"input": {"encoding": "linear16", "sample_rate": 16000}})
    s.client(b"\1\0" * 20_000)
    s.driver.client_closes(1000)
    events = s.sent()
    assert len(appended(events[:-1])) == 60_000
    assert events[-1]["type"] == COMMIT


def test_no_timer_rings_after_the_end_cls_6():
    s = manual()
    talk(s, 48_000)
    s.driver.upstream_closes(1000)
    s.sent()
    s.advance(60)
    assert s.sent() == []


def test_a_commit_of_ours_announces_no_response_of_the_servers_own():
    s = manual()
    talk(s, 48_000)
    s.advance(0.41)
    s.sent()
    bare = {"type": "response.created", "response": {"id": "r1"}}
    s.upstream({"type": "input_audio_buffer.committed", "item_id": "mic"}, bare, done("r1"))
    assert s.create_response()


def test_a_refused_commit_is_not_shown_to_the_client():
    s = manual()
    talk(s, 48_000)
    s.advance(0.41)
    commit, _ = s.sent()
    s.upstream(error("input_audio_buffer_commit_empty", commit["event_id"]))
    assert s.got() == []


@pytest.mark.parametrize(("encoding", "silence"), [("mulaw", b"\xff"), ("alaw", b"\xd5")])
def test_g711_is_counted_and_padded_in_its_own_terms_aud_14(encoding, silence):
    s = manual(first=0.1, audio={"input": {"encoding": encoding, "sample_rate": 8000}})
    s.upstream(created("r1"))
    talk(s, 500)
    s.upstream(done("r1"))
    assert appended(s.sent()) == silence * 300
    s.advance(0.41)
    assert s.sent_types() == [COMMIT, CREATE]


def test_latency_counts_from_the_commit():
    s = manual()
    talk(s, 48_000)
    s.advance(0.4)
    _, create = s.sent()
    s.upstream(created("r1", create))
    s.advance(0.2)
    s.upstream({"type": "response.output_text.delta", "response_id": "r1", "delta": "x"})
    assert s.got()[0]["total_latency"] == 0.2


@pytest.mark.parametrize("answer", ["another error", "none", "active"])
def test_audio_beside_a_create_that_comes_to_nothing_gets_its_turn_aud_14(answer):
    s = manual(first=0.1, ack_timeout=5)
    create = s.create_response()
    talk(s, 9_600)
    s.advance(1)
    assert s.sent() == []
    if answer == "another error":
        s.upstream(error("server_error", create["event_id"]))
    elif answer == "active":
        s.upstream(error("conversation_already_has_active_response", create["event_id"]))
        s.advance(5.1)
        (again,) = s.sent()
        s.upstream(error("server_error", again["event_id"]))
    else:
        s.advance(4.1)
    s.advance(0.41)
    assert s.sent_types() == [COMMIT, CREATE]
