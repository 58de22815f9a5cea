"""The shapes against the types of deepgram-sdk, both ways."""

from __future__ import annotations

import inspect
import json
import typing
import warnings

import pytest
from deepgram.agent.v1 import types as sdk
from test_agent_server_messages import EXAMPLES
from test_agent_settings_message import COMPONENT_SETTINGS

from voiceproxy.agent import CLIENT_MESSAGES, ONLY, SERVER_MESSAGES, problems, server_problems

with warnings.catch_warnings():
    # The SDK imports a module that websockets deprecates.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    from deepgram.agent.v1.socket_client import V1SocketClient, V1SocketClientResponse


def models_of(kind):
    """Return the SDK's models of one union, by message type; History has two."""
    for each in typing.get_args(kind):
        if inspect.isclass(each) and issubclass(each, bytes):
            continue
        yield each.model_fields["type"].default, each


SDK_SERVER_MODELS = [*models_of(V1SocketClientResponse)]


def client_models():
    """Return what the SDK's ``send_...`` methods take, by message type."""
    for name, method in inspect.getmembers(V1SocketClient, inspect.isfunction):
        if name.startswith("send_") and name not in ("send_media", "send_raw"):
            annotation = inspect.signature(method).parameters["message"].annotation
            model = next(iter(typing.get_args(annotation)), annotation)
            yield model.model_fields["type"].default, model


SDK_CLIENT_MODELS = [*client_models()]


class Wire:
    """The socket the SDK writes to."""

    def __init__(self):
        self.sent = []

    def send(self, data):
        self.sent.append(json.loads(data))


def test_every_message_of_the_sdk_is_known_and_no_other_but_the_components():
    of_sdk = {kind for kind, _ in SDK_SERVER_MODELS}
    assert SERVER_MESSAGES.keys() - of_sdk == {name for name in ONLY if ONLY[name] == "component"}
    assert of_sdk <= SERVER_MESSAGES.keys()


@pytest.mark.parametrize(("kind", "model"), SDK_SERVER_MODELS)
def test_a_server_shape_has_the_fields_of_the_sdks_type(kind, model):
    shape = SERVER_MESSAGES[kind].fields
    if kind == "History":
        assert model.model_fields.keys() <= shape.keys()
    else:
        assert model.model_fields.keys() == shape.keys()


@pytest.mark.parametrize(("kind", "model"), SDK_SERVER_MODELS)
def test_a_server_shape_requires_what_the_sdks_type_requires(kind, model):
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    shape = SERVER_MESSAGES[kind].fields
    ours = {name for name in shape if shape[name].required} - {"type"}
    # History is required to be one of two shapes; the SDK gives Any a default.
    assert required - {"role", "content", "function_calls"} <= ours
    assert ours - required in (set(), {"content"})


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda each: each["type"])
def test_the_sdk_reads_a_valid_server_message_without_loss(message):
    models = [model for kind, model in SDK_SERVER_MODELS if kind == message["type"]]
    model = next(each for each in models if message.keys() <= each.model_fields.keys())
    read = model.model_validate(message, strict=True)
    assert not read.model_extra
    assert read.model_dump(exclude_unset=True) == message
    written = json.loads(read.model_dump_json(exclude_none=True))
    assert server_problems({"content": None, **written} if "content" in message else written) == []


def test_every_message_the_sdk_sends_is_known():
    assert {kind for kind, _ in SDK_CLIENT_MODELS} <= CLIENT_MESSAGES.keys()
    assert len(SDK_CLIENT_MODELS) > 10


@pytest.mark.parametrize(("kind", "model"), SDK_CLIENT_MODELS)
def test_a_client_shape_requires_no_more_than_the_sdks_type(kind, model):
    shape = CLIENT_MESSAGES[kind].fields
    ours = {name for name in shape if shape[name].required}
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    # An answer without an id cannot be told from another; __custom... content is Any.
    assert ours & optional <= {"id", "content"}
    assert ours <= model.model_fields.keys()


