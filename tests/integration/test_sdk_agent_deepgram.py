"""What Deepgram's SDKs meet only when Deepgram is behind: its own messages, refusals and rules."""

from __future__ import annotations

import pytest
from caller import WEATHER, in_frames, speech
from deepgram.agent.v1 import types as sdk
from deepgram_line import DONE, Dial, Refused
from house import KEY, House, OpenHouse
from sdk_agent import HEARD, greet, names, said, settings

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

SERVER_SIDE = WEATHER | {
    "endpoint": {"url": "https://weather.example/now", "method": "post", "headers": {}}
}


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house in front of Deepgram."""
    return await open_house("deepgram")


async def test_words_come_before_their_audio_and_latencies_among_them(
    house: House, dial: Dial
) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        heard = await line.until(DONE)
    reports = [one for one in heard if isinstance(one, sdk.AgentV1LatencyReport)]
    assert reports
    assert names([one for one in heard if one not in reports]) == [
        "user: hello",
        "AgentThinking",
        'assistant: You said "hello".',
        "audio",
        "AgentAudioDone",
    ]


async def test_the_request_id_of_the_upstream_is_that_of_the_handshake_and_of_welcome(
    house: House, dial: Dial
) -> None:
    async with dial(house) as line:
        welcome = await line.one(sdk.AgentV1Welcome)
    answer = house.tap.conversations[0].to_client.head.lower()
    assert f"dg-request-id: {welcome.request_id}" in answer


async def test_the_upstream_gets_the_proxys_key_and_the_clients_tags(
    house: House, dial: Dial
) -> None:
    query = {"traceId": "trace-of-the-sdk", "tag": "x"}
    options = {"request_options": {"additional_query_parameters": query}}
    async with dial(house, authorization="Token of-the-client", **options) as line:
        await greet(line)
    (dialled,) = house.dialled
    assert dialled.headers["authorization"] == f"Token {KEY}"
    assert dialled.query == "tag=x"
    assert "of-the-client" not in str(dialled)
    assert "cookie" not in dialled.headers


async def test_a_function_the_service_calls_itself_is_shown_to_the_client(
    house: House, dial: Dial
) -> None:
    async with dial(house) as line:
        await greet(line, settings(functions=[SERVER_SIDE]))
        await line.inject("get weather")
        (call,) = (await line.one(sdk.AgentV1FunctionCallRequest)).functions
        assert not call.client_side
        response = await line.one(sdk.AgentV1ReceiveFunctionCallResponse)
        assert (response.id, response.name) == (call.id, "get_weather")
        assert said(await line.until(DONE)).startswith("get_weather returned ")


async def test_a_call_is_cancelled_when_the_user_speaks(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line, settings(functions=[WEATHER]))
        await line.inject("get weather")
        (call,) = (await line.one(sdk.AgentV1FunctionCallRequest)).functions
        await line.speak(in_frames(speech()))
        cancelled = await line.one(sdk.AgentV1FunctionCallCancelled)
        assert [one.id for one in cancelled.functions] == [call.id]
        assert f"I heard {HEARD}." in said(await line.until(DONE))


async def test_settings_the_strict_parser_refuses_are_passed_on_unchanged_and_so_is_its_answer(
    house: House, dial: Dial
) -> None:
    house.violations_expected = True
    wrong = settings().model_copy(update={"idleTimeoutMs": 10000})
    async with dial(house) as line:
        await line.one(sdk.AgentV1Welcome)
        await line.settings(wrong)
        error = await line.one(sdk.AgentV1Error)
        await line.until_closed()
        assert line.errors == []
    assert error.code == "UNPARSABLE_CLIENT_MESSAGE"
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert close.code == 1000


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500])
async def test_a_refusal_of_the_upstream_is_the_sdks_own_error(
    open_house: OpenHouse, dial: Dial, status: int
) -> None:
    house = await open_house("deepgram", scenario=f"refused-{status}")
    house.errors_expected = True
    with pytest.raises(Refused) as refused:
        async with dial(house):
            pass
    assert refused.value.status == status
    answer = house.tap.conversations[0].to_client.head.lower()
    assert "dg-error: " in answer
    assert "dg-request-id: " in answer


async def test_an_upstream_that_is_not_there_is_502(open_house: OpenHouse, dial: Dial) -> None:
    house = await open_house("deepgram")
    house.errors_expected = True
    await house.upstream.stop()
    with pytest.raises(Refused) as refused:
        async with dial(house):
            pass
    assert refused.value.status == 502


async def test_an_error_in_the_middle_of_a_reply_is_the_upstreams_own(
    open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house("deepgram", scenario="error-mid-turn")
    async with dial(house) as line:
        await greet(line)
        await line.inject("count to 100")
        heard = await line.until_closed()
        assert line.errors == []
    assert names(heard)[-1] == "Error"
    assert "AgentAudioDone" not in names(heard)
