"""Conversion between what clients declare and what the API takes: quality, delay, cost."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pybase64
import pytest

from voiceproxy_openai import g711, resampling
from voiceproxy_openai.audio_formats import PCM_24K, RATES, AudioFormat, conversion
from voiceproxy_openai.audio_input import MAX_APPEND, AudioInput, append_frames
from voiceproxy_openai.audio_output import MAX_FRAME, AudioOutput, wav_header
from voiceproxy_openai.resampling import Resampler

AMPLITUDE = 10_000

INPUT_RATES = (8000, 16000, 44100, 48000)
OUTPUT_RATES = (8000, 16000, 44100, 48000)

OTHER_RATES = [rate for rate in RATES if rate != 24000]
PAIRS = [*((rate, 24000) for rate in OTHER_RATES), *((24000, rate) for rate in OTHER_RATES)]


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    times = np.arange(int(rate * seconds)) / rate
    return np.rint(AMPLITUDE * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def resampled(samples: np.ndarray, source: int, target: int, chunk: int | None = None):
    resampler, data = Resampler(source, target), samples.tobytes()
    chunk = chunk or source // 50 * 2
    parts = [resampler.feed(data[at : at + chunk]) for at in range(0, len(data), chunk)]
    return np.frombuffer(b"".join([*parts, resampler.flush()]), np.int16)


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


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_stream_holds_back_at_most_two_milliseconds(source, target):
    resampler = Resampler(source, target)
    given = produced = 0
    for chunk in (source // 50, 1, 7, 160) * 50:
        given += chunk
        produced += len(resampler.feed(bytes(2 * chunk))) // 2
        assert given / source - produced / target <= 0.002 + 1e-9


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_chunks_of_any_length_give_the_same_samples_as_one(source, target):
    rng = np.random.default_rng(source)
    samples = rng.integers(-32768, 32768, 800).astype(np.int16)
    whole = resampled(samples, source, target, 2 * len(samples))
    assert len(whole) == math.ceil(len(samples) * target / source)
    for chunk in (1, 14, 441, 640, 4097):
        assert np.array_equal(resampled(samples, source, target, chunk), whole)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_sums_of_a_conversion_are_exact(source, target):
    """No rounding can happen on the way: the loudest sum of steps fits into a double."""
    coefficients = resampling._filter(source, target).matrix
    steps = coefficients / resampling.STEP
    assert np.array_equal(steps, np.rint(steps))
    assert np.abs(steps).sum(axis=0).max() * 2**15 <= 2**53
    assert np.allclose(coefficients.sum(axis=0), 1, atol=1e-8, rtol=0)


@pytest.mark.parametrize("loudest", [9000, 32768])
@pytest.mark.parametrize(("source", "target"), [(16000, 24000), (24000, 8000), (44100, 24000)])
def test_a_conversion_is_the_exact_sum_of_products_rounded_once(source, target, loudest):
    rng = np.random.default_rng(7)
    samples = rng.integers(-loudest, loudest, 700).astype(np.int16)
    used = resampling._filter(source, target)
    padded = [0] * (used.half - 1) + samples.tolist() + [0] * (2 * used.half)
    for output, found in enumerate(resampled(samples, source, target)):
        start = output * used.down // used.up
        column = output % used.up
        first = column * used.down // used.up
        weights = used.matrix[first : first + 2 * used.half, column]
        total = sum(
            int(weight / resampling.STEP) * sample
            for weight, sample in zip(weights, padded[start:], strict=False)
        )
        assert found == min(max(round(Fraction(total, 2**36)), -32768), 32767)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_product_is_large_enough_to_be_spread_over_threads(source, target):
    used = resampling._filter(source, target)
    assert used.most / (2 * source) >= 0.02  # an ordinary frame is converted at once
    for held in (used.half - 1, 2 * used.half + used.down - 2):
        for done in range(used.up):
            windows, width = resampling._plan(used, 2 * held + used.most + 1, done).shape
            assert windows * width * used.matrix.shape[1] <= resampling.PRODUCTS


def test_a_huge_chunk_is_converted_in_parts_and_needs_little_room():
    data = np.random.default_rng(3).integers(-9000, 9000, 2**20).astype(np.int16).tobytes()
    parts = Resampler(16000, 24000)
    expected = b"".join(parts.feed(data[at : at + 640]) for at in range(0, len(data), 640))
    tracemalloc.start()
    try:
        found = Resampler(16000, 24000).feed(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == expected
    assert peak < 2.5 * len(found)


def test_flush_ends_one_stream_and_begins_another():
    resampler = Resampler(16000, 24000)
    data = tone(440, 16000).tobytes()
    first = resampler.feed(data) + resampler.flush()
    second = resampler.feed(data + b"x") + resampler.flush()
    assert resampler.flush() == b""
    assert first == second
    assert len(first) == len(data) * 3 // 2


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_loudest_sums_are_clipped_and_do_not_wrap(source, target):
    """All products of one sum add up: from samples just small enough to the largest there are."""
    used = resampling._filter(source, target)
    gains = np.abs(used.matrix[:, : used.up]).sum(axis=0)
    column = int(gains.argmax())
    first = column * used.down // used.up
    signs = np.sign(used.matrix[first : first + 2 * used.half, column])
    before = np.zeros(used.half * used.down + first + 1 - used.half)
    after = np.zeros(used.half)
    limit = 256 * (len(used.quiet) // 2)
    for loudness in (limit - 256, limit - 1, limit, limit + 256, 32767):
        for sign in (1, -1):
            samples = np.concatenate([before, sign * loudness * signs, after]).astype(np.int16)
            found = resampled(samples, source, target)[used.half * used.up + column]
            assert found == np.clip(np.rint(sign * loudness * gains[column]), -32768, 32767)


def test_a_loud_constant_keeps_its_value():
    assert set(resampled(np.full(1600, 32767, np.int16), 16000, 24000)[50:-50]) == {32767}


def decoded(law, codes):
    return np.frombuffer(g711.decode(law, codes), np.int16)


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_g711_round_trips_every_code(law):
    samples = g711.decode(law, bytes(range(256)))
    assert g711.decode(law, g711.encode(law, samples)) == samples


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
    assert decoded(law, bytes([code])) == [sample]


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_g711_encodes_to_the_nearest_code(law):
    samples = np.arange(-32768, 32768, 13).astype(np.int16)
    found = decoded(law, g711.encode(law, samples.tobytes())).astype(int)
    known = np.unique(decoded(law, bytes(range(256))).astype(int))
    nearest = np.abs(known[None, :] - samples[:, None].astype(int)).min(axis=1)
    assert np.array_equal(np.abs(found - samples), nearest)


def test_a_conversion_between_laws_and_rates_keeps_the_tone():
    way = conversion(AudioFormat("mulaw", 8000), AudioFormat("linear16", 16000))
    data = g711.encode("mulaw", tone(1000, 8000).tobytes())
    samples = np.frombuffer(way.feed(data) + way.flush(), np.int16)
    assert signal_to_noise(samples, 1000, 16000) > 30  # mu-law itself has 38


def test_half_a_sample_waits_for_its_other_half_def_1():
    way = conversion(PCM_24K, PCM_24K)
    assert [way.feed(part) for part in (b"a", b"bc", b"d", b"")] == [b"", b"ab", b"cd", b""]
    assert way.feed(b"x") == b""
    assert way.flush() == b""
    assert way.feed(b"yz") == b"yz"


@pytest.mark.parametrize("encoding", ["mulaw", "linear16"])
def test_half_a_sample_waits_in_every_conversion_too(encoding):
    target = AudioFormat(encoding, 8000)
    data = tone(1000, 24000, 0.1).tobytes()
    whole, halves = conversion(PCM_24K, target), conversion(PCM_24K, target)
    parts = [halves.feed(data[at : at + 7]) for at in range(0, len(data), 7)]
    assert b"".join(parts) + halves.flush() == whole.feed(data) + whole.flush()


def test_append_frames_are_split_at_fifteen_mebibytes_aud_17():
    audio = bytes(MAX_APPEND + 10)
    sizes = [len(pybase64.b64decode(f.message()["audio"])) for f in append_frames(audio)]
    assert sizes == [MAX_APPEND, 10]
    assert list(append_frames(b"")) == []


def test_a_microphones_frame_of_more_than_fifteen_mebibytes_is_split_too_def_1():
    sent = []
    assert AudioInput(PCM_24K, sent.append).feed(bytes(MAX_APPEND + 10)) == MAX_APPEND + 10
    assert sent == list(append_frames(bytes(MAX_APPEND + 10)))


def test_no_audio_makes_no_frame():
    sent = []
    microphone = AudioInput(PCM_24K, sent.append)
    assert [microphone.feed(part) for part in (b"", b"a")] == [0, 0]
    assert microphone.flush() == 0
    assert sent == []
    assert list(AudioOutput(PCM_24K, PCM_24K, wav=True).feed(b"")) == []


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
    way = conversion(AudioFormat("mulaw", 8000), AudioFormat("linear16", 8000))
    assert way.feed(b"\xff\x80\x00") == np.array([0, 32124, -32124], "<i2").tobytes()
    assert way.flush() == b""


def test_a_byte_of_g711_is_a_whole_sample():
    way = conversion(AudioFormat("mulaw", 8000), AudioFormat("mulaw", 8000))
    assert way.feed(b"abc") == b"abc"
    assert way.flush() == b""
