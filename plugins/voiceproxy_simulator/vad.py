"""Voice-activity detection by energy. Its time is the audio itself: milliseconds of it received."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from voiceproxy_simulator.formats import Samples

FRAME_MS = 20
_ONSET_FRAMES = 3
"""Speech begins with this many loud frames in a row: a click is none."""

_QUIETEST_DB, _RANGE_DB = -55.0, 30.0
"""Level of ``threshold`` 0, and what 1 adds: the default 0.5 is -40 dBFS, above room noise."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where speech begins or ends, in milliseconds of audio since the session began."""

    kind: Literal["started", "stopped"]
    at_ms: float


class Detector:
    """Finds where speech begins and ends in the audio it is fed.

    ``silence_ms`` of quiet end an utterance; ``at_ms`` is how much audio came before.
    """

    def __init__(
        self, rate: int, threshold: float = 0.5, silence_ms: float = 200, at_ms: float = 0
    ) -> None:
        self._rate = rate
        self._silence_ms = silence_ms
        self._frame = rate * FRAME_MS // 1000
        level = 10 ** ((_QUIETEST_DB + _RANGE_DB * threshold) / 20)
        self._energy = level**2 * self._frame
        self._held = np.zeros(0, dtype=np.float32)
        self._position_ms = at_ms
        self.forget()

    def forget(self) -> None:
        """Forget the speech so far: the turn is over, whoever ended it."""
        self._first_loud: float | None = None
        self._last_loud = self._position_ms
        self._onset = 0
        self.speaking = False

    @property
    def voiced_ms(self) -> float:
        """Milliseconds from the beginning of the speech to the end of its last loud frame."""
        first, last = self.voiced
        return last - first

    @property
    def voiced(self) -> tuple[float, float]:
        """Where the speech begins and where its last loud frame ends; empty without speech."""
        last = self._last_loud
        return (last, last) if self._first_loud is None else (self._first_loud, last)

    def feed(self, samples: Samples) -> Iterator[Boundary]:
        """Hear more audio; every boundary found in it, in order."""
        if len(self._held):
            samples = np.concatenate((self._held, samples))
        whole = len(samples) // self._frame * self._frame
        self._held = samples[whole:]
        frames = samples[:whole].reshape(-1, self._frame)
        energies = np.einsum("ij,ij->i", frames, frames)
        for loud in (energies >= self._energy).tolist():
            boundary = self._hear(loud)
            if boundary is not None:
                yield boundary

    def _hear(self, loud: bool) -> Boundary | None:
        start = self._position_ms
        self._position_ms = start + FRAME_MS
        if loud:
            self._last_loud = self._position_ms
            return self._hear_loud(start)
        self._onset = 0
        if self.speaking and self._position_ms - self._last_loud >= self._silence_ms:
            self.speaking = False
            return Boundary("stopped", self._position_ms)
        return None

    def _hear_loud(self, start: float) -> Boundary | None:
        self._onset += 1
        if self.speaking or self._onset < _ONSET_FRAMES:
            return None
        self.speaking = True
        began = start - (_ONSET_FRAMES - 1) * FRAME_MS
        if self._first_loud is None:
            self._first_loud = began
        return Boundary("started", began)
