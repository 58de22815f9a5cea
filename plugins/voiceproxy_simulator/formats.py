"""The API's three audio formats: samples to bytes and back.

``audio/pcm`` is 16-bit little-endian mono at 24 kHz; ``audio/pcmu`` and ``audio/pcma`` are G.711 at
8 kHz. Samples are float32 arrays from -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_FULL_SCALE = 32768.0
_BIAS = 132
"""Added to a mu-law magnitude so that every segment starts at a power of two (G.711)."""


def _to_int16(samples: Samples) -> npt.NDArray[np.int16]:
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)


def _encode_pcm(samples: Samples) -> bytes:
    return _to_int16(samples).astype("<i2").tobytes()


def _decode_pcm(data: bytes) -> Samples:
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(_FULL_SCALE)


def _segment(magnitude: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The G.711 segment of magnitudes from 128 up: the position of the leading bit, from 7."""
    return (np.floor(np.log2(np.maximum(magnitude, 128))) - 7).astype(np.int32)


def _encode_mu_law(samples: Samples) -> bytes:
    linear = _to_int16(samples).astype(np.int32)
    magnitude = np.minimum(np.abs(linear), 32635) + _BIAS
    segment = _segment(magnitude)
    mantissa = (magnitude >> (segment + 3)) & 0x0F
    sign = np.where(linear < 0, 0x80, 0)
    code = ~(sign | segment << 4 | mantissa) & 0xFF
    return bytes(code.astype(np.uint8))


def _encode_a_law(samples: Samples) -> bytes:
    linear = _to_int16(samples).astype(np.int32)
    magnitude = np.where(linear < 0, ~linear, linear)
    segment = np.where(magnitude < 256, 0, _segment(magnitude))
    mantissa = (magnitude >> np.where(segment == 0, 4, segment + 3)) & 0x0F
    sign = np.where(linear < 0, 0, 0x80)
    code = (sign | segment << 4 | mantissa) ^ 0x55
    return bytes(code.astype(np.uint8))


def _mu_law_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    segment, mantissa = (code >> 4) & 0x07, code & 0x0F
    magnitude = (((mantissa << 3) + _BIAS) << segment) - _BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) / _FULL_SCALE).astype(np.float32)


def _a_law_table() -> Samples:
    code = np.arange(256) ^ 0x55
    segment, mantissa = (code >> 4) & 0x07, code & 0x0F
    low = (mantissa << 4) + 8
    magnitude = np.where(segment == 0, low, (low + 256) << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) / _FULL_SCALE).astype(np.float32)


_MU_LAW = _mu_law_table()
_A_LAW = _a_law_table()


def _decode_mu_law(data: bytes) -> Samples:
    return _MU_LAW[np.frombuffer(data, dtype=np.uint8)]


def _decode_a_law(data: bytes) -> Samples:
    return _A_LAW[np.frombuffer(data, dtype=np.uint8)]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One format: its rate in samples a second, its sample width in bytes, its codec."""

    name: str
    rate: int
    width: int
    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes], Samples]

    @property
    def bytes_per_second(self) -> int:
        """How many bytes a second of this audio takes."""
        return self.rate * self.width

    def milliseconds(self, size: int) -> float:
        """How long ``size`` bytes last."""
        return size * 1000 / self.bytes_per_second

    def described(self) -> dict[str, Any]:
        """As the session echoes it."""
        return {"type": self.name} | ({"rate": self.rate} if self.name == "audio/pcm" else {})


FORMATS = {
    one.name: one
    for one in (
        AudioFormat("audio/pcm", 24000, 2, _encode_pcm, _decode_pcm),
        AudioFormat("audio/pcmu", 8000, 1, _encode_mu_law, _decode_mu_law),
        AudioFormat("audio/pcma", 8000, 1, _encode_a_law, _decode_a_law),
    )
}
PCM = FORMATS["audio/pcm"]
