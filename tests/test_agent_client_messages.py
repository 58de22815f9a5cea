"""voiceproxy/agent/client_messages.py: everything a client may send beside Settings."""

from __future__ import annotations

import pytest

from voiceproxy.agent import CLIENT_MESSAGES, problems

MISSING = "Missing data for required field."
STRING = "Must be a string."


def test_the_messages_every_backend_serves_are_listed_first_and_in_order_msg_1():
    assert list(CLIENT_MESSAGES)[:4] == [
        "Settings",
        "InjectUserMessage",
        "FunctionCallResponse",
        "KeepAlive",
    ]


def test_the_table_of_messages_cannot_be_changed():
    with pytest.raises(TypeError):
        CLIENT_MESSAGES["Settings"] = None


@pytest.mark.parametrize(
    "message",
    [
        {"type": "InjectUserMessage", "content": "hello"},
        {"type": "InjectUserMessage", "content": ""},
        {"type": "InjectAgentMessage", "message": "hello"},
        {"type": "InjectAgentMessage", "content": "hello"},
        {"type": "InjectAgentMessage", "message": "hello", "behavior": "interrupt"},
        {"type": "InjectAgentMessage", "message": None, "content": "hello", "behavior": None},
        {"type": "InjectAgentMessage", "is_dynamic": True},
        {"type": "FunctionCallResponse", "id": "c1", "name": "book", "content": "{}"},
        {"type": "UpdatePrompt", "prompt": "Be brief."},
        {"type": "UpdateSpeak", "speak": {"provider": {"type": "deepgram", "model": "aura"}}},
        {"type": "UpdateSpeak", "speak": [{}, {}]},
        {"type": "UpdateSpeak", "model": "aura-asteria-en"},
        {"type": "UpdateThink", "think": {"prompt": "Be brief.", "functions": []}},
        {"type": "UpdateThink_Live", "think_live": {"provider": {"type": "deepgram"}}},
        {"type": "UpdateListen", "listen": {"provider": {"model": "flux-general-en"}}},
        {"type": "ForceEndTurn"},
        {"type": "KeepAlive"},
        {"type": "KeepAlive", "at": 12},
        {"type": "__customToThinkProvider", "content": None},
        {"type": "__customToThinkProvider", "content": {"any": ["json"]}},
    ],
)
def test_what_clients_send_is_valid(message):
    assert problems(message) == []


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"content": None},
        {"error": "no such seat"},
        {"error": {"code": 3}},
        {"result": {"seats": [1, 2]}},
        {"result": None, "error": None, "content": "ok"},
        {"result": 0},
    ],
)
def test_a_function_result_comes_as_content_error_or_result_fct_4(result):
    assert problems({"type": "FunctionCallResponse", "id": "c1", **result}) == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "InjectUserMessage"}, [f"content: {MISSING}"]),
        ({"type": "InjectUserMessage", "content": None}, ["content: Field may not be null."]),
        ({"type": "InjectUserMessage", "content": ["hi"]}, [f"content: {STRING}"]),
        ({"type": "InjectAgentMessage"}, [f"message: {MISSING}"]),
        ({"type": "InjectAgentMessage", "is_dynamic": False}, [f"message: {MISSING}"]),
        ({"type": "InjectAgentMessage", "content": 5}, [f"content: {STRING}"]),
        (
            {"type": "InjectAgentMessage", "message": "a", "behavior": "shout"},
            ["behavior: Must be one of: default, queue, interrupt."],
        ),
        ({"type": "FunctionCallResponse", "content": "{}"}, [f"id: {MISSING}"]),
        (
            {"type": "FunctionCallResponse", "id": 1, "name": 2, "content": {}},
            [f"content: {STRING}", f"id: {STRING}", f"name: {STRING}"],
        ),
        ({"type": "InjectAgentMessage", "message": 5}, [f"message: {STRING}"]),
        (
            {"type": "InjectAgentMessage", "message": "a", "is_dynamic": 1},
            ["is_dynamic: Must be true or false."],
        ),
        ({"type": "UpdatePrompt"}, [f"prompt: {MISSING}"]),
        ({"type": "UpdatePrompt", "prompt": ["a"]}, [f"prompt: {STRING}"]),
        (
            {"type": "UpdateSpeak", "speak": "aura", "model": 5},
            [f"model: {STRING}", "speak: Must be an object or an array of objects."],
        ),
        ({"type": "UpdateSpeak"}, [f"speak: {MISSING}"]),
        ({"type": "UpdateSpeak", "speak": None}, [f"speak: {MISSING}"]),
        ({"type": "UpdateThink"}, [f"think: {MISSING}"]),
        (
            {"type": "UpdateThink", "think": [{"functions": [{}]}]},
            [f"think[0].functions[0].name: {MISSING}"],
        ),
        ({"type": "UpdateThink_Live"}, [f"think_live: {MISSING}"]),
        ({"type": "UpdateThink_Live", "think_live": 1}, ["think_live: Must be an object."]),
        ({"type": "UpdateListen"}, [f"listen: {MISSING}"]),
        (
            {"type": "UpdateListen", "listen": {"provider": 1}},
            ["listen.provider: Must be an object."],
        ),
        ({"type": "__customToThinkProvider"}, [f"content: {MISSING}"]),
    ],
)
def test_what_is_wrong_in_a_message_is_named(message, expected):
    assert problems(message) == expected
