"""Deepgram's SDKs listen through us: every query, frame, message and close crosses as it is."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from caller import in_frames, speech
from deepgram.listen.v1 import types as v1
from deepgram.listen.v2 import types as v2
from deepgram_line import Dial, Refused
from house import House, OpenHouse
from sdk_agent import HEARD
from wire_tap import Conversation

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

NOVA = {"model": "nova-3", "encoding": "linear16", "sample_rate": 16000}
FLUX = NOVA | {"model": "flux-general-en"}


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house in front of Deepgram."""
    return await open_house("deepgram")


def close_code(house: House) -> int:
    """What the one client of a house was closed with."""
    (conversation,) = house.tap.conversations
    assert conversation.to_client.close is not None
    return int(conversation.to_client.close.code)


def query(conversation: Conversation) -> str:
    """What stands behind the question mark of a request."""
    return urlsplit(conversation.from_client.head.split(" ")[1]).query


def transcript(results: v1.ListenV1Results) -> str:
    """The first alternative."""
    return str(results.channel.alternatives[0].transcript)


async def test_a_recording_becomes_results_that_grow_and_then_are_final(
    house: House, dial: Dial
) -> None:
    options = NOVA | {"interim_results": True, "vad_events": True, "endpointing": 300}
    async with dial(house, "listen.v1", **options) as line:
        await line.speak(in_frames(speech()))
        await line.call("send_close_stream")
        heard = await line.until_closed()
        assert line.errors == []
    assert isinstance(heard[0], v1.ListenV1SpeechStarted)
    assert isinstance(heard[-1], v1.ListenV1Metadata)
    results = [one for one in heard if isinstance(one, v1.ListenV1Results)]
    assert [one for one in results if not one.is_final]
    (final,) = [one for one in results if one.speech_final]
    assert transcript(final) == HEARD
    assert close_code(house) == 1000


async def test_finalize_makes_final_what_was_heard_and_the_stream_goes_on(
    house: House, dial: Dial
) -> None:
    async with dial(house, "listen.v1", **NOVA, endpointing=False) as line:
        await line.call("send_keep_alive")
        await line.speak([speech(trailing_silence=0)])
        await line.call("send_finalize")
        result = await line.one(v1.ListenV1Results)
        assert result.from_finalize
        assert "s of speech" in transcript(result)
        await line.call("send_close_stream")
        (metadata,) = [
            one for one in await line.until_closed() if isinstance(one, v1.ListenV1Metadata)
        ]
    answer = house.tap.conversations[0].to_client.head.lower()
    assert f"dg-request-id: {metadata.request_id}" in answer


async def test_the_query_reaches_deepgram_byte_for_byte(house: House, dial: Dial) -> None:
    options = NOVA | {"keyterm": ["Łódź & co", "a+b=c"], "tag": "x", "punctuate": True}
    async with dial(house, "listen.v1", **options) as line:
        await line.call("send_close_stream")
        await line.until_closed()
    (conversation,) = house.tap.conversations
    (dialled,) = house.dialled
    assert "keyterm=" in dialled.query
    assert dialled.query == query(conversation)


async def test_the_clients_credential_and_our_own_parameters_stay_here(
    house: House, dial: Dial
) -> None:
    extra = {"additional_query_parameters": {"token": "of-the-client", "traceId": "t"}}
    async with dial(
        house, "listen.v1", **NOVA, api_key="of-the-client-too", request_options=extra
    ) as line:
        await line.call("send_close_stream")
        await line.until_closed()
    (dialled,) = house.dialled
    assert "of-the-client" not in str(dialled)
    assert "token=of-the-client" in query(house.tap.conversations[0])
    assert dialled.headers["x-deepgram-session-id"]  # the SDK's name for its run is passed on


async def test_a_refused_query_is_the_sdks_own_error(house: House, dial: Dial) -> None:
    house.violations_expected = house.errors_expected = True
    with pytest.raises(Refused) as refused:
        async with dial(house, "listen.v1", **NOVA, utterance_end_ms=1000):
            pass
    assert refused.value.status == 400
    answer = house.tap.conversations[0].to_client.head.lower()
    assert "dg-error: utterance_end_ms requires interim_results=true." in answer.replace(
        "bad request: ", ""
    )


async def test_silence_ends_a_stream_with_the_code_of_the_upstream(
    open_house: OpenHouse, dial: Dial
) -> None:
    house = await open_house("deepgram", patience=0.02)
    async with dial(house, "listen.v1", **NOVA) as line:
        await line.until_closed()
    assert close_code(house) == 1011
    close = house.tap.conversations[0].to_client.close
    assert close is not None
    assert "dpgr.am/net0001" in close.reason


async def test_flux_tells_turns_from_their_start_to_their_end(house: House, dial: Dial) -> None:
    async with dial(house, "listen.v2", **FLUX) as line:
        connected = await line.one(v2.ListenV2Connected)
        await line.speak(in_frames(speech(trailing_silence=1.5)))
        turns: list[v2.ListenV2TurnInfo] = []
        while not turns or turns[-1].event != "EndOfTurn":
            turns.append(await line.one(v2.ListenV2TurnInfo))
        await line.call("send_close_stream")
        await line.until_closed()
        assert line.errors == []
    assert turns[0].event == "StartOfTurn"
    assert turns[-1].transcript == HEARD
    assert {one.request_id for one in turns} == {connected.request_id}
    assert close_code(house) == 1000


async def test_a_flux_stream_is_configured_and_its_turn_ended_by_the_client(
    house: House, dial: Dial
) -> None:
    async with dial(house, "listen.v2", **FLUX) as line:
        configure = v2.ListenV2Configure(
            thresholds=v2.ListenV2ConfigureThresholds(eot_threshold=0.9), keyterms=["voiceproxy"]
        )
        await line.call("send_configure", configure)
        success = await line.one(v2.ListenV2ConfigureSuccess)
        assert success.thresholds.eot_threshold == 0.9
        assert success.keyterms == ["voiceproxy"]
        await line.speak([speech(trailing_silence=0)])
        await line.one(v2.ListenV2TurnInfo)
        await line.call("send_force_end_turn")
        while (turn := await line.one(v2.ListenV2TurnInfo)).event != "EndOfTurn":
            pass
    assert turn.trigger == "manual"
