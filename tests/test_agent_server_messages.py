"""voiceproxy/agent/server_messages.py: the closed shapes of what a client gets."""

from __future__ import annotations

import pytest

from voiceproxy.agent import SERVER_MESSAGES, problems, server_problems

CALL = {"id": "c1", "name": "book", "arguments": '{"seats":2}', "client_side": True}

EXAMPLES = [
    {"type": "Welcome", "request_id": "0af1"},
    {"type": "SettingsApplied"},
    {"type": "ConversationText", "role": "user", "content": "hello"},
    {
        "type": "ConversationText",
        "role": "assistant",
        "content": "",
        "conversational_behavior": "filler",
        "languages": ["en"],
        "languages_hinted": [],
    },
    {"type": "History", "role": "assistant", "content": "hello"},
    {"type": "History", "function_calls": [{**CALL, "response": "ok", "thought_signature": "s"}]},
    {"type": "UserStartedSpeaking"},
    {"type": "AgentThinking", "content": ""},
    {"type": "FunctionCallRequest", "functions": [CALL, {**CALL, "thought_signature": "s"}]},
    {"type": "FunctionCallResponse", "name": "book", "content": "ok"},
    {"type": "FunctionCallResponse", "id": "c1", "name": "book", "content": "ok"},
    {"type": "FunctionCallCancelled", "functions": [{"id": "c1", "name": "book"}]},
    {"type": "AgentStartedSpeaking", "total_latency": 0.9, "tts_latency": 0.25, "ttt_latency": 0},
    {"type": "LatencyReport"},
    {
        "type": "LatencyReport",
        "stt_latency": 0.1,
        "ttt_token_latency": 0.2,
        "ttt_text_latency": 0.3,
        "ttt_tool_latency": 0.4,
        "ttt_thinking_latency": 0.5,
        "tts_latency": 0.6,
        "total_latency": 2,
    },
    {"type": "AgentAudioDone"},
    {"type": "PromptUpdated"},
    {"type": "SpeakUpdated"},
    {"type": "ThinkUpdated"},
    {"type": "ThinkLiveUpdated"},
    {"type": "ListenUpdated"},
    {"type": "InjectionRefused", "message": "The user is speaking."},
    {"type": "FrustrationDetected", "count": 2, "escalated": False},
    {"type": "Warning", "description": "Slow.", "code": "SLOW_THINK_REQUEST"},
    {"type": "Error", "description": "Gone.", "code": "upstream_closed"},
    {"type": "__customFromThinkProvider", "content": None},
    {"type": "__customFromThinkProvider", "content": [1]},
]
"""Messages of Deepgram's own, with every field and with no optional one."""

COMPONENT_EXAMPLES = [
    {"type": "AgentDone"},
    {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0},
    {
        "type": "Transcript",
        "transcript": "hel",
        "is_final": False,
        "speech_final": False,
        "channel": 0,
        "channel_index": [0],
        "start": 0,
        "duration": 0,
        "alternatives": [{"transcript": "hel", "confidence": 1, "words": []}],
    },
    {
        "type": "Transcript",
        "transcript": "hello",
        "is_final": True,
        "speech_final": True,
        "channel": 0,
        "channel_index": [0, 1],
        "start": 0.1,
        "duration": 0.4,
        "alternatives": [
            {
                "transcript": "hello",
                "confidence": 0.98,
                "words": [
                    {
                        "word": "hello",
                        "start": 0.1,
                        "end": 0.5,
                        "confidence": 0.9,
                        "punctuated_word": "Hello.",
                        "speaker": 0,
                    }
                ],
            }
        ],
    },
]
"""Messages only the component dialect has (contract TRN-2, TRN-4, TRN-6)."""


def test_there_is_an_example_of_every_message():
    assert {each["type"] for each in EXAMPLES + COMPONENT_EXAMPLES} == set(SERVER_MESSAGES)


@pytest.mark.parametrize("message", EXAMPLES + COMPONENT_EXAMPLES, ids=lambda each: each["type"])
def test_a_message_as_the_protocol_has_it_is_valid(message):
    assert server_problems(message) == []


@pytest.mark.parametrize("message", EXAMPLES + COMPONENT_EXAMPLES, ids=lambda each: each["type"])
def test_a_key_nobody_knows_is_refused_in_every_message(message):
    assert server_problems({**message, "extra": 1}) == ["extra: Unknown field."]


