"""Streaming sample-rate conversion: a polyphase FIR filter with a Kaiser window, on numpy.

The filter is linear-phase and aligned, so its only delay is the samples it needs beyond the point
it computes, two milliseconds at most (16 kHz to 24 kHz: one). soxr's streams hold back 20-40 ms,
which is a delay in the conversation.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

_EMPTY: Samples = np.empty(0, np.int16)
_LOWEST, _HIGHEST = np.float32(-32768), np.float32(32767)


class _Filter(NamedTuple):
    """One conversion's coefficients, shared by every stream of the same rates."""

    up: int
    down: int
    half: int
    """Input samples a side."""
    width: int
    """Input samples one period of ``up`` outputs looks at."""
    matrix: NDArray[np.float32]
    """``width`` x ``up``: a window of input times this is one period of output."""


@lru_cache(maxsize=64)
def _filter(source: int, target: int) -> _Filter:
    divisor = math.gcd(source, target)
    up, down = target // divisor, source // divisor
    lower = min(source, target)
    taps, share, beta = _shape(lower, falling=target < source)
    half = math.ceil(taps * source / lower)
    cutoff = share * lower / source
    starts = [phase * down // up for phase in range(up)]
    width = starts[-1] + 2 * half
    matrix = np.zeros((width, up))
    offsets = np.arange(1 - half, half + 1)
    for phase, start in enumerate(starts):
        times = offsets - (phase * down / up - start)
        window = np.i0(beta * np.sqrt(np.clip(1 - (times / half) ** 2, 0, 1)))
        weights = np.sinc(cutoff * times) * window
        matrix[start : start + 2 * half, phase] = weights / weights.sum()
    return _Filter(up, down, half, width, matrix.astype(np.float32))


def _shape(lower: int, *, falling: bool) -> tuple[int, float, float]:
    """Zero crossings a side, the middle of the transition as a share of half the lower rate, and
    the Kaiser window's beta, which trades the transition's width for how much is rejected.

    When the rate rises the middle lies half way between the highest tone and its image (54 dB).
    When it falls, the transition ends where folding begins and starts behind what has to be kept:
    7,000 of 8,000 Hz, with 51 dB. At 8 kHz two milliseconds give 41 dB behind 3,400 of 4,000 Hz.
    """
    if not falling:
        return min(16, lower * 3 // 2000), 1.0, 5.0
    if lower < 12000:
        return lower // 500, 0.925, 3.5
    return 24, 0.9375, 4.7


class Resampler:
    """Converts one mono stream of 16-bit samples; state is kept across chunks of any length.

    A stream of N samples becomes ceil(N * target / source) once ``flush`` is called.
    """

    def __init__(self, source: int, target: int) -> None:
        self._filter = _filter(source, target)
        self.held_back = self._filter.half / source
        """Seconds of input the newest output lags behind; a constant."""
        self._begin()

    def _begin(self) -> None:
        # The buffer begins at the first window of a period; of that period `_done` outputs are out.
        self._buffer: NDArray[np.float32] = np.zeros(self._filter.half - 1, np.float32)
        self._done = 0
        self._received = 0
        self._produced = 0

    def feed(self, samples: Samples) -> Samples:
        """What can be computed with these samples added."""
        self._received += len(samples)
        produced = self._convert(samples)
        self._produced += len(produced)
        return produced

    def flush(self) -> Samples:
        """The end of the stream: what was held back. The next ``feed`` begins another stream."""
        up, down, half, *_ = self._filter
        owed = -(-self._received * up // down) - self._produced
        tail = self._convert(np.zeros(half + down, np.int16))[:owed]
        self._begin()
        return tail

    def _convert(self, samples: Samples) -> Samples:
        up, down, half, width, matrix = self._filter
        buffer = np.concatenate((self._buffer, samples), dtype=np.float32)
        length = len(buffer)
        # Output k of the buffer looks at 2 * half samples from k * down // up on.
        ready = ((length - 2 * half + 1) * up + down - 1) // down
        if ready <= self._done:
            self._buffer = buffer
            return _EMPTY
        rows = (ready + up - 1) // up
        missing = (rows - 1) * down + width - length
        if missing > 0:  # the last period is not complete: its unready outputs are cut off below
            windowed = np.concatenate((buffer, np.zeros(missing, np.float32)))
        else:
            windowed = buffer
        windows = np.ndarray((rows, width), np.float32, windowed, 0, (4 * down, 4))
        # BLAS takes no overlapping rows; copying them is cheaper than numpy's own product.
        output = (np.ascontiguousarray(windows) @ matrix).reshape(-1)[self._done : ready]
        periods = ready // up
        self._done = ready - periods * up
        self._buffer = buffer[periods * down :]
        np.rint(output, output)
        np.minimum(output, _HIGHEST, out=output)  # what np.clip does, without its wrappers
        np.maximum(output, _LOWEST, out=output)
        return output.astype(np.int16)
