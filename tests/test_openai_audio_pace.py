"""A client whose byte rate contradicts its declared rate is told, once."""

from __future__ import annotations

import gc

import orjson
import pytest
from openai_session import Conversation, appended

from voiceproxy_openai.microphone import Microphone


def stream(
    s: Conversation, size: int, seconds: float, period: float = 0.02, *, encoded: bool = False
) -> list:
    """Frames of ``size`` bytes at that period; returns what the client got meanwhile.

    ``encoded``: as the host sends them by itself.
    """
    got = []
    for _ in range(round(seconds / period)):
        if encoded:
            assert s.driver.core.to_upstream.passes_audio()
            appended([orjson.loads(s.driver.core.to_upstream.encode(bytes(size)))])
        else:
            s.client(bytes(size))
            appended(s.sent())
        s.advance(period)
        got += s.got()
    return got


def declared(rate: int, encoding: str = "linear16") -> Conversation:
    return Conversation(audio={"input": {"encoding": encoding, "sample_rate": rate}})


@pytest.mark.parametrize(
    ("rate", "sent"),
    [(16000, 24000), (16000, 48000), (24000, 16000), (48000, 44100), (16000, 8000)],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_another_rate_is_warned_of_once_with_the_fix(rate, sent, encoded):
    messages = stream(declared(rate), sent * 2 // 50, 20, encoded=encoded)
    assert [(m["type"], m["code"]) for m in messages] == [("Warning", "AUDIO_RATE_MISMATCH")]
    assert f"Declare linear16 at {sent} Hz" in messages[0]["description"]


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
@pytest.mark.parametrize("encoded", [False, True])
def test_the_declared_rate_is_not_warned_of(rate, encoded):
    assert stream(declared(rate), rate * 2 // 50, 20, encoded=encoded) == []


def test_g711_is_measured_in_its_own_samples():
    assert stream(declared(8000, "mulaw"), 160, 10) == []
    assert stream(declared(16000, "alaw"), 320, 10) == []


@pytest.mark.parametrize(
    ("encoding", "rate", "sent", "fix"),
    [
        ("linear16", 16000, 8000, "Declare mulaw or alaw at 8000 Hz."),
        ("linear16", 8000, 8000, "Declare mulaw or alaw at 8000 Hz."),
        ("mulaw", 8000, 32000, "Declare linear16 at 16000 Hz."),
        ("alaw", 8000, 96000, "Declare linear16 at 48000 Hz."),
        (
            "mulaw",
            8000,
            16000,
            "Declare linear16 at 8000 Hz, or send one channel, 8 bits a sample.",
        ),
        (
            "linear16",
            16000,
            64000,
            "Declare linear16 at 32000 Hz, or send one channel, 16 bits a sample.",
        ),
        ("linear16", 48000, 192000, "Send one channel, 16 bits a sample."),
        ("linear16", 44100, 176400, "Send one channel, 16 bits a sample."),
    ],
)
def test_the_fix_is_what_has_the_byte_rate_that_comes(encoding, rate, sent, fix):
    (warning,) = stream(declared(rate, encoding), sent // 50, 20)
    assert warning["description"].endswith(f"but {sent} come. {fix}")


def test_a_file_sent_as_fast_as_possible_has_no_rate():
    s = declared(16000)
    for _ in range(5000):
        s.client(bytes(640))
    assert s.got() == []


def test_an_odd_pace_is_nobodys_rate():
    assert stream(declared(16000), 700, 20) == []  # 17.5 kHz


def test_pauses_are_not_measured():
    s = declared(16000)
    for _ in range(20):
        assert stream(s, 640, 1) == []
        s.advance(1)


def test_one_strange_window_is_not_enough():
    s = declared(16000)
    assert stream(s, 960, 4) == []
    assert stream(s, 640, 20) == []


def test_a_microphone_whose_pace_is_not_known_yet_is_freed_with_its_session():
    """It and what measures it know each other; nothing else would part them."""
    gc.collect()
    gc.disable()
    try:
        before = microphones()
        s = declared(16000)
        stream(s, 640, 1)
        assert microphones() == before + 1
        s.driver.client_closes()
        assert microphones() == before
    finally:
        gc.enable()


def microphones() -> int:
    return sum(type(found) is Microphone for found in gc.get_objects())
