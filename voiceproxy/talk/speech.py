"""Recorded speech as a microphone would send it: in real time, then silence."""

from __future__ import annotations

from voiceproxy.talk.pcm import audible_seconds

FRAMES_PER_SECOND = 50
"""20 ms a frame, as browsers and phone bridges send it."""


class Speech:
    """16-bit mono PCM, cut into frames of 20 ms that fall due one after the other.

    A frame falls due when its last sample would have been recorded. After the speech silence falls
    due at the same pace for as long as it is asked for: an agent that listens for the end of a turn
    hears it in the silence.
    """

    def __init__(self, pcm: bytes, sample_rate: int) -> None:
        self.seconds = len(pcm) / 2 / sample_rate
        self.audible_seconds = audible_seconds(pcm, sample_rate)
        self._size = sample_rate // FRAMES_PER_SECOND * 2
        self._pcm = pcm + bytes(-len(pcm) % self._size)
        self._count = len(self._pcm) // self._size
        self._sent = 0
        self._started_at = 0.0
        self.ended_at: float | None = None

    def start(self, now: float) -> None:
        """Let the first frame fall due 20 ms from now."""
        self._started_at = now

    @property
    def heard_at(self) -> float:
        """When the last audible sound of the speech is over."""
        return self._started_at + self.audible_seconds

    @property
    def sent_seconds(self) -> float:
        """How much of the speech has been taken, silence not counted."""
        return min(self._sent / FRAMES_PER_SECOND, self.seconds)

    def take(self, now: float) -> list[bytes]:
        """Take the frames of speech that are due; empty once the speech is over."""
        frames = []
        while self._sent < self._count and self.next_at() <= now:
            frames.append(self._pcm[self._sent * self._size : (self._sent + 1) * self._size])
            self._sent += 1
        if self._sent >= self._count and self.ended_at is None:
            self.ended_at = now
        return frames

    def take_silence(self, now: float) -> list[bytes]:
        """Take the frames of silence that are due after the speech."""
        frames = []
        while self.ended_at is not None and self.next_at() <= now:
            frames.append(bytes(self._size))
            self._sent += 1
        return frames

    def next_at(self) -> float:
        """When the next frame, of speech or silence, falls due."""
        return self._started_at + (self._sent + 1) / FRAMES_PER_SECOND
