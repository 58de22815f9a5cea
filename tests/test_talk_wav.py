"""WAV files read and written by ``voiceproxy talk``."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from voiceproxy.talk.pcm import audible_seconds, resample
from voiceproxy.talk.wav import WavError, WavFile, read_recording

SPEECH = Path(__file__).parent / "data" / "speech.wav"
LEVELS = [0.0, 0.5, -0.5, 0.25, -1.0]


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def layout(
    tag: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, more: bytes = b""
) -> bytes:
    size = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * size, size, bits) + more


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def wav(data: bytes, **form: int) -> bytes:
    return riff(chunk(b"fmt ", layout(**form)), chunk(b"data", data))


def read(tmp_path: Path, content: bytes) -> tuple[list[int], int]:
    path = tmp_path / "given.wav"
    path.write_bytes(content)
    recording = read_recording(path)
    return np.frombuffer(recording.data, "<i2").tolist(), recording.sample_rate


def encode(bits: int) -> bytes:
    if bits == 8:
        return bytes(round(level * 128) + 128 for level in LEVELS)
    width = bits // 8
    values = [round(level * 2 ** (bits - 1)) for level in LEVELS]
    return b"".join(value.to_bytes(width, "little", signed=True) for value in values)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_pcm_of_every_width_becomes_16_bit(tmp_path: Path, bits: int) -> None:
    samples, rate = read(tmp_path, wav(encode(bits), bits=bits))
    assert samples == [0, 16384, -16384, 8192, -32768]
    assert rate == 16_000


@pytest.mark.parametrize("bits", [32, 64])
def test_floating_point_becomes_16_bit_and_is_clipped(tmp_path: Path, bits: int) -> None:
    data = np.array([0.5, -0.5, 2.0, -2.0, math.nan], f"<f{bits // 8}").tobytes()
    samples, _ = read(tmp_path, wav(data, tag=3, bits=bits))
    assert samples == [16384, -16384, 32767, -32768, 0]


def test_stereo_is_mixed(tmp_path: Path) -> None:
    samples, _ = read(tmp_path, wav(struct.pack("<4h", 100, 300, -200, 200), channels=2))
    assert samples == [200, 0]


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 44_100, 48_000])
def test_a_rate_that_can_be_declared_is_kept(tmp_path: Path, rate: int) -> None:
    samples, declared = read(tmp_path, wav(struct.pack("<3h", 1, -2, 3), rate=rate))
    assert (samples, declared) == ([1, -2, 3], rate)


@pytest.mark.parametrize("rate", [11_025, 22_050, 32_000, 96_000])
def test_another_rate_becomes_16_khz_with_the_same_sound(tmp_path: Path, rate: int) -> None:
    times = np.arange(rate) / rate
    tone = np.rint(12_000 * np.sin(2 * np.pi * 440 * times)).astype("<i2")
    samples, declared = read(tmp_path, wav(tone.tobytes(), rate=rate))
    assert (len(samples), declared) == (16_000, 16_000)
    expected = 12_000 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    middle = slice(500, 15_500)
    assert np.abs(np.array(samples)[middle] - expected[middle]).max() < 12


def test_what_16_khz_cannot_carry_is_not_folded_into_it() -> None:
    tone = np.sin(2 * np.pi * 10_000 * np.arange(9_600) / 48_000)
    assert np.abs(resample(tone, 48_000, 16_000)[200:-200]).max() < 0.001
    assert len(resample(np.zeros(0), 48_000, 16_000)) == 0


def test_an_extensible_header_is_understood(tmp_path: Path) -> None:
    guid = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    extension = struct.pack("<HHI", 22, 16, 4) + guid
    header = chunk(b"fmt ", layout(tag=0xFFFE, more=extension))
    samples, _ = read(tmp_path, riff(header, chunk(b"data", struct.pack("<h", 7))))
    assert samples == [7]


def test_other_chunks_and_their_padding_are_passed_over(tmp_path: Path) -> None:
    content = riff(
        chunk(b"LIST", b"odd"), chunk(b"fmt ", layout()), chunk(b"data", struct.pack("<h", 7))
    )
    samples, _ = read(tmp_path, content)
    assert samples == [7]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 4_000])
def test_a_data_chunk_of_unknown_or_wrong_size_gives_what_is_there(
    tmp_path: Path, size: int
) -> None:
    data = b"data" + struct.pack("<I2hb", size, 7, 8, 9)
    samples, _ = read(tmp_path, riff(chunk(b"fmt ", layout()), data))
    assert samples == [7, 8]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a WAV file"),
        (b"ID3 is an MP3, not a WAV", "not a WAV file"),
        (b"RIFF\x00\x00\x00\x00AVI ", "not a WAV file"),
        (riff(chunk(b"data", b"1234")), "no format chunk"),
        (riff(chunk(b"fmt ", b"1234")), "cut short"),
        (riff(chunk(b"fmt ", layout())), "no audio"),
        (wav(b""), "no audio"),
        (wav(b"1234", tag=6, bits=8), "compressed"),
        (wav(b"1234", bits=12), "12 bits"),
        (wav(b"1234", channels=0), "0 channels"),
        (wav(b"1234", rate=0), "0 Hz"),
    ],
)
def test_what_is_no_pcm_wav_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    with pytest.raises(WavError, match=reason):
        read(tmp_path, content)


def test_the_recording_in_the_tree_is_speech() -> None:
    recording = read_recording(SPEECH)
    assert recording.sample_rate == 16_000
    seconds = len(recording.data) / 32_000
    assert 2 < seconds < 3
    assert audible_seconds(recording.data, 16_000) == pytest.approx(seconds - 0.1, abs=0.001)


def test_silence_is_audible_for_no_time() -> None:
    assert audible_seconds(bytes(3_200), 16_000) == 0


def test_a_written_file_is_playable_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    path.write_bytes(b"what was there before, and is longer than what comes instead of it")
    file = WavFile(path)
    audio = b""
    # Chunks that end inside a sample, as some upstreams send them.
    for piece, whole in ((b"\x01\x00\x02", 1), (b"\x00", 2), (b"\x03", 2), (b"\x00\x04\x00", 4)):
        file.write(piece)
        audio += piece
        with wave.open(str(path)) as written:
            assert written.getparams()[:4] == (1, 2, 24_000, whole)
            assert written.readframes(9) == audio[: whole * 2]
    assert file.seconds == pytest.approx(4 / 24_000)
    file.close()
    file.close()
    assert len(path.read_bytes()) == 44 + 8


def test_without_audio_there_is_no_file(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "reply.wav")
    file.write(b"\x01")
    file.close()
    assert list(tmp_path.iterdir()) == []
