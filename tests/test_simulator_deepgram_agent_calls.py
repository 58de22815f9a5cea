"""Function calls of the agent: the client's and the service's, answered, cancelled and too late."""

from __future__ import annotations

import json
from typing import Any

from test_simulator_deepgram_agent_messages import FUNCTIONS, CheckedAgent
from test_simulator_deepgram_agent_turns import ask, inject, texts

from voiceproxy_simulator.deepgram.rehearsal import SETTINGS, settings, types
from voiceproxy_simulator.deepgram.scenario import Message
from voiceproxy_simulator.testing import silence, tone
from voiceproxy_simulator.wire import Frame

WITH_FUNCTIONS = settings(functions=FUNCTIONS)
BOTH = "call get_weather and get_time"


def answer(call_id: str | None, content: str = "sunny") -> Message:
    message = {"type": "FunctionCallResponse", "name": "get_weather", "content": content}
    return message | ({} if call_id is None else {"id": call_id})


def only(kind: str, frames: list[Frame]) -> list[Message]:
    return [one for one in frames if isinstance(one, dict) and one["type"] == kind]


def functions(frames: list[Frame]) -> list[dict[str, Any]]:
    """Every call that was asked for."""
    return [one for request in only("FunctionCallRequest", frames) for one in request["functions"]]


def test_a_call_of_the_client_is_asked_for_and_the_turn_waits() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    frames = rehearsal.ask('call get_weather {"city": "Rome"}', 11)
    assert types(frames)[-2:] == ["AgentThinking", "FunctionCallRequest"]
    assert functions(frames) == [
        {"id": "call_1", "name": "get_weather", "arguments": '{"city":"Rome"}', "client_side": True}
    ]


def test_the_answer_goes_into_the_history_and_is_spoken_about() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    (call,) = functions(rehearsal.ask("get weather"))
    rehearsal.client(answer(call["id"]))
    rehearsal.advance(1)
    frames = rehearsal.frames()
    assert only("History", frames)[0]["function_calls"] == [{**call, "response": "sunny"}]
    assert types(frames)[0] == "History"
    assert texts(frames) == ["get_weather returned sunny."]
    assert types(frames)[-1] == "AgentAudioDone"
    assert rehearsal.violations == []


def test_calls_are_not_in_the_history_when_there_is_none() -> None:
    rehearsal = CheckedAgent({**WITH_FUNCTIONS, "flags": {"history": False}})
    rehearsal.ask("get weather")
    rehearsal.client(answer("call_1"))
    rehearsal.advance(1)
    assert rehearsal.types()[0] == "LatencyReport"


def test_a_function_with_an_endpoint_is_called_by_the_service_which_shows_the_response() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    frames = rehearsal.ask("get time")
    (call,) = functions(frames)
    assert call["client_side"] is False
    (response,) = only("FunctionCallResponse", frames)
    assert (response["id"], response["name"]) == (call["id"], "get_time")
    assert json.loads(response["content"]) == {"called": "get_time"}
    assert texts(frames) == ['get_time returned {"called":"get_time"}.']


def test_calls_of_both_kinds_are_asked_for_together_and_all_awaited() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    frames = rehearsal.ask(BOTH)
    assert [one["client_side"] for one in functions(frames)] == [True, False]
    assert types(frames)[-1] == "FunctionCallResponse"
    rehearsal.client(answer("call_1"))
    rehearsal.advance(1)
    frames = rehearsal.frames()
    (history,) = [one for one in only("History", frames) if "function_calls" in one]
    assert [one["response"] for one in history["function_calls"]] == [
        "sunny",
        '{"called":"get_time"}',
    ]
    assert types(frames)[-1] == "AgentAudioDone"


def test_an_answer_before_the_service_has_its_own_does_not_end_the_waiting() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    rehearsal.client(ask(BOTH))
    rehearsal.advance(0.01)
    rehearsal.client(answer("call_1"))
    assert "History" not in rehearsal.types()[3:]
    rehearsal.advance(1)
    assert "AgentAudioDone" in rehearsal.types()


def test_answers_may_come_in_any_order_and_twice_is_a_violation() -> None:
    rehearsal = CheckedAgent(settings(functions=[FUNCTIONS[0]]))
    rehearsal.ask('get_weather {"city": "Rome"} and get_weather {"city": "Oslo"}')
    rehearsal.client(answer("call_2", "snow"))
    rehearsal.client(answer("call_2", "snow"))
    assert [one.rule for one in rehearsal.violations] == ["unmatched-function-response"]
    rehearsal.client(answer("call_1"))
    rehearsal.advance(1)
    assert texts(rehearsal.frames()) == [
        "get_weather returned sunny.",
        "get_weather returned snow.",
    ]


def test_an_answer_without_an_id_or_to_no_call_has_no_effect_and_is_a_violation() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    rehearsal.client(answer("call_1"))
    rehearsal.ask("get weather")
    rehearsal.client(answer(None), answer("call_9"))
    rehearsal.advance(1)
    assert rehearsal.frames() == []
    assert [(one.rule, one.event_type) for one in rehearsal.violations] == [
        ("unmatched-function-response", "FunctionCallResponse")
    ] * 3


def test_speaking_cancels_open_calls_of_the_client_and_their_answers_are_dropped() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    rehearsal.client(ask(BOTH))
    rehearsal.advance(0.015)
    rehearsal.frames()
    rehearsal.speak(tone(0.3))
    cancelled = [{"id": "call_1", "name": "get_weather"}]
    assert rehearsal.frames() == [
        {"type": "UserStartedSpeaking"},
        {"type": "FunctionCallCancelled", "functions": cancelled},
    ]
    rehearsal.client(answer("call_1"))
    rehearsal.advance(1)
    assert rehearsal.frames() == []
    assert rehearsal.violations == []
    rehearsal.speak(silence(0.5))
    rehearsal.advance(1)
    assert texts(rehearsal.frames()) == ["I heard 0.3 s of speech."]


def test_nothing_is_cancelled_that_only_the_service_calls() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    rehearsal.client(ask("get time"))
    rehearsal.advance(0.01)
    rehearsal.frames()
    rehearsal.speak(tone(0.3))
    rehearsal.advance(1)
    assert rehearsal.types() == ["UserStartedSpeaking"]


def test_a_text_of_the_user_cancels_open_calls_too() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    rehearsal.ask("get weather")
    frames = rehearsal.ask("never mind")
    assert types(frames)[:2] == ["FunctionCallCancelled", "ConversationText"]
    assert texts(frames) == ['You said "never mind".']


def test_an_open_call_is_a_turn_of_the_agent_to_an_injection() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    rehearsal.ask("get weather")
    rehearsal.client(inject("Hi."))
    assert rehearsal.types() == ["InjectionRefused"]
    rehearsal.client(inject("Hi.", "interrupt"))
    assert rehearsal.types()[0] == "FunctionCallCancelled"


def test_functions_are_those_of_the_last_update() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS)
    think = {**SETTINGS["agent"]["think"], "functions": [{"name": "get_news"}]}
    rehearsal.client({"type": "UpdateThink", "think": think})
    assert functions(rehearsal.ask("get weather")) == []
    (call,) = functions(rehearsal.ask("get news"))
    assert (call["name"], call["client_side"], call["arguments"]) == ("get_news", True, "{}")
