"""What the Voice Agent side sends and takes is held to the real deepgram-sdk's own types."""

from __future__ import annotations

import types
import typing
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
import pytest
from deepgram.agent.v1 import types as agent_types
from pydantic import BaseModel, TypeAdapter, ValidationError

from voiceproxy_simulator.deepgram.agent_errors import Fault
from voiceproxy_simulator.deepgram.agent_messages import CLIENT_MESSAGES, check, read
from voiceproxy_simulator.deepgram.rehearsal import SETTINGS, AgentRehearsal, settings
from voiceproxy_simulator.deepgram.scenario import Message
from voiceproxy_simulator.deepgram.scenarios import DEEPGRAM_SCENARIOS
from voiceproxy_simulator.testing import silence, tone
from voiceproxy_simulator.wire import Frame

with warnings.catch_warnings():
    # The SDK imports a module that websockets deprecates.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    from deepgram.agent.v1.socket_client import V1SocketClientResponse

OTHER_FRAMES = {"unknown-messages", "junk"}
"""Scenarios whose frames are not the service's own, on purpose."""

FUNCTIONS = [
    {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    {"name": "get_time", "endpoint": {"url": "https://example.org/time", "method": "post"}},
]


# What it sends


@cache
def server_messages() -> dict[str, list[TypeAdapter[Any]]]:
    """The SDK's models of what a server sends, by type."""
    found: dict[str, list[TypeAdapter[Any]]] = {}
    for model in typing.get_args(V1SocketClientResponse):
        if issubclass(model, BaseModel):
            found.setdefault(model.model_fields["type"].default, []).append(TypeAdapter(model))
    return found


def fits(message: Message, adapter: TypeAdapter[Any]) -> bool:
    try:
        return not has_extra(adapter.validate_python(message))
    except ValidationError:
        return False


def has_extra(value: Any) -> bool:
    """Whether a model at any depth holds a key its type does not name."""
    if isinstance(value, BaseModel):
        return bool(value.model_extra) or any(has_extra(one) for _, one in value)
    return isinstance(value, list) and any(has_extra(one) for one in value)


def assert_real(frame: Frame) -> None:
    """The frame is audio, or a message of the API with no key its type does not have."""
    if not isinstance(frame, bytes):
        assert isinstance(frame, dict)
        assert any(fits(frame, one) for one in server_messages()[frame["type"]]), frame


class CheckedAgent(AgentRehearsal):
    """A rehearsal that looks at every frame it hands out."""

    def __init__(self, first: Message | None = SETTINGS, **options: Any) -> None:
        self.checks = options.get("scenario") not in OTHER_FRAMES
        super().__init__(first, **options)

    def frames(self) -> list[Frame]:
        frames = super().frames()
        for frame in frames if self.checks else ():
            assert_real(frame)
        return frames


def everything(scenario: str | None) -> Iterator[Frame]:
    """All a session with every kind of turn sends."""
    first = settings(greeting="Hello. How are you?", functions=FUNCTIONS)
    rehearsal = CheckedAgent(None, scenario=scenario)
    rehearsal.client({**first, "experimental": True})
    rehearsal.advance(1)
    yield from rehearsal.ask("count to 3")
    yield from rehearsal.ask("call get_weather and get_time")
    answer = {"type": "FunctionCallResponse", "name": "get_weather", "content": "sunny"}
    for number in range(1, 5):
        rehearsal.client({**answer, "id": f"call_{number}"})
    rehearsal.speak(tone(0.5) + silence(0.5))
    rehearsal.advance(1)
    for kind in ("UpdateThink", "UpdateSpeak", "UpdateListen"):
        name = kind.removeprefix("Update").lower()
        rehearsal.client({"type": kind, name: SETTINGS["agent"][name]})
    rehearsal.client({"type": "UpdatePrompt", "prompt": "p" * 30_000}, {"type": "ForceEndTurn"})
    rehearsal.client({"type": "__customToThinkProvider", "content": {"any": ["thing"]}})
    for behavior in ("default", "default", "queue", "interrupt"):
        rehearsal.client({"type": "InjectAgentMessage", "message": "Hi.", "behavior": behavior})
    rehearsal.advance(1)
    rehearsal.client(SETTINGS, "nonsense")
    yield from rehearsal.frames()


@pytest.mark.parametrize("scenario", [None, *DEEPGRAM_SCENARIOS])
def test_every_message_it_sends_is_one_of_the_sdks_under_every_scenario(
    scenario: str | None,
) -> None:
    frames = list(everything(scenario))
    assert all(isinstance(frame, dict | str | bytes) for frame in frames)


def test_it_sends_nearly_every_message_there_is() -> None:
    sent = {frame["type"] for frame in everything(None) if isinstance(frame, dict)}
    unsent = set(server_messages()) - sent
    assert unsent == {"FunctionCallCancelled", "ThinkLiveUpdated", "FrustrationDetected"}


# What it takes


def examples(kind: Any, depth: int = 0) -> Iterator[Any]:
    """JSON of a type, one for each thing that may stand there."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        yield from examples(inner[0], depth)
    elif origin in {typing.Union, types.UnionType}:
        for one in inner:
            if one not in {type(None), Any}:
                yield from examples(one, depth)
    elif origin is typing.Literal:
        yield from inner
    elif origin is list:
        yield from ([one] for one in examples(inner[0], depth))
    elif origin is dict:
        yield {"key": "value"}
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from objects(kind, depth + 1)
    else:
        yield {str: "text", bool: True, int: 8000, float: 0.5}.get(kind, {"any": ["thing"]})


def objects(model: type[BaseModel], depth: int) -> Iterator[dict[str, Any]]:
    """JSON objects of a model: what is always sent, and everything with every choice in a field."""
    choices = {name: list(examples(f.annotation)) for name, f in model.model_fields.items()}
    full = {name: found[0] for name, found in choices.items()}
    absent = {name for name, one in model.model_fields.items() if one.default is None}
    yield {name: full[name] for name in full if name not in absent}
    for name, found in choices.items():
        yield from ({**full, name: one} for one in found)


CLIENT_MODELS: list[type[BaseModel]] = [
    agent_types.AgentV1Settings,
    agent_types.AgentV1UpdateListen,
    agent_types.AgentV1UpdateThink,
    agent_types.AgentV1UpdateThinkLive,
    agent_types.AgentV1UpdateSpeak,
    agent_types.AgentV1UpdatePrompt,
    agent_types.AgentV1InjectUserMessage,
    agent_types.AgentV1InjectAgentMessage,
    agent_types.AgentV1InjectDynamicAgentMessage,
    agent_types.AgentV1SendFunctionCallResponse,
    agent_types.AgentV1CustomToThinkProvider,
    agent_types.AgentV1KeepAlive,
    agent_types.AgentV1ForceEndTurn,
]


@pytest.mark.parametrize("model", CLIENT_MODELS)
def test_whatever_the_sdk_can_say_is_understood(model: type[BaseModel]) -> None:
    count = 0
    for message in objects(model, 0):
        check(read(orjson.dumps(message)))
        count += 1
    assert count


def test_there_is_a_model_for_every_client_message() -> None:
    assert {model.model_fields["type"].default for model in CLIENT_MODELS} == CLIENT_MESSAGES


STRICT = [
    ({"type": "Settings", "audio": {}, "agent": {}, "extra": 1}, "extra"),
    ({"type": "Settings", "agent": {}}, "audio"),
    ({"type": "Settings", "audio": {}}, "agent"),
    ({"type": "Settings", "audio": {}, "agent": 7}, "agent"),
    ({"type": "Settings", "settings": {"flags": {}}, "audio": {}, "agent": {}}, "settings"),
    ({"type": "Settings", "audio": [], "agent": {}}, "audio"),
    ({"type": "Settings", "audio": {}, "agent": {}, "flags": {"history": 1}}, "flags.history"),
    ({"type": "Settings", "audio": {}, "agent": {}, "tags": "one"}, "tags"),
    ({"type": "Settings", "audio": {}, "agent": {}, "tags": ["one", 2]}, "tags"),
    (settings({"input": {"encoding": "linear16"}}), "audio.input.sample_rate"),
    (settings({"input": {"encoding": "pcm", "sample_rate": 8000}}), "audio.input.encoding"),
    (
        settings({"input": {"encoding": "linear16", "sample_rate": "8000"}}),
        "audio.input.sample_rate",
    ),
    (
        settings({"input": {"encoding": "linear16", "sample_rate": 8000.0}}),
        "audio.input.sample_rate",
    ),
    (settings({"input": {"encoding": "mulaw", "sample_rate": True}}), "audio.input.sample_rate"),
    (
        settings({"input": {"encoding": "mulaw", "sample_rate": 8000, "channels": 1}}),
        "audio.input.channels",
    ),
    (settings({"output": {"container": "mp4"}}), "audio.output.container"),
    (settings(greeting={"text": "hello"}), "agent.greeting"),
    (settings(idleTimeoutMs=10000), "agent.idleTimeoutMs"),
    (settings(think={"provider": {"type": "open_ai"}}), "agent.think.provider.model"),
    (settings(think={"provider": {"model": "gpt-4o"}}), "agent.think.provider.type"),
    (settings(think={"provider": {"type": "mine", "model": "m"}}), "agent.think.provider.type"),
    (settings(think={}), "agent.think.provider"),
    (settings(think=[]), ""),
    (settings(think="gpt"), "agent.think"),
    (
        settings(think={"provider": {"type": "open_ai", "model": "gpt", "endpoint": {}}}),
        "agent.think.provider.endpoint",
    ),
    (
        settings(think=[{"provider": {"type": "open_ai", "model": "gpt"}, "timeout": 3}]),
        "agent.think[0].timeout",
    ),
    (
        settings(
            think={
                "provider": {"type": "open_ai", "model": "gpt-5"},
                "endpoint": {"url": "u", "headers": {"a": 1}},
            }
        ),
        "agent.think.endpoint.headers",
    ),
    (
        settings(
            think={"provider": {"type": "open_ai", "model": "gpt-5"}, "context_length": "min"}
        ),
        "agent.think.context_length",
    ),
    (
        settings(functions=[{"name": "f", "client_side": True}]),
        "agent.think.functions[0].client_side",
    ),
    (settings(functions=[{"name": "f"}, {"name": 1}]), "agent.think.functions[1].name"),
    (settings(functions={"name": "f"}), "agent.think.functions"),
    (settings(functions=[{"name": "f", "parameters": []}]), "agent.think.functions[0].parameters"),
    (settings(speak={"provider": {"type": "deepgram"}}), "agent.speak.provider.model"),
    (
        settings(listen={"provider": {"type": "deepgram", "eot_threshold": 0.7}}),
        "agent.listen.provider.eot_threshold",
    ),
    (
        settings(listen={"provider": {"type": "deepgram", "version": "v3"}}),
        "agent.listen.provider.type",
    ),
    (
        settings(context={"messages": [{"type": "History", "role": "system", "content": ""}]}),
        "agent.context.messages[0].role",
    ),
    (
        settings(context={"messages": [{"function_calls": [{"id": "1"}]}]}),
        "agent.context.messages[0].function_calls[0].name",
    ),
    ({"type": "UpdatePrompt", "prompt": "x", "also": 1}, "also"),
    ({"type": "UpdateSpeak", "model": "aura-2-thalia-en"}, "speak"),
    ({"type": "InjectUserMessage"}, "content"),
    ({"type": "InjectUserMessage", "content": None}, "content"),
    ({"type": "InjectAgentMessage", "content": "the words of older SDKs"}, "message"),
    ({"type": "InjectAgentMessage", "message": "x", "behavior": "shout"}, "behavior"),
    ({"type": "InjectAgentMessage", "is_dynamic": False}, "message"),
    ({"type": "FunctionCallResponse", "name": "f", "content": {}}, "content"),
    ({"type": "__customToThinkProvider"}, "content"),
    ({"type": "settings"}, "type"),
    ({"type": None}, "type"),
    ({"type": ["Settings"]}, "type"),
    ({}, "type"),
]


@pytest.mark.parametrize(("message", "path"), [one for one in STRICT if one[1]])
def test_what_the_parser_does_not_know_is_refused_by_its_path(message: Message, path: str) -> None:
    with pytest.raises(Fault) as caught:
        check(read(orjson.dumps(message)))
    assert (caught.value.code, caught.value.fatal) == ("UNPARSABLE_CLIENT_MESSAGE", True)
    assert path in caught.value.path.split()
    assert caught.value.description.endswith(f"Check the {path} field against the API spec.")


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "7", '"Settings"', "null", b"\xff\xfe"])
def test_what_is_no_json_object_is_unparsable(text: str | bytes) -> None:
    with pytest.raises(Fault, match=r"^Error parsing client message\.$"):
        read(text)


@pytest.mark.parametrize(
    "message",
    [
        settings(think=[SETTINGS["agent"]["think"]] * 2, speak=[SETTINGS["agent"]["speak"]]),
        settings(greeting=None, context=None, listen=None, think_live=None),
        settings(listen={"provider": {"type": "deepgram", "model": "flux-general-en"}}),
        settings(
            listen={"provider": {"type": "deepgram", "version": "v2", "model": "flux-general-en"}}
        ),
        settings(functions=[{"name": "f", "parameters": {"any": {"depth": [1]}}}]),
        {"type": "InjectUserMessage", "content": "", "something": "new"},
        {"type": "KeepAlive", "something": "new"},
        {"type": "__customToThinkProvider", "content": None},
    ],
)
def test_these_are_understood(message: Message) -> None:
    check(read(orjson.dumps(message)))
