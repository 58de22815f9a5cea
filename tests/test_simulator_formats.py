"""The three audio formats, against the code points G.711 fixes."""

from __future__ import annotations

import numpy as np
import pytest

from voiceproxy_simulator.formats import FORMATS

RAMP = np.linspace(-1, 1, 4001, dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "positive", "zero", "negative"),
    [("audio/pcmu", 0x80, 0xFF, 0x00), ("audio/pcma", 0xAA, 0xD5, 0x2A)],
)
def test_g711_extremes_and_silence_have_their_code_points(
    name: str, positive: int, zero: int, negative: int
) -> None:
    samples = np.array([1, 0, -1], dtype=np.float32)
    assert list(FORMATS[name].encode(samples)) == [positive, zero, negative]


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_g711_survives_decoding_and_encoding_again(name: str) -> None:
    form = FORMATS[name]
    codes = bytes(code for code in range(256) if code != 0x7F)  # mu-law has two zeros
    assert form.encode(form.decode(codes)) == codes


@pytest.mark.parametrize(("name", "error"), [("audio/pcm", 0.0001), ("audio/pcmu", 0.032)])
def test_what_is_encoded_comes_back_within_a_quantum(name: str, error: float) -> None:
    form = FORMATS[name]
    assert np.max(np.abs(form.decode(form.encode(RAMP)) - RAMP)) < error


def test_a_law_quiet_samples_come_back_within_half_a_step() -> None:
    form = FORMATS["audio/pcma"]
    quiet = RAMP / 200
    assert np.max(np.abs(form.decode(form.encode(quiet)) - quiet)) <= 9 / 32768


@pytest.mark.parametrize(
    ("name", "size", "milliseconds"),
    [("audio/pcm", 4800, 100), ("audio/pcmu", 800, 100), ("audio/pcma", 80, 10)],
)
def test_a_size_in_bytes_is_a_time(name: str, size: int, milliseconds: float) -> None:
    assert FORMATS[name].milliseconds(size) == milliseconds


def test_pcm_clips_what_is_too_loud() -> None:
    pcm = FORMATS["audio/pcm"]
    loud = np.array([2, -2], dtype=np.float32)
    assert pcm.encode(loud) == (32767).to_bytes(2, "little") + (-32767).to_bytes(
        2, "little", signed=True
    )
