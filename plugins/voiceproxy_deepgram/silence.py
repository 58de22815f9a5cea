"""A wait for silence: one timer, however often it is put off."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceproxy import Timer, TranslatorSession

TICK = 0.001
"""Seconds a timer may be early: the clock's figures are rounded."""


class Silence:
    """Calls back once nothing has been heard for a while."""

    def __init__(self, session: TranslatorSession, on_silence: Callable[[], None]) -> None:
        self._session = session
        self._on_silence = on_silence
        self._timer: Timer | None = None
        self._rings_at = 0.0
        self._due: float | None = None

    def begin(self, seconds: float) -> None:
        """Something was heard: from now on it has to be quiet that long. 0: for ever."""
        if not seconds:
            self.end()
            return
        self._due = self._session.now() + seconds
        if self._timer is not None and self._rings_at > self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._set(self._due, seconds)

    def end(self) -> None:
        """Nobody waits any more."""
        self._due = None

    def _set(self, due: float, seconds: float) -> None:
        self._rings_at = due
        self._timer = self._session.later(seconds, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._due is None:
            return
        left = self._due - self._session.now()
        if left > TICK:
            self._set(self._due, left)
            return
        self._on_silence()
