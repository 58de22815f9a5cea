"""The component dialect in front of Deepgram: messages are made plain, the rest is not touched."""

from __future__ import annotations

import logging

import pytest
from deepgram.agent.v1.types import AgentV1Settings

from voiceproxy import Binary, Text
from voiceproxy.testing import drive
from voiceproxy_deepgram.component import ComponentTranslator
from voiceproxy_deepgram.settings import DeepgramSettings

SETTINGS = {
    "type": "Settings",
    "audio": {"input": {"encoding": "linear16", "sample_rate": 16000}},
    "agent": {
        "language": "en",
        "think": {
            "provider": {"type": "open_ai", "model": "gpt-4o-mini", "temperature": 0.7},
            "prompt": "Sag „Grüß Gott“.",
            "functions": [{"name": "f", "parameters": {"client_side": "a name of theirs"}}],
        },
        "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}},
    },
}


def open_session(**options):
    return drive(
        translator=lambda session: ComponentTranslator(session, DeepgramSettings(), None),
        dialect="component",
        **options,
    )


def applied(**options):
    s = open_session(**options)
    s.client({"type": "Settings"})
    s.upstream({"type": "Welcome", "request_id": "r"}, {"type": "SettingsApplied"})
    s.to_client(), s.to_upstream()
    return s


def raw(outbox):
    """What is queued, byte for byte."""
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame)
    return frames


def with_extras() -> dict:
    extras = {
        "idleTimeoutMs": 10000,
        "sessionAudioOutput": {"voice": "secret-voice"},
        "useOpenAIManualAudioCommit": True,
    }
    of_think = {
        "toolChoice": "auto",
        "outputModalities": ["text"],
        "maxOutputTokens": 9,
        "managedPrompt": {"id": "secret-prompt"},
    }
    function = {**SETTINGS["agent"]["think"]["functions"][0], "client_side": True}
    think = {**SETTINGS["agent"]["think"], **of_think, "functions": [function]}
    return {**SETTINGS, "agent": {**SETTINGS["agent"], **extras, "think": think}}


def test_what_only_the_component_knows_is_left_out_of_settings_and_nothing_else(caplog):
    caplog.set_level(logging.DEBUG)
    s = open_session()
    s.client(with_extras())
    assert s.to_upstream() == [SETTINGS]
    AgentV1Settings.model_validate(SETTINGS)
    [line] = [one for one in caplog.records if "left out" in one.getMessage()]
    assert line.levelno == logging.DEBUG
    for name in (
        "agent.idleTimeoutMs",
        "agent.sessionAudioOutput",
        "agent.useOpenAIManualAudioCommit",
        "agent.think.toolChoice",
        "agent.think.outputModalities",
        "agent.think.maxOutputTokens",
        "agent.think.managedPrompt",
        "agent.think.functions[0].client_side",
    ):
        assert name in line.getMessage()
    assert "secret" not in caplog.text


def test_the_extras_of_every_alternative_are_left_out():
    thinks = [{"provider": {"type": "a"}, "toolChoice": "auto"}, "odd", {"maxOutputTokens": 1}]
    s = open_session()
    s.client({"type": "Settings", "agent": {"think": thinks}})
    left = [{"provider": {"type": "a"}}, "odd", {}]
    assert s.to_upstream() == [{"type": "Settings", "agent": {"think": left}}]


@pytest.mark.parametrize(
    "data",
    [
        b'{ "type" : "Settings", "agent": {"think": {"x": 1.50}}, "audio":{} }',
        b'{"type":"Settings","agent":"8b1c-stored-agent"}',
        b'{"type":"Settings","agent":{"think":null}}',
        b'{"type":"Settings","agent":{"think":{"functions":{"client_side":1}}}}',
        b'{"type":"Settings","agent":{"think":{"functions":["client_side",7]}}}',
        b'{"type":"Settings","agent":[]}',
        b'{"type":"Settings","idleTimeoutMs":1}',
    ],
)
def test_settings_with_nothing_to_leave_out_go_up_byte_for_byte(data):
    s = open_session()
    s.client(Text(data))
    assert [frame.data for frame in raw(s.core.upstream)] == [data]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ({"content": "Hi"}, {"message": "Hi"}),
        (
            {"content": "Hi", "behavior": "queue"},
            {"message": "Hi", "behavior": "queue"},
        ),
        ({"message": "Hi", "content": "x"}, {"message": "Hi", "content": "x"}),
        ({"content": 7}, {"content": 7}),
        ({"is_dynamic": True}, {"is_dynamic": True}),
    ],
)
def test_an_injected_agent_message_has_the_name_deepgram_knows(sent, received):
    s = applied()
    s.client({"type": "InjectAgentMessage", **sent})
    assert s.to_upstream() == [{"type": "InjectAgentMessage", **received}]


