"""What the API refuses for its shape, with the code and the parameter it names."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.validation import client_events

TURN_DETECTION = "session.audio.input.turn_detection"


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def listening(**settings: Any) -> dict[str, Any]:
    return update(audio={"input": settings})


def item(**fields: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": {"type": "message", **fields}}


ACCEPTED = [
    update(),
    update(instructions="", tools=[], max_output_tokens="inf", tool_choice="auto", tracing=None),
    update(max_output_tokens=100, tool_choice={"type": "function", "name": "a"}),
    update(tools=[{"type": "function", "name": "a", "parameters": {"any": {"depth": [1]}}}]),
    update(truncation={"type": "retention_ratio", "retention_ratio": 1}),
    update(prompt={"id": "p", "variables": {"name": "Ada"}}),
    update(audio={"output": {"voice": {"id": "voice_1"}, "speed": 1}}),
    update(audio={"output": {"voice": "marin", "format": {"type": "audio/pcmu"}}}),
    update(model="gpt-realtime-of-next-year"),
    listening(turn_detection=None, transcription=None, noise_reduction=None),
    listening(turn_detection={"type": "server_vad", "idle_timeout_ms": None, "threshold": 0.4}),
    listening(format={"type": "audio/pcm", "rate": 24000}),
    {"type": "session.update", "session": {"type": "transcription"}},
    item(role="user", content=[{"type": "input_text", "text": "hello"}]),
    item(role="assistant", content=[{"type": "output_text", "text": "hello"}]),
    item(role="system", content=[{"type": "input_text", "text": "hello"}]) | {"event_id": "e"},
    item(role="user", content=[]) | {"previous_item_id": None},
    {"type": "response.create"},
    {"type": "response.create", "response": {"conversation": "none", "metadata": {"a": "b"}}},
    {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "i"}]}},
    {"type": "response.cancel", "response_id": "r"},
    {"type": "input_audio_buffer.append", "audio": ""},
]


@pytest.mark.parametrize("event", ACCEPTED)
def test_a_sound_event_is_accepted(event: dict[str, Any]) -> None:
    client_events().check(event)


REFUSED = [
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
    ({"type": "session.update", "session": {"type": "x"}}, "invalid_value", "session.type"),
    ({"type": "session.update", "session": []}, "invalid_type", "session"),
    (update(voice="alloy"), "unknown_parameter", "session.voice"),
    (update(temperature=0.8), "unknown_parameter", "session.temperature"),
    (
        update(tools=[{"type": "function", "name": "a"}] * 2 + [{"type": "function", "meta": 1}]),
        "unknown_parameter",
        "session.tools[2].meta",
    ),
    (update(tools=[{"name": "a"}]), "missing_required_parameter", "session.tools[0].type"),
    (update(tools={}), "invalid_type", "session.tools"),
    (update(instructions=None), "invalid_type", "session.instructions"),
    (update(max_output_tokens="many"), "invalid_value", "session.max_output_tokens"),
    (update(max_output_tokens=1.5), "invalid_type", "session.max_output_tokens"),
    (update(max_output_tokens=True), "invalid_type", "session.max_output_tokens"),
    (update(output_modalities=["video"]), "invalid_value", "session.output_modalities[0]"),
    (update(tool_choice="maybe"), "invalid_value", "session.tool_choice"),
    (update(audio={"output": {"voice": "bob"}}), "invalid_value", "session.audio.output.voice"),
    (update(audio={"output": {"voice": 7}}), "invalid_type", "session.audio.output.voice"),
    (
        listening(format={"type": "audio/pcm", "rate": 16000}),
        "invalid_value",
        "session.audio.input.format.rate",
    ),
    (
        listening(format={"rate": 24000}),
        "missing_required_parameter",
        "session.audio.input.format.type",
    ),
    (
        listening(turn_detection={"create_response": True}),
        "missing_required_parameter",
        f"{TURN_DETECTION}.type",
    ),
    (
        listening(turn_detection={"type": "server_vad", "create_response": None}),
        "invalid_type",
        f"{TURN_DETECTION}.create_response",
    ),
    (
        listening(turn_detection={"type": "semantic_vad", "idle_timeout_ms": 6000}),
        "unknown_parameter",
        f"{TURN_DETECTION}.idle_timeout_ms",
    ),
    (
        item(role="assistant", content=[{"type": "input_text", "text": "hello"}]),
        "invalid_value",
        "item.content[0].type",
    ),
    (
        item(role="user", content=[{"type": "output_text", "text": "hello"}]),
        "invalid_value",
        "item.content[0].type",
    ),
    (
        item(role="assistant", content=[{"type": "text", "text": "hello"}]),
        "invalid_value",
        "item.content[0].type",
    ),
    (item(role="tool", content=[]), "invalid_value", "item.role"),
    (item(content=[]), "missing_required_parameter", "item.role"),
    (item(role="user"), "missing_required_parameter", "item.content"),
    (item(role="user", content="hello"), "invalid_type", "item.content"),
    (
        {"type": "conversation.item.create", "item": {"type": "function_call_output"}},
        "missing_required_parameter",
        "item.call_id",
    ),
    (
        {"type": "response.create", "response": {"metadata": {"a": 1}}},
        "invalid_type",
        "response.metadata.a",
    ),
    (
        {"type": "response.create", "response": {"conversation": "other"}},
        "invalid_value",
        "response.conversation",
    ),
    ({"type": "response.create", "response_id": "r"}, "unknown_parameter", "response_id"),
    ({"type": "input_audio_buffer.append", "audio": None}, "invalid_type", "audio"),
    ({"type": "nothing.known"}, "invalid_event", "type"),
    ({"type": 5}, "invalid_event", "type"),
    ({}, "invalid_event", "type"),
]


@pytest.mark.parametrize(("event", "code", "param"), REFUSED)
def test_an_unsound_event_is_refused_by_code_and_parameter(
    event: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(Refusal) as caught:
        client_events().check(event)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.error("e")["event_id"] == "e"


def test_what_is_accepted_here_the_packages_own_types_accept_too() -> None:
    adapter = TypeAdapter(RealtimeClientEvent)
    for event in ACCEPTED:
        if "item_reference" not in str(event):
            adapter.validate_python(event)


def test_a_refused_value_is_quoted_in_part_only() -> None:
    with pytest.raises(Refusal) as caught:
        client_events().check(update(tool_choice="x" * 5000))
    assert len(caught.value.message) < 200
