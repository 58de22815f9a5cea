"""Deepgram's audio formats, and what the simulator makes of files and frames."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from voiceproxy_simulator.deepgram.audio import RAW, audio_format, is_container, wave_header
from voiceproxy_simulator.deepgram.hearing import Hearing, UndecodableError, described, timed_words
from voiceproxy_simulator.testing import tone

SPEECH = Path(__file__).parent / "data" / "speech.wav"


def wav(data: bytes, rate: int = 16000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(data)
    return file.getvalue()


def header(code: int, bits: int, rate: int = 16000, channels: int = 1) -> bytes:
    chunk = struct.pack("<HHIIHH", code, channels, rate, 0, 0, bits)
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + chunk + b"data\0\0\0\0"


def heard(hearing: Hearing, data: bytes) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(step[0] for step in hearing.feed(data))])


@pytest.mark.parametrize("encoding", RAW)
def test_samples_survive_their_encoding(encoding: str):
    audio = audio_format(encoding, 8000)
    samples = np.array([0.0, 0.25, -0.25, 0.9, -0.9], dtype=np.float32)
    decoded = audio.decode(audio.encode(samples))
    assert decoded == pytest.approx(samples, abs=0.04)
    assert (audio.name, audio.rate) == (encoding, 8000)


def test_floats_that_are_no_audio_do_no_harm():
    data = np.array([np.nan, np.inf, -np.inf, 7.0], dtype="<f4").tobytes()
    assert audio_format("linear32", 8000).decode(data).tolist() == [0.0, 1.0, -1.0, 1.0]


@pytest.mark.parametrize(
    "head",
    [
        wav(b""),
        b"OggS\0\2........",
        b"fLaC............",
        b"ID3\4............",
        b"\x1aE\xdf\xa3............",
        b"\xff\xfb............",
        b"\0\0\0\x20ftypM4A ",
        b"#!AMR\n..........",
    ],
)
def test_a_container_is_known_by_its_beginning(head: bytes):
    assert is_container(head)


def test_samples_are_no_container():
    assert not is_container(tone(0.1, 16000))


def test_a_wav_file_is_heard_without_an_encoding():
    hearing = Hearing(None, 0, 1, together=True)
    data = SPEECH.read_bytes()
    with wave.open(str(SPEECH)) as file:
        rate, frames = file.getframerate(), file.getnframes()
    assert len(heard(hearing, data)) == frames
    assert (hearing.rate, hearing.received_ms) == (rate, frames * 1000 / rate)


@pytest.mark.parametrize("size", [1, 7, 44, 1000])
def test_a_wav_file_may_come_in_any_pieces(size: int):
    data, hearing = wav(tone(0.1, 16000)), Hearing(None, 0, 1, together=True)
    for at in range(0, len(data), size):
        list(hearing.feed(data[at : at + size]))
    assert hearing.received_ms == pytest.approx(100)


def test_channels_of_a_wav_file_are_heard_apart_or_together():
    left, right = tone(0.05, 16000), bytes(1600)
    both = b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, 1600, 2))
    [apart] = Hearing(None, 0, 1, together=False).feed(wav(both, channels=2))
    assert [float(np.abs(one).max()) > 0.2 for one in apart] == [True, False]
    [together] = Hearing(None, 0, 1, together=True).feed(wav(both, channels=2))
    assert len(together) == 1
    assert 0.1 < float(np.abs(together[0]).max()) < 0.2


@pytest.mark.parametrize(
    ("code", "bits", "name"), [(1, 16, "linear16"), (3, 32, "linear32"), (7, 8, "mulaw")]
)
def test_the_header_of_a_wav_file_names_its_encoding(code: int, bits: int, name: str):
    found = wave_header(header(code, bits, rate=8000, channels=2))
    assert found is not None
    audio, channels, start = found
    assert (audio.name, audio.rate, channels, start) == (name, 8000, 2, 44)


@pytest.mark.parametrize(
    "data",
    [
        b"OggS....",
        header(1, 16)[:30],
        header(1, 16)[:40],
        header(1, 24),
        header(1, 16, rate=1),
        header(1, 16, channels=0),
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
    ],
)
def test_other_headers_tell_nothing(data: bytes):
    assert wave_header(data) is None


@pytest.mark.parametrize("data", [b"OggS" + bytes(100), header(1, 24) + bytes(5000)])
def test_what_cannot_be_decoded_is_heard_as_nothing(data: bytes):
    hearing = Hearing(None, 0, 1, together=True)
    assert len(heard(hearing, data)) == 0
    assert len(heard(hearing, tone(0.1))) == 0
    assert hearing.received_ms == 0
    assert hearing.rate == 0


def test_what_is_no_audio_is_not_decodable():
    with pytest.raises(UndecodableError):
        heard(Hearing(None, 0, 1, together=True), b"Lorem ipsum dolor sit amet.")


def test_audio_is_heard_in_steps_however_it_comes():
    hearing = Hearing("linear16", 16000, 1, together=True)
    steps = [len(step[0]) for step in hearing.feed(tone(0.2, 16000))]
    assert steps == [1280, 1280, 640]


def test_transcripts_say_how_long_speech_lasted():
    assert (described(1449), described(0)) == ("1.4 s of speech", "")
    words = timed_words("one two", 1000, 2000)
    assert [(one["word"], one["start"], one["end"]) for one in words] == [
        ("one", 1.0, 1.5),
        ("two", 1.5, 2.0),
    ]
    assert timed_words("", 0, 0) == []
