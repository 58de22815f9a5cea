"""Does the audio come at the rate the client declared? If not, speech is too fast or too slow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

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
    """Measures one client's microphone until it knows, and warns once if it is not as declared.

    Only the byte rate of another usual format counts: a file sent as fast as the line allows has
    no rate at all.
    """

    __slots__ = (
        "_began",
        "_bytes",
        "_declared",
        "_fixes",
        "_found",
        "_latest",
        "_now",
        "_warn",
        "_windows",
        "known",
    )

    def __init__(
        self, declared: AudioFormat, now: Callable[[], float], warn: Callable[[str], None]
    ) -> None:
        self._declared = declared
        self._fixes = _fixes(declared)
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
            self._judge(self._bytes / (now - self._began))
            self._restart(now)

    def _judge(self, measured: float) -> None:
        """Take one window's bytes a second into account."""
        nearest = min(self._fixes, key=lambda usual: abs(usual - measured))
        if abs(measured / nearest - 1) > TOLERANCE:
            nearest = 0
        self._windows = self._windows + 1 if nearest == self._found else 1
        self._found = nearest
        if nearest and self._windows == WINDOWS:
            self.known = True
            if nearest != self._declared.bytes_per_second:
                self._warn(
                    f"audio.input: {_named(self._declared)} is declared, which has "
                    f"{self._declared.bytes_per_second} bytes a second, but {nearest} come. "
                    f"{self._fixes[nearest]}"
                )


@lru_cache(maxsize=64)
def _fixes(declared: AudioFormat) -> Mapping[int, str]:
    """What is likely to be meant, by the bytes a second that come."""
    usual = [AudioFormat("linear16", rate) for rate in RATES]
    fixes = {audio.bytes_per_second: f"Declare {_named(audio)}." for audio in usual}
    fixes[8000] = "Declare mulaw or alaw at 8000 Hz."
    # Two channels weigh twice as much, and so do samples of 32 bits.
    twice = 2 * declared.bytes_per_second
    also = f"{fixes[twice][:-1]}, or send" if twice in fixes else "Send"
    fixes[twice] = f"{also} one channel, {declared.sample_bytes * 8} bits a sample."
    fixes[declared.bytes_per_second] = ""
    return fixes


def _named(audio: AudioFormat) -> str:
    return f"{audio.encoding} at {audio.rate} Hz"
