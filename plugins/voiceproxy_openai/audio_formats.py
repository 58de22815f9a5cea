"""Audio as clients declare it and as the Realtime API takes it, and the way between them.

The API speaks linear16 at 24 kHz and G.711 at 8 kHz, mono (facts of the GA session schema); what
a client declares is converted when it is something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from voiceproxy_openai import g711
from voiceproxy_openai.reading import Event, integer_at, text_at
from voiceproxy_openai.resampling import Resampler, Samples

Encoding = Literal["linear16", "mulaw", "alaw"]

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates in Hz that clients may declare."""


class UnsupportedAudio(ValueError):
    """An encoding, rate or container this backend cannot serve. The text names it."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One mono stream."""

    encoding: Encoding
    rate: int
    """Samples a second."""

    @property
    def sample_bytes(self) -> int:
        """Bytes a sample."""
        return 2 if self.encoding == "linear16" else 1

    @property
    def bytes_per_second(self) -> int:
        """What one second of it weighs."""
        return self.rate * self.sample_bytes

    @property
    def silence(self) -> bytes:
        """One byte of it."""
        return {"linear16": b"\0", "mulaw": b"\xff", "alaw": b"\xd5"}[self.encoding]

    @property
    def native(self) -> AudioFormat:
        """What the API is asked for: this very format when it has it."""
        return self if self.encoding != "linear16" and self.rate == 8000 else PCM_24K

    def described(self) -> dict[str, Any]:
        """As ``session.audio.*.format`` says it. Only a native format can be described."""
        if self.encoding == "linear16":
            return {"type": "audio/pcm", "rate": self.rate}
        return {"type": "audio/pcmu" if self.encoding == "mulaw" else "audio/pcma"}


PCM_24K = AudioFormat("linear16", 24000)

NATIVE_TYPES = {
    "audio/pcm": PCM_24K,
    "audio/pcmu": AudioFormat("mulaw", 8000),
    "audio/pcma": AudioFormat("alaw", 8000),
}


def declared(path: str, given: Event, default_rate: int) -> AudioFormat:
    """The format a client declares at this path of its Settings; absent means linear16.

    ``default_rate`` is that of linear16; G.711 without a rate has 8,000 Hz. Raises
    UnsupportedAudio, naming the path and what is served instead.
    """
    encoding = text_at(given, "encoding")
    if encoding not in ("", "linear16", "mulaw", "alaw"):
        raise UnsupportedAudio(
            f"{path}.encoding: {encoding[:40]!r} is not served; use linear16, mulaw or alaw."
        )
    kind: Encoding = encoding or "linear16"  # type: ignore[assignment]
    fallback = default_rate if kind == "linear16" else 8000
    rate = fallback if given.get("sample_rate") is None else integer_at(given, "sample_rate", -1)
    if rate not in RATES:
        served = ", ".join(map(str, RATES))
        raise UnsupportedAudio(f"{path}.sample_rate: {rate} Hz is not served; use {served}.")
    return AudioFormat(kind, rate)


class Conversion:
    """Turns one stream of bytes into another; chunks may be of any length, odd ones included."""

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        self._source = source
        self._target = target
        self._carried = b""
        self._resampler = (
            Resampler(source.rate, target.rate) if source.rate != target.rate else None
        )
        self._same = source == target

    def feed(self, data: bytes) -> bytes:
        """What can be given out with this chunk added; half a sample waits for its other half."""
        if self._source.encoding == "linear16":
            if self._carried:
                data = self._carried + data
            if len(data) % 2:
                self._carried = data[-1:]
                data = data[:-1]
            else:
                self._carried = b""
        if self._same or not data:
            return data
        samples = self._decode(data)
        if self._resampler is not None:
            samples = self._resampler.feed(samples)
        return self._encode(samples)

    def flush(self) -> bytes:
        """The end of the stream: what was held back, without the half of a sample."""
        self._carried = b""
        return b"" if self._resampler is None else self._encode(self._resampler.flush())

    def _decode(self, data: bytes) -> Samples:
        if self._source.encoding == "linear16":
            return np.frombuffer(data, np.dtype("<i2"))
        return g711.decode(self._source.encoding, data)

    def _encode(self, samples: Samples) -> bytes:
        if self._target.encoding == "linear16":
            return samples.astype("<i2", copy=False).tobytes()
        return g711.encode(self._target.encoding, samples)
