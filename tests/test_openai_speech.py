"""The user's voice: microphone, turns, transcripts, barge-in (AUD, TRN)."""

from __future__ import annotations

import pytest
from openai_session import (
    PAIR,
    Conversation,
    appended,
    assistant,
    audio_delta,
    created,
    done,
    item_event,
)

TRANSCRIPTION = "conversation.item.input_audio_transcription"
STARTED = {"type": "input_audio_buffer.speech_started", "item_id": "mic", "audio_start_ms": 0}
STOPPED = {"type": "input_audio_buffer.speech_stopped", "item_id": "mic", "audio_end_ms": 9}


def heard(kind: str, words: str, item_id: str = "mic", **more):
    key = "delta" if kind == "delta" else "transcript"
    return {"type": f"{TRANSCRIPTION}.{kind}", "item_id": item_id, key: words, **more}


def test_audio_becomes_appends_and_nothing_else_aud_3_aud_7():
    s = Conversation(audio={"input": {"encoding": "linear16", "sample_rate": 24000}})
    chunks = [bytes([n, 0]) * 480 for n in range(20)]
    s.client(*chunks)
    s.advance(10)
    assert appended(s.sent()) == b"".join(chunks)
    assert s.got() == []


def test_odd_chunks_are_carried_over_def_1():
    s = Conversation(audio={"input": {"encoding": "linear16", "sample_rate": 24000}})
    pcm = bytes(range(200))
    s.client(*[pcm[start : start + 3] for start in range(0, 200, 3)])
    events = s.sent()
    assert appended(events) == pcm
    assert all(len(appended([event])) % 2 == 0 for event in events)


def test_audio_that_looks_like_json_is_audio_def_3():
    s = Conversation(audio={"input": {"encoding": "mulaw", "sample_rate": 8000}})
    s.client(b'{"type":"KeepAlive"}')
    assert appended(s.sent()) == b'{"type":"KeepAlive"}'


def test_sixteen_kilohertz_is_resampled_and_its_tail_goes_up_at_the_end_aud_4_aud_5():
    s = Conversation(audio={"input": {"encoding": "linear16", "sample_rate": 16000}})
    s.client(*[b"\0\1" * 320] * 50)
    before = len(appended(s.sent()))
    assert 47_800 <= before < 48_000
    s.driver.client_closes(1000)
    assert before + len(appended(s.sent())) == 48_000


def test_a_sample_that_resamples_to_nothing_sends_nothing_aud_3():
    s = Conversation(audio={"input": {"encoding": "linear16", "sample_rate": 48000}})
    s.client(b"\0\1")
    assert s.sent() == []


def test_closing_without_settings_sends_nothing():
    s = Conversation(applied=False)
    s.driver.client_closes(1000)
    assert s.sent() == []


def test_speech_started_tells_the_client_trn_1():
    s = Conversation()
    s.upstream(STARTED)
    assert s.got() == [{"type": "UserStartedSpeaking"}]
    assert s.sent() == []


@pytest.mark.parametrize(
    ("more", "channel", "end"),
    [
        ({}, [0, 1], 0),
        ({"channel": [1], "last_word_end": 2.5}, [1], 2.5),
        ({"channel": [], "last_word_end": "x"}, [0, 1], 0),
        ({"channel": [None, True, "1"]}, [0, 1], 0),
    ],
)
def test_speech_stopped_is_the_utterance_end_trn_2(more, channel, end):
    s = Conversation()
    s.upstream({**STOPPED, **more})
    assert s.got() == [{"type": "UtteranceEnd", "channel": channel, "last_word_end": end}]


def test_a_spoken_turn_in_the_component_dialect_trn_4_trn_6():
    s = Conversation()
    s.upstream(STARTED, STOPPED, {"type": "input_audio_buffer.committed", "item_id": "mic"})
    s.upstream(*[heard("delta", words) for words in ("Hel", "lo ", "world")])
    s.upstream(heard("completed", "Hello world"))
    messages = s.got()
    assert [m["type"] for m in messages] == [
        "UserStartedSpeaking",
        "UtteranceEnd",
        *["Transcript"] * 4,
    ]
    words = [m["transcript"] for m in messages[2:]]
    assert words == ["Hel", "Hello ", "Hello world", "Hello world"]
    assert [m["is_final"] for m in messages[2:]] == [False, False, False, True]
    assert messages[-1] == {
        "type": "Transcript",
        "transcript": "Hello world",
        "is_final": True,
        "speech_final": True,
        "channel": 0,
        "channel_index": [0],
        "start": 0,
        "duration": 0,
        "alternatives": [{"transcript": "Hello world", "confidence": 1, "words": []}],
    }


