"""What the agent says reaches the client once, in order, and ends with one pair (OUT)."""

from __future__ import annotations

import struct

import pytest
from openai_session import (
    PAIR,
    Conversation,
    assistant,
    audio_delta,
    created,
    done,
    item_event,
    output_item,
)

from voiceproxy_openai.settings import OpenAISettings

START = "AgentStartedSpeaking"
TEXT = "ConversationText"


def text_event(kind: str, words: str, response_id: str = "r1", **more):
    key = "delta" if kind.endswith("delta") else "text"
    if kind.endswith("transcript.done"):
        key = "transcript"
    return {"type": f"response.{kind}", "response_id": response_id, key: words, **more}


def test_a_plain_turn_is_in_order_out_14():
    s = Conversation()
    create = s.create_response("hi")
    s.upstream(
        created("r1", create),
        output_item("added", "r1", {**assistant("i1", ""), "content": [], "status": "in_progress"}),
        item_event("added", {**assistant("i1", ""), "content": [], "status": "in_progress"}),
        text_event("output_audio_transcript.delta", "Hel", item_id="i1"),
        audio_delta("r1"),
        text_event("output_audio_transcript.delta", "lo", item_id="i1"),
        audio_delta("r1"),
        {"type": "response.output_audio.done", "response_id": "r1", "item_id": "i1"},
        text_event("output_audio_transcript.done", "Hello", item_id="i1"),
        item_event("done", assistant("i1", "Hello")),
        output_item("done", "r1", assistant("i1", "Hello")),
        done("r1", output=[assistant("i1", "Hello")]),
    )
    messages = s.got()
    kinds = ["audio" if isinstance(m, bytes) else m["type"] for m in messages]
    assert kinds == [TEXT, START, "audio", "audio", TEXT, *PAIR]
    assert [m["content"] for m in messages if isinstance(m, dict) and m["type"] == TEXT] == [
        "hi",
        "Hello",
    ]


def test_a_text_only_turn_starts_speaking_before_its_text_out_11():
    s = Conversation()
    item = {**assistant("i1", ""), "content": [{"type": "output_text", "text": "Hello"}]}
    s.upstream(
        created("r1"),
        text_event("output_text.delta", "Hel", item_id="i1"),
        text_event("output_text.done", "Hello", item_id="i1"),
        item_event("done", item),
        done("r1"),
    )
    assert s.got_types() == [START, TEXT, *PAIR]


def test_audio_is_passed_as_it_is_in_whole_samples_out_1():
    s = Conversation()
    pcm = bytes(range(256)) * 4
    s.upstream(created("r1"), *[audio_delta("r1", pcm[i : i + 3]) for i in range(0, 1023, 3)])
    s.upstream(done("r1"))
    frames = [frame for frame in s.got() if isinstance(frame, bytes)]
    assert b"".join(frames) == pcm[:1022]
    assert all(len(frame) % 2 == 0 for frame in frames)


def test_an_empty_delta_starts_nothing_out_1():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1", b""), audio_delta("r1", b"x"))
    assert s.got() == []


def test_a_huge_delta_comes_in_frames_of_whole_samples():
    s = Conversation()
    pcm = bytes(3_000_000)
    s.upstream(created("r1"), audio_delta("r1", pcm))
    frames = [frame for frame in s.got() if isinstance(frame, bytes)]
    assert sum(map(len, frames)) == len(pcm)
    assert all(len(frame) <= 65536 and len(frame) % 2 == 0 for frame in frames)


def test_output_audio_done_is_not_the_end_of_the_response_out_2():
    s = Conversation()
    end_of_part = {"type": "response.output_audio.done", "response_id": "r1"}
    s.upstream(created("r1"), audio_delta("r1"), end_of_part, audio_delta("r1", item_id="i2"))
    assert s.got_types() == [START, "audio", "audio"]
    s.upstream(done("r1"))
    assert s.got_types() == PAIR


def test_audio_then_text_has_one_pair_out_13_def_11():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1"), text_event("output_text.done", "Hi"), done("r1"))
    s.upstream(done("r1"), item_event("done", assistant("i9", "Hi")))
    assert s.got_types() == [START, "audio", TEXT, *PAIR]


