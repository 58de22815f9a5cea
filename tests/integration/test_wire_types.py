"""The checks of both wires notice what they are there to notice."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from wire_types import (
    SERVER_MODELS,
    client_event_problems,
    known,
    product_message_problems,
    server_message_problems,
)

from voiceproxy.agent import ONLY, SERVER_MESSAGES

UPDATE: dict[str, Any] = {
    "type": "session.update",
    "event_id": "session_1",
    "session": {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-transcribe", "language": "en"},
                "turn_detection": {"type": "server_vad", "threshold": 0.5},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
        },
        "tools": [{"type": "function", "name": "f", "parameters": {"any": {"thing": 1}}}],
        "prompt": {"id": "p1", "variables": {"any": "thing"}},
    },
}
MESSAGE: dict[str, Any] = {
    "type": "conversation.item.create",
    "item": {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hello"}],
    },
}
OUTPUT: dict[str, Any] = {
    "type": "conversation.item.create",
    "item": {"type": "function_call_output", "call_id": "c", "output": "{}"},
}
CREATE: dict[str, Any] = {"type": "response.create", "response": {"metadata": {"any": "thing"}}}

WORDS: dict[str, Any] = {"type": "ConversationText", "role": "user", "content": "hello"}
REQUEST: dict[str, Any] = {
    "type": "FunctionCallRequest",
    "functions": [{"id": "c", "name": "f", "arguments": "{}", "client_side": True}],
}


def changed(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value set; digits in the path are places in lists."""
    data = copy.deepcopy(data)
    *parents, name = path.split(".")
    at: Any = data
    for parent in parents:
        at = at[int(parent) if parent.isdigit() else parent]
    at[name] = value
    return data


@pytest.mark.parametrize("event", [UPDATE, MESSAGE, OUTPUT, CREATE], ids=lambda each: each["type"])
def test_a_sound_event_has_no_problems_whatever_its_free_objects_hold(event: Any) -> None:
    assert client_event_problems(event) == []


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (UPDATE, "extra"),
        (UPDATE, "session.voice"),
        (UPDATE, "session.audio.voice"),
        (UPDATE, "session.audio.input.format.channels"),
        (UPDATE, "session.audio.input.turn_detection.eot_threshold"),
        (UPDATE, "session.audio.output.speaker"),
        (UPDATE, "session.tools.0.client_side"),
        (UPDATE, "session.prompt.name"),
        (MESSAGE, "item.name"),
        (MESSAGE, "item.content.0.language"),
        (OUTPUT, "item.name"),
        (CREATE, "response.voice"),
    ],
)
def test_an_unknown_key_of_an_event_is_noticed_at_any_depth(event: Any, path: str) -> None:
    problems = client_event_problems(changed(event, path, "x"))
    assert any(path.rpartition(".")[2] in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("event", "path", "value"),
    [
        (UPDATE, "type", "session.change"),
        (UPDATE, "session.instructions", 5),
        (UPDATE, "session.audio.input.format.rate", "24000"),
        (UPDATE, "session.audio.input.turn_detection.threshold", "0.5"),
        (MESSAGE, "item.role", "client"),
        (MESSAGE, "item.content.0.type", "text"),
        (OUTPUT, "item.output", {"not": "text"}),
        (CREATE, "response.metadata.any", 1),
    ],
)
def test_a_value_of_the_wrong_type_is_not_converted(event: Any, path: str, value: Any) -> None:
    assert client_event_problems(changed(event, path, value))


@pytest.mark.parametrize("message", [WORDS, REQUEST], ids=lambda each: each["type"])
def test_a_sound_message_has_no_problems(message: Any) -> None:
    assert server_message_problems(message, "agent") == []
    assert server_message_problems(message, "component") == []


@pytest.mark.parametrize(
    ("message", "path", "value"),
    [
        (WORDS, "text", "x"),
        (WORDS, "role", "agent"),
        (WORDS, "content", None),
        (WORDS, "type", "ConversationSpeech"),
        (REQUEST, "functions.0.extra", "x"),
        (REQUEST, "functions.0.client_side", "true"),
        (REQUEST, "functions.0.arguments", {}),
    ],
)
def test_a_message_the_sdk_does_not_know_is_noticed(message: Any, path: str, value: Any) -> None:
    assert server_message_problems(changed(message, path, value), "agent")


def test_a_message_in_the_wrong_dialect_is_noticed() -> None:
    done, history = {"type": "AgentDone"}, {"type": "History", "role": "user", "content": "x"}
    assert server_message_problems(done, "component") == []
    assert server_message_problems(done, "agent")
    assert server_message_problems(history, "agent") == []
    assert server_message_problems(history, "component")


def test_every_message_but_the_components_own_is_checked_against_the_sdk() -> None:
    own = {name for name in ONLY if ONLY[name] == "component"}
    assert SERVER_MODELS["agent.v1"].keys() == SERVER_MESSAGES.keys() - own


def test_a_message_is_checked_against_the_types_of_its_own_product() -> None:
    flushed = {"type": "Flushed", "sequence_id": 0}
    assert product_message_problems(flushed, "speak.v1") == []
    assert product_message_problems(flushed | {"extra": 1}, "speak.v1")
    assert product_message_problems(flushed, "listen.v1") == ["the SDK has no such message"]


def test_a_message_becomes_the_model_that_takes_it() -> None:
    calls = {"type": "History", "function_calls": []}
    for message in (calls, {"type": "History", "role": "user", "content": "x"}):
        model = known("agent.v1", message)
        assert model is not None
        assert model.model_dump(exclude_none=True) == message
    assert known("agent.v1", {"type": "Mystery"}) is None
