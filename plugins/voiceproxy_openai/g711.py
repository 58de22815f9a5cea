"""G.711: mu-law and A-law as tables (ITU-T G.711; the decoders of Sun's g711.c)."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["mulaw", "alaw"]


def decode(law: Law, codes: bytes) -> bytes:
    """The samples as linear16: 16 bits, little-endian."""
    samples: NDArray[np.int16] = _decoder(law)[np.frombuffer(codes, np.uint8)]
    return samples.tobytes()


def encode(law: Law, samples: bytes) -> bytes:
    """Of whole linear16 samples, each the code whose value is nearest."""
    codes: NDArray[np.uint8] = _encoder(law)[np.frombuffer(samples, "<u2")]
    return codes.tobytes()


@cache
def _decoder(law: Law) -> NDArray[np.int16]:
    expand = _expand_mulaw if law == "mulaw" else _expand_alaw
    return np.array([expand(code) for code in range(256)], "<i2")


def _expand_mulaw(code: int) -> int:
    inverted = ~code & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84 << (inverted >> 4 & 7)) - 0x84
    return -magnitude if inverted & 0x80 else magnitude


def _expand_alaw(code: int) -> int:
    toggled = code ^ 0x55
    magnitude, segment = (toggled & 0x0F) << 4, toggled >> 4 & 7
    magnitude = magnitude + 8 if segment == 0 else magnitude + 0x108 << segment - 1
    return magnitude if toggled & 0x80 else -magnitude


@cache
def _encoder(law: Law) -> NDArray[np.uint8]:
    """65,536 codes, indexed by the sample as an unsigned number."""
    values = _decoder(law)
    order = np.argsort(values, kind="stable")
    known = values[order].astype(np.int32)
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    above = np.clip(np.searchsorted(known, samples), 1, 255)
    nearer_below = samples - known[above - 1] <= known[above] - samples
    return order[above - nearer_below].astype(np.uint8)
