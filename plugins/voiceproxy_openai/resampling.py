"""Streaming sample-rate conversion: a polyphase FIR filter with a Kaiser window, on numpy.

The filter is linear-phase and aligned, so its only delay is the samples it needs beyond the point
it computes, two milliseconds at most (16 kHz to 24 kHz: one). soxr's streams hold back 20-40 ms,
which is a delay in the conversation.

Its sums are exact: every coefficient is a whole number of ``STEP``, so a sum of its products with
16-bit samples fits into the 53 bits of a double, in whatever order it is added up. What comes out
depends neither on how the stream is cut into chunks nor on the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STEP = 2.0**-36
"""The coefficients' grid. With 15 bits of sample, magnitudes that sum up to 4 are still exact."""

OUTPUTS = 24
"""About how many outputs are computed from one window of input. Shorter windows overlap more and
are copied more often, longer ones hold more products with zero; this costs least."""

PRODUCTS = 2**18
"""Multiplications at a time. OpenBLAS, which numpy multiplies with, spreads larger products over
the processor's cores; at this size that only keeps threads spinning, for milliseconds."""

_SAMPLE = np.dtype("<i2")
_LOWEST, _HIGHEST = np.float64(-32768), np.float64(32767)


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """One conversion's coefficients, shared by every stream of the same rates."""

    up: int
    """Outputs a period: after so many the phases repeat."""
    down: int
    """Input samples a period."""
    half: int
    """Input samples a side of an output."""
    periods: int
    """Periods computed from one window."""
    matrix: NDArray[np.float64]
    """A window of input, one sample a row, times this is ``periods`` periods of output."""
    strides: tuple[int, int]
    """Bytes from one window to the next, and from one sample to the next."""
    most: int
    """Bytes of input converted at a time."""
    quiet: bytes
    """The high bytes of samples that cannot make a sum louder than 16 bits hold."""


@lru_cache(maxsize=64)
def _filter(source: int, target: int) -> _Filter:
    divisor = math.gcd(source, target)
    up, down = target // divisor, source // divisor
    lower = min(source, target)
    taps, share, beta = _shape(lower, falling=target < source)
    half = math.ceil(taps * source / lower)
    cutoff = share * lower / source
    periods = max(1, OUTPUTS // up)
    starts = [output * down // up for output in range(up * periods)]
    matrix = np.zeros((starts[-1] + 2 * half, len(starts)))
    for output, start in enumerate(starts):
        phase = output * down % up / up
        matrix[start : start + 2 * half, output] = _coefficients(half, phase, cutoff, beta)
    strides = (2 * down * periods, 2)
    most = strides[0] * max(1, PRODUCTS // matrix.size - 1)
    return _Filter(up, down, half, periods, matrix, strides, most, _quiet(matrix))


def _coefficients(half: int, phase: float, cutoff: float, beta: float) -> NDArray[np.float64]:
    """Of an output so far behind the middle of its input, in samples; they sum up to one."""
    times = np.arange(1 - half, half + 1) - phase
    window = np.i0(beta * np.sqrt(np.clip(1 - (times / half) ** 2, 0, 1)))
    weights = np.sinc(cutoff * times) * window
    steps: NDArray[np.float64] = np.rint(weights / weights.sum() / STEP)
    return steps * STEP


def _quiet(matrix: NDArray[np.float64]) -> bytes:
    loudest = 32767 / np.abs(matrix).sum(axis=0).max()
    limit = int(loudest) // 256
    return bytes([*range(limit), *range(256 - limit, 256)])


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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of so many bytes of input; the same for every chunk of a steady stream."""

    size: int
    """The bytes, if it is the plan for as many next time too; -1 if that begins elsewhere."""
    shape: tuple[int, int]
    """How many windows, of how many samples."""
    missing: bytes
    """What the last window lacks; only outputs that are not ready look at it."""
    ready: slice
    """The bytes of these windows' outputs that are new, and do not want more input."""
    spent: int
    """Bytes no later window looks at."""
    done: int
    """Outputs of the first remaining window that are out already."""


_BEGINNING = _Plan(-1, (0, 0), b"", slice(0), 0, 0)


@lru_cache(maxsize=1024)
def _plan(used: _Filter, size: int, done: int) -> _Plan:
    """For that many bytes, when so many outputs of their first window are out."""
    up, down, half = used.up, used.down, used.half
    # Output k looks at 2 * half samples from k * down // up on.
    ready = max(done, -(-(size // 2 - 2 * half + 1) * up // down))
    width, outputs = used.matrix.shape
    windows = -(-ready // outputs) if ready > done else 0
    missing = 2 * ((windows - 1) * down * used.periods + width) - size if windows else 0
    periods, left = divmod(ready, up)
    return _Plan(
        size if left == done else -1,
        (windows, width),
        bytes(max(0, missing)),
        slice(2 * done, 2 * ready),
        2 * periods * down,
        left,
    )


class Resampler:
    """Converts one mono stream of 16-bit samples; state is kept across chunks of any length.

    A stream of N samples becomes ceil(N * target / source) once ``flush`` is called.
    """

    __slots__ = ("_filter", "_plan", "_tail")

    def __init__(self, source: int, target: int) -> None:
        self._filter = _filter(source, target)
        self._begin()

    def _begin(self) -> None:
        # The tail begins at the first window of a period.
        self._tail = bytes(2 * (self._filter.half - 1))
        self._plan = _BEGINNING

    def feed(self, data: bytes) -> bytes:
        """What can be computed with this chunk added; half a sample waits for its other half."""
        used, plan = self._filter, self._plan
        most = used.most
        if len(data) > most:
            return b"".join([self.feed(data[at : at + most]) for at in range(0, len(data), most)])
        stream = self._tail + data
        if plan.size != len(stream):
            plan = self._plan = _plan(used, len(stream), plan.done)
        self._tail = stream[plan.spent :]
        if plan.missing:
            stream += plan.missing
        windows = np.ndarray(plan.shape, _SAMPLE, stream, 0, used.strides)
        output = windows.dot(used.matrix)
        np.rint(output, output)
        # Little of what is said is loud enough to be clipped: looking costs less than clipping,
        # and np.clip more than what it calls.
        if stream[1::2].translate(None, used.quiet):
            np.minimum(output, _HIGHEST, out=output)
            np.maximum(output, _LOWEST, out=output)
        samples: bytes = output.astype(_SAMPLE).tobytes()
        return samples[plan.ready]

    def flush(self) -> bytes:
        """The end of the stream: what was held back. The next ``feed`` begins another stream."""
        up, down, half = self._filter.up, self._filter.down, self._filter.half
        heard = len(self._tail) // 2
        owed = -(-(heard - half + 1) * up // down) - self._plan.done
        self._tail = self._tail[: 2 * heard]  # half a sample has no other half any more
        tail = self.feed(bytes(2 * (half + down)))[: 2 * owed]
        self._begin()
        return tail
