"""Function calls: asked once, answered once, one response for all of them (FCT)."""

from __future__ import annotations

import pytest
from openai_session import (
    PAIR,
    Conversation,
    assistant,
    audio_delta,
    created,
    done,
    error,
    function_call,
    item_event,
    output_item,
)

from voiceproxy_openai.function_calls import output_of
from voiceproxy_openai.settings import OpenAISettings

START = "AgentStartedSpeaking"
REQUEST = "FunctionCallRequest"
CREATE = "response.create"


def arguments_done(call_id="c1", arguments='{"a":1}', response_id="r1", **more):
    return {
        "type": "response.function_call_arguments.done",
        "response_id": response_id,
        "item_id": f"item_{call_id}",
        "call_id": call_id,
        "arguments": arguments,
        "name": "f",
        **more,
    }


def calling(*call_ids: str, dialect: str = "component", **options) -> Conversation:
    """A conversation whose running response r1 has asked for these calls."""
    s = Conversation(dialect, **options)
    s.upstream(created("r1"), *[arguments_done(call_id) for call_id in call_ids])
    assert s.got_types() == [START, *[REQUEST] * len(call_ids)]
    return s


def confirm_outputs(s: Conversation) -> list[str]:
    """Confirm every output just sent; returns the types sent before and after."""
    before = s.sent()
    for event in before:
        s.confirm(event)
    return [event["type"] for event in before + s.sent()]


def test_a_call_is_asked_of_the_client_fct_1():
    s = Conversation()
    s.upstream(created("r1"), arguments_done())
    assert s.got()[1] == {
        "type": REQUEST,
        "functions": [{"id": "c1", "name": "f", "arguments": '{"a":1}', "client_side": True}],
    }


def test_every_event_that_tells_of_a_call_counts_once_fct_9():
    s = Conversation()
    call = function_call("c1", arguments='{"a":1}')
    s.upstream(
        created("r1"),
        output_item("added", "r1", {**call, "status": "in_progress", "arguments": ""}),
        item_event("added", {**call, "status": "in_progress", "arguments": ""}),
        arguments_done(),
        item_event("done", call),
        output_item("done", "r1", call),
        done("r1", output=[call]),
    )
    assert s.got_types() == [START, REQUEST]


def test_several_calls_are_several_requests_fct_2():
    assert calling("c1", "c2", "c3")


@pytest.mark.parametrize("arguments", ['{"a":', "", "[1]", "7"])
def test_cut_arguments_wait_for_the_whole_item(arguments):
    s = Conversation()
    s.upstream(created("r1"), arguments_done(arguments=arguments))
    assert s.got() == []
    s.upstream(output_item("done", "r1", function_call("c1", arguments=arguments)))
    assert s.got()[1]["functions"][0]["arguments"] == arguments


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_an_item_that_is_not_completed_asks_nothing(status):
    s = Conversation()
    s.upstream(created("r1"), output_item("done", "r1", function_call("c1", status=status)))
    s.upstream(done("r1", "cancelled", output=[function_call("c2")]))
    assert s.got_types() == PAIR


def test_response_done_alone_is_enough():
    s = Conversation()
    s.upstream(created("r1"), done("r1", output=[function_call("c1"), function_call("c2")]))
    assert s.got_types() == [START, REQUEST, REQUEST]


@pytest.mark.parametrize("event", [output_item, None])
def test_the_name_is_remembered_from_the_item_def_27(event):
    s = Conversation()
    began = function_call("c1", "get_time", "", "in_progress")
    s.upstream(created("r1"))
    s.upstream(output_item("added", "r1", began) if event else item_event("added", began))
    s.upstream(arguments_done(name=None))
    assert s.got()[1]["functions"][0]["name"] == "get_time"


def test_without_any_name_the_whole_item_is_awaited_def_27():
    s = Conversation()
    s.upstream(created("r1"), arguments_done(name=""))
    assert s.got() == []
    s.upstream(output_item("done", "r1", function_call("c1", "get_time")))
    assert s.got()[1]["functions"][0]["name"] == "get_time"


def test_a_call_without_a_call_id_has_the_items():
    s = Conversation()
    s.upstream(created("r1"), arguments_done(call_id=""))
    assert s.got()[1]["functions"][0]["id"] == "item_"


