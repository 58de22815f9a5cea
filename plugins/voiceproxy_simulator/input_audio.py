"""The input audio buffer: what was appended and not yet committed, and the speech heard in it."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from voiceproxy_simulator import refusals
from voiceproxy_simulator.formats import AudioFormat
from voiceproxy_simulator.vad import Boundary, Detector

MAX_APPEND_BYTES = 15 * 1024 * 1024
MIN_COMMIT_MS = 100
_KEPT_SECONDS = 60
"""An utterance keeps its last minute of audio for ``conversation.item.retrieved``; its length is
counted to the end."""


@dataclass(slots=True, eq=False)
class Recording:
    """Committed audio, and how long it and the speech in it last."""

    audio: bytes
    milliseconds: float
    voiced_ms: float


def decode(audio: str, path: str) -> bytes:
    """The bytes of a base64 field. Raises ``Refusal`` for anything else, and for too much."""
    try:
        data = binascii.a2b_base64(audio, strict_mode=True) if audio else b""
    except (binascii.Error, ValueError):
        message = f"Invalid '{path}'. Expected base64-encoded audio bytes."
        raise refusals.invalid_value(path, message) from None
    if len(data) > MAX_APPEND_BYTES:
        raise refusals.too_long(path, MAX_APPEND_BYTES, len(data))
    return data


def measure(audio: bytes, audio_format: AudioFormat) -> Recording:
    """Audio that came as a whole, in an item."""
    audio = audio[: len(audio) // audio_format.width * audio_format.width]
    detector = Detector(audio_format.rate)
    list(detector.feed(audio_format.decode(audio)))
    length = audio_format.milliseconds(len(audio))
    return Recording(audio, length, detector.voiced_ms)


class InputAudio:
    """The buffer and the detector that listens to it.

    Times are milliseconds of audio since the session began, whatever became of the audio.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._odd = b""
        self._audio = bytearray()
        self._start_ms = 0.0
        self.received_ms = 0.0
        self._detector = Detector(audio_format.rate)

    def configure(self, audio_format: AudioFormat, threshold: float, silence_ms: float) -> None:
        """Listen differently from now on. A new format starts an empty buffer."""
        if audio_format is not self._format:
            self.clear()
        self._format = audio_format
        self._detector = Detector(audio_format.rate, threshold, silence_ms, self.received_ms)

    @property
    def speaking(self) -> bool:
        """An utterance has begun and not ended."""
        return self._detector.speaking

    @property
    def start_ms(self) -> float:
        """When the uncommitted audio begins."""
        return self._start_ms

    @property
    def pending_ms(self) -> float:
        """How much audio is uncommitted."""
        return self.received_ms - self._start_ms

    def append(self, data: bytes) -> Iterator[Boundary]:
        """Take more audio in; where speech begins and ends in it, each as it is reached."""
        data = self._odd + data
        whole = len(data) // self._format.width * self._format.width
        self._odd, data = data[whole:], data[:whole]
        self._audio += data
        self.received_ms += self._format.milliseconds(whole)
        del self._audio[: max(0, len(self._audio) - _KEPT_SECONDS * self._format.bytes_per_second)]
        yield from self._detector.feed(self._format.decode(data))

    def forget_before(self, at_ms: float) -> None:
        """Drop audio that will not be part of any utterance."""
        if at_ms > self._start_ms:
            self._start_ms = at_ms
            self._keep(self._size(self.received_ms - at_ms))

    def clear(self) -> None:
        """Drop everything that is uncommitted."""
        self._odd = b""
        self.forget_before(self.received_ms)
        self._detector.forget()

    def check_commit(self, *, only_speech: bool) -> None:
        """Refuse a commit of less than 100 ms. Under voice-activity detection what precedes speech
        (``only_speech``) does not count: the buffer is then empty to the API."""
        pending = 0.0 if only_speech and not self.speaking else self.pending_ms
        if pending < MIN_COMMIT_MS:
            raise refusals.empty_buffer(pending)

    def take(self, until_ms: float | None = None) -> Recording:
        """Commit the audio up to a time, or all of it; the rest stays."""
        end_ms = self.received_ms if until_ms is None else until_ms
        rest = self._size(self.received_ms - end_ms)
        audio = bytes(self._audio[: max(0, len(self._audio) - rest)])
        voiced = self._detector.voiced_ms
        recording = Recording(audio, end_ms - self._start_ms, voiced)
        self._start_ms = end_ms
        self._keep(rest)
        self._detector.forget()
        return recording

    def _size(self, milliseconds: float) -> int:
        samples = round(milliseconds * self._format.rate / 1000)
        return max(0, samples) * self._format.width

    def _keep(self, size: int) -> None:
        del self._audio[: max(0, len(self._audio) - size)]
