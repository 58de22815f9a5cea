"""The client's audio as the host sends it on by itself: the same as through the translator."""

from __future__ import annotations

import base64
import itertools

import numpy as np
import orjson
import pytest
from openai_session import Conversation, appended
from running import hear_one, until

import voiceproxy_openai
from voiceproxy.testing import FakeUpstream, connected, serve

SOUND = np.random.default_rng(7).integers(-9000, 9000, 4000, np.int16).tobytes()
CHUNKS = (640, 1, 641, 2, 3, 320, 1280, 5)
"""Some of them cut a sample in two, some are less than one."""


def conversation(encoding: str, rate: int, **agent: object) -> Conversation:
    sound = {"input": {"encoding": encoding, "sample_rate": rate}}
    return Conversation(audio=sound, agent=agent)


def pieces() -> list[bytes]:
    ends = itertools.accumulate(itertools.cycle(CHUNKS))
    cuts = [0, *itertools.takewhile(lambda end: end < len(SOUND), ends), len(SOUND)]
    return [SOUND[begin:end] for begin, end in itertools.pairwise(cuts)]


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [("linear16", 24000), ("linear16", 16000), ("linear16", 48000), ("mulaw", 8000)],
)
def test_whoever_sends_a_frame_the_upstream_gets_the_same_audio_aud_3(encoding, rate):
    whole, mixed = conversation(encoding, rate), conversation(encoding, rate)
    for piece in pieces():
        whole.client(piece)
    lane, events = mixed.driver.core.to_upstream, []
    for number, piece in enumerate(pieces()):
        if number % 3:
            assert lane.passes_audio()
            event = lane.encode(piece)
            events += [orjson.loads(event)] if event else []
        else:
            mixed.client(piece)
            events += mixed.sent()
    whole.driver.client_closes()
    mixed.driver.client_closes()
    audio = appended(events + mixed.sent())
    assert len(audio) > 1000
    assert audio == appended(whole.sent())


def test_where_turns_are_manual_the_translator_sees_every_frame_aud_8():
    s = conversation("linear16", 24000, useOpenAIManualAudioCommit=True)
    assert not s.driver.core.to_upstream.passes_audio()


def test_before_the_settings_are_applied_the_host_sends_nothing_on():
    s = Conversation(applied=False)
    s.client({"type": "Settings"})
    assert not s.driver.core.to_upstream.passes_audio()


async def test_over_sockets_it_goes_past_the_session_and_is_converted():
    heard = []

    async def listen(upstream, request):
        async for message in upstream:
            event = orjson.loads(message.data)
            if event["type"] == "session.update":
                await upstream.send_json({"type": "session.updated", "session": {}})
            else:
                heard.append(base64.b64decode(event["audio"]))

    settings = {"audio": {"input": {"encoding": "linear16", "sample_rate": 16000}}}
    async with (
        FakeUpstream(listen) as upstream,
        serve(voiceproxy_openai, settings={"openai.url": upstream.url}) as url,
        connected(f"{url}/openai") as client,
    ):
        await client.send_json({"type": "Settings", **settings})
        while (await hear_one(client))["type"] != "SettingsApplied":
            pass
        for at in range(0, len(SOUND), 640):
            await client.send_bytes(SOUND[at : at + 640])
        await client.close()
        # The tail the resampler kept comes with the close.
        await until(lambda: len(b"".join(heard)) == len(SOUND) * 3 // 2)
    expected = conversation("linear16", 16000)
    expected.client(SOUND)
    expected.driver.client_closes()
    assert b"".join(heard) == appended(expected.sent())