def test_names_do_not_pile_up():
    s = Conversation()
    s.upstream(created("r1"))
    for number in range(500):
        s.upstream(output_item("added", "r1", function_call(f"c{number}", "n", "", "in_progress")))
    s.upstream(arguments_done("c499", name=None), arguments_done("c0", name=None))
    assert s.got_types() == [START, REQUEST]


def test_an_answer_goes_up_at_once_then_the_agent_thinks_fct_3():
    s = calling("c1")
    s.upstream(done("r1"))
    s.answer("c1", "it is noon")
    (event,) = s.sent()
    assert event["item"] == {
        "id": event["item"]["id"],
        "type": "function_call_output",
        "call_id": "c1",
        "output": "it is noon",
    }
    assert s.got() == [
        {"type": "AgentDone"},
        {"type": "AgentAudioDone"},
        {"type": "AgentThinking", "content": ""},
    ]


@pytest.mark.parametrize(
    ("message", "output"),
    [
        ({"content": "text"}, "text"),
        ({"content": "", "result": "text"}, "text"),
        ({"result": {"a": [1, 2], "b": "é"}}, '{"a":[1,2],"b":"é"}'),
        ({"result": False}, "false"),
        ({"error": "bad"}, '{"error":"bad"}'),
        ({"error": {"code": 1}, "result": 5}, '{"error":{"code":1}}'),
        ({"error": None, "result": None}, ""),
        ({}, ""),
    ],
)
def test_the_output_is_content_error_or_result_fct_4(message, output):
    assert output_of(message) == output


def test_one_create_follows_the_answer_and_the_end_of_the_response_fct_5_def_4():
    s = calling("c1")
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create"]
    s.upstream({"type": "response.output_text.done", "response_id": "r1", "text": ""})
    assert s.sent() == []
    assert s.got_types() == ["AgentThinking"]
    s.upstream(done("r1"))
    assert s.got_types() == PAIR
    assert s.sent_types() == [CREATE]
    s.upstream(done("r1"))
    assert s.sent() == []


def test_the_create_waits_for_the_confirmation_of_the_output_fct_6():
    s = calling("c1")
    s.upstream(done("r1"))
    s.answer("c1")
    (output,) = s.sent()
    s.confirm(output)
    s.confirm(output, "done")
    assert s.sent_types() == [CREATE]


def test_an_output_under_another_id_is_known_by_its_call():
    s = calling("c1", "c2")
    s.upstream(done("r1"))
    s.answer("c1")
    s.answer("c2")
    one, two = s.sent()
    s.confirm(two, id="theirs_2")
    assert s.sent() == []
    s.confirm(one, id="theirs_1")
    assert s.sent_types() == [CREATE]


def test_parallel_calls_get_one_create_after_all_outputs_def_5():
    s = calling("c1", "c2")
    s.answer("c2")
    assert confirm_outputs(s) == ["conversation.item.create"]
    s.upstream(done("r1"))
    assert s.sent() == []
    assert "AgentDone" not in s.got_types()
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create", CREATE]
    assert s.got_types() == [*PAIR, "AgentThinking"]


def test_the_pair_waits_for_the_answers_def_30():
    s = calling("c1")
    s.upstream(audio_delta("r1"), item_event("done", assistant("i1", "One moment.")))
    s.got()
    s.upstream(done("r1"))
    assert s.got() == []
    s.answer("c1")
    assert s.got_types() == [*PAIR, "AgentThinking"]


def test_the_answer_gets_a_start_and_pair_of_its_own_def_10():
    s = calling("c1")
    s.upstream(done("r1"))
    s.answer("c1")
    (output,) = s.sent()
    s.confirm(output)
    (create,) = s.sent()
    s.got()
    s.upstream(created("r2", create), audio_delta("r2"), done("r2"))
    assert s.got_types() == [START, "audio", *PAIR]


@pytest.mark.parametrize("call_id", ["nobody", "c1"])
def test_an_answer_nobody_waits_for_is_an_error_and_not_sent_def_29(call_id):
    s = calling("c1")
    s.upstream(done("r1"))
    s.answer("c1")
    confirm_outputs(s)
    s.got()
    s.answer(call_id)
    (message,) = s.got()
    assert message["code"] == "UNKNOWN_FUNCTION_CALL"
    assert s.sent() == []


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_output_is_reported_and_asks_for_nothing(named):
    s = calling("c1")
    s.upstream(done("r1"))
    s.answer("c1")
    (output,) = s.sent()
    s.got()
    s.upstream(error("invalid_tool_call_id", output["event_id"] if named else None))
    assert [message["code"] for message in s.got()] == ["invalid_tool_call_id"]
    s.advance(60)
    assert s.sent() == []
    assert s.create_response()