SETTINGS = {
    "minimal": sdk.AgentV1Settings(audio=sdk.AgentV1SettingsAudio(), agent={}),
    "stored agent": sdk.AgentV1Settings(audio=sdk.AgentV1SettingsAudio(), agent="7c26b8f5"),
    "typed": sdk.AgentV1Settings(
        audio=sdk.AgentV1SettingsAudio(
            input=sdk.AgentV1SettingsAudioInput(encoding="linear16", sample_rate=24000),
            output=sdk.AgentV1SettingsAudioOutput(
                encoding="linear16", sample_rate=24000, bitrate=48000, container="none"
            ),
        ),
        agent=sdk.AgentV1SettingsAgent.model_validate(
            {
                "language": "en",
                "listen": {
                    "provider": {
                        "type": "deepgram",
                        "version": "v2",
                        "model": "flux-general-en",
                        "language_hints": ["en", "de"],
                        "eot_threshold": 0.8,
                        "eot_timeout_ms": 5000,
                        "keyterms": ["voiceproxy"],
                    }
                },
                "think": [
                    {
                        "provider": {"type": "open_ai", "model": "gpt-4o", "temperature": 1.0},
                        "prompt": "Be brief.",
                        "context_length": "max",
                        "functions": [
                            {
                                "name": "book",
                                "description": "Books seats.",
                                "parameters": {"type": "object", "properties": {}},
                                "endpoint": {
                                    "url": "https://x.example",
                                    "method": "post",
                                    "headers": {"a": "b"},
                                },
                                "defer_until_eot": True,
                            }
                        ],
                    },
                    {
                        "provider": {
                            "type": "aws_bedrock",
                            "model": "anthropic/claude-3-5-haiku-20240307-v1:0",
                            "credentials": {
                                "type": "iam",
                                "region": "us-east-2",
                                "access_key_id": "i",
                                "secret_access_key": "k",
                            },
                        },
                        "context_length": 4000.0,
                        "endpoint": {"url": "https://y.example", "headers": {"k": "v"}},
                    },
                ],
                "speak": [
                    {"provider": {"type": "deepgram", "model": "aura-2-thalia-en", "speed": 1.0}},
                    {
                        "provider": {
                            "type": "cartesia",
                            "model_id": "sonic-2",
                            "voice": {"mode": "id", "id": "v"},
                        },
                        "endpoint": {"url": "https://z.example", "headers": {}},
                    },
                    {"provider": {"type": "eleven_labs", "model_id": "eleven_turbo_v2_5"}},
                    {"provider": {"type": "open_ai", "model": "tts-1", "voice": "alloy"}},
                ],
                "greeting": "Hello!",
                "context": {
                    "messages": [
                        {"type": "History", "role": "user", "content": "Hi"},
                        {
                            "type": "History",
                            "function_calls": [
                                {
                                    "id": "c1",
                                    "name": "book",
                                    "client_side": True,
                                    "arguments": "{}",
                                    "response": "ok",
                                }
                            ],
                        },
                    ]
                },
            }
        ),
        flags=sdk.AgentV1SettingsFlags(history=False),
        tags=["a"],
        experimental=True,
        mip_opt_out=False,
    ),
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_as_the_sdk_puts_them_on_the_wire_are_valid(settings):
    wire = Wire()
    V1SocketClient(websocket=wire).send_settings(settings)
    assert wire.sent[0]["type"] == "Settings"
    assert problems(wire.sent[0]) == []
    assert problems(json.loads(settings.model_dump_json())) == []


def test_the_component_settings_are_settings_to_the_sdk_too():
    read = sdk.AgentV1Settings.model_validate(COMPONENT_SETTINGS)
    assert read.agent.think.provider.model == "gpt-4o-mini"


@pytest.mark.parametrize(
    "message",
    [
        sdk.AgentV1InjectUserMessage(content="hello"),
        sdk.AgentV1InjectAgentMessage(message="hello", behavior="queue"),
        sdk.AgentV1InjectDynamicAgentMessage(),
        sdk.AgentV1SendFunctionCallResponse(id="c1", name="book", content="ok"),
        sdk.AgentV1UpdatePrompt(prompt="Be brief."),
        sdk.AgentV1UpdateSpeak.model_validate(
            {"speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}}}
        ),
        sdk.AgentV1UpdateThink.model_validate(
            {"think": [{"provider": {"type": "open_ai", "model": "gpt-4o"}}]}
        ),
        sdk.AgentV1UpdateThinkLive.model_validate(
            {"think_live": {"provider": {"type": "deepgram", "version": "v1"}}}
        ),
        sdk.AgentV1UpdateListen.model_validate(
            {"listen": {"provider": {"type": "deepgram", "version": "v1", "model": "nova-3"}}}
        ),
        sdk.AgentV1ForceEndTurn(),
        sdk.AgentV1KeepAlive(),
        sdk.AgentV1CustomToThinkProvider(content={"any": "json"}),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_message_built_with_the_sdk_is_valid(message):
    wire = Wire()
    V1SocketClient(websocket=wire)._send_model(message)
    assert problems(wire.sent[0]) == []
    assert problems(json.loads(message.model_dump_json())) == []
