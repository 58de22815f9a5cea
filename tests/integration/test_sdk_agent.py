"""Deepgram's SDKs, told nothing but another address, hold their conversations with us.

Every test runs with three clients, the Python SDK's blocking and async ones and the JavaScript
SDK's, and with two backends, which none of them can tell. Every message that arrives is one of the
SDK's own types, which the line asserts, and so is every message that is sent.
"""

from __future__ import annotations

import json

import pytest
from caller import WEATHER, in_frames, speech
from deepgram.agent.v1 import types as sdk
from deepgram.types import SpeakSettingsV1, ThinkSettingsV1
from deepgram_line import DONE, Dial, Refused
from house import House, OpenHouse
from sdk_agent import HEARD, greet, names, said, settings, sound

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")


@pytest.fixture(params=["deepgram", "openai"])
def backend(request: pytest.FixtureRequest) -> str:
    """What is behind the proxy."""
    return str(request.param)


@pytest.fixture
async def house(backend: str, open_house: OpenHouse) -> House:
    """A house with that backend, whose upstream answers at once."""
    return await open_house(backend)


async def test_a_typed_turn(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        heard = await line.until(DONE)
    shown = names(heard)
    assert shown[0] == "user: hello"
    assert shown[-1] == "AgentAudioDone"
    assert "audio" in shown
    assert said(heard) == 'You said "hello".'


async def test_a_greeting_is_a_turn_of_its_own_before_any_other(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line, settings(greeting="Hello, who is there?"))
        heard = await line.until(DONE)
        assert said(heard) == "Hello, who is there?"
        await line.inject("me")
        assert names(await line.until(DONE))[0] == "user: me"


async def test_a_spoken_turn_in_frames_of_20_ms(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.speak(in_frames(speech()))
        heard = await line.until(sdk.AgentV1ConversationText, 2)
        if DONE not in map(type, heard):
            heard += await line.until(DONE)
    assert names(heard)[0] == "UserStartedSpeaking"
    assert said(heard, "user") == HEARD
    assert said(heard) == f"I heard {HEARD}."
    assert 1 < len(sound(heard)) / 48000 < 4


async def test_a_function_call_answered_by_the_client(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line, settings(functions=[WEATHER]))
        await line.inject('get_weather {"city": "Rome"}')
        request = await line.one(sdk.AgentV1FunctionCallRequest)
        (call,) = request.functions
        assert (call.name, call.client_side) == ("get_weather", True)
        assert json.loads(call.arguments) == {"city": "Rome"}
        await line.answer(call, "21 degrees")
        while "get_weather returned" not in said(line.heard):
            await line.until(DONE)
    assert said(line.heard) == "get_weather returned 21 degrees."
    assert "AgentThinking" in names(line.heard)


async def test_typed_and_spoken_turns_on_one_line(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        assert said(await line.until(DONE)) == 'You said "hello".'
        await line.speak(in_frames(speech()))
        assert said(await line.until(DONE)) == f"I heard {HEARD}."
        await line.inject("bye")
        assert said(await line.until(DONE)) == 'You said "bye".'


async def test_speaking_over_the_agent(backend: str, open_house: OpenHouse, dial: Dial) -> None:
    house = await open_house(backend, pace="realtime")
    async with dial(house) as line:
        await greet(line)
        await line.inject("count to 100")
        await line.until_audio(3)
        await line.speak(in_frames(speech()))
        await line.one(sdk.AgentV1UserStartedSpeaking)
        heard = await line.until(DONE)
        while said(heard) != f"I heard {HEARD}.":
            assert not sound(heard)  # the cut turn may be called done, but is not heard
            heard = await line.until(DONE)
        assert sound(heard)


async def test_words_for_the_agent_to_say(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        words = sdk.AgentV1InjectAgentMessage(message="One moment.")
        await line.call("send_inject_agent_message", words)
        heard = await line.until(DONE)
    assert said(heard)  # a model may say it in its own way
    assert sound(heard)


async def test_updates_are_acknowledged_and_the_conversation_goes_on(
    house: House, dial: Dial
) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.call("send_update_prompt", sdk.AgentV1UpdatePrompt(prompt="Be long."))
        await line.one(sdk.AgentV1PromptUpdated)
        think = ThinkSettingsV1.model_validate(
            {"provider": {"type": "open_ai", "model": "gpt-4o"}, "functions": [WEATHER]}
        )
        await line.call("send_update_think", sdk.AgentV1UpdateThink(think=think))
        await line.one(sdk.AgentV1ThinkUpdated)
        speak = SpeakSettingsV1.model_validate(
            {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}}
        )
        await line.call("send_update_speak", sdk.AgentV1UpdateSpeak(speak=speak))
        await line.one(sdk.AgentV1SpeakUpdated)
        await line.inject("get weather")
        await line.one(sdk.AgentV1FunctionCallRequest)


async def test_history_says_again_who_said_what(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.inject("hello")
        heard = await line.until(DONE)
    again = [one for one in heard if isinstance(one, sdk.ConversationHistoryMessage)]
    assert [(one.role, one.content) for one in again] == [
        ("user", "hello"),
        ("assistant", 'You said "hello".'),
    ]


async def test_second_settings_are_an_error_the_session_survives(house: House, dial: Dial) -> None:
    house.violations_expected = True
    async with dial(house) as line:
        await greet(line)
        await line.settings(settings())
        assert (await line.one(sdk.AgentV1Error)).code == "SETTINGS_ALREADY_APPLIED"
        await line.inject("hello")
        assert said(await line.until(DONE)) == 'You said "hello".'


async def test_keep_alive_is_never_answered(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await line.keep_alive()
        await line.inject("hello")
        assert names(await line.until(DONE))[0] == "user: hello"


async def test_the_client_hangs_up_in_the_middle_of_a_reply(
    backend: str, open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house(backend, pace="realtime")
    async with dial(house) as line:
        await greet(line)
        await line.inject("count to 100")
        await line.until_audio()
    await house.settle()
    (conversation,) = house.tap.conversations
    assert conversation.from_client.close is not None
    assert conversation.from_client.close.code == 1000
    assert not line.errors


async def test_the_proxy_is_stopped(house: House, dial: Dial) -> None:
    async with dial(house) as line:
        await greet(line)
        await house.stop()
        heard = await line.until_closed()
    errors = [one.code for one in heard if isinstance(one, sdk.AgentV1Error)]
    assert errors == ["SERVER_GOING_AWAY"]
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert close.code == 1001


async def test_a_refused_connection_is_the_sdks_own_error(
    backend: str, open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house(backend, settings={"max_sessions": 1})
    async with dial(house) as line:
        await greet(line)
        with pytest.raises(Refused) as refused:
            async with dial(house):
                pass
        assert refused.value.status == 503
