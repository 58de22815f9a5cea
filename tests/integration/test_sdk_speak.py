"""Deepgram's SDKs speak through us: text goes up, audio and its confirmations come down."""

from __future__ import annotations

import pytest
from deepgram.speak.v1 import types as v1
from deepgram.speak.v2 import types as v2
from deepgram_line import Dial
from house import House, OpenHouse
from sdk_agent import sound

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

AURA = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": 24000}
FLUX = AURA | {"model": "flux-kit-en"}


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house in front of Deepgram."""
    return await open_house("deepgram")


async def test_text_is_spoken_when_it_is_flushed(house: House, dial: Dial) -> None:
    async with dial(house, "speak.v1", **AURA) as line:
        assert (await line.one(v1.SpeakV1Metadata)).model_name == AURA["model"]
        for text in ("Hello ", "there."):
            await line.call("send_text", v1.SpeakV1Text(text=text))
        await line.call("send_flush")
        heard = await line.until(v1.SpeakV1Flushed)
        await line.call("send_close")
        await line.until_closed()
        assert line.errors == []
    assert 0.2 < len(sound(heard)) / 48000 < 5
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert close.code == 1000


async def test_what_is_cleared_is_not_spoken(open_house: OpenHouse, dial: Dial) -> None:
    house = await open_house("deepgram", pace="realtime")
    async with dial(house, "speak.v1", **AURA) as line:
        await line.call("send_text", v1.SpeakV1Text(text="one two three " * 20))
        await line.call("send_flush")
        await line.until_audio()
        await line.call("send_clear")
        last = (await line.until(v1.SpeakV1Flushed))[-1]
        assert getattr(last, "type", "") == "Cleared"  # the SDK's two models take either type
        await line.call("send_close")
        assert sound(await line.until_closed()) == b""


async def test_a_message_the_service_refuses_ends_with_its_close_code(
    house: House, dial: Dial
) -> None:
    house.violations_expected = True
    async with dial(house, "speak.v1", **AURA) as line:
        await line.call("send_text", v1.SpeakV1Text(text="x" * 2001))
        await line.until_closed()
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert close.code == 1009
    assert close.reason.startswith("BIG-0000")


async def test_flux_speaks_turns_and_sums_up_the_session(house: House, dial: Dial) -> None:
    async with dial(house, "speak.v2", **FLUX) as line:
        await line.one(v2.SpeakV2Connected)
        await line.call("send_speak", v2.SpeakV2Speak(text="Hello there."))
        await line.call("send_flush")
        started = await line.one(v2.SpeakV2SpeechStarted)
        heard = await line.until(v2.SpeakV2SpeechMetadata)
        assert {getattr(one, "speech_id", started.speech_id) for one in heard} == {
            started.speech_id
        }
        await line.call("send_close")
        await line.one(v2.SpeakV2SessionMetadata)
        await line.until_closed()
        assert line.errors == []
    assert 0.2 < len(sound(heard)) / 48000 < 5
