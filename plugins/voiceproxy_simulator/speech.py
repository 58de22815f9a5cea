"""The simulator's voice: a sung syllable for every syllable of the text, so that a listener hears a
reply of the right length, with words and sentences in it, and nobody mistakes it for speech."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from voiceproxy_simulator.formats import AudioFormat, Samples

DELTA_SECONDS = 0.1
"""How much audio one ``response.output_audio.delta`` carries."""

_SYLLABLE_SECONDS = 0.16
_WORD_GAP_SECONDS = 0.05
_PAUSE_SECONDS = {",": 0.12, ";": 0.12, ":": 0.12, ".": 0.22, "!": 0.22, "?": 0.22}
_MAX_SYLLABLES = 8
_LOUDNESS = 0.25
"""Peak amplitude of a syllable, about -12 dBFS: clear in headphones, far from clipping."""

_PENTATONIC = (0, 2, 4, 7, 9)
"""Semitones above the voice's note: any two of them sound well together."""

_VOWELS = {"a": (800, 1200), "e": (500, 1900), "i": (320, 2300), "o": (500, 900), "u": (350, 800)}
"""The first two formants of each vowel, in Hz."""

_WORD = re.compile(r"\s*\S+")
_VOWEL_GROUPS = re.compile(r"[aeiouy]+|\d", re.IGNORECASE)


class Word(NamedTuple):
    """One spoken word: its text with the space before it, when it starts and how long it lasts."""

    text: str
    start: float
    seconds: float


class Speech:
    """A text as timed words and as audio; made as it is read, so a reply costs no memory."""

    def __init__(
        self, text: str, audio: AudioFormat, voice: str = "alloy", speed: float = 1.0
    ) -> None:
        self._audio = audio
        self._note = 110.0 * 2 ** (zlib.crc32(voice.encode()) % 12 / 12)
        self._speed = speed
        self.words = tuple(self._timed(text))

    @property
    def seconds(self) -> float:
        """How long the whole text takes to say."""
        return sum(word.seconds for word in self.words)

    @staticmethod
    def split(text: str) -> list[str]:
        """The words of a text, each with the space before it; joined they are the text."""
        return _WORD.findall(text.rstrip())

    def deltas(self) -> Iterator[bytes]:
        """Encoded audio, ``DELTA_SECONDS`` at a time; the last may be shorter."""
        size = round(self._audio.rate * DELTA_SECONDS)
        held = np.zeros(0, dtype=np.float32)
        for word in self.words:
            held = np.concatenate((held, self._samples(word)))
            while len(held) >= size:
                yield self._audio.encode(held[:size])
                held = held[size:]
        if len(held):
            yield self._audio.encode(held)

    def until(self, milliseconds: float) -> bytes:
        """The audio up to a time, encoded, without deltas."""
        size = round(milliseconds * self._audio.rate / 1000) * self._audio.width
        return b"".join(self.deltas())[:size]

    def _timed(self, text: str) -> Iterator[Word]:
        start = 0.0
        for word in self.split(text):
            seconds = self._seconds(word) / self._speed
            yield Word(word, start, seconds)
            start += seconds

    def _seconds(self, word: str) -> float:
        pause = _PAUSE_SECONDS.get(word.rstrip("\"')")[-1:], 0.0)
        return len(_syllables(word)) * _SYLLABLE_SECONDS + _WORD_GAP_SECONDS + pause

    def _samples(self, word: Word) -> Samples:
        rate = self._audio.rate
        length = round(_SYLLABLE_SECONDS / self._speed * rate)
        return _sung(word.text, round(word.seconds * rate), length, self._note, rate)


def _syllables(word: str) -> list[str]:
    """The vowel of each syllable; a word without one is hummed as one syllable."""
    groups = _VOWEL_GROUPS.findall(word)[:_MAX_SYLLABLES]
    vowels = [group[0].lower() for group in groups] or ["u"]
    return [vowel if vowel in _VOWELS else "e" for vowel in vowels]


@lru_cache(maxsize=16)  # about 50 kB each
def _sung(word: str, size: int, length: int, note: float, rate: int) -> Samples:
    """A word of ``size`` samples, its syllables of ``length`` each; the same word is often said."""
    samples = np.zeros(size, dtype=np.float32)
    for place, syllable in enumerate(_syllables(word)):
        step = _PENTATONIC[zlib.crc32(f"{word}{place}".encode()) % len(_PENTATONIC)]
        tone = _tone(syllable, round(note * 2 ** (step / 12), 1), length, rate)
        start = place * length
        samples[start : start + length] = tone[: size - start]
    return samples


@lru_cache(maxsize=64)  # about 17 kB each
def _tone(vowel: str, pitch: float, length: int, rate: int) -> Samples:
    """One sung vowel: harmonics of ``pitch``, strongest near the vowel's formants."""
    time = np.arange(length) / rate
    tone = np.zeros(length)
    for harmonic in range(1, int(min(rate * 0.45, 3500) / pitch) + 1):
        tone += _strength(harmonic * pitch, vowel) * np.sin(2 * np.pi * harmonic * pitch * time)
    swell = np.minimum(1, np.minimum(time / 0.02, (length / rate - time) / 0.05))
    sung: Samples = (tone / np.max(np.abs(tone)) * swell * _LOUDNESS).astype(np.float32)
    return sung


def _strength(frequency: float, vowel: str) -> float:
    peaks = sum(1 / (1 + ((frequency - formant) / 120) ** 2) for formant in _VOWELS[vowel])
    return float(peaks + 0.3 * (110 / frequency))
