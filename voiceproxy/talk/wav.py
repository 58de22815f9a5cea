"""WAV files: what is said to the agent is read from one, what the agent says is written to one."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from os import SEEK_END
from typing import TYPE_CHECKING, BinaryIO, Final

from voiceproxy.talk import pcm
from voiceproxy.talk.settings import INPUT_RATE, OUTPUT_RATE

if TYPE_CHECKING:
    from pathlib import Path

DECLARED_RATES: Final = (8_000, 16_000, 24_000, 44_100, 48_000)
"""Rates sent as they are; another one is resampled to 16 kHz."""

PCM: Final = 1
FLOAT: Final = 3
EXTENSIBLE: Final = 0xFFFE
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)
"""What a program that writes to a pipe leaves as the size of the data."""


class WavError(ValueError):
    """The file is no WAV file of PCM; the text says why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Recording:
    """16-bit mono PCM and its rate in samples per second."""

    data: bytes
    sample_rate: int


@dataclass(frozen=True, slots=True)
class _Format:
    floating: bool
    channels: int
    sample_rate: int
    sample_bits: int


def read_recording(path: Path) -> Recording:
    """Read a WAV file of 8, 16, 24 or 32-bit PCM (or 32 or 64-bit float), any rate and channels.

    A file that says it holds more than it does gives what is there.
    Raises OSError, and WavError for what cannot be sent to an agent.
    """
    content = path.read_bytes()
    chunks = _read_chunks(content)
    if b"fmt " not in chunks:
        raise WavError("it has no format chunk")
    layout = _read_format(chunks[b"fmt "])
    frame = layout.channels * layout.sample_bits // 8
    data = chunks.get(b"data", b"")
    data = data[: len(data) // frame * frame]
    if not data:
        raise WavError("it holds no audio")
    return _convert(data, layout)


def _read_chunks(content: bytes) -> dict[bytes, bytes]:
    """Split the file into its chunks (the first of each name), up to and with the data."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise WavError("it is not a WAV file")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(content) and b"data" not in chunks:
        name, size = struct.unpack_from("<4sI", content, at)
        at += 8
        if name == b"data" and size in UNKNOWN_SIZES:
            size = len(content) - at
        chunks.setdefault(name, content[at : at + size])
        at += size + size % 2
    return chunks


def _read_format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise WavError("its format chunk is cut short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE and len(chunk) >= 26:
        # The tag proper is the first two bytes of the sub-format's GUID.
        (tag,) = struct.unpack_from("<H", chunk, 24)
    widths = {PCM: (8, 16, 24, 32), FLOAT: (32, 64)}
    if tag not in widths:
        raise WavError(f"its audio is compressed (format {tag:#06x}); only PCM can be sent")
    if bits not in widths[tag]:
        raise WavError(f"its samples have {bits} bits; only 8, 16, 24 and 32 can be sent")
    if not channels or not rate:
        raise WavError(f"it says {channels} channels at {rate} Hz")
    return _Format(tag == FLOAT, channels, rate, bits)


def _convert(data: bytes, layout: _Format) -> Recording:
    samples = pcm.decode(data, layout.sample_bits, layout.floating, layout.channels)
    if layout.sample_rate in DECLARED_RATES:
        return Recording(pcm.encode(samples), layout.sample_rate)
    resampled = pcm.resample(samples, layout.sample_rate, INPUT_RATE)
    return Recording(pcm.encode(resampled), INPUT_RATE)


class WavFile:
    """The agent's audio, written as it arrives.

    The file is made by the first audio and is whole after every write: a session that ends early,
    however it does, leaves a playable file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._odd = b""
        self._size = 0

    def write(self, data: bytes) -> None:
        """Add audio. A chunk may end inside a sample: the next goes on there. Raises OSError."""
        data = self._odd + data
        whole = len(data) // 2 * 2
        self._odd = data[whole:]
        if not whole:
            return
        if self._file is None:
            self._file = self.path.open("wb", buffering=0)
        self._size += whole
        self._file.seek(0)
        self._file.write(_make_header(self._size))
        self._file.seek(0, SEEK_END)
        self._file.write(data[:whole])

    @property
    def seconds(self) -> float:
        """How much audio has been written."""
        return self._size / 2 / OUTPUT_RATE

    def close(self) -> None:
        """Close the file; without any audio there is none."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _make_header(size: int) -> bytes:
    """Make the 44 bytes before ``size`` bytes of 16-bit mono PCM at 24 kHz."""
    layout = struct.pack("<HHIIHH", PCM, 1, OUTPUT_RATE, OUTPUT_RATE * 2, 2, 16)
    return struct.pack("<4sI4s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16) + struct.pack(
        "<16s4sI", layout, b"data", size
    )
