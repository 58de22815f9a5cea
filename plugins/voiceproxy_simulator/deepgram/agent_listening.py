"""The user's side of a spoken turn: audio in, speech found in it, turns out."""

from __future__ import annotations

from functools import partial

from voiceproxy_simulator.deepgram.agent_dialogue import Dialogue
from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.formats import AudioFormat
from voiceproxy_simulator.vad import Detector

SILENCE_MS = 400
"""So much quiet ends the user's turn."""


class Listening:
    """Hears binary frames. ``audio_format`` None is encoded audio, which is heard as nothing."""

    def __init__(
        self, emitter: AgentEmitter, dialogue: Dialogue, audio_format: AudioFormat | None
    ) -> None:
        self._emitter = emitter
        self._dialogue = dialogue
        self._format = audio_format
        self._detector = Detector(audio_format.rate if audio_format else 0, silence_ms=SILENCE_MS)
        self._odd = b""

    def hear(self, data: bytes) -> None:
        """A binary frame, of any length."""
        if self._format is None:
            return
        data = self._odd + data
        whole = len(data) // self._format.width * self._format.width
        data, self._odd = data[:whole], data[whole:]
        for boundary in self._detector.feed(self._format.decode(data)):
            if boundary.kind == "started":
                self._start()
            else:
                self._stop(self._detector.voiced_ms)

    def end_turn(self) -> None:
        """``ForceEndTurn``: the user's turn ends here, if it has begun."""
        self._stop(self._detector.voiced_ms)

    def overhear(self, seconds: float) -> None:
        """An utterance without audio, from now on: only its length is known."""
        self._start()
        self._emitter.line.later(seconds, partial(self._stop, seconds * 1000))

    def _start(self) -> None:
        if not self._dialogue.user_is_speaking:
            self._dialogue.user_is_speaking = True
            self._emitter.send("UserStartedSpeaking")
            self._dialogue.interrupt()

    def _stop(self, voiced_ms: float) -> None:
        """The turn is over, whoever ended it; an utterance that is both heard and overheard ends
        once."""
        self._detector.forget()
        if self._dialogue.user_is_speaking:
            self._dialogue.user_is_speaking = False
            self._dialogue.hear_speech(voiced_ms)
