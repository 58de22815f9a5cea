"""The beginning of a reply, where no other test says so (OUT-3, OUT-11, OUT-22)."""

from __future__ import annotations

from openai_session import PAIR, Conversation, assistant, audio_delta, created, done, item_event


def test_the_first_words_of_a_written_reply_begin_it_out_3():
    s = Conversation()
    s.upstream(created("r1"))
    s.upstream({"type": "response.output_text.delta", "response_id": "r1", "delta": "H"})
    assert s.got_types() == ["AgentStartedSpeaking"]


def test_a_reply_of_whole_words_begins_with_them_out_11():
    s = Conversation()
    s.upstream(created("r1"), item_event("done", assistant("i1", "Hi")), done("r1"))
    assert s.got_types() == ["AgentStartedSpeaking", "ConversationText", *PAIR]


def test_what_names_no_response_belongs_to_the_one_there_is_out_22():
    s = Conversation()
    s.upstream(created("r1"), audio_delta(""), done("r1"))
    assert s.got_types() == ["AgentStartedSpeaking", "audio", *PAIR]
    s.advance(300)
    assert (s.got(), s.sent()) == ([], [])
