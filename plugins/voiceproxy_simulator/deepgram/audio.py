"""Deepgram's raw audio formats at any rate, and what the simulator can tell of others.

``linear16`` and ``linear32`` are little-endian, integers and floats; ``mulaw`` and ``alaw`` G.711.

Encoded audio (Opus, FLAC, MP3, Ogg and so on) is taken as it comes and heard as nothing: the
simulator decodes samples only.
"""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from voiceproxy_simulator.formats import FORMATS, PCM, AudioFormat, Samples


def _encode_linear32(samples: Samples) -> bytes:
    return np.clip(samples, -1.0, 1.0).astype("<f4").tobytes()


def _decode_linear32(data: bytes) -> Samples:
    samples: Samples = np.nan_to_num(np.frombuffer(data, dtype="<f4")).astype(np.float32)
    return np.clip(samples, -1.0, 1.0)


_LINEAR32 = AudioFormat("linear32", 24000, 4, _encode_linear32, _decode_linear32)

RAW: dict[str, AudioFormat] = {
    "linear16": replace(PCM, name="linear16"),
    "linear32": _LINEAR32,
    "mulaw": replace(FORMATS["audio/pcmu"], name="mulaw"),
    "alaw": replace(FORMATS["audio/pcma"], name="alaw"),
}
"""The encodings of raw samples."""


def audio_format(encoding: str, sample_rate: int) -> AudioFormat:
    """Raw audio of an encoding at a rate. Raises KeyError for encodings that are not raw."""
    return replace(RAW[encoding], rate=sample_rate)


_MAGIC = (b"OggS", b"fLaC", b"ID3", b"\x1aE\xdf\xa3", b"#!AMR")
_WAVE_ENCODINGS = {(1, 16): "linear16", (3, 32): "linear32", (6, 8): "alaw", (7, 8): "mulaw"}
"""By format code and bits of a sample."""

_LONGEST_MAGIC = 12


def is_container(head: bytes) -> bool:
    """Whether a stream begins like a file of audio that the service would recognise."""
    wave = head[:4] == b"RIFF" and head[8:12] == b"WAVE"
    mp4 = head[4:8] == b"ftyp"
    mpeg = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return wave or mp4 or mpeg or head.startswith(_MAGIC)


def wave_header(data: bytes) -> tuple[AudioFormat, int, int] | None:
    """Of a stream that begins with a WAV header: its format, its channels, and where its samples
    begin. None when it is no such stream, or the header is not all there.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    place, found = _LONGEST_MAGIC, None
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if name == b"data":
            return (*found, place + 8) if found is not None else None
        if name == b"fmt " and place + 24 <= len(data):
            found = _wave_format(data[place + 8 : place + 24])
        place += 8 + size + size % 2
    return None


def _wave_format(chunk: bytes) -> tuple[AudioFormat, int] | None:
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk)
    encoding = _WAVE_ENCODINGS.get((code, bits))
    if encoding is None or not 1000 <= rate <= 192000 or channels < 1:
        return None
    return audio_format(encoding, rate), channels