def test_an_error_about_nothing_known_does_not_drop_an_output():
    s = calling("c1")
    s.upstream(done("r1"))
    s.answer("c1")
    (output,) = s.sent()
    s.upstream(error("server_error"))
    s.confirm(output)
    assert s.sent_types() == [CREATE]


def test_a_long_list_of_arguments_is_no_silence_fct_7():
    s = Conversation(settings=OpenAISettings(response_timeout=60))
    s.upstream(created("r1"))
    for kind in ["function_call_arguments", "mcp_call_arguments"] * 3:
        s.advance(50)
        s.upstream({"type": f"response.{kind}.delta", "response_id": "r1", "delta": "x"})
    s.upstream({"type": "response.mcp_call_arguments.delta", "response_id": "r9", "delta": "x"})
    assert (s.got(), s.sent()) == ([], [])
    s.advance(61)
    assert s.sent_types() == ["response.cancel"]


def test_an_inject_beside_an_open_call_is_answered():
    s = calling("c1")
    s.upstream(done("r1"))
    create = s.create_response("are you there?")
    s.upstream(created("r2", create), done("r2"))
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create", CREATE]


def test_an_inject_and_an_output_that_settle_together_get_one_create():
    s = calling("c1")
    s.inject("hello")
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create"] * 2
    s.upstream(done("r1"))
    assert s.sent_types() == [CREATE]


# Barge-in.


def test_a_barge_in_cancels_the_calls_of_its_response():
    s = calling("c1", "c2", dialect="agent")
    s.answer("c1")
    confirm_outputs(s)
    s.got()
    s.upstream({"type": "input_audio_buffer.speech_started"}, done("r1", "cancelled"))
    messages = s.got()
    assert [m["type"] for m in messages] == [
        "UserStartedSpeaking",
        "FunctionCallCancelled",
        "AgentAudioDone",
    ]
    assert messages[1]["functions"] == [{"id": "c2", "name": "f"}]
    assert s.sent() == []


def test_the_component_dialect_is_not_told_of_cancelled_calls():
    s = calling("c1")
    s.upstream({"type": "input_audio_buffer.speech_started"}, done("r1", "cancelled"))
    assert s.got_types() == ["UserStartedSpeaking", *PAIR]


def test_a_late_answer_to_a_cancelled_call_goes_up_and_asks_for_nothing():
    s = calling("c1")
    s.upstream(done("r1", "cancelled"))
    s.got()
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create"]
    assert s.got() == []
    s.advance(60)
    assert s.sent() == []


def test_a_call_of_an_interrupted_response_is_not_asked_any_more():
    s = Conversation()
    s.upstream(created("r1"), {"type": "input_audio_buffer.speech_started"}, arguments_done())
    assert s.got_types() == ["UserStartedSpeaking"]


# Every wait ends.


def test_a_response_that_never_ends_is_cancelled_after_the_safety_time_fct_7(caplog):
    s = calling("c1", settings=OpenAISettings(function_call_timeout=0.5))
    s.advance(10)  # the time counts from the answer
    s.answer("c1")
    confirm_outputs(s)
    s.advance(0.4)
    assert s.sent() == []
    s.got()
    s.advance(0.2)
    cancel, create = s.sent()
    assert (cancel["type"], cancel["response_id"]) == ("response.cancel", "r1")
    assert create["type"] == CREATE
    assert s.got_types() == PAIR
    (record,) = [r for r in caplog.records if r.levelname == "ERROR"]
    assert "Required upstream contract violated" in record.message
    s.upstream(audio_delta("r1"), done("r1", "cancelled"))
    assert s.got() == []


def test_a_create_refused_because_of_the_given_up_response_follows_its_end_fct_7():
    s = calling("c1", settings=OpenAISettings(function_call_timeout=0.5))
    s.answer("c1")
    confirm_outputs(s)
    s.advance(0.6)
    _, create = s.sent()
    s.upstream(error("conversation_already_has_active_response", create["event_id"]))
    assert s.sent() == []
    s.upstream(done("r1", "cancelled"))
    assert s.sent_types() == [CREATE]


