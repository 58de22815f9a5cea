"""Function calls whose answers overtake the calls that follow them (FCT-5, DEF-5)."""

from __future__ import annotations

from openai_session import PAIR, Conversation, created, done, function_call, output_item


def test_an_answer_before_the_next_call_is_asked_does_not_end_the_batch_fct_5_def_5():
    s = Conversation()
    s.upstream(created("r1"), output_item("done", "r1", function_call("c1")))
    s.answer("c1")
    (first,) = s.sent()
    s.confirm(first)
    s.upstream(output_item("done", "r1", function_call("c2")), done("r1"))
    assert s.sent() == []
    assert s.got_types() == [
        "AgentStartedSpeaking",
        "FunctionCallRequest",
        "AgentThinking",
        "FunctionCallRequest",
    ]
    s.answer("c2")
    (second,) = s.sent()
    s.confirm(second)
    assert s.sent_types() == ["response.create"]
    assert s.got_types() == [*PAIR, "AgentThinking"]
