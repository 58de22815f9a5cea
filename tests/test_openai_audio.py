"""Conversion between what clients declare and what the API takes: quality, delay, cost."""

from __future__ import annotations

import math

import numpy as np
import pybase64
import pytest

from voiceproxy_openai import g711
from voiceproxy_openai.audio_formats import PCM_24K, RATES, AudioFormat, Conversion
from voiceproxy_openai.audio_input import MAX_APPEND, AudioInput, append_frames
from voiceproxy_openai.audio_output import MAX_FRAME, wav_header
from voiceproxy_openai.resampling import Resampler

AMPLITUDE = 10_000

INPUT_RATES = (8000, 16000, 44100, 48000)
OUTPUT_RATES = (8000, 16000, 44100, 48000)


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    times = np.arange(int(rate * seconds)) / rate
    return np.rint(AMPLITUDE * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def resampled(samples: np.ndarray, source: int, target: int, chunk: int | None = None):
    resampler = Resampler(source, target)
    chunk = chunk or source // 50
    parts = [resampler.feed(samples[at : at + chunk]) for at in range(0, len(samples), chunk)]
    return np.concatenate([*parts, resampler.flush()])


def signal_to_noise(samples: np.ndarray, hertz: float, rate: int) -> float:
    """In dB, against the tone an ideal resampler makes: same amplitude, same phase."""
    edge = rate // 50  # the stream begins and ends in silence
    ideal = AMPLITUDE * np.sin(2 * np.pi * hertz * np.arange(len(samples)) / rate)
    inside = slice(edge, len(samples) - edge)
    noise = samples[inside] - ideal[inside]
    return 10 * math.log10(np.mean(ideal[inside] ** 2) / np.mean(noise**2))


@pytest.mark.parametrize("source", INPUT_RATES)
def test_input_keeps_forty_decibels_against_an_ideal_resampler(source):
    highest = 3400 if source == 8000 else 7000
    for hertz in (100, 317, 1000, 2500, 3400, 5000, highest):
        if hertz <= highest:
            samples = resampled(tone(hertz, source), source, 24000)
            assert signal_to_noise(samples, hertz, 24000) >= 40, (source, hertz)


@pytest.mark.parametrize("target", OUTPUT_RATES)
def test_output_keeps_forty_decibels_against_an_ideal_resampler(target):
    highest = 3400 if target == 8000 else 7000
    for hertz in (100, 1000, 0.94 * highest, highest):
        samples = resampled(tone(hertz, 24000), 24000, target)
        assert signal_to_noise(samples, hertz, target) >= 40, (target, hertz)


@pytest.mark.parametrize(
    ("source", "target"), [(44100, 24000), (48000, 24000), (24000, 8000), (24000, 16000)]
)
def test_what_would_fold_back_is_rejected_when_decimating(source, target):
    for share in (1.01, 1.05, 1.2, 1.5, 1.8):
        hertz = share * target / 2
        if hertz < source / 2:
            heard = resampled(tone(hertz, source), source, target)[200:-200].astype(float)
            level = 20 * math.log10(max(np.sqrt(np.mean(heard**2)), 0.1) / (AMPLITUDE / 2**0.5))
            assert level <= -40, (source, hertz, level)


OTHER_RATES = [rate for rate in RATES if rate != 24000]


@pytest.mark.parametrize(
    ("source", "target"),
    [(rate, 24000) for rate in OTHER_RATES] + [(24000, rate) for rate in OTHER_RATES],
)
def test_a_stream_holds_back_at_most_two_milliseconds(source, target):
    resampler = Resampler(source, target)
    assert resampler.held_back <= 0.002
    given = produced = 0
    for chunk in (source // 50, 1, 7, 160) * 50:
        given += chunk
        produced += len(resampler.feed(np.zeros(chunk, np.int16)))
        assert given / source - produced / target <= 0.002 + 1e-9


@pytest.mark.parametrize("source", [rate for rate in RATES if rate != 24000])
@pytest.mark.parametrize("chunk", [1, 7, 160, 441, 4096])
def test_chunks_of_any_length_give_the_same_samples_as_one(source, chunk):
    rng = np.random.default_rng(source)
    samples = rng.integers(-20000, 20000, 3000).astype(np.int16)
    whole = resampled(samples, source, 24000, len(samples))
    pieces = resampled(samples, source, 24000, chunk)
    assert len(whole) == math.ceil(len(samples) * 24000 / source)
    # Sums of single-precision products differ by their order: by one step of sixteen bits at most.
    assert len(pieces) == len(whole)
    assert np.max(np.abs(pieces.astype(int) - whole)) <= 1


def test_flush_ends_one_stream_and_begins_another():
    resampler = Resampler(16000, 24000)
    samples = tone(440, 16000)
    first = np.concatenate([resampler.feed(samples), resampler.flush()])
    second = np.concatenate([resampler.feed(samples), resampler.flush()])
    assert len(resampler.flush()) == 0
    assert np.array_equal(first, second)


def test_loud_audio_is_clipped_and_does_not_wrap():
    square = np.where(np.arange(1600) % 40 < 20, 32767, -32768).astype(np.int16)
    samples = resampled(square, 16000, 24000).astype(int)
    positive = resampled(np.full(1600, 32767, np.int16), 16000, 24000)[50:-50]
    assert samples.max() == 32767
    assert samples.min() == -32768
    assert positive.min() > 32000


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_g711_round_trips_every_code(law):
    codes = bytes(range(256))
    samples = g711.decode(law, codes)
    again = g711.decode(law, g711.encode(law, samples))
    assert np.array_equal(samples, again)


@pytest.mark.parametrize(
    ("law", "code", "sample"),
    [
        ("mulaw", 0xFF, 0),
        ("mulaw", 0x80, 32124),
        ("mulaw", 0x00, -32124),
        ("mulaw", 0xCE, 988),
        ("alaw", 0xD5, 8),
        ("alaw", 0x55, -8),
        ("alaw", 0xAA, 32256),
        ("alaw", 0x2A, -32256),
    ],
)
def test_g711_has_the_values_of_the_recommendation(law, code, sample):
    assert g711.decode(law, bytes([code]))[0] == sample


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_g711_encodes_to_the_nearest_code(law):
    samples = np.arange(-32768, 32768, 13).astype(np.int16)
    decoded = g711.decode(law, g711.encode(law, samples)).astype(int)
    known = np.unique(g711.decode(law, bytes(range(256))).astype(int))
    nearest = np.abs(known[None, :] - samples[:, None].astype(int)).min(axis=1)
    assert np.array_equal(np.abs(decoded - samples), nearest)


def test_a_conversion_between_laws_and_rates_keeps_the_tone():
    mulaw = AudioFormat("mulaw", 8000)
    conversion = Conversion(mulaw, AudioFormat("linear16", 16000))
    data = g711.encode("mulaw", tone(1000, 8000))
    samples = np.frombuffer(conversion.feed(data) + conversion.flush(), np.int16)
    assert signal_to_noise(samples, 1000, 16000) > 30  # mu-law itself has 38


def test_half_a_sample_waits_for_its_other_half_def_1():
    conversion = Conversion(PCM_24K, PCM_24K)
    assert [conversion.feed(part) for part in (b"a", b"bc", b"d", b"")] == [b"", b"ab", b"cd", b""]
    assert conversion.feed(b"x") == b""
    assert conversion.flush() == b""
    assert conversion.feed(b"yz") == b"yz"


def test_append_frames_are_split_at_fifteen_mebibytes_aud_17():
    audio = bytes(MAX_APPEND + 10)
    sizes = [len(pybase64.b64decode(f.message()["audio"])) for f in append_frames(audio)]
    assert sizes == [MAX_APPEND, 10]
    assert list(append_frames(b"")) == []


def test_an_append_is_the_event_the_api_knows():
    frames = []
    assert AudioInput(PCM_24K, frames.append).feed(b"abcd") == 4
    assert frames[0].message() == {"type": "input_audio_buffer.append", "audio": "YWJjZA=="}


def test_frame_limits_are_whole_samples():
    assert MAX_FRAME % 2 == 0
    assert len(wav_header(PCM_24K)) == 44


def test_a_twenty_millisecond_chunk_costs_little():
    """A guard against an accident of a factor of ten, not a benchmark."""
    import time

    sent = []
    microphone = AudioInput(AudioFormat("linear16", 16000), sent.append)
    chunk = tone(440, 16000, 0.02).tobytes()
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(200):
            microphone.feed(chunk)
        best = min(best, (time.perf_counter() - began) / 200)
    assert best < 200e-6


def test_a_conversion_between_encodings_of_one_rate_needs_no_resampler():
    conversion = Conversion(AudioFormat("mulaw", 8000), AudioFormat("linear16", 8000))
    assert conversion.feed(b"\xff\x80\x00") == np.array([0, 32124, -32124], "<i2").tobytes()
    assert conversion.flush() == b""


def test_a_byte_of_g711_is_a_whole_sample():
    conversion = Conversion(AudioFormat("mulaw", 8000), AudioFormat("mulaw", 8000))
    assert conversion.feed(b"abc") == b"abc"
