"""The microphone's way up: client audio to ``input_audio_buffer.append``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pybase64

from voiceproxy import Text
from voiceproxy_openai.audio_formats import AudioFormat, conversion

MAX_APPEND = 15 * 1024 * 1024
"""Decoded bytes the API takes in one append (K-5)."""

_PREFIX = b'{"type":"input_audio_buffer.append","audio":"'
_SUFFIX = b'"}'


def append_event(audio: bytes) -> bytes:
    """Audio in the API's format, at most 15 MiB of it, as one append event in JSON."""
    # Concatenated, not encoded: base64 needs no escaping, and this runs fifty times a second.
    return _PREFIX + pybase64.b64encode(audio) + _SUFFIX


def append_frames(audio: bytes) -> Iterator[Text]:
    """Audio in the API's format as append events, split at 15 MiB (AUD-17)."""
    for start in range(0, len(audio), MAX_APPEND):
        yield Text(append_event(audio[start : start + MAX_APPEND]))


class AudioInput:
    """One client's audio stream, converted to what the session was configured for."""

    __slots__ = ("_conversion", "_send")

    def __init__(self, source: AudioFormat, send: Callable[[Text], None]) -> None:
        self._conversion = conversion(source, source.native)
        self._send = send

    def feed(self, data: bytes) -> int:
        """A binary frame from the client. Returns how many bytes of audio went up."""
        audio = self._conversion.feed(data)
        size = len(audio)
        if size > MAX_APPEND or not size:
            return self.append(audio)
        self._send(Text(append_event(audio)))
        return size

    def encode(self, data: bytes) -> bytes:
        """The same for whoever sends what it becomes: one append event, ``b""`` for no audio yet.

        Of at most 1 MiB.
        """
        audio = self._conversion.feed(data)
        return append_event(audio) if audio else b""

    def flush(self) -> int:
        """The end of the stream: the samples the resampler held back go up as well."""
        return self.append(self._conversion.flush())

    def append(self, audio: bytes) -> int:
        """Audio that has the session's format already. Returns its length."""
        for frame in append_frames(audio):
            self._send(frame)
        return len(audio)
