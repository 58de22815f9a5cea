"""The API's ranges, lengths and conditions, each refused with its code and parameter."""

from __future__ import annotations

from typing import Any

import pytest
from test_simulator_validation import item, listening, update

from voiceproxy_simulator import limits
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.validation import client_events

VAD = {"type": "server_vad"}
PNG = "data:image/png;base64,AAAA"


def text(words: str = "hello") -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def response(**fields: Any) -> dict[str, Any]:
    return {"type": "response.create", "response": fields}


def call(**fields: Any) -> dict[str, Any]:
    made = {"type": "function_call", "name": "a", "arguments": "{}", **fields}
    return {"type": "conversation.item.create", "item": made}


ACCEPTED = [
    listening(turn_detection=VAD | {"idle_timeout_ms": 5000, "threshold": 0}),
    listening(turn_detection=VAD | {"idle_timeout_ms": 30000, "threshold": 1}),
    update(max_output_tokens="inf", output_modalities=["text"]),
    update(max_output_tokens=4096, audio={"output": {"speed": 0.25}}),
    item(id="i" * 32, role="user", content=[text()]),
    item(role="user", content=[{"type": "input_image", "image_url": PNG}]),
    call(call_id="call_1-A"),
    response(metadata={str(number): "x" * 512 for number in range(16)}),
    response(input=[{"type": "item_reference", "id": "x"}]),
    {"type": "response.create", "event_id": "e" * 512},
]

REFUSED = [
    (listening(turn_detection=VAD | {"idle_timeout_ms": 1}), "invalid_value", "idle_timeout_ms"),
    (
        listening(turn_detection=VAD | {"idle_timeout_ms": 30001}),
        "invalid_value",
        "idle_timeout_ms",
    ),
    (listening(turn_detection=VAD | {"threshold": 1.1}), "invalid_value", "threshold"),
    (listening(turn_detection=VAD | {"threshold": -0.1}), "invalid_value", "threshold"),
    (
        listening(turn_detection=VAD | {"prefix_padding_ms": -1}),
        "invalid_value",
        "prefix_padding_ms",
    ),
    (
        listening(turn_detection=VAD | {"silence_duration_ms": -1}),
        "invalid_value",
        "silence_duration_ms",
    ),
    (update(audio={"output": {"speed": 0.2}}), "invalid_value", "speed"),
    (update(audio={"output": {"speed": 1.6}}), "invalid_value", "speed"),
    (update(max_output_tokens=0), "invalid_value", "max_output_tokens"),
    (update(max_output_tokens=4097), "invalid_value", "max_output_tokens"),
    (update(output_modalities=["audio", "text"]), "invalid_value", "output_modalities"),
    (update(output_modalities=[]), "invalid_value", "output_modalities"),
    (update(tools=[{"type": "function"}]), "missing_required_parameter", "tools[0].name"),
    (
        update(truncation={"type": "retention_ratio", "retention_ratio": 2}),
        "invalid_value",
        "retention_ratio",
    ),
    (response(output_modalities=["audio", "text"]), "invalid_value", "output_modalities"),
    (response(max_output_tokens=5000), "invalid_value", "max_output_tokens"),
    (response(metadata={str(number): "" for number in range(17)}), "invalid_value", "metadata"),
    (response(metadata={"k" * 65: ""}), "string_above_max_length", "k" * 64),
    (response(metadata={"k": "v" * 513}), "string_above_max_length", "metadata.k"),
    (
        response(input=[{"type": "message", "role": "user", "content": [{"type": "input_text"}]}]),
        "missing_required_parameter",
        "response.input[0].content[0].text",
    ),
    (item(id="i" * 33, role="user", content=[]), "string_above_max_length", "item.id"),
    (item(role="user", content=[{"text": "x"}]), "missing_required_parameter", "content[0].type"),
    (
        item(role="user", content=[text(), {"type": "input_audio"}]),
        "missing_required_parameter",
        "item.content[1].audio",
    ),
    (
        item(role="user", content=[{"type": "input_image", "image_url": "https://x/y.png"}]),
        "invalid_value",
        "image_url",
    ),
    (call(call_id="c" * 33), "string_above_max_length", "item.call_id"),
    (call(call_id="no spaces"), "invalid_value", "item.call_id"),
    ({"type": "response.create", "event_id": "e" * 513}, "string_above_max_length", "event_id"),
    (
        {
            "type": "conversation.item.truncate",
            "item_id": "i",
            "content_index": 0,
            "audio_end_ms": -1,
        },
        "invalid_value",
        "audio_end_ms",
    ),
]


@pytest.mark.parametrize("event", ACCEPTED)
def test_an_event_at_the_limit_is_accepted(event: dict[str, Any]) -> None:
    client_events().check(event)
    limits.check(event)


@pytest.mark.parametrize(("event", "code", "param"), REFUSED)
def test_an_event_beyond_a_limit_is_refused(event: dict[str, Any], code: str, param: str) -> None:
    client_events().check(event)
    with pytest.raises(Refusal) as caught:
        limits.check(event)
    assert caught.value.code == code
    assert str(caught.value.param).endswith(param)