def test_a_response_that_says_nothing_still_has_its_pair():
    s = Conversation()
    s.upstream(created("r1"), done("r1"))
    assert s.got_types() == PAIR


def test_each_of_two_responses_has_its_own_start_and_pair_def_10():
    s = Conversation()
    for name in ("r1", "r2"):
        s.upstream(created(name), audio_delta(name, item_id=name))
        s.upstream(item_event("done", assistant(name, "Same words.")), done(name))
        assert s.got_types() == [START, "audio", TEXT, *PAIR]


def test_the_next_response_may_begin_before_the_last_is_done():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1"), created("r2"), done("r1", "cancelled"))
    assert s.got_types() == [START, "audio", *PAIR]
    s.upstream(audio_delta("r1"))
    assert s.got() == []
    s.upstream(audio_delta("r2", item_id="i2"), done("r2"))
    assert s.got_types() == [START, "audio", *PAIR]


@pytest.mark.parametrize("kind", ["created", "added", "done"])
def test_text_comes_from_the_conversation_item_once_out_6(kind):
    s = Conversation()
    s.upstream(created("r1"))
    for _ in range(2):
        s.upstream(item_event(kind, assistant("i1", "Hello")))
    s.upstream(item_event("done", assistant("i1", "Hello")), done("r1"))
    assert s.got_types() == [START, TEXT, *PAIR]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{"type": "output_text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        (
            [{"type": "output_audio", "transcript": "a"}, {"type": "audio", "transcript": "b"}],
            "a\nb",
        ),
        ({"type": "output_text", "text": "one"}, "one"),
        ("plain", "plain"),
    ],
)
def test_every_spelling_of_content_is_read_out_7(content, words):
    s = Conversation()
    s.upstream(created("r1"), item_event("done", {**assistant("i1", ""), "content": content}))
    assert s.got()[-1]["content"] == words


@pytest.mark.parametrize("words", ["", "  \n", None])
def test_an_item_without_words_says_nothing(words):
    s = Conversation()
    s.upstream(created("r1"), item_event("done", assistant("i1", words)))
    assert s.got() == []


def test_an_item_of_the_user_is_never_repeated_out_8():
    s = Conversation()
    user = {"id": "u", "type": "message", "role": "user"}
    s.upstream(item_event("done", {**user, "content": [{"type": "input_text", "text": "x"}]}))
    assert s.got() == []


def test_an_item_outside_a_response_does_not_start_speaking_out_11():
    s = Conversation()
    s.upstream(item_event("done", assistant("i1", "Hello")))
    assert s.got_types() == [TEXT]


@pytest.mark.parametrize(
    "events",
    [
        [text_event("output_text.done", "Hi", item_id="i1")],
        [text_event("output_text.delta", "Hi")],
        [text_event("output_audio_transcript.done", "Hi")],
        [text_event("output_audio_transcript.delta", w) for w in "Hi"],
        [output_item("done", "r1", assistant("i1", "Hi"))],
        [],
    ],
)
def test_text_falls_back_on_what_there_is_out_4_out_5_out_9(events):
    s = Conversation()
    output = [] if events else [assistant("i1", "Hi")]
    s.upstream(created("r1"), *events, done("r1", output=output))
    messages = s.got()
    assert [m["type"] for m in messages] == [START, TEXT, *PAIR]
    assert messages[1]["content"] == "Hi"


def test_parts_and_items_of_a_fallback_keep_their_order():
    s = Conversation()
    s.upstream(
        created("r1"),
        text_event("output_text.delta", "two", item_id="i1", content_index=1),
        text_event("output_text.delta", "one", item_id="i1", content_index=0),
        text_event("output_text.delta", "other", item_id="i2"),
        done("r1"),
    )
    assert [m["content"] for m in s.got() if m["type"] == TEXT] == ["one\ntwo", "other"]


def test_the_done_text_replaces_its_deltas():
    s = Conversation()
    s.upstream(created("r1"), text_event("output_text.delta", "Hel", item_id="i"))
    s.upstream(text_event("output_text.done", "Hello.", item_id="i"), done("r1"))
    assert [m["content"] for m in s.got() if m["type"] == TEXT] == ["Hello."]


