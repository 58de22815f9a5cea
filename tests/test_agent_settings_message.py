"""voiceproxy/agent/settings_message.py: Settings of every kind that clients really send."""

from __future__ import annotations

import pytest
from test_agent_server_messages import broken

from voiceproxy.agent import problems


def settings(**keys):
    return problems({"type": "Settings", **keys})


def agent(**keys):
    return settings(agent=keys)


COMPONENT_SETTINGS = {
    "type": "Settings",
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": 16000},
        "output": {"encoding": "linear16", "sample_rate": 24000},
    },
    "agent": {
        "language": "en",
        "listen": {"provider": {"type": "deepgram", "model": "nova-3"}},
        "think": {
            "provider": {"type": "open_ai", "model": "gpt-4o-mini", "temperature": 0.7},
            "prompt": "You are a helpful voice assistant.",
            "endpoint": {"url": "https://llm.example/v1", "headers": {"authorization": "Bearer k"}},
            "functions": [
                {
                    "name": "get_current_time",
                    "description": "The time in a zone.",
                    "parameters": {
                        "type": "object",
                        "properties": {"timezone": {"type": "string"}},
                    },
                },
                {"name": "reset", "client_side": True},
            ],
            "toolChoice": {"type": "function", "name": "get_current_time"},
            "outputModalities": ["text"],
            "maxOutputTokens": 1024,
            "managedPrompt": {"id": "pmpt_1", "version": "2", "variables": {"city": "Berlin"}},
        },
        "speak": {"provider": {"type": "deepgram", "model": "aura-asteria-en"}},
        "context": {
            "messages": [
                {"type": "History", "role": "user", "content": "My name is Ann."},
                {"type": "History", "role": "assistant", "content": "Hello, Ann."},
            ]
        },
        "idleTimeoutMs": 10000,
        "sessionAudioOutput": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "cedar"},
    },
}


def test_the_components_settings_are_valid():
    assert problems(COMPONENT_SETTINGS) == []


@pytest.mark.parametrize(
    "keys", [{}, {"agent": {}}, {"audio": {}}, {"agent": {"think": {}, "listen": {}, "speak": {}}}]
)
def test_minimal_settings_are_valid_map_16(keys):
    assert settings(**keys) == []


def test_the_id_of_a_stored_agent_is_a_valid_shape():
    assert settings(agent="7c26b8f5-0b65-4f2b-a1d7-1d6b3a2d8a11") == []
    assert settings(agent=" ") == ["agent: Must not be blank."]


