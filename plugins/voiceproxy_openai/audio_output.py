"""The agent's voice on its way down: audio deltas to binary frames."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence

import pybase64

from voiceproxy import Binary
from voiceproxy_openai.audio_formats import AudioFormat, conversion
from voiceproxy_openai.reading import MalformedEvent

MAX_FRAME = 32 * 1024
"""Bytes of a binary frame to the client: a whole number of samples in every encoding."""

_UNKNOWN_LENGTH = 0xFFFFFFFF
"""What a WAV header says of a stream whose end is not known yet."""

_WAV_CODES = {"linear16": 1, "alaw": 6, "mulaw": 7}


def decode_delta(delta: object) -> bytes:
    """The audio of a delta event. Raises MalformedEvent when it is no base64 string."""
    if not isinstance(delta, str):
        raise MalformedEvent("the audio delta is no string")
    try:
        return pybase64.b64decode(delta, None, True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEvent("the audio delta is not base64") from error


def wav_header(audio: AudioFormat) -> bytes:
    """The 44 bytes in front of a WAV stream of unknown length (RIFF, one ``fmt `` chunk)."""
    width = audio.sample_bytes
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        _UNKNOWN_LENGTH,
        b"WAVE",
        b"fmt ",
        16,
        _WAV_CODES[audio.encoding],
        1,
        audio.rate,
        audio.bytes_per_second,
        width,
        8 * width,
        b"data",
        _UNKNOWN_LENGTH,
    )


class AudioOutput:
    """The audio of one response, from the upstream's format to the client's."""

    __slots__ = ("_conversion", "_header")

    def __init__(self, source: AudioFormat, target: AudioFormat, *, wav: bool) -> None:
        self._conversion = conversion(source, target)
        self._header = wav_header(target) if wav else b""

    def feed(self, audio: bytes) -> Sequence[Binary]:
        """Frames for a decoded delta: whole samples, at most 32 KiB each."""
        return self._frames(self._conversion.feed(audio))

    def flush(self) -> Sequence[Binary]:
        """The last samples of an item; half a sample without its other half is dropped."""
        return self._frames(self._conversion.flush())

    def _frames(self, audio: bytes) -> Sequence[Binary]:
        if not audio:
            return ()
        if self._header:
            audio, self._header = self._header + audio, b""
        if len(audio) <= MAX_FRAME:
            return (Binary(audio),)
        return [
            Binary(audio[start : start + MAX_FRAME]) for start in range(0, len(audio), MAX_FRAME)
        ]