def test_without_response_created_text_done_is_the_end_out_4_out_9():
    s = Conversation()
    s.upstream(text_event("output_text.done", "Hi", response_id="r1"))
    assert s.got_types() == [START, TEXT, *PAIR]
    s.upstream(item_event("done", assistant("late", "Hi")), done("r1"))
    assert s.got() == []


def test_the_same_words_in_two_unannounced_responses_are_said_twice():
    s = Conversation()
    for name in ("r1", "r2"):
        s.upstream(text_event("output_text.done", "OK.", response_id=name))
        assert s.got_types() == [START, TEXT, *PAIR]


def test_without_response_created_audio_begins_a_response_and_done_ends_it():
    s = Conversation()
    create = s.create_response()
    s.got()
    s.upstream(audio_delta("r1"), text_event("output_audio_transcript.done", "Hi"))
    assert s.got_types() == [START, "audio", TEXT]
    s.upstream(done("r1"))
    assert s.got_types() == PAIR
    assert create["event_id"] != s.create_response()["event_id"]


def test_a_server_without_response_ids_is_followed():
    s = Conversation()
    bare = {"type": "response.created", "response": {}}
    delta = audio_delta("")
    del delta["response_id"], delta["item_id"], delta["content_index"], delta["output_index"]
    for _ in range(2):
        s.upstream(bare, delta, {"type": "response.done", "response": {}})
        assert s.got_types() == [START, "audio", *PAIR]


def test_an_id_learned_late_names_the_response_that_had_none():
    s = Conversation()
    s.upstream({"type": "response.created"}, audio_delta("r1"), done("r1"))
    assert s.got_types() == [START, "audio", *PAIR]
    s.upstream({"type": "error", "error": {"code": "idle_timeout", "message": "x"}})
    assert s.got_types() == ["Error"]  # nothing is running any more


def test_events_of_a_response_that_is_over_are_dropped():
    s = Conversation()
    s.upstream(created("r1"), done("r1"))
    s.got()
    s.upstream(
        created("r1"),
        audio_delta("r1"),
        text_event("output_text.delta", "x"),
        text_event("output_text.done", "x"),
        {"type": "response.output_audio.done", "response_id": "r1"},
        output_item("added", "r1", assistant("i5", "x")),
        output_item("done", "r1", assistant("i5", "x")),
        done("r1"),
    )
    assert s.got() == []
    assert s.create_response()


def test_latencies_are_measured_from_the_end_of_the_turn():
    s = Conversation()
    s.inject("hi")
    (item,) = s.sent()
    s.advance(0.2)
    s.confirm(item)
    (create,) = s.sent()
    s.upstream(created("r1", create))
    s.advance(0.3)
    s.upstream(text_event("output_audio_transcript.delta", "He"))
    s.advance(0.25)
    s.got()
    s.upstream(audio_delta("r1"))
    assert s.got()[0] == {
        "type": START,
        "total_latency": 0.75,
        "ttt_latency": 0.5,
        "tts_latency": 0.25,
    }


def test_a_response_nobody_asked_for_is_measured_from_its_beginning():
    s = Conversation()
    s.advance(100)
    s.upstream(created("r1"))
    s.advance(0.1)
    s.upstream(audio_delta("r1"))
    started = s.got()[0]
    assert (started["total_latency"], started["ttt_latency"], started["tts_latency"]) == (
        0.1,
        0.1,
        0,
    )


