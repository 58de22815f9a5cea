"""What the simulator says to what: the table in ``script`` is checked here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_simulator_events import TOOLS, Checked


def reply_to(rehearsal: Checked, text: str, **response: Any) -> list[dict[str, Any]]:
    events = rehearsal.ask(text, **response)
    (done,) = [event for event in events if event["type"] == "response.done"]
    return list(done["response"]["output"])


def said(output: list[dict[str, Any]]) -> str:
    (message,) = output
    (part,) = message["content"]
    return str(part.get("transcript", part.get("text")))


def calls(output: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(call["name"], json.loads(call["arguments"])) for call in output]


def give(rehearsal: Checked, call: dict[str, Any], result: str) -> None:
    item = {"type": "function_call_output", "call_id": call["call_id"], "output": result}
    rehearsal.client({"type": "conversation.item.create", "item": item})
    rehearsal.advance(0.01)


def go_on(rehearsal: Checked) -> list[dict[str, Any]]:
    rehearsal.events()
    rehearsal.client({"type": "response.create"})
    rehearsal.advance(0)
    (done,) = [event for event in rehearsal.events() if event["type"] == "response.done"]
    return list(done["response"]["output"])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", 'You said "hello".'),
        ("count to 4", "1, 2, 3, 4."),
        ("please Count To 999", ", ".join(map(str, range(1, 201))) + "."),
        ("x" * 500, f'You said "{"x" * 160}…".'),
        ("", "I got something without words."),
        ("get_weather", 'You said "get_weather".'),
    ],
)
def test_text_is_repeated_or_counted(text: str, answer: str) -> None:
    assert said(reply_to(Checked(), text)) == answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("get_weather", [("get_weather", {"city": "Paris"})]),
        ("what does Get Weather say?", [("get_weather", {"city": "Paris"})]),
        ('call get_weather {"city": "Rome"} now', [("get_weather", {"city": "Rome"})]),
        ('get_weather({"city": "Rome"})', [("get_weather", {"city": "Rome"})]),
        ("get_weather {broken", [("get_weather", {"city": "Paris"})]),
        ("get_weather [1]", [("get_weather", {"city": "Paris"})]),
        ("get time", [("get-time", {})]),
        ("get-time, then get_weather", [("get_weather", {"city": "Paris"}), ("get-time", {})]),
        (
            'get_weather {"city": "A"} and get_weather {"city": "B"}',
            [("get_weather", {"city": "A"}), ("get_weather", {"city": "B"})],
        ),
    ],
)
def test_text_that_names_functions_calls_them(text: str, expected: list[Any]) -> None:
    assert calls(reply_to(Checked(session={"tools": TOOLS}), text)) == expected


def test_a_name_inside_another_word_calls_nothing() -> None:
    rehearsal = Checked(session={"tools": TOOLS})
    assert said(reply_to(rehearsal, "forget_weathers")) == 'You said "forget_weathers".'


def test_parallel_tool_calls_false_leaves_one_call() -> None:
    rehearsal = Checked(session={"tools": TOOLS, "parallel_tool_calls": False})
    assert len(reply_to(rehearsal, "get_weather and get_time")) == 1


def test_a_result_is_spoken_with_the_name_of_its_function() -> None:
    rehearsal = Checked(session={"tools": TOOLS})
    (call,) = reply_to(rehearsal, "get_weather")
    give(rehearsal, call, '{"degrees":21}')
    assert said(go_on(rehearsal)) == 'get_weather returned {"degrees":21}.'


def test_results_of_parallel_calls_are_spoken_together_and_once() -> None:
    rehearsal = Checked(session={"tools": TOOLS})
    first, second = reply_to(rehearsal, "get_weather and get_time")
    give(rehearsal, first, "sun")
    give(rehearsal, second, "noon")
    assert said(go_on(rehearsal)) == "get_weather returned sun. get-time returned noon."
    assert said(go_on(rehearsal)) == "This is the simulator."


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", ["get_weather"]),
        ({"type": "function", "name": "get-time"}, ["get-time"]),
    ],
)
def test_a_forced_choice_calls_whatever_was_said_and_again_after_the_result(
    choice: Any, expected: list[str]
) -> None:
    rehearsal = Checked(session={"tools": TOOLS, "tool_choice": choice})
    (call,) = reply_to(rehearsal, "hello")
    give(rehearsal, call, "done")
    assert [call["name"], *(again["name"] for again in go_on(rehearsal))] == expected * 2


def test_no_choice_and_no_tools_call_nothing() -> None:
    rehearsal = Checked(session={"tools": TOOLS, "tool_choice": "none"})
    assert said(reply_to(rehearsal, "get_weather")) == 'You said "get_weather".'
    assert said(reply_to(Checked(), "hello", tool_choice="required")) == 'You said "hello".'


def test_a_forced_function_nobody_defined_calls_nothing() -> None:
    choice = {"type": "function", "name": "unknown"}
    rehearsal = Checked(session={"tools": TOOLS, "tool_choice": choice})
    assert said(reply_to(rehearsal, "hello")) == 'You said "hello".'


def test_tools_of_one_response_replace_those_of_the_session() -> None:
    rehearsal = Checked(session={"tools": TOOLS})
    tools = [{"type": "function", "name": "ring"}]
    assert calls(reply_to(rehearsal, "ring, not get_weather", tools=tools)) == [("ring", {})]


def test_what_was_said_since_the_last_reply_is_answered_together() -> None:
    rehearsal = Checked()
    content = [{"type": "input_text", "text": "first"}]
    item = {"type": "message", "role": "user", "content": content}
    rehearsal.client({"type": "conversation.item.create", "item": item})
    assert said(reply_to(rehearsal, "second")) == 'You said "first". You said "second".'


def test_a_history_that_was_put_back_is_not_answered_again() -> None:
    rehearsal = Checked()
    history = [("user", "input_text", "old question"), ("assistant", "output_text", "old answer")]
    for role, kind, text in history:
        content = [{"type": kind, "text": text}]
        item = {"type": "message", "role": role, "content": content}
        rehearsal.client({"type": "conversation.item.create", "item": item})
    assert said(reply_to(rehearsal, "new question")) == 'You said "new question".'


def test_a_system_message_is_not_answered() -> None:
    rehearsal = Checked()
    content = [{"type": "input_text", "text": "be nice"}]
    item = {"type": "message", "role": "system", "content": content}
    rehearsal.client({"type": "conversation.item.create", "item": item})
    assert said(go_on(rehearsal)) == "This is the simulator."
