"""What Deepgram's SDKs meet only when OpenAI is behind: the order of a turn, and its errors."""

from __future__ import annotations

import pytest
from caller import PATIENCE
from deepgram.agent.v1 import types as sdk
from deepgram_line import DONE, Dial
from house import House, OpenHouse
from sdk_agent import greet, names, said, settings

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")


async def test_a_turn_begins_with_its_latencies_and_says_its_words_behind_the_audio(
    house: House, dial: Dial
) -> None:
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
        assert said(await line.until(DONE)) == 'You said "hello".'
        assert len(house.sent_upstream("session.update")) == 1


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


async def test_headers_and_queries_of_the_sdk_do_not_go_upstream(house: House, dial: Dial) -> None:
    query = {"traceId": "trace-of-the-sdk", "tag": "x"}
    options = {"request_options": {"additional_query_parameters": query}}
    async with dial(house, authorization="Token any", **options) as line:
        await greet(line)
    assert "traceId=trace-of-the-sdk" in house.tap.conversations[0].from_client.head
    assert house.upstream.received  # admitted with the proxy's key, not the client's