def test_a_spoken_turn_in_the_agent_dialect_is_conversation_text():
    s = Conversation("agent")
    s.upstream(STARTED, STOPPED, heard("delta", "Hel"), heard("completed", "Hello"))
    assert s.got() == [
        {"type": "UserStartedSpeaking"},
        {"type": "ConversationText", "role": "user", "content": "Hello"},
        {"type": "History", "role": "user", "content": "Hello"},
    ]


def test_a_blank_transcript_is_no_turn():
    s = Conversation("agent")
    s.upstream(heard("completed", " "))
    assert s.got() == []


@pytest.mark.parametrize(
    ("more", "channel", "channels"),
    [
        ({"channel": 2}, 2, [2]),
        ({"channel_index": [1, 3]}, 1, [1, 3]),
        ({"channel_index": [1], "channel": 4}, 4, [1]),
        ({"channel_index": []}, 0, [0]),
        ({"channel_index": ["x", True]}, 0, [0]),
    ],
)
def test_channels_have_defaults_trn_5(more, channel, channels):
    s = Conversation()
    s.upstream(heard("completed", "x", **more))
    (message,) = s.got()
    assert (message["channel"], message["channel_index"]) == (channel, channels)


def test_alternatives_and_times_are_kept_trn_5():
    s = Conversation()
    s.upstream(
        heard("completed", "x", start=1.5, duration=2, alternatives=[{"transcript": "y"}, 5])
    )
    (message,) = s.got()
    assert (message["start"], message["duration"]) == (1.5, 2)
    assert message["alternatives"] == [{"transcript": "y", "confidence": 1, "words": []}]


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_the_interim_words_end_with_their_item_trn_7_def_17(end):
    s = Conversation()
    s.upstream(heard("delta", "one", ""), heard(end, "one", ""), heard("delta", "two", ""))
    assert s.got()[-1]["transcript"] == "two"


@pytest.mark.parametrize("dialect", ["component", "agent"])
@pytest.mark.parametrize("end", ["completed", "failed"])
def test_nothing_is_written_down_behind_the_end_of_an_item_def_11(dialect, end):
    s = Conversation(dialect)
    s.upstream(STARTED, STOPPED, heard("delta", "on"), heard(end, "one"))
    s.got()
    s.upstream(heard("delta", "e"), heard("completed", "one"), heard(end, "one"))
    assert s.got() == []


def test_words_in_progress_are_interim_whatever_their_event_is_called_trn_6():
    s = Conversation()
    s.upstream(*[heard("completed", words, status="in_progress") for words in ("Hel", "Hello")])
    s.upstream(heard("completed", "Hello.", status="completed"))
    messages = s.got()
    assert [m["transcript"] for m in messages] == ["Hel", "Hello", "Hello."]
    assert [m["is_final"] for m in messages] == [False, False, True]


def test_interim_words_of_two_items_do_not_mix_and_do_not_pile_up_def_17():
    s = Conversation()
    for number in range(100):
        s.upstream(heard("delta", f"{number}", item_id=f"i{number}"))
    s.upstream(heard("delta", "!", item_id="i99"), heard("delta", "!", item_id="i0"))
    assert [m["transcript"] for m in s.got()[-2:]] == ["99!", "!"]


def test_the_transcript_of_a_silence_is_dropped():
    s = Conversation("agent")
    s.upstream({"type": "input_audio_buffer.timeout_triggered", "item_id": "quiet"})
    s.upstream({"type": "input_audio_buffer.timeout_triggered"})
    s.upstream(heard("delta", "x", "quiet"), heard("completed", "Thanks!", "quiet"))
    assert s.got() == []
    s.upstream(heard("completed", "Real", "mic"), heard("completed", "Nameless", ""))
    assert s.got_types() == ["ConversationText", "History"] * 2


# Barge-in.


