"""Function calls in orders no other test has (FCT-5, DEF-5, DEF-27, DEF-29)."""

from __future__ import annotations

from openai_session import PAIR, Conversation, created, done, function_call, output_item


def test_an_answer_before_the_next_call_is_asked_does_not_end_the_batch_fct_5_fct_6_def_5():
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
    (create,) = s.sent()
    assert create["type"] == "response.create"
    assert s.got_types() == [*PAIR, "AgentThinking"]
    s.upstream(created("r2", create), done("r2"))
    assert s.sent() == []


def test_a_second_answer_to_a_call_beside_an_open_one_is_not_sent_def_29():
    s = Conversation()
    calls = [output_item("done", "r1", function_call(name)) for name in ("c1", "c2")]
    s.upstream(created("r1"), *calls, done("r1"))
    s.answer("c1")
    s.got()
    assert s.sent_types() == ["conversation.item.create"]
    s.answer("c1", "43")
    assert [message["code"] for message in s.got()] == ["UNKNOWN_FUNCTION_CALL"]
    assert s.sent() == []


def test_a_name_is_remembered_by_the_items_id_where_there_is_no_other_def_27():
    s = Conversation()
    item = {"id": "i1", "type": "function_call", "name": "f"}
    s.upstream(created("r1"), output_item("added", "r1", item))
    kind = "response.function_call_arguments.done"
    s.upstream({"type": kind, "response_id": "r1", "item_id": "i1", "arguments": "{}"})
    _, request = s.got()
    assert [(call["id"], call["name"]) for call in request["functions"]] == [("i1", "f")]


def test_a_call_answered_before_its_response_is_over_leaves_one_pair_def_11():
    s = Conversation()
    s.upstream(created("r1"), output_item("done", "r1", function_call("c1")))
    s.answer("c1")
    (output,) = s.sent()
    s.confirm(output)
    s.got()
    s.upstream(done("r1"))
    assert s.got_types() == PAIR


def test_a_request_holds_one_call_fct_2():
    s = Conversation()
    calls = [output_item("done", "r1", function_call(name)) for name in ("c1", "c2")]
    s.upstream(created("r1"), *calls)
    requests = [message for message in s.got() if message["type"] == "FunctionCallRequest"]
    assert [[call["id"] for call in one["functions"]] for one in requests] == [["c1"], ["c2"]]
