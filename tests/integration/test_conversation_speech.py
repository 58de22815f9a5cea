"""Spoken turns, in both dialects."""

from __future__ import annotations

import base64
import math

import numpy as np
from caller import BOTH, DONE, calling, in_frames, kinds, names, of_type, settings, sound, speech
from house import House, OpenHouse

HEARD = "2.7 s of speech"
"""What the simulator measures in the recording."""


@BOTH
async def test_a_spoken_turn_is_detected_written_down_and_answered(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.send(*in_frames(speech()))
        heard = names(await caller.until("AgentAudioDone"))
    # The transcription runs beside the answer, so only these orders are given.
    assert heard[0] == "UserStartedSpeaking"
    assert heard.index("AgentStartedSpeaking") < heard.index("audio")
    assert heard[-len(DONE[dialect]) - 1 :] == [f"assistant: I heard {HEARD}.", *DONE[dialect]]
    assert heard.count("AgentStartedSpeaking") == heard.count("AgentAudioDone") == 1
    assert set(kinds(house.sent_upstream())) == {"session.update", "input_audio_buffer.append"}


async def test_a_component_gets_transcripts_of_what_was_spoken_trn_1_trn_2_trn_4_trn_6(
    house: House,
) -> None:
    async with calling(house.url()) as caller:
        await caller.hello()
        await caller.send(*in_frames(speech()))
        heard = await caller.until("Transcript", 5)
    transcripts = of_type(heard, "Transcript")
    assert [one["transcript"] for one in transcripts] == [
        "2.7",
        "2.7 s",
        "2.7 s of",
        HEARD,
        HEARD,
    ]
    assert [one["is_final"] for one in transcripts] == [False, False, False, False, True]
    assert [one["speech_final"] for one in transcripts] == [False, False, False, False, True]
    said = names(heard)
    assert said[:2] == ["UserStartedSpeaking", "UtteranceEnd"]
    assert of_type(heard, "UtteranceEnd")[0] == {
        "type": "UtteranceEnd",
        "channel": [0, 1],
        "last_word_end": 0,
    }
    assert not [one for one in said if one.startswith("user:")]


async def test_an_agent_client_gets_the_words_of_the_user_as_conversation_text(
    house: House,
) -> None:
    async with calling(house.url("agent")) as caller:
        await caller.hello()
        await caller.send(*in_frames(speech()))
        await caller.until("ConversationText", 2)
        assert names(await caller.ask("thanks"))[0] == "user: thanks"
    assert names(caller.heard).count(f"user: {HEARD}") == 1
    said = {(one["role"], one["content"]) for one in caller.history}
    assert {("user", HEARD), ("assistant", f"I heard {HEARD}.")} < said
    assert len(caller.history) == 4


@BOTH
async def test_no_audio_goes_up_before_the_settings_are_applied_aud_1_aud_2(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="late-acks")
    async with calling(house.url(dialect)) as caller:
        await caller.send(settings(), *in_frames(speech()))
        heard = names(await caller.until("AgentAudioDone"))
        assert f"assistant: I heard {HEARD}." in heard
    assert kinds(house.sent_upstream())[0] == "session.update"


async def test_each_frame_is_appended_at_24_khz_in_order_and_sounds_the_same_aud_3(
    house: House,
) -> None:
    spoken = speech()
    async with calling(house.url()) as caller:
        await caller.hello()
        await caller.send(*in_frames(spoken))
        await caller.until("AgentAudioDone")
    await house.settle()  # what the resampler held back goes up with the close
    appends = house.sent_upstream("input_audio_buffer.append")
    audio = b"".join(base64.b64decode(append["audio"]) for append in appends)
    assert len(audio) == math.ceil(len(spoken) / 2 * 1.5) * 2  # to the sample, the end included
    # A filter keeps the energy; frames out of order, lost or doubled would not fit.
    before, after = envelope(spoken, 16000), envelope(audio, 24000)
    assert np.corrcoef(before, after)[0, 1] > 0.999


def envelope(audio: bytes, rate: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Loudness, twenty times a second."""
    samples = np.frombuffer(audio, "<i2").astype(float)
    size = rate // 20
    pieces = samples[: len(samples) // size * size].reshape(-1, size)
    loudness: np.ndarray[tuple[int], np.dtype[np.float64]] = np.sqrt(np.mean(pieces**2, axis=1))
    return loudness


@BOTH
async def test_frames_of_any_length_even_odd_ones_make_the_same_turn(
    house: House, dialect: str
) -> None:
    spoken, frames, size = speech(), [], 1
    while spoken:
        frames.append(spoken[:size])
        spoken, size = spoken[size:], size * 3 % 1999
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.send(*frames, b"")
        assert f"assistant: I heard {HEARD}." in names(await caller.until("AgentAudioDone"))


@BOTH
async def test_spoken_and_typed_turns_alternate(house: House, dialect: str) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        for word in ("one", "two"):
            await caller.send(*in_frames(speech()))
            assert f"assistant: I heard {HEARD}." in names(await caller.until("AgentAudioDone"))
            assert f'assistant: You said "{word}".' in names(await caller.ask(word))


@BOTH
async def test_speaking_over_a_reply_ends_it_and_is_answered_out_15(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(pace="realtime")
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.inject("count to 100")
        await caller.until("audio", 3)
        await caller.send(*in_frames(speech()))
        before = await caller.until("UserStartedSpeaking")
        after = await caller.until("AgentStartedSpeaking")
        rest = await caller.until("AgentAudioDone")
    assert sound(before) != sound(after) == b""
    assert f"assistant: I heard {HEARD}." in names(rest)
    assert names([*after, *rest]).count("AgentStartedSpeaking") == 1
    truncated = house.sent_upstream("conversation.item.truncate")
    assert len(truncated) == 1
    assert 0 < truncated[0]["audio_end_ms"] < 2000


async def test_a_reply_in_the_format_of_a_telephone(house: House) -> None:
    message = settings()
    message["audio"] = {
        "input": {"encoding": "mulaw", "sample_rate": 8000},
        "output": {"encoding": "mulaw", "sample_rate": 8000, "container": "none"},
    }
    async with calling(house.url("agent")) as caller:
        await caller.hello(message)
        heard = await caller.ask("hello")
    assert 0.5 < len(sound(heard)) / 8000 < 2


async def test_the_default_microphone_rate_is_that_of_the_dialect(house: House) -> None:
    for dialect, rate in (("component", 16000), ("agent", 24000)):
        message = settings()
        del message["audio"]["input"]
        async with calling(house.url(dialect)) as caller:
            await caller.hello(message)
            await caller.send(bytes(2 * rate))
            await caller.leave()
        await house.settle()
        appends = house.sent_upstream("input_audio_buffer.append")
        audio = b"".join(base64.b64decode(append["audio"]) for append in appends)
        assert len(audio) == 2 * 24000, dialect
        house.upstream.received.clear()
