"""Audio as clients declare it and as the Realtime API takes it, and the way between them.

The API speaks linear16 at 24 kHz and G.711 at 8 kHz, mono (facts of the GA session schema); what
a client declares is converted when it is something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from voiceproxy_openai import g711
from voiceproxy_openai.reading import Event, integer_at, text_at
from voiceproxy_openai.resampling import Resampler

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
    bytes_per_second: int = field(init=False, compare=False, repr=False)
    """What one second of it weighs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes_per_second", self.rate * self.sample_bytes)

    @property
    def sample_bytes(self) -> int:
        """Bytes a sample."""
        return 2 if self.encoding == "linear16" else 1

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


class Conversion(Protocol):
    """Turns one stream of bytes into another; chunks may be of any length, odd ones included."""

    def feed(self, data: bytes, /) -> bytes:
        """What can be given out with this chunk added; half a sample waits for its other half."""

    def flush(self) -> bytes:
        """The end of the stream: what was held back, without the half of a sample."""


def conversion(source: AudioFormat, target: AudioFormat) -> Conversion:
    """The way from one format to another, with no more steps than it takes."""
    if source == target:
        return WholeSamples(source.sample_bytes)
    if source.encoding == target.encoding == "linear16":
        return Resampler(source.rate, target.rate)
    return Recoding(source, target)


class WholeSamples:
    """Lets a stream pass, cut between its samples."""

    __slots__ = ("_carried", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        """Bytes a sample, 1 or 2."""
        self._carried = b""

    def feed(self, data: bytes) -> bytes:
        """All but half a sample at the end."""
        if self._carried:
            data, self._carried = self._carried + data, b""
        if len(data) % self._width:
            self._carried = data[-1:]
            return data[:-1]
        return data

    def flush(self) -> bytes:
        """Nothing: half a sample without its other half is dropped."""
        self._carried = b""
        return b""


class Recoding:
    """From or to G.711, by way of linear16, and to another rate in between."""

    __slots__ = ("_source", "_target", "_way")

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        self._source = source.encoding
        self._target = target.encoding
        self._way = conversion(
            AudioFormat("linear16", source.rate), AudioFormat("linear16", target.rate)
        )

    def feed(self, data: bytes) -> bytes:
        """What can be given out with this chunk added; half a sample waits for its other half."""
        if self._source != "linear16":
            data = g711.decode(self._source, data)
        return self._encoded(self._way.feed(data))

    def flush(self) -> bytes:
        """The end of the stream: what was held back, without the half of a sample."""
        return self._encoded(self._way.flush())

    def _encoded(self, samples: bytes) -> bytes:
        return samples if self._target == "linear16" else g711.encode(self._target, samples)