def nulled(value):
    """The same settings with every optional field null, one at a time."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("name", "role", "content", "encoding", "sample_rate", "type"):
                yield {**value, key: None}
            if key == "headers":
                continue  # its keys are the client's own, and each needs a string
            yield from ({**value, key: each} for each in nulled(inner))


def test_null_for_an_optional_field_is_the_same_as_absent():
    variants = list(nulled(COMPONENT_SETTINGS))
    assert len(variants) > 25
    assert [problems(each) for each in variants] == [[]] * len(variants)


def extended(value):
    """The same settings with a key nobody knows in every object."""
    if isinstance(value, dict):
        return {"brandNew": [None], **{key: extended(inner) for key, inner in value.items()}}
    return [extended(inner) for inner in value] if isinstance(value, list) else value


def test_unknown_keys_are_tolerated_at_every_depth():
    message = extended(COMPONENT_SETTINGS)
    message["agent"]["think"]["endpoint"]["headers"] = {}
    assert problems(message) == []


@pytest.mark.parametrize(
    "anything", [None, 5, -1, 1e99, "", "auto", True, [], [None], {}, {"id": [[]]}]
)
def test_the_components_extras_are_never_a_problem_map_6_10_11_12_13_14(anything):
    think = dict.fromkeys(
        ("toolChoice", "outputModalities", "maxOutputTokens", "managedPrompt"), anything
    )
    assert agent(think=think, idleTimeoutMs=anything, sessionAudioOutput=anything) == []


def test_think_and_speak_may_be_chains_of_fallbacks():
    think = [{"provider": {"type": "open_ai", "model": "a"}}, {"provider": {"type": "google"}}]
    speak = [{"provider": {"type": "cartesia", "voice": {"mode": "id", "id": "x"}}}, {}]
    assert agent(think=think, speak=speak) == []


def test_history_of_function_calls_is_valid_context():
    call = {
        "id": "c1",
        "name": "book",
        "client_side": True,
        "arguments": "{}",
        "response": "ok",
        "thought_signature": "s",
    }
    messages = [
        {"type": "History", "function_calls": [call]},
        {"function_calls": [{"name": "book"}]},
        {"function_calls": None, "role": "caller", "content": ""},
    ]
    assert agent(context={"messages": messages}) == []


@pytest.mark.parametrize("length", ["max", 1, 4000, 0.5, None])
def test_context_length_is_max_or_a_number(length):
    assert agent(think={"context_length": length}) == []


OBJECT = "Must be an object."
ARRAY = "Must be an array."
STRING = "Must be a string."
BOOLEAN = "Must be true or false."
NUMBER = "Must be a number."
WHOLE = "Must be a whole number."
POSITIVE = "Must be greater than 0."
BLANK = "Must not be blank."
MISSING = "Missing data for required field."
NULL = "Field may not be null."
CHAIN = "Must be an object or an array of objects."
HEADERS = "Must be an object whose values are strings."
LENGTH = 'Must be "max" or a number greater than 0.'
ROLE, CONTENT = "agent.context.messages[0].role", "agent.context.messages[0].content"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"agent": 5}, ["agent: Must be an object or the id of a stored agent."]),
        ({"agent": []}, ["agent: Must be an object or the id of a stored agent."]),
        ({"audio": "linear16"}, [f"audio: {OBJECT}"]),
        ({"audio": {"input": []}}, [f"audio.input: {OBJECT}"]),
        ({"audio": {"output": 24000}}, [f"audio.output: {OBJECT}"]),
        ({"audio": {"output": {"bitrate": "48k"}}}, [f"audio.output.bitrate: {WHOLE}"]),
        ({"audio": {"output": {"container": ""}}}, [f"audio.output.container: {BLANK}"]),
        ({"audio": {"output": {"encoding": " "}}}, [f"audio.output.encoding: {BLANK}"]),
        ({"audio": {"output": {"sample_rate": 0}}}, [f"audio.output.sample_rate: {POSITIVE}"]),
        ({"flags": True}, [f"flags: {OBJECT}"]),
        ({"flags": {"history": "no"}}, [f"flags.history: {BOOLEAN}"]),
        ({"tags": "a"}, [f"tags: {ARRAY}"]),
        ({"tags": {}}, [f"tags: {ARRAY}"]),
        ({"tags": ["a", 1]}, [f"tags[1]: {STRING}"]),
        ({"experimental": 1}, [f"experimental: {BOOLEAN}"]),
        ({"mip_opt_out": "true"}, [f"mip_opt_out: {BOOLEAN}"]),
    ],
)
def test_a_wrong_type_outside_the_agent_is_named(keys, expected):
    assert settings(**keys) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"language": ["en"]}, [f"agent.language: {STRING}"]),
        ({"greeting": 5}, [f"agent.greeting: {STRING}"]),
        ({"listen": []}, [f"agent.listen: {OBJECT}"]),
        ({"listen": {"provider": "d"}}, [f"agent.listen.provider: {OBJECT}"]),
        (
            {"listen": {"provider": {"keyterms": [1], "smart_format": 1, "eot_threshold": "0.7"}}},
            [
                f"agent.listen.provider.eot_threshold: {NUMBER}",
                f"agent.listen.provider.keyterms[0]: {STRING}",
                f"agent.listen.provider.smart_format: {BOOLEAN}",
            ],
        ),
        ({"context": []}, [f"agent.context: {OBJECT}"]),
        ({"context": {"messages": {}}}, [f"agent.context.messages: {ARRAY}"]),
        ({"context": {"messages": [None]}}, [f"agent.context.messages[0]: {NULL}"]),
        ({"context": {"messages": ["hi"]}}, [f"agent.context.messages[0]: {OBJECT}"]),
        ({"context": {"messages": [{}]}}, [f"{CONTENT}: {MISSING}", f"{ROLE}: {MISSING}"]),
        (
            {"context": {"messages": [{"role": None, "content": 1}]}},
            [f"{CONTENT}: {STRING}", f"{ROLE}: {NULL}"],
        ),
        (
            {"context": {"messages": [{"function_calls": {}}]}},
            [f"agent.context.messages[0].function_calls: {ARRAY}"],
        ),
        (
            {"context": {"messages": [{"function_calls": [{"name": "", "response": {}}]}]}},
            [
                f"agent.context.messages[0].function_calls[0].name: {BLANK}",
                f"agent.context.messages[0].function_calls[0].response: {STRING}",
            ],
        ),
        ({"think": "gpt"}, [f"agent.think: {CHAIN}"]),
        ({"think": []}, ["agent.think: Must have at least one item."]),
        ({"think": [{}, None]}, [f"agent.think[1]: {OBJECT}"]),
        ({"think": {"provider": []}}, [f"agent.think.provider: {OBJECT}"]),
        (
            {"think": {"provider": {"model": {}, "temperature": True, "credentials": "k"}}},
            [
                f"agent.think.provider.credentials: {OBJECT}",
                f"agent.think.provider.model: {STRING}",
                f"agent.think.provider.temperature: {NUMBER}",
            ],
        ),
        ({"think": {"endpoint": "http"}}, [f"agent.think.endpoint: {OBJECT}"]),
        ({"think": {"endpoint": {"url": 1}}}, [f"agent.think.endpoint.url: {STRING}"]),
        ({"think": {"endpoint": {"headers": []}}}, [f"agent.think.endpoint.headers: {HEADERS}"]),
        (
            {"think": {"endpoint": {"headers": {"a": None}}}},
            [f"agent.think.endpoint.headers: {HEADERS}"],
        ),
        ({"think": {"prompt": ["a"]}}, [f"agent.think.prompt: {STRING}"]),
        ({"think": {"context_length": "all"}}, [f"agent.think.context_length: {LENGTH}"]),
        ({"think": {"context_length": 0}}, [f"agent.think.context_length: {LENGTH}"]),
        ({"think": {"context_length": True}}, [f"agent.think.context_length: {LENGTH}"]),
        ({"think": {"context_length": []}}, [f"agent.think.context_length: {LENGTH}"]),
        ({"think": {"functions": {}}}, [f"agent.think.functions: {ARRAY}"]),
        ({"think": {"functions": [None]}}, [f"agent.think.functions[0]: {NULL}"]),
        ({"think": {"functions": [[]]}}, [f"agent.think.functions[0]: {OBJECT}"]),
        ({"think": {"functions": [{"name": "\t"}]}}, [f"agent.think.functions[0].name: {BLANK}"]),
        ({"think": {"functions": [{"name": None}]}}, [f"agent.think.functions[0].name: {NULL}"]),
        (
            {"think": {"functions": [{"name": "f", "parameters": [], "endpoint": 1}]}},
            [
                f"agent.think.functions[0].endpoint: {OBJECT}",
                f"agent.think.functions[0].parameters: {OBJECT}",
            ],
        ),
        ({"think_live": {"provider": 1}}, [f"agent.think_live.provider: {OBJECT}"]),
        ({"speak": 1}, [f"agent.speak: {CHAIN}"]),
        ({"speak": {"provider": 1}}, [f"agent.speak.provider: {OBJECT}"]),
        (
            {"speak": [{"provider": {"voice": 1, "speed": "slow"}}]},
            [
                f"agent.speak[0].provider.speed: {NUMBER}",
                "agent.speak[0].provider.voice: Must be an object or a name.",
            ],
        ),
    ],
)
def test_a_wrong_type_inside_the_agent_is_named(keys, expected):
    assert agent(**keys) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [f"encoding: {MISSING}", f"sample_rate: {MISSING}"]),
        ({"encoding": "linear16", "sample_rate": "16000"}, [f"sample_rate: {WHOLE}"]),
        ({"encoding": "linear16", "sample_rate": 16000.5}, [f"sample_rate: {WHOLE}"]),
        ({"encoding": "linear16", "sample_rate": True}, [f"sample_rate: {WHOLE}"]),
        ({"encoding": "linear16", "sample_rate": 0}, [f"sample_rate: {POSITIVE}"]),
        ({"encoding": "linear16", "sample_rate": -8000}, [f"sample_rate: {POSITIVE}"]),
        ({"encoding": "linear16", "sample_rate": None}, [f"sample_rate: {NULL}"]),
        ({"encoding": "", "sample_rate": 8000}, [f"encoding: {BLANK}"]),
        ({"encoding": 16, "sample_rate": 8000}, [f"encoding: {STRING}"]),
        ({"encoding": "mulaw", "sample_rate": 8000}, []),
    ],
)
def test_audio_input_needs_an_encoding_and_a_positive_rate(given, expected):
    assert settings(audio={"input": given}) == [f"audio.input.{line}" for line in expected]


@pytest.mark.parametrize(
    ("keys", "path", "most"),
    [
        ({"think": {"functions": [None] * 1_001}}, "agent.think.functions", 1_000),
        ({"think": [None] * 101}, "agent.think", 100),
        ({"speak": [None] * 101}, "agent.speak", 100),
        ({"context": {"messages": [None] * 10_001}}, "agent.context.messages", 10_000),
    ],
)
def test_an_array_too_long_to_check_without_stopping_others_is_refused_unread(keys, path, most):
    assert agent(**keys) == [f"{path}: Must have at most {most} items."]


def test_a_very_long_conversation_can_be_gone_on_with():
    assert agent(context={"messages": [{"role": "user", "content": "hi"}] * 10_000}) == []


ENDPOINT = {"url": "https://x.example", "method": "post", "headers": {"key": "value"}}
FULL_SETTINGS = {
    "audio": {
        "input": {"encoding": "mulaw", "sample_rate": 8000},
        "output": {"encoding": "mp3", "sample_rate": 24000, "bitrate": 48000, "container": "none"},
    },
    "agent": {
        "language": "en",
        "context": {
            "messages": [
                {"role": "user", "content": "Hi"},
                {
                    "function_calls": [
                        {
                            "id": "c1",
                            "name": "book",
                            "client_side": True,
                            "arguments": "{}",
                            "response": "ok",
                        }
                    ]
                },
            ]
        },
        "listen": {
            "provider": {
                "type": "deepgram",
                "version": "v2",
                "model": "flux-general-en",
                "language": "en",
                "language_hints": ["en"],
                "keyterms": ["voiceproxy"],
                "smart_format": False,
                "eot_threshold": 0.7,
                "eager_eot_threshold": 0.5,
                "eot_timeout_ms": 5000,
            }
        },
        "think": {
            "provider": {
                "type": "aws_bedrock",
                "version": "v1",
                "model": "m",
                "temperature": 0.5,
                "reasoning_mode": "low",
            },
            "endpoint": ENDPOINT,
            "functions": [
                {
                    "name": "book",
                    "description": "Books seats.",
                    "endpoint": ENDPOINT,
                    "defer_until_eot": True,
                }
            ],
            "prompt": "Be brief.",
            "context_length": 4000,
        },
        "speak": [
            {
                "provider": {
                    "type": "cartesia",
                    "version": "v1",
                    "model": "m",
                    "model_id": "sonic-2",
                    "language": "en",
                    "language_code": "en-US",
                    "speed": 1.1,
                },
                "endpoint": ENDPOINT,
            }
        ],
        "greeting": "Hello!",
    },
    "flags": {"history": True},
    "tags": ["a"],
    "experimental": False,
    "mip_opt_out": True,
}
"""Every field a wrong JSON type can be told from a right one."""


def test_full_settings_are_valid():
    assert settings(**FULL_SETTINGS) == []


@pytest.mark.parametrize(
    ("keys", "path"),
    list(broken(FULL_SETTINGS)),
    ids=lambda each: each if isinstance(each, str) else None,
)
def test_a_value_of_another_type_is_named_wherever_it_is(keys, path):
    named = path.removesuffix(".key")  # a header's name is the client's own
    assert [line.partition(":")[0] for line in settings(**keys)] == [named]


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"speak": {"endpoint": 1}}, "agent.speak.endpoint"),
        ({"speak": {"provider": {"credentials": "k"}}}, "agent.speak.provider.credentials"),
        (
            {"context": {"messages": [{"function_calls": [{"id": "c1"}]}]}},
            "agent.context.messages[0].function_calls[0].name",
        ),
    ],
)
def test_credentials_endpoints_and_the_names_of_past_calls_are_checked_too(keys, path):
    assert [line.partition(":")[0] for line in agent(**keys)] == [path]


def test_a_bit_rate_is_positive():
    assert settings(audio={"output": {"bitrate": 0}}) == [f"audio.output.bitrate: {POSITIVE}"]
