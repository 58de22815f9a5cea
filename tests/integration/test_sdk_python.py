"""The real deepgram-sdk, told nothing but another address, holds its conversations with us.

Every test runs with the blocking client and with the async one; every message that arrives is one
of the SDK's own types, which the line asserts, and so is every message that is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import Any

import pytest
from caller import PATIENCE, WEATHER, in_frames, speech
from deepgram.agent.v1 import types as sdk
from deepgram.types import ThinkSettingsV1
from deepgram_line import DONE, Heard, Line, Refused, async_line, blocking_line
from house import House, OpenHouse
from node_line import node_line

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

HEARD = "I heard 2.7 s of speech."

Dial = Callable[..., AbstractAsyncContextManager[Line]]


@pytest.fixture(params=[blocking_line, async_line, node_line], ids=["blocking", "async", "node"])
def dial(request: pytest.FixtureRequest) -> Dial:
    """``dial(house)``: a line of either client."""

    def dial_one(house: House, **options: Any) -> AbstractAsyncContextManager[Line]:
        line: AbstractAsyncContextManager[Line] = request.param(house.authority, **options)
        return line

    return dial_one


def settings(*, functions: Sequence[dict[str, Any]] = (), **audio: Any) -> sdk.AgentV1Settings:
    """Settings as users of the SDK write them."""
    return sdk.AgentV1Settings(
        audio=sdk.AgentV1SettingsAudio(
            input=sdk.AgentV1SettingsAudioInput(
                **({"encoding": "linear16", "sample_rate": 16000} | audio)
            ),
            output=sdk.AgentV1SettingsAudioOutput(
                encoding="linear16", sample_rate=24000, container="none"
            ),
        ),
        agent=sdk.AgentV1SettingsAgent(
            think=ThinkSettingsV1.model_validate(
                {
                    "provider": {"type": "open_ai", "model": "gpt-4o-mini", "temperature": 1.0},
                    "prompt": "Be brief.",
                    "functions": list(functions) or None,
                }
            ),
        ),
    )


def names(heard: Sequence[Heard]) -> list[str]:
    """What was heard, in words; audio once for any run of it, without History."""
    shown = [one for one in heard if getattr(one, "type", "") != "History"]
    return [name for name, _ in groupby(map(_name, shown))]


def _name(one: Heard) -> str:
    if isinstance(one, bytes):
        return "audio"
    if isinstance(one, sdk.AgentV1ConversationText):
        return f"{one.role}: {one.content}"
    return type(one).__name__.removeprefix("AgentV1")


async def greet(line: Line, message: sdk.AgentV1Settings | None = None) -> None:
    """Welcome, Settings, SettingsApplied."""
    welcome = await line.one(sdk.AgentV1Welcome)
    assert len(welcome.request_id) == 32
    await line.settings(message or settings())
    await line.one(sdk.AgentV1SettingsApplied)


async def test_a_typed_turn(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        heard = await line.until(DONE)
    assert names(heard) == [
        "user: hello",
        "AgentStartedSpeaking",
        "audio",
        'assistant: You said "hello".',
        "AgentAudioDone",
    ]
    latencies = next(one for one in heard if isinstance(one, sdk.AgentV1AgentStartedSpeaking))
    assert 0 <= latencies.ttt_latency <= latencies.total_latency < PATIENCE


async def test_a_spoken_turn_in_frames_of_20_ms(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.speak(in_frames(speech()))
        heard = await line.until(sdk.AgentV1ConversationText, 2)
    assert names(heard)[:3] == ["UserStartedSpeaking", "AgentStartedSpeaking", "audio"]
    assert {f"assistant: {HEARD}", "user: 2.7 s of speech"} < set(names(line.heard))
    audio = b"".join(one for one in line.heard if isinstance(one, bytes))
    assert 1 < len(audio) / 48000 < 4


async def test_a_function_call_answered_by_the_client(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line, settings(functions=[WEATHER]))
        await line.inject('get_weather {"city": "Rome"}')
        request = await line.one(sdk.AgentV1FunctionCallRequest)
        (call,) = request.functions
        assert (call.name, call.client_side) == ("get_weather", True)
        assert json.loads(call.arguments) == {"city": "Rome"}
        await line.answer(call, "21 degrees")
        heard = await line.until(DONE, 2)
    assert names(heard)[-4:] == [
        "AgentStartedSpeaking",
        "audio",
        "assistant: get_weather returned 21 degrees.",
        "AgentAudioDone",
    ]
    assert "AgentThinking" in names(heard)


async def test_a_typed_and_a_spoken_turn_on_one_line(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        assert 'assistant: You said "hello".' in names(await line.until(DONE))
        await line.speak(in_frames(speech()))
        assert f"assistant: {HEARD}" in names(await line.until(DONE))
        await line.inject("bye")
        assert 'assistant: You said "bye".' in names(await line.until(DONE))


async def test_speaking_over_the_agent(open_house: OpenHouse, dial: Dial) -> None:
    house = await open_house(pace="realtime")
    async with dial(house) as line:
        await greet(line)
        await line.inject("count to 100")
        await line.until_audio(3)
        await line.speak(in_frames(speech()))
        await line.one(sdk.AgentV1UserStartedSpeaking)
        silent = await line.until(sdk.AgentV1AgentStartedSpeaking)
        assert not [one for one in silent if isinstance(one, bytes)]
        assert f"assistant: {HEARD}" in names(await line.until(DONE))


async def test_settings_nobody_can_serve_are_refused_by_name_and_may_be_corrected(
    house: House, dial: Dial
) -> None:
    async with dial(house) as line:
        await line.settings(settings(encoding="opus"))
        error = await line.one(sdk.AgentV1Error)
        assert error.code == "INVALID_SETTINGS"
        assert "audio.input" in error.description
        await line.settings(settings())
        await line.one(sdk.AgentV1SettingsApplied)
        await line.inject("hello")
        assert 'assistant: You said "hello".' in names(await line.until(DONE))
        assert len(house.sent_upstream("session.update")) == 1


async def test_second_settings_are_an_error_the_session_survives(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.settings(settings())
        assert (await line.one(sdk.AgentV1Error)).code == "SETTINGS_ALREADY_APPLIED"
        await line.inject("hello")
        assert 'assistant: You said "hello".' in names(await line.until(DONE))


async def test_keep_alive_is_never_answered(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.keep_alive()
        await line.inject("hello")
        assert names(await line.until(DONE))[0] == "user: hello"


async def test_the_client_hangs_up_in_the_middle_of_a_reply(
    open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house(pace="realtime")
    async with dial(house) as line:
        await greet(line)
        await line.inject("count to 100")
        await line.until_audio()
    await house.settle()
    (conversation,) = house.tap.conversations
    assert conversation.from_client.close is not None
    assert conversation.from_client.close.code == 1000
    assert not line.errors


async def test_an_error_a_reconnect_cannot_mend_ends_with_1000(
    open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house(scenario="quota")
    house.errors_expected = True
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        error = await line.one(sdk.AgentV1Error)
        assert error.code == "insufficient_quota"
        await line.until_closed()
        assert line.errors == []  # 1000: the SDK just says that it is closed
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert close.code == 1000


async def test_the_proxy_is_stopped(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await house.stop()
        heard = await line.until_closed()
    assert [one.code for one in heard if isinstance(one, sdk.AgentV1Error)] == [
        "SERVER_GOING_AWAY"
    ]
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert close.code == 1001


async def test_a_refused_connection_is_the_sdks_own_error(
    open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house(settings={"max_sessions": 1})
    async with dial(house) as line:
        await greet(line)
        with pytest.raises(Refused) as refused:
            async with dial(house):
                pass
        assert refused.value.status == 503


async def test_headers_and_queries_of_the_sdk_do_not_go_upstream(house: House, dial: Dial) -> None:
    query = {"traceId": "trace-of-the-sdk", "tag": "x"}
    options = {"request_options": {"additional_query_parameters": query}}
    async with dial(house, authorization="Token any", **options) as line:
        await greet(line)
    assert "traceId=trace-of-the-sdk" in house.tap.conversations[0].from_client.head
    assert house.upstream.received  # admitted with the proxy's key, not the client's