def test_a_call_nobody_answers_lets_the_pair_go_after_the_time_def_30(caplog):
    s = calling("c1", settings=OpenAISettings(function_call_timeout=20))
    s.upstream(done("r1"))
    s.advance(19)
    assert s.got() == []
    s.advance(2)
    assert s.got_types() == PAIR
    assert s.sent() == []
    assert "not answered in 20 s" in caplog.text


def test_an_answer_after_the_time_is_still_answered():
    s = calling("c1")
    s.upstream(done("r1"))
    s.advance(30)
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create", CREATE]
    assert s.got_types() == [*PAIR, "AgentThinking"]


def test_one_of_two_calls_never_answered_still_gets_its_create_after_the_time_def_5():
    s = calling("c1", "c2")
    s.answer("c1")
    confirm_outputs(s)
    s.upstream(done("r1"))
    s.advance(19)
    assert s.sent() == []
    s.advance(2)
    assert s.sent_types() == [CREATE]


def test_old_batches_are_forgotten():
    s = Conversation()
    for number in range(40):
        name = f"r{number}"
        s.upstream(created(name), arguments_done(f"c{number}", response_id=name), done(name))
    s.got()
    s.answer("c0")
    s.answer("c39")
    assert s.got_types() == ["Error", *PAIR, "AgentThinking"]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("agent", ["History", "AgentAudioDone", "AgentThinking"]),
        ("component", [*PAIR, "AgentThinking"]),
    ],
)
def test_history_has_the_call_with_its_response(dialect, expected):
    s = calling("c1", dialect=dialect)
    s.upstream(done("r1"))
    s.answer("c1", "noon")
    messages = s.got()
    assert [m["type"] for m in messages] == expected
    if dialect == "agent":
        assert messages[0]["function_calls"] == [
            {
                "id": "c1",
                "name": "f",
                "client_side": True,
                "arguments": '{"a":1}',
                "response": "noon",
            }
        ]


def test_no_history_of_calls_when_it_is_off():
    s = calling("c1", dialect="agent", flags={"history": False})
    s.upstream(done("r1"))
    s.answer("c1")
    assert s.got_types() == ["AgentAudioDone", "AgentThinking"]


@pytest.mark.parametrize(
    "events",
    [
        [arguments_done("c1")],
        [output_item("done", "r1", function_call("c1"))],
        [done("r1", output=[assistant("i1", "Hi"), function_call("c1")])],
    ],
)
def test_a_call_behind_the_text_of_a_response_that_was_never_announced_is_asked(events):
    s = Conversation()
    text = {"type": "response.output_text.done", "response_id": "r1", "item_id": "i1", "text": "Hi"}
    s.upstream(text)
    assert s.got_types() == [START, "ConversationText", *PAIR]
    s.upstream(*events)
    assert s.got_types() == [START, REQUEST]
    s.upstream(done("r1", output=[assistant("i1", "Hi"), function_call("c1")]))
    s.answer("c1")
    assert confirm_outputs(s) == ["conversation.item.create", CREATE]
    assert s.got_types() == [*PAIR, "AgentThinking"]


# A response that was never announced, whose text was taken for its end.


def _written(s, response_id):
    text = {"type": "response.output_text.done", "response_id": response_id, "text": "words"}
    s.upstream(text)
    return {
        "type": "response.function_call_arguments.done",
        "response_id": response_id,
        "call_id": "c1",
        "name": "f",
        "arguments": "{}",
    }


def _requests(s):
    return [one for one in s.got() if one["type"] == "FunctionCallRequest"]


def test_a_call_behind_the_text_of_an_unannounced_response_is_asked():
    s = Conversation()
    call = _written(s, "r1")
    s.upstream(call)
    assert len(_requests(s)) == 1


def test_a_call_behind_the_true_end_of_an_unannounced_response_is_not():
    s = Conversation()
    call = _written(s, "r1")
    s.upstream(done("r1"))
    s.upstream(call)
    assert _requests(s) == []
    s.upstream(audio_delta("r1"))
    assert s.got() == []


def test_a_call_of_an_unannounced_response_the_user_spoke_over_is_not():
    s = Conversation()
    call = _written(s, "r1")
    s.upstream({"type": "input_audio_buffer.speech_started", "item_id": "mic"})
    s.got()
    s.upstream(call)
    assert _requests(s) == []
    s.upstream(audio_delta("r1"))
    assert s.got() == []
