"""Function calls, in both dialects. The simulator calls the functions a text names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from caller import (
    BOTH,
    DONE,
    WEATHER,
    Caller,
    Heard,
    calling,
    in_frames,
    kinds,
    names,
    of_type,
    settings,
    speech,
)
from house import House, OpenHouse

TIME = {"name": "get_time", "description": "What time it is."}


def calls_in(heard: list[Heard]) -> list[dict[str, Any]]:
    """Every call that was asked for."""
    return [
        call for request in of_type(heard, "FunctionCallRequest") for call in request["functions"]
    ]


async def hello(caller: Caller) -> None:
    await caller.hello(settings(think={"functions": [WEATHER, TIME]}))


@BOTH
async def test_a_call_is_asked_for_answered_and_spoken_of_in_order_fct_1_to_fct_5(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await hello(caller)
        await caller.inject('call get_weather {"city": "Rome"}')
        asked = await caller.until("FunctionCallRequest")
        assert names(asked) == [
            'user: call get_weather {"city": "Rome"}',
            "AgentStartedSpeaking",
            "FunctionCallRequest",
        ]
        (call,) = calls_in(asked)
        assert (call["name"], call["client_side"]) == ("get_weather", True)
        assert json.loads(call["arguments"]) == {"city": "Rome"}
        await caller.answer(call, '{"degrees": 21}')
        heard = names(await caller.until("AgentAudioDone", 2))
    # The response that called ends when its call is answered; the next one speaks of the result.
    reply = [
        "AgentStartedSpeaking",
        "audio",
        'assistant: get_weather returned {"degrees": 21}.',
        *DONE[dialect],
    ]
    assert heard[-len(reply) :] == reply
    ended = heard[: -len(reply)]
    assert ended in (["AgentThinking", *DONE[dialect]], [*DONE[dialect], "AgentThinking"])
    assert kinds(house.sent_upstream()) == [
        "session.update",
        "conversation.item.create",
        "response.create",
        "conversation.item.create",
        "response.create",
    ]


@BOTH
async def test_the_output_goes_up_with_the_id_of_its_call_fct_3(house: House, dialect: str) -> None:
    async with calling(house.url(dialect)) as caller:
        await hello(caller)
        await caller.inject("call get_time")
        (call,) = calls_in(await caller.until("FunctionCallRequest"))
        await caller.answer(call, "noon")
        await caller.until("AgentAudioDone", 2)
    _, output = house.sent_upstream("conversation.item.create")
    assert output["item"]["type"] == "function_call_output"
    assert (output["item"]["call_id"], output["item"]["output"]) == (call["id"], "noon")


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ({"content": "as it is"}, "as it is"),
        ({"result": {"degrees": 21}}, '{"degrees":21}'),
        ({"result": "plain"}, "plain"),
        ({"error": "broken"}, '{"error":"broken"}'),
        ({}, ""),
    ],
    ids=lambda each: str(each)[:20],
)
async def test_an_answer_may_be_content_error_or_result_fct_4(
    house: House, answer: dict[str, Any], output: str
) -> None:
    async with calling(house.url()) as caller:
        await hello(caller)
        await caller.inject("call get_time")
        (call,) = calls_in(await caller.until("FunctionCallRequest"))
        message = {"type": "FunctionCallResponse", "id": call["id"], "name": "get_time"}
        await caller.send(message | answer)
        await caller.until("AgentAudioDone", 2)
    assert house.sent_upstream("conversation.item.create")[1]["item"]["output"] == output


@BOTH
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
async def test_parallel_calls_are_asked_one_by_one_and_answered_together_fct_2_def_5(
    house: House, dialect: str, *, backwards: bool
) -> None:
    async with calling(house.url(dialect)) as caller:
        await hello(caller)
        await caller.inject('get_weather {"city": "Rome"} and get_weather {"city": "Oslo"}')
        asked = await caller.until("FunctionCallRequest", 2)
        assert [len(one["functions"]) for one in of_type(asked, "FunctionCallRequest")] == [1, 1]
        calls = calls_in(asked)
        cities = [json.loads(call["arguments"])["city"] for call in calls]
        assert cities == ["Rome", "Oslo"]
        for call in reversed(calls) if backwards else calls:
            await caller.answer(call, f"sun in {json.loads(call['arguments'])['city']}")
        await caller.until("AgentAudioDone", 2)
    said = [name for name in names(caller.heard) if name.startswith("assistant")]
    answers = [f"get_weather returned sun in {city}." for city in cities]
    assert said == ["assistant: " + " ".join(reversed(answers) if backwards else answers)]
    assert names(caller.heard).count("AgentAudioDone") == 2
    # One create for the question, one for both outputs.
    assert len(house.sent_upstream("response.create")) == 2


@BOTH
async def test_calls_of_two_functions_in_two_turns(house: House, dialect: str) -> None:
    async with calling(house.url(dialect)) as caller:
        await hello(caller)
        for name in ("get_time", "get_weather"):
            await caller.inject(f"call {name}")
            (call,) = calls_in(await caller.until("FunctionCallRequest"))
            assert call["name"] == name
            await caller.answer(call, "fine")
            heard = await caller.until("AgentAudioDone", 2)
            assert f"assistant: {name} returned fine." in names(heard)


async def test_calls_and_answers_are_in_the_history_of_the_agent_dialect(house: House) -> None:
    async with calling(house.url("agent")) as caller:
        await hello(caller)
        await caller.inject("call get_time")
        (call,) = calls_in(await caller.until("FunctionCallRequest"))
        await caller.answer(call, "noon")
        await caller.until("AgentAudioDone", 2)
    reported = [one["function_calls"] for one in caller.history if "function_calls" in one]
    expected = {key: call[key] for key in ("id", "name", "client_side", "arguments")}
    assert reported == [[expected | {"response": "noon"}]]


@BOTH
async def test_an_answer_to_a_call_nobody_made_is_an_error_and_the_session_goes_on_def_29(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await hello(caller)
        await caller.answer({"id": "call_unknown", "name": "get_time"}, "noon")
        assert of_type(await caller.until("Error"), "Error")[0]["code"] == "UNKNOWN_FUNCTION_CALL"
        assert 'assistant: You said "hello".' in names(await caller.ask("hello"))
    assert len(house.sent_upstream("conversation.item.create")) == 1


@BOTH
async def test_a_call_nobody_answers_does_not_keep_the_agent_busy_for_ever_fct_7(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(settings={"openai.function_call_timeout": 0.3})
    async with calling(house.url(dialect)) as caller:
        await hello(caller)
        await caller.inject("call get_time")
        (call,) = calls_in(await caller.until("FunctionCallRequest"))
        assert names(await caller.until("AgentAudioDone")) == DONE[dialect]
        assert 'assistant: You said "hello".' in names(await caller.ask("hello"))
        await caller.answer(call, "late")
        assert "assistant: get_time returned late." in names(await caller.until("AgentAudioDone"))


async def test_the_user_may_speak_before_a_call_is_answered(house: House) -> None:
    async with calling(house.url("agent")) as caller:
        await hello(caller)
        await caller.inject("call get_time")
        (call,) = calls_in(await caller.until("FunctionCallRequest"))
        await caller.send(*in_frames(speech()))
        await caller.until("AgentAudioDone")
        await caller.answer(call, "noon")
        while "assistant: get_time returned noon." not in names(caller.heard):
            await caller.until("AgentAudioDone")
    assert "assistant: I heard 2.7 s of speech." in names(caller.heard)