@pytest.mark.parametrize(
    ("output", "upstream_bytes", "client_bytes"),
    [
        ({"encoding": "linear16", "sample_rate": 24000}, 48000, 48000),
        ({"encoding": "linear16", "sample_rate": 8000}, 48000, 16000),
        ({"encoding": "linear16", "sample_rate": 16000}, 48000, 32000),
        ({"encoding": "linear16", "sample_rate": 44100}, 48000, 88200),
        ({"encoding": "linear16", "sample_rate": 48000}, 48000, 96000),
        ({"encoding": "mulaw", "sample_rate": 8000}, 8000, 8000),
        ({"encoding": "alaw", "sample_rate": 8000}, 8000, 8000),
        ({"encoding": "mulaw", "sample_rate": 16000}, 48000, 16000),
    ],
)
def test_the_audio_has_the_rate_and_encoding_asked_for(output, upstream_bytes, client_bytes):
    s = Conversation(audio={"output": output})
    second = bytes(upstream_bytes)
    chunk = upstream_bytes // 10
    s.upstream(created("r1"))
    for start in range(0, upstream_bytes, chunk):
        s.upstream(audio_delta("r1", second[start : start + chunk]))
    s.upstream({"type": "response.output_audio.done", "response_id": "r1"}, done("r1"))
    assert sum(len(frame) for frame in s.got() if isinstance(frame, bytes)) == client_bytes


def test_wav_puts_one_header_in_front_of_each_reply():
    s = Conversation(audio={"output": {"encoding": "linear16", "container": "wav"}})
    for name in ("r1", "r2"):
        s.upstream(created(name), audio_delta(name, b"\1\0" * 10), audio_delta(name), done(name))
        audio = b"".join(frame for frame in s.got() if isinstance(frame, bytes))
        assert audio[:4] == b"RIFF"
        assert audio[8:16] == b"WAVEfmt "
        kind, channels, rate, per_second = struct.unpack("<HHII", audio[20:32])
        assert (kind, channels, rate, per_second) == (1, 1, 24000, 48000)
        assert audio[36:40] == b"data"
        assert audio[44:] == b"\1\0" * 490


def test_the_agent_dialect_has_history_and_no_agent_done():
    s = Conversation("agent")
    s.upstream(created("r1"), audio_delta("r1"), item_event("done", assistant("i1", "Hi")))
    s.upstream(done("r1"))
    assert s.got_types() == [START, "audio", TEXT, "History", "AgentAudioDone"]


def test_a_response_that_goes_silent_is_given_up_and_the_next_one_asked_for(caplog):
    s = Conversation(settings=OpenAISettings(response_timeout=60))
    s.upstream(created("r1"))
    s.advance(50)
    s.upstream(audio_delta("r1"))
    s.inject("hello?")
    (item,) = s.sent()
    s.confirm(item)
    s.advance(59)
    assert s.sent() == []
    s.got()
    s.advance(2)
    cancel, create = s.sent()
    assert (cancel["type"], cancel["response_id"]) == ("response.cancel", "r1")
    assert create["type"] == "response.create"
    warning, *pair = s.got()
    assert (warning["type"], warning["code"]) == ("Warning", "RESPONSE_TIMED_OUT")
    assert [message["type"] for message in pair] == PAIR
    assert "sent nothing for 60 s" in caplog.text
    s.upstream(audio_delta("r1"), done("r1", "cancelled"))
    assert s.got() == []


def test_of_a_response_that_is_given_up_nothing_is_told_behind_its_end_fct_7():
    s = Conversation(settings=OpenAISettings(response_timeout=60))
    s.upstream(created("r1"), output_item("added", "r1", assistant("i1", "", "in_progress")))
    s.upstream(
        {
            "type": "response.output_audio_transcript.delta",
            "response_id": "r1",
            "item_id": "i1",
            "delta": "I was say",
        },
        audio_delta("r1"),
    )
    s.upstream(output_item("added", "r1", assistant("i2", "", "in_progress")))
    s.advance(61)
    said = ["AgentStartedSpeaking", "audio", "Warning", "ConversationText"]
    assert s.got_types() == [*said, *PAIR]
    for item_id in ("i1", "i2"):
        s.upstream(item_event("done", assistant(item_id, "I was saying that", "incomplete")))
    s.upstream(audio_delta("r1"), done("r1", "cancelled"))
    assert s.got() == []


def test_a_response_that_is_over_is_not_given_up():
    s = Conversation()
    s.upstream(created("r1"), done("r1"), text_event("output_text.done", "Hi", response_id="r2"))
    s.got()
    s.advance(600)
    assert (s.got(), s.sent()) == ([], [])


