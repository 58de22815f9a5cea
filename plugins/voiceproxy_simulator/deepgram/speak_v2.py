"""One ``/v2/speak`` connection: turns of text in, their audio out, until the user interrupts.

Source: the types of Deepgram's Python SDK, and what they say of themselves.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from voiceproxy_simulator.deepgram.messages import (
    Message,
    Shape,
    UnparsableError,
    absent_or,
    number,
    text,
    whole,
)
from voiceproxy_simulator.deepgram.playback import Playback, Utterance
from voiceproxy_simulator.deepgram.speak_query import SpeakQuery, speed_fault
from voiceproxy_simulator.deepgram.speak_v1 import MAX_TEXT, MODEL_UUID, MODEL_VERSION
from voiceproxy_simulator.deepgram.stream import Stream
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.wire import NO_STATUS, Line

_SPEAKABLE = re.compile(r"\w")
_OFFSET = Shape(required={"type": lambda value: value == "time_ms", "value": whole})


class SpeakV2(Stream):
    """A stream with a query; ``pace`` as of ``SimulatedDeepgram``."""

    shapes: ClassVar[Mapping[str, Shape]] = {
        "Speak": Shape(required={"text": text}),
        "Flush": Shape(),
        "Interrupt": Shape(optional={"playback_offset": absent_or(_OFFSET)}),
        "Configure": Shape(optional={"speed": absent_or(number)}),
        "Close": Shape(),
    }

    def __init__(
        self, line: Line, journal: Journal, request_id: str, query: SpeakQuery, *, pace: Pace
    ) -> None:
        super().__init__(line, journal, request_id)
        self._query = query
        self._speed = query.speed
        self._applied = {"speed": query.speed} if query.speed_given else {}
        self._playback = Playback(line, pace, query.audio, query.model)
        self._text: str | None = None
        self._turn: _Turn | None = None
        self._total_ms = 0.0
        self._interrupted_ms = 0
        self._characters = 0

    def handlers(self) -> Mapping[str, Callable[[Message], None]]:
        """Of each message."""
        return {
            "Speak": self._speak,
            "Flush": lambda _message: self._flush(),
            "Interrupt": self._interrupt,
            "Configure": self._configure,
            "Close": lambda _message: self._close(),
        }

    def open(self) -> None:
        """Say which model speaks."""
        self.send(
            "Connected",
            request_id=self.id,
            model_name=self._query.model,
            model_version=MODEL_VERSION,
            model_uuids=[MODEL_UUID],
        )

    def drained(self) -> None:
        """The line takes frames again."""
        self._playback.drained()

    def closed(self) -> None:
        """The connection is over."""
        super().closed()
        self._playback.stop()

    def hear(self, data: bytes) -> None:
        """There is no binary message."""
        del data
        self.violate("", "MESSAGE-0000")
        self._fail("MESSAGE-0000", "Binary messages are not supported.")

    def refuse(self, error: UnparsableError, text: str) -> None:
        """An ``Error``, and the end."""
        del text
        self._fail("MESSAGE-0000", f"The message could not be parsed: {error}")

    # Turns

    def _speak(self, message: Message) -> None:
        if len(message["text"]) > MAX_TEXT:
            self.violate("Speak", "BIG-0000")
            self._fail("BIG-0000", f"The text is longer than {MAX_TEXT} characters.")
            return
        self._text = (self._text or "") + message["text"]
        self._characters += len(message["text"])

    def _flush(self) -> None:
        spoken, self._text = self._text, None
        if spoken is None:
            self._warn("NO_ACTIVE_SPEECH", "There is no turn to flush.")
            return
        turn = _Turn(spoken)
        begun, ended = partial(self._begin, turn), partial(self._end_turn, turn)
        sayable = spoken if _SPEAKABLE.search(spoken) else ""
        turn.utterance = self._playback.utterance(sayable, self._speed, begun, ended)
        self._playback.speak(turn.utterance)

    def _begin(self, turn: _Turn) -> None:
        self._turn = turn
        turn.start_ms = self._produced_ms
        self.send("SpeechStarted", speech_id=turn.id)
        if not turn.utterance.speech.words:
            self._warn("NO_SYNTHESIZABLE_TEXT", "The text of the turn has nothing to say.")

    def _end_turn(self, turn: _Turn) -> None:
        self.send("Flushed", speech_id=turn.id)
        self.send("SpeechMetadata", **turn.metadata())

    @property
    def _produced_ms(self) -> float:
        """Audio of the session; an interrupt sets it back to what was played."""
        return self._total_ms + self._playback.sent_ms

    def _interrupt(self, message: Message) -> None:
        offset = message.get("playback_offset")
        played = round(self._produced_ms) if offset is None else offset["value"]
        turn = self._turn
        if turn is None or not self._produced_ms:
            self._warn("NO_AUDIO_GENERATED", "There is no audio to interrupt.")
        elif offset is not None and played <= self._interrupted_ms:
            self._warn("INVALID_INTERRUPT_OFFSET", "The offset did not advance.")
        else:
            self._cut(turn, played, told=offset is not None)

    def _cut(self, turn: _Turn, played: int, *, told: bool) -> None:
        self._playback.stop()
        self._text = None
        texts = turn.split(played) if told else {}
        self.send("SpeechInterrupted", audio_played_ms=played, **texts, metadata=turn.metadata())
        self._interrupted_ms = played
        self._total_ms = played - self._playback.sent_ms

    # The rest

    def _configure(self, message: Message) -> None:
        speed = message.get("speed")
        code = "" if speed is None else speed_fault(speed)
        if code:
            description = f"The speed {speed:g} is not supported."
            fields = {"code": code, "field": "speed", "value": speed, "description": description}
            self.send("ConfigureFailure", **fields)
            return
        if speed is not None:
            self._speed = speed
            self._applied = {"speed": speed}
        self.send("ConfigureSuccess", applied=self._applied)

    def _close(self) -> None:
        """Say the rest, sum up, end; whatever follows is not heard."""
        self._over = True
        if self._text is not None:
            self._flush()
        self._playback.speak(self._playback.utterance("", 1.0, _nothing, self._finish))

    def _finish(self) -> None:
        self.send(
            "SessionMetadata",
            total_audio_duration_ms=round(self._produced_ms),
            total_input_character_count=self._characters,
            total_billable_character_count=self._characters,
        )
        self.end(NO_STATUS)

    def _warn(self, code: str, description: str) -> None:
        self.send("Warning", code=code, description=description)

    def _fail(self, code: str, description: str) -> None:
        self._playback.stop()
        self.send("Error", code=code, description=description)
        self.end(NO_STATUS)


class _Turn:
    """One text, from its first word to its flush, and what was made of it."""

    utterance: Utterance

    def __init__(self, text: str) -> None:
        self.id = f"dg_sp_{secrets.token_hex(6)}"
        self.start_ms = 0.0
        self._text = text

    def metadata(self) -> dict[str, Any]:
        """Billing and timing, as the messages about the turn have them."""
        return {
            "speech_id": self.id,
            "audio_duration_ms": round(self.utterance.milliseconds),
            "input_character_count": len(self._text),
            "billable_character_count": len(self._text),
            "controls_applied": {
                "pronunciations_applied": 0,
                "breaks_applied": 0,
                "pronunciation_warnings": 0,
            },
        }

    def split(self, played_ms: int) -> dict[str, str]:
        """What the user heard of it and what not, at a position of the session's audio."""
        heard = (played_ms - self.start_ms) / 1000
        words = self.utterance.speech.words
        spoken = [word.text for word in words if word.start + word.seconds <= heard]
        rest = [word.text for word in words[len(spoken) :]]
        return {"text_spoken": "".join(spoken).strip(), "text_remaining": "".join(rest).strip()}


def _nothing() -> None:
    """The end of a session begins silently."""
