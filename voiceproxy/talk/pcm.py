"""PCM samples in: any width, rate and channel count. Out: 16-bit little-endian mono."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

ZEROS = 32
"""Zero crossings of the resampling filter on either side of its centre."""

KAISER_BETA = 8.0
"""Some 80 dB between the signal and what aliases into it."""

BLOCK = 4096
"""Samples resampled at once: bounds the memory the filter's table takes."""


def decode(data: bytes, sample_bits: int, floating: bool, channels: int) -> Samples:
    """Decode interleaved WAV samples and mix them to one channel, full scale at -1.0 and 1.0.

    8-bit samples are unsigned, wider ones signed, as the WAV format has it.
    """
    if floating:
        samples = np.frombuffer(data, f"<f{sample_bits // 8}").astype(np.float64)
    elif sample_bits == 8:
        samples = (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    elif sample_bits == 24:
        samples = _widen(data).astype(np.float64) / 2**31
    else:
        samples = np.frombuffer(data, f"<i{sample_bits // 8}") / 2 ** (sample_bits - 1)
    mixed: Samples = samples.reshape(-1, channels).mean(axis=1)
    return mixed


def _widen(data: bytes) -> NDArray[np.int32]:
    padded = np.zeros((len(data) // 3, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return padded.view("<i4").reshape(-1)


def encode(samples: Samples) -> bytes:
    """Encode samples as 16-bit little-endian; what is louder than full scale is clipped."""
    scaled = np.rint(np.nan_to_num(samples) * 32768)
    return np.clip(scaled, -32768, 32767).astype("<i2").tobytes()


def resample(samples: Samples, rate: int, new_rate: int) -> Samples:
    """Change the sample rate with a windowed sinc, cut off below the lower of both rates."""
    count = -(-len(samples) * new_rate // rate)
    cutoff = min(1.0, new_rate / rate)
    reach = int(np.ceil(ZEROS / cutoff))
    padded = np.concatenate([np.zeros(reach), samples, np.zeros(reach + 1)])
    blocks = [
        _filter(padded, np.arange(first, min(first + BLOCK, count)) * rate / new_rate, cutoff)
        for first in range(0, count, BLOCK)
    ]
    return np.concatenate(blocks) if blocks else np.zeros(0)


def _filter(padded: Samples, positions: Samples, cutoff: float) -> Samples:
    reach = int(np.ceil(ZEROS / cutoff))
    whole = np.floor(positions).astype(np.int64)
    offsets = np.arange(-reach + 1, reach + 1)
    distance = offsets[None, :] - (positions - whole)[:, None]
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, 1)))
    taps = np.sinc(distance * cutoff) * window
    taps /= taps.sum(axis=1, keepdims=True)
    heard: Samples = (padded[whole[:, None] + offsets[None, :] + reach] * taps).sum(axis=1)
    return heard


def audible_seconds(pcm: bytes, sample_rate: int) -> float:
    """Return when the last sample louder than 1 % of full scale ends; 0.0 when none is."""
    samples = np.abs(np.frombuffer(pcm, "<i2").astype(np.int32))
    loud = np.flatnonzero(samples > 327)
    return float(loud[-1] + 1) / sample_rate if len(loud) else 0.0