def test_a_response_without_an_id_is_cancelled_without_one():
    s = Conversation()
    s.upstream({"type": "response.created"})
    s.advance(61)
    (cancel,) = s.sent()
    assert "response_id" not in cancel


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_audio.delta"},
        {"type": "response.output_audio.delta", "delta": "%"},
        {"type": "response.output_audio.delta", "delta": ""},
        {"type": "response.output_text.delta", "response_id": "r9"},
        {"type": "response.output_audio_transcript.done", "response_id": "r9"},
        {"type": "response.output_audio.done", "response_id": "r9"},
        {"type": "response.output_item.added", "response_id": "r9", "item": {}},
        {"type": "response.output_item.done", "response_id": "r9"},
        {"type": "response.function_call_arguments.done", "response_id": "r9"},
    ],
)
def test_an_event_without_content_begins_no_response(event):
    s = Conversation()
    s.upstream(event)
    assert s.create_response()


def test_an_output_item_of_the_user_is_not_the_agents_out_8():
    s = Conversation()
    item = {**assistant("i1", "not mine"), "role": "user"}
    s.upstream(created("r1"), output_item("done", "r1", item))
    assert s.got() == []


def test_an_item_belongs_to_the_response_that_announced_it():
    s = Conversation()
    s.upstream(created("r1"), output_item("added", "r1", assistant("i1", "")))
    s.upstream(created("r2"), output_item("added", "r2", assistant("i2", "")))
    s.upstream(item_event("done", assistant("i2", "Two")))
    assert s.got_types() == [START, TEXT]
    s.upstream(audio_delta("r2", item_id="i2"))
    assert s.got_types() == ["audio"]
    s.upstream(audio_delta("r1"))
    assert s.got_types() == [START, "audio"]


def test_a_response_announced_twice_is_one():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1"), created("r1"), audio_delta("r1"), done("r1"))
    assert s.got_types() == [START, "audio", "audio", *PAIR]


def test_a_response_announced_late_is_the_one_that_began_without():
    s = Conversation()
    s.upstream(audio_delta("r1"), created("r1"), text_event("output_text.done", "Hi"))
    assert s.got_types() == [START, "audio"]
    s.upstream(done("r1"))
    assert s.got_types() == [TEXT, *PAIR]


def test_a_server_without_any_ids_has_one_pair_for_a_written_reply_def_11():
    s = Conversation()
    for _ in range(2):
        s.upstream({"type": "response.output_text.done", "text": "Hi"}, {"type": "response.done"})
        assert s.got_types() == [START, TEXT, *PAIR]
    s.upstream({"type": "response.done", "response": {"output": [assistant("", "More")]}})
    assert s.got_types() == [START, TEXT, *PAIR]


@pytest.mark.parametrize("told", [True, False])
def test_the_last_samples_come_even_if_the_end_of_the_audio_is_not_told(told):
    s = Conversation(audio={"output": {"encoding": "linear16", "sample_rate": 8000}})
    s.upstream(created("r1"), *[audio_delta("r1", bytes(4800))] * 10)
    if told:
        s.upstream({"type": "response.output_audio.done", "response_id": "r1"})
    s.upstream(done("r1"))
    assert sum(len(frame) for frame in s.got() if isinstance(frame, bytes)) == 16_000


def test_the_last_samples_of_a_reply_that_was_cut_short_are_dropped():
    s = Conversation(audio={"output": {"encoding": "linear16", "sample_rate": 8000}})
    s.upstream(created("r1"), audio_delta("r1", bytes(4800)))
    s.upstream({"type": "input_audio_buffer.speech_started"}, done("r1", "cancelled"))
    assert s.got_types() == [START, "UserStartedSpeaking", *PAIR]


def test_a_late_item_of_a_response_that_is_over_does_not_begin_the_next():
    s = Conversation()
    s.upstream(created("r1"), output_item("added", "r1", assistant("i1", "", "in_progress")))
    s.upstream(audio_delta("r1"), done("r1"), created("r2"))
    s.got()
    s.upstream(item_event("done", assistant("i1", "One")))
    assert s.got_types() == [TEXT]
    s.upstream(audio_delta("r2", item_id="i2"))
    assert s.got_types() == [START, "audio"]
