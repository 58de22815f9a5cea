"""Does the audio come at the rate the client declared? If not, speech is too fast or too slow."""

from __future__ import annotations

from collections.abc import Callable

from voiceproxy_openai.audio_formats import RATES, AudioFormat

WINDOW = 3.0
"""Seconds of unbroken audio that are measured at a time."""

GAP = 0.5
"""Seconds without audio after which the measurement begins anew."""

TOLERANCE = 0.04
"""How far a measured rate may be from a usual one and still be that one."""

WINDOWS = 2
"""Windows that must agree, for a verdict either way."""


class AudioPace:
    """Measures one client's microphone until it knows, and warns once if the rate is another.

    Only another usual rate counts: a file sent as fast as the line allows has no rate at all.
    """

    def __init__(
        self, declared: AudioFormat, now: Callable[[], float], warn: Callable[[str], None]
    ) -> None:
        self._declared = declared
        self._now = now
        self._warn = warn
        self._windows = 0
        self._found = 0
        self._restart(float("-inf"))
        self.known = False
        """True when there is nothing left to measure."""

    def _restart(self, now: float) -> None:
        # The frame that begins a window was recorded before it, so it is not counted.
        self._began = self._latest = now
        self._bytes = 0

    def received(self, size: int) -> None:
        """Audio of that many bytes has come."""
        now = self._now()
        if now - self._latest > GAP:
            self._restart(now)
            return
        self._latest = now
        self._bytes += size
        if now - self._began >= WINDOW:
            self._judge(self._bytes / self._declared.sample_bytes / (now - self._began))
            self._restart(now)

    def _judge(self, measured: float) -> None:
        nearest = min(RATES, key=lambda rate: abs(rate - measured))
        if abs(measured / nearest - 1) > TOLERANCE:
            nearest = 0
        self._windows = self._windows + 1 if nearest == self._found else 1
        self._found = nearest
        if nearest and self._windows == WINDOWS:
            self.known = True
            if nearest != self._declared.rate:
                self._warn(
                    f"audio.input.sample_rate: {self._declared.rate} Hz is declared, but audio "
                    f"comes at {nearest} Hz. Declare {nearest}, or send one channel only."
                )
