"""Texts spoken one after the other on a line, as fast as it takes them or as they are heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from voiceproxy_simulator.formats import AudioFormat
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.speech import Speech
from voiceproxy_simulator.wire import Line, Timer

_HEAD_START_SECONDS = 0.3
"""How far ahead of being heard audio is sent at the pace of real time."""


@dataclass(slots=True)
class Utterance:
    """A text to speak: ``begun`` is called before its audio, ``ended`` behind it."""

    speech: Speech
    begun: Callable[[], None]
    ended: Callable[[], None]
    milliseconds: float = 0.0
    pieces: Iterator[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.pieces = self.speech.deltas()


class Playback:
    """Speaks utterances in the order they come. ``sent_ms`` counts the audio of all."""

    def __init__(self, line: Line, pace: Pace, audio: AudioFormat, voice: str) -> None:
        self._line = line
        self._paced = pace == "realtime"
        self._audio = audio
        self._voice = voice
        self._queue: deque[Utterance] = deque()
        self._current: Utterance | None = None
        self._timer: Timer | None = None
        self._heard_until = 0.0
        self.sent_ms = 0.0

    def utterance(
        self,
        text: str,
        speed: float,
        begun: Callable[[], None],
        ended: Callable[[], None],
    ) -> Utterance:
        """An utterance in this voice."""
        return Utterance(Speech(text, self._audio, self._voice, speed), begun, ended)

    def speak(self, utterance: Utterance) -> None:
        """Speak it behind what is being spoken."""
        self._queue.append(utterance)
        if self._current is None:
            self._produce()

    def stop(self) -> None:
        """Say no more of anything."""
        self._queue.clear()
        self._current = None
        self._heard_until = 0.0
        self._rest()

    def drained(self) -> None:
        """The line takes frames again."""
        if self._timer is None:
            self._produce()

    def _produce(self) -> None:
        while (current := self._next()) is not None and self._may_send():
            self._send_piece(current)

    def _next(self) -> Utterance | None:
        if self._current is None and self._queue:
            self._current = self._queue.popleft()
            self._current.begun()
        return self._current

    def _may_send(self) -> bool:
        if self._line.full:
            return False
        ahead = self._heard_until - self._line.now()
        if self._paced and ahead > _HEAD_START_SECONDS:
            self._timer = self._line.later(ahead - _HEAD_START_SECONDS, self._go_on)
            return False
        return True

    def _go_on(self) -> None:
        self._timer = None
        self._produce()

    def _send_piece(self, current: Utterance) -> None:
        piece = next(current.pieces, None)
        if piece is None:
            self._current = None
            current.ended()
            return
        length = self._audio.milliseconds(len(piece))
        self.sent_ms += length
        current.milliseconds += length
        self._heard_until = max(self._heard_until, self._line.now()) + length / 1000
        self._line.send(piece)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
