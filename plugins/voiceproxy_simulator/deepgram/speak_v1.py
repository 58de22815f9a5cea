"""One ``/v1/speak`` connection: text in, audio out when it is flushed.

Sources: Deepgram's pages on text to speech by WebSocket (flush, clear, close, limits, errors); the
types of its Python SDK.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar

from voiceproxy_simulator.deepgram.messages import Message, Shape, UnparsableError, text
from voiceproxy_simulator.deepgram.playback import Playback
from voiceproxy_simulator.deepgram.speak_query import SpeakQuery
from voiceproxy_simulator.deepgram.stream import Stream
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.wire import Line

MAX_TEXT = 2000
MAX_FLUSHES = 20
FLUSH_WINDOW_SECONDS = 60.0
MODEL_UUID = "0b1e8f0e-5d1c-4c55-9c0a-51d1c0de5bea"
MODEL_VERSION = "2026-01-01.0"


class SpeakV1(Stream):
    """A stream with a query; ``pace`` as of ``SimulatedDeepgram``."""

    shapes: ClassVar[Mapping[str, Shape]] = {
        "Speak": Shape(required={"text": text}),
        "Flush": Shape(),
        "Clear": Shape(),
        "Close": Shape(),
    }

    def __init__(
        self, line: Line, journal: Journal, request_id: str, query: SpeakQuery, *, pace: Pace
    ) -> None:
        super().__init__(line, journal, request_id)
        self._query = query
        self._playback = Playback(line, pace, query.audio, query.model)
        self._text = ""
        self._sequence = 0
        self._flushes: deque[float] = deque()

    def handlers(self) -> Mapping[str, Callable[[Message], None]]:
        """Of each message."""
        return {
            "Speak": self._speak,
            "Flush": lambda _message: self._flush(),
            "Clear": lambda _message: self._clear(),
            "Close": lambda _message: self._close(),
        }

    def open(self) -> None:
        """Say which model speaks."""
        self.send(
            "Metadata",
            request_id=self.id,
            model_name=self._query.model,
            model_version=MODEL_VERSION,
            model_uuid=MODEL_UUID,
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
        self.end(1003, "MESSAGE-0000: Binary messages are not supported.")

    def refuse(self, error: UnparsableError, text: str) -> None:
        """The end."""
        del text
        self.end(1003, f"MESSAGE-0000: {error}"[:123])

    def _speak(self, message: Message) -> None:
        if len(message["text"]) > MAX_TEXT:
            self.violate("Speak", "BIG-0000")
            self.end(1009, f"BIG-0000: The text is longer than {MAX_TEXT} characters.")
            return
        self._text += message["text"]

    def _flush(self) -> None:
        now = self.line.now()
        while self._flushes and now - self._flushes[0] >= FLUSH_WINDOW_SECONDS:
            self._flushes.popleft()
        if len(self._flushes) >= MAX_FLUSHES:
            self.violate("Flush", "EXCESSIVE_FLUSH")
            description = f"Flush was sent more than {MAX_FLUSHES} times in 60 seconds."
            self.send("Warning", description=description, code="EXCESSIVE_FLUSH")
            return
        self._flushes.append(now)
        self._utter(lambda: self._confirm("Flushed"))

    def _utter(self, ended: Callable[[], None]) -> None:
        """Speak what was collected."""
        spoken, self._text = self._text, ""
        utterance = self._playback.utterance(spoken, self._query.speed, _nothing, ended)
        self._playback.speak(utterance)

    def _clear(self) -> None:
        self._text = ""
        self._playback.stop()
        self._confirm("Cleared")

    def _close(self) -> None:
        """Say the rest, then end; whatever follows is not heard."""
        self._over = True
        self._utter(lambda: self.end(1000))

    def _confirm(self, kind: str) -> None:
        self.send(kind, sequence_id=self._sequence)
        self._sequence += 1


def _nothing() -> None:
    """The beginning of an utterance is not told."""