def speaking(seconds: float = 2.0, **options) -> Conversation:
    """The agent has sent that much audio of item i1 in response r1."""
    s = Conversation(**options)
    s.upstream(created("r1"))
    for _ in range(round(seconds * 10)):
        s.upstream(audio_delta("r1", bytes(4800)))
    return s


def test_a_barge_in_discards_what_was_not_sent_and_drops_stragglers_out_15():
    s = speaking()
    s.upstream(STARTED, audio_delta("r1"), {"type": "response.output_audio.done"})
    assert s.got_types() == ["AgentStartedSpeaking", "UserStartedSpeaking"]
    s.upstream(audio_delta("r1"), done("r1", "cancelled"), audio_delta("r1"))
    assert s.got_types() == PAIR


def test_the_upstream_is_told_what_was_heard():
    s = speaking(2)
    s.got()  # all of it is on its way to the client
    s.advance(0.75)
    s.upstream(STARTED)
    (truncate,) = s.sent()
    assert truncate["type"] == "conversation.item.truncate"
    assert (truncate["item_id"], truncate["content_index"]) == ("i1", 0)
    assert truncate["audio_end_ms"] == 750


def test_audio_that_never_left_was_not_heard():
    s = speaking(2)
    s.advance(1.5)  # a client that does not read: two seconds lie here
    s.upstream(STARTED)
    assert s.sent() == []


@pytest.mark.parametrize("played", [2.0, 60.0])
def test_what_was_heard_to_the_end_is_not_truncated(played):
    s = speaking(2)
    s.got()
    s.upstream(done("r1"))
    s.advance(played)
    s.upstream(STARTED)
    assert s.sent() == []


def test_playback_goes_on_after_the_response_is_done():
    s = speaking(2)
    s.got()
    s.upstream(done("r1"))
    s.advance(0.5)
    s.upstream(STARTED, STARTED)
    assert [event["audio_end_ms"] for event in s.sent()] == [500]


def test_what_was_heard_is_counted_from_the_beginning_of_the_item():
    s = speaking(1)
    s.upstream(*[audio_delta("r1", bytes(4800), item_id="i2")] * 10)
    s.got()
    s.advance(1.25)
    s.upstream(STARTED)
    (truncate,) = s.sent()
    assert (truncate["item_id"], truncate["audio_end_ms"]) == ("i2", 250)


def test_of_two_items_nobody_heard_the_end_of_the_earlier_is_truncated():
    s = speaking(2)
    s.upstream(done("r1"), created("r2"))
    s.upstream(*[audio_delta("r2", bytes(4800), item_id="i2")] * 10)
    s.got()
    s.advance(0.75)
    s.upstream(STARTED)
    (truncate,) = s.sent()
    assert (truncate["item_id"], truncate["audio_end_ms"]) == ("i1", 750)


def test_nothing_is_truncated_where_one_item_ended_and_the_next_was_not_begun():
    s = speaking(1)
    s.upstream(*[audio_delta("r1", bytes(4800), item_id="i2")] * 10)
    s.got()
    s.advance(1)
    s.upstream(STARTED)
    assert s.sent() == []


def test_g711_is_counted_in_its_own_bytes():
    s = Conversation(audio={"output": {"encoding": "mulaw", "sample_rate": 8000}})
    s.upstream(created("r1"), audio_delta("r1", bytes(8000)))
    s.got()
    s.advance(0.25)
    s.upstream(STARTED)
    assert [event["audio_end_ms"] for event in s.sent()] == [250]


def test_an_item_without_an_id_is_not_truncated():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1", bytes(48000), item_id=""))
    s.got()
    s.advance(0.5)
    s.upstream(STARTED)
    assert s.sent() == []


def test_the_words_of_an_interrupted_reply_are_told_when_it_was_heard():
    s = speaking()
    s.upstream(STARTED, item_event("done", assistant("i1", "I was say", "incomplete")))
    assert s.got_types() == ["AgentStartedSpeaking", "UserStartedSpeaking", "ConversationText"]


def test_the_words_of_a_reply_nobody_heard_are_not_told():
    s = Conversation()
    s.upstream(created("r1"), STARTED, item_event("done", assistant("i1", "I", "incomplete")))
    s.upstream(done("r1", "cancelled"))
    assert s.got_types() == ["UserStartedSpeaking", *PAIR]