@pytest.mark.parametrize(
    "frame",
    [
        Text(b'{"type":"KeepAlive"}'),
        Text(b'{ "type" : "InjectUserMessage" , "content":"\xc3\xbc \xf0\x9f\x91\x8b" }'),
        Text(b'{"type":"InjectAgentMessage","message":"x"}'),
        Text(b'{"type":"NobodyKnowsThis","n":12345678901234567890123}'),
        Text(b"not json"),
        Text(b""),
        Text(b"[1,2]"),
        Binary(b"\x00\x01" * 320),
        Binary(b'{"type":"Settings","agent":{"idleTimeoutMs":1}}'),
    ],
    ids=repr,
)
def test_everything_else_of_the_client_goes_up_byte_for_byte(frame):
    s = applied()
    s.client(frame)
    [sent] = raw(s.core.upstream)
    assert (type(sent), sent.data) == (type(frame), frame.data)


@pytest.mark.parametrize(
    "frame",
    [
        Text(b'{"type":"Welcome","request_id":"r"}'),
        Text(b'{"type":"ConversationText","role":"user","content":"Gr\xc3\xbc\xc3\x9fe"}'),
        Text(b'{"type":"ConversationText"}'),
        Text(b'{"type":"ConversationText","role":{}}'),
        Text(b'{"type":"LatencyReport","tts_latency":0.10}'),
        Text(b'{"type":"Error","code":"INTERNAL_SERVER_ERROR","description":"d"}'),
        Text(b'{"type":"NobodyKnowsThis"}'),
        Text(b"not json"),
        Binary(b""),
        Binary(b"\x00\x01" * 320),
    ],
    ids=repr,
)
def test_everything_else_of_the_upstream_goes_down_byte_for_byte_dgm_15(frame):
    s = applied()
    s.upstream(frame)
    [received] = raw(s.core.client)
    assert (type(received), received.data) == (type(frame), frame.data)


def test_what_may_not_precede_settings_waits_and_injections_go_first():
    s = open_session()
    inject = {"type": "InjectUserMessage", "content": "hi"}
    s.client(b"\0\0", inject)
    assert s.to_upstream() == []
    s.client(SETTINGS)
    s.upstream({"type": "SettingsApplied"})
    assert s.to_upstream() == [SETTINGS, inject, b"\0\0"]


def test_a_keep_alive_before_the_settings_stays_here_as_deepgram_would_refuse_it():
    s = open_session()
    keep_alive = {"type": "KeepAlive"}
    s.client(keep_alive, SETTINGS, keep_alive)
    assert s.to_upstream() == [SETTINGS, keep_alive]


def test_early_frames_wait_until_the_upstream_is_there_dgm_5():
    s = open_session(upstream_opens=False)
    s.client(SETTINGS)
    assert s.to_upstream() == [SETTINGS]  # the relay empties the queue once it has dialled
    s.upstream_opens({})
    s.upstream_closes(1005)
    assert s.closed is not None
    assert s.closed.legal().code == 1000


def test_a_close_of_the_upstream_closes_the_client_the_same_way_dgm_8():
    s = applied()
    s.upstream_closes(1008, "policy")
    assert (s.closed.code, s.closed.reason) == (1008, "policy")


def test_a_close_of_the_client_closes_the_upstream_the_same_way_dgm_9():
    s = applied()
    s.client_closes(4000, "bye")
    assert (s.upstream_closed.code, s.upstream_closed.reason) == (4000, "bye")
