"""Audio of a listen connection: bytes in, samples of every channel out, step by step.

Nothing is recognised. As on the OpenAI side speech is found by its energy, and its transcript says
how long it lasted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from voiceproxy_simulator.deepgram.audio import RAW, audio_format, is_container, wave_header
from voiceproxy_simulator.formats import Samples

STEP_MS = 80
"""Audio is heard in steps of this length, however long the frames are."""

_LONGEST_HEADER = 4096

Frames = npt.NDArray[np.float32]
"""Samples by time and channel."""


class UndecodableError(Exception):
    """The payload is no audio of the encoding that was declared, or of any."""


class Hearing:
    """Decodes a stream of ``encoding`` (None: a container, recognised by its first bytes).

    ``encoding`` that is not raw samples, and containers other than WAV, are taken and heard as
    nothing. ``together`` mixes the channels into one.
    """

    def __init__(
        self, encoding: str | None, sample_rate: int, channels: int, *, together: bool
    ) -> None:
        self._sniffing = encoding is None
        self._audio = audio_format(encoding, sample_rate) if encoding in RAW else None
        self._channels = channels
        self._together = together
        self._held = b""
        self._digest = hashlib.sha256()
        self._samples = 0

    @property
    def rate(self) -> int:
        """Samples a second; 0 while, or because, nothing can be decoded."""
        return self._audio.rate if self._audio is not None else 0

    @property
    def received_ms(self) -> float:
        """How much audio was heard."""
        return self._samples * 1000 / self.rate if self.rate else 0.0

    @property
    def sha256(self) -> str:
        """Of everything received."""
        return self._digest.hexdigest()

    def feed(self, data: bytes) -> Iterator[list[Samples]]:
        """Take bytes in; the samples of each channel, ``STEP_MS`` at a time and the rest at the
        end. Raises ``UndecodableError``.
        """
        self._digest.update(data)
        data = self._held + data
        self._held = b""
        if self._sniffing:
            data = self._sniff(data)
        if self._audio is None:
            return
        width = self._audio.width * self._channels
        whole = len(data) // width * width
        data, self._held = data[:whole], data[whole:]
        yield from self._steps(self._audio.decode(data).reshape(-1, self._channels))

    def _steps(self, frames: Frames) -> Iterator[list[Samples]]:
        if self._together:
            frames = frames.mean(axis=1, keepdims=True)
        step = self.rate * STEP_MS // 1000
        for start in range(0, len(frames), step):
            part = frames[start : start + step]
            self._samples += len(part)
            yield [np.ascontiguousarray(one) for one in part.T]

    def _sniff(self, data: bytes) -> bytes:
        """The bytes behind the header, once it is known what the stream is."""
        if len(data) < 12:
            self._held = data
            return b""
        if not is_container(data):
            raise UndecodableError
        found = wave_header(data)
        if found is None and data[:4] == b"RIFF" and len(data) < _LONGEST_HEADER:
            self._held = data
            return b""
        self._sniffing = False
        if found is None:
            return b""
        self._audio, self._channels, start = found
        return data[start:]


def described(voiced_ms: float) -> str:
    """The transcript of speech that lasted so long."""
    return f"{voiced_ms / 1000:.1f} s of speech" if voiced_ms > 0 else ""


def timed_words(transcript: str, start_ms: float, end_ms: float) -> list[dict[str, Any]]:
    """The words of a transcript spread over a time; seconds since the connection began."""
    words = transcript.split()
    each = (end_ms - start_ms) / max(1, len(words))
    return [
        {
            "word": word,
            "start": round((start_ms + place * each) / 1000, 3),
            "end": round((start_ms + (place + 1) * each) / 1000, 3),
            "confidence": 0.99,
        }
        for place, word in enumerate(words)
    ]