@pytest.mark.parametrize(
    ("message", "key"),
    [(message, key) for message in EXAMPLES + COMPONENT_EXAMPLES for key in message],
    ids=lambda each: each if isinstance(each, str) else each["type"],
)
def test_null_is_refused_in_every_field(message, key):
    found = server_problems({**message, key: None})
    if message["type"] == "__customFromThinkProvider" and key == "content":
        assert found == []
    else:
        expected = "Must be a string." if key == "type" else "Field may not be null."
        assert found == [f"{key}: {expected}"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "Welcome"}, ["request_id: Missing data for required field."]),
        (
            {"type": "ConversationText", "role": "system", "content": "a"},
            ["role: Must be one of: user, assistant."],
        ),
        (
            {"type": "FunctionCallRequest", "functions": [{**CALL, "arguments": {}}]},
            ["functions[0].arguments: Must be a string."],
        ),
        (
            {"type": "FunctionCallRequest", "functions": [{**CALL, "client_side": "yes", "x": 1}]},
            ["functions[0].client_side: Must be true or false.", "functions[0].x: Unknown field."],
        ),
        (
            {"type": "FunctionCallCancelled", "functions": [CALL]},
            ["functions[0].arguments: Unknown field.", "functions[0].client_side: Unknown field."],
        ),
        (
            {"type": "AgentStartedSpeaking", "total_latency": "0.9"},
            [
                "total_latency: Must be a number.",
                "tts_latency: Missing data for required field.",
                "ttt_latency: Missing data for required field.",
            ],
        ),
        ({"type": "Error", "description": "a"}, ["code: Missing data for required field."]),
        (
            {"type": "UtteranceEnd", "channel": [0.5], "last_word_end": 0},
            ["channel[0]: Must be a whole number."],
        ),
    ],
)
def test_what_is_wrong_in_a_message_is_named(message, expected):
    assert server_problems(message) == expected


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"role": "user"},
        {"content": "a"},
        {"role": "user", "content": "a", "function_calls": []},
        {"content": "a", "function_calls": []},
    ],
)
def test_history_is_of_words_or_of_calls_and_never_of_both(content):
    assert server_problems({"type": "History", **content}) == [
        "Must have either role and content or function_calls."
    ]


def test_a_client_can_hand_back_the_history_it_got():
    history = [each for each in EXAMPLES if each["type"] == "History"]
    assert len(history) == 2
    assert problems({"type": "Settings", "agent": {"context": {"messages": history}}}) == []


def broken(value, path=""):
    """The same JSON with an object where each leaf was, one at a time, and the leaf's path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            steps = broken(inner, f"{path}.{key}".removeprefix("."))
            yield from (({**value, key: each}, where) for each, where in steps)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            steps = broken(inner, f"{path}[{index}]")
            yield from (
                ([*value[:index], each, *value[index + 1 :]], where) for each, where in steps
            )
    else:
        yield {"?": 1}, path


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (message, path)
        for example in EXAMPLES + COMPONENT_EXAMPLES
        for message, path in broken(example)
        if example["type"] != "__customFromThinkProvider"
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_a_value_of_another_type_is_refused_wherever_it_is(message, path):
    assert [line.partition(":")[0] for line in server_problems(message)] == [path]


OPTIONAL = {
    "conversational_behavior",
    "languages",
    "languages_hinted",
    "thought_signature",
    "FunctionCallResponse.id",
    "stt_latency",
    "ttt_token_latency",
    "ttt_text_latency",
    "ttt_tool_latency",
    "ttt_thinking_latency",
    "LatencyReport.tts_latency",
    "LatencyReport.total_latency",
    "words[0].confidence",
    "words[0].punctuated_word",
    "words[0].speaker",
}
"""The ends of the paths, type included, of what a message may go without."""


def shortened(value, path):
    """The same JSON without each key, one at a time, and the key's path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: each for name, each in value.items() if name != key}, f"{path}.{key}"
            steps = shortened(inner, f"{path}.{key}")
            yield from (({**value, key: each}, where) for each, where in steps)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            steps = shortened(inner, f"{path}[{index}]")
            yield from (
                ([*value[:index], each, *value[index + 1 :]], where) for each, where in steps
            )


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (message, path)
        for example in EXAMPLES + COMPONENT_EXAMPLES
        for message, path in shortened(example, example["type"])
        if not (example["type"] == "History" and path.count(".") == 1)
    ],
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_every_field_but_these_is_required(message, path):
    missing = path.partition(".")[2] + ": Missing data for required field."
    optional = any(path.endswith(end) for end in OPTIONAL)
    assert server_problems(message) == ([] if optional else [missing])


@pytest.mark.parametrize(
    ("type_", "key"),
    [
        ("ConversationText", "role"),
        ("ConversationText", "conversational_behavior"),
        ("History", "role"),
    ],
)
def test_a_word_that_is_not_among_the_known_ones_is_refused(type_, key):
    message = {"type": type_, "role": "user", "content": "a", key: "narrator"}
    (line,) = server_problems(message)
    assert line.startswith(f"{key}: Must be one of: ")
