"""One ``/v2/listen`` connection: audio in, the turns found in it out.

How sure it is that a turn has ended grows with the silence: up to 0.99 within a second. So the
default threshold of 0.7 ends a turn after 0.7 s, and 1.0 leaves it to ``eot_timeout_ms``.

Sources: Deepgram's pages on Flux; the types of its Python SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from voiceproxy_simulator.deepgram.hearing import (
    Hearing,
    UndecodableError,
    described,
    timed_words,
)
from voiceproxy_simulator.deepgram.listen_v2_query import ListenV2Query
from voiceproxy_simulator.deepgram.listen_v2_thresholds import RejectedError, Thresholds
from voiceproxy_simulator.deepgram.messages import (
    Message,
    Shape,
    UnparsableError,
    absent_or,
    flag,
    number,
    text,
    texts,
    whole,
)
from voiceproxy_simulator.deepgram.stream import Stream
from voiceproxy_simulator.formats import Samples
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.vad import Detector
from voiceproxy_simulator.wire import NO_STATUS, Line

_CERTAIN_MS = 1000
"""So much silence is as good as certainly the end of a turn."""

_PAUSE_MS = 100
_UPDATE_MS = 240

_THRESHOLDS = Shape(
    optional={
        "eager_eot_threshold": absent_or(number),
        "eot_threshold": absent_or(number),
        "eot_timeout_ms": absent_or(whole),
    }
)


class ListenV2(Stream):
    """A stream with a query."""

    shapes: ClassVar[Mapping[str, Shape]] = {
        "CloseStream": Shape(),
        "ForceEndTurn": Shape(),
        "Configure": Shape(
            optional={
                "thresholds": absent_or(_THRESHOLDS),
                "keyterms": absent_or(lambda value: text(value) or texts(value)),
                "language_hints": absent_or(texts),
                "numerals": absent_or(flag),
            }
        ),
    }

    def __init__(self, line: Line, journal: Journal, request_id: str, query: ListenV2Query) -> None:
        super().__init__(line, journal, request_id)
        self._query = query
        self._thresholds = Thresholds.of(query)
        self._hints = list(query.language_hints)
        self._keyterms = list(query.keyterms)
        self._numerals = query.numerals
        self._hearing = Hearing(query.encoding, query.sample_rate, 1, together=True)
        self._detector: Detector | None = None
        self._sequence = 0
        self._turn_index = 0
        self._turn: _Turn | None = None

    def handlers(self) -> Mapping[str, Callable[[Message], None]]:
        """Of each message."""
        return {
            "CloseStream": lambda _message: self._finish(),
            "ForceEndTurn": lambda _message: self._end_turn("manual"),
            "Configure": self._configure,
        }

    def open(self) -> None:
        """The stream is greeted."""
        self._say("Connected", request_id=self.id)

    def drained(self) -> None:
        """Nothing waits for the client to read."""

    def hear(self, data: bytes) -> None:
        """Audio."""
        try:
            for (samples,) in self._hearing.feed(data):
                self._hear_step(samples)
        except UndecodableError:
            self.violate("", "DATA-0000")
            self._fail("DATA-0000", "The payload cannot be decoded as audio.")

    def refuse(self, error: UnparsableError, text: str) -> None:
        """An ``Error``, and the end."""
        del text
        self._fail("UNPARSABLE_CLIENT_MESSAGE", f"Error parsing client message: {error}")

    # Turns

    def _hear_step(self, samples: Samples) -> None:
        if self._detector is None:
            self._detector = Detector(self._hearing.rate, silence_ms=_PAUSE_MS)
        for boundary in self._detector.feed(samples):
            if boundary.kind == "started":
                self._begin_speech(boundary.at_ms)
            elif self._turn is not None:
                self._turn.silent_since = boundary.at_ms - _PAUSE_MS
        if self._turn is not None:
            self._judge(self._turn)

    def _begin_speech(self, at_ms: float) -> None:
        if self._turn is None:
            self._turn = _Turn(at_ms, self._now)
            self._tell(self._turn, "StartOfTurn")
        elif self._turn.eagerly_ended:
            self._turn.eagerly_ended = False
            self._tell(self._turn, "TurnResumed")
        self._turn.silent_since = None

    def _judge(self, turn: _Turn) -> None:
        """Whether the silence of a turn is long enough for its end; else report from it."""
        confidence = turn.confidence(self._now)
        eager = self._thresholds.eager_eot_threshold
        if confidence >= self._thresholds.eot_threshold:
            self._end_turn("model")
        elif turn.silence(self._now) >= self._thresholds.eot_timeout_ms:
            self._end_turn("timeout")
        elif eager is not None and confidence >= eager and not turn.eagerly_ended:
            turn.eagerly_ended = True
            self._tell(turn, "EagerEndOfTurn")
        elif self._now - turn.told_at >= _UPDATE_MS:
            self._tell(turn, "Update")

    def _end_turn(self, trigger: str) -> None:
        turn, self._turn = self._turn, None
        if turn is None or self._detector is None:
            return
        self._tell(turn, "EndOfTurn", trigger=trigger)
        self._detector.forget()
        self._turn_index += 1

    def _tell(self, turn: _Turn, event: str, **fields: Any) -> None:
        turn.told_at = self._now
        start, end = (0.0, 0.0) if self._detector is None else self._detector.voiced
        transcript = described(end - start)
        if self._query.multilingual:
            fields["languages"] = ["en"]
            fields |= {"languages_hinted": self._hints} if self._hints else {}
        self._say(
            "TurnInfo",
            request_id=self.id,
            event=event,
            turn_index=self._turn_index,
            audio_window_start=round(turn.start_ms / 1000, 3),
            audio_window_end=round(self._now / 1000, 3),
            transcript=transcript,
            words=timed_words(transcript, start, end),
            end_of_turn_confidence=round(turn.confidence(self._now), 4),
            **fields,
        )

    @property
    def _now(self) -> float:
        """Milliseconds of audio."""
        return self._hearing.received_ms

    # The rest

    def _configure(self, message: Message) -> None:
        try:
            self._thresholds = self._rethought(message)
        except RejectedError as error:
            fields = {"code": "INVALID_CONFIGURATION", "description": str(error)}
            self._say("ConfigureFailure", request_id=self.id, **fields)
            return
        if (keyterms := message.get("keyterms")) is not None:
            self._keyterms = [keyterms] if isinstance(keyterms, str) else keyterms
        if (hints := message.get("language_hints")) is not None:
            self._hints = hints
        if (numerals := message.get("numerals")) is not None:
            self._numerals = numerals
        self._say("ConfigureSuccess", request_id=self.id, **self._configuration())

    def _rethought(self, message: Message) -> Thresholds:
        """The thresholds a ``Configure`` leaves, once all of it can be had."""
        if message.get("language_hints") is not None and not self._query.multilingual:
            raise RejectedError("language_hints are supported by flux-general-multi only.")
        return self._thresholds.changed(message.get("thresholds") or {})

    def _configuration(self) -> dict[str, Any]:
        return {
            "thresholds": self._thresholds.described(),
            "keyterms": self._keyterms,
            "numerals": self._numerals,
            **({"language_hints": self._hints} if self._query.multilingual else {}),
        }

    def _finish(self) -> None:
        """What was heard last, and the end."""
        if self._turn is not None:
            self._tell(self._turn, "Update")
        self.end(NO_STATUS)

    def _fail(self, code: str, description: str) -> None:
        self._say("Error", code=code, description=description)
        self.end(NO_STATUS)

    def _say(self, kind: str, **fields: Any) -> None:
        """Send a message with the number of all that were sent before."""
        self.send(kind, sequence_id=self._sequence, **fields)
        self._sequence += 1


class _Turn:
    """A turn of the user that has begun and not ended."""

    def __init__(self, start_ms: float, now: float) -> None:
        self.start_ms = start_ms
        self.told_at = now
        self.eagerly_ended = False
        self.silent_since: float | None = None

    def silence(self, now: float) -> float:
        """Milliseconds since the last sound."""
        return 0.0 if self.silent_since is None else now - self.silent_since

    def confidence(self, now: float) -> float:
        """That it has ended; never quite 1, which a threshold of 1 asks for."""
        return min(0.99, self.silence(now) / _CERTAIN_MS)
