"""A session without a socket, on a clock moved by hand: for tests of scenarios and rules."""

from __future__ import annotations

import base64
import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any

import orjson

from voiceproxy_simulator.journal import Journal, Violation
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.scenarios import scenario_class
from voiceproxy_simulator.session import DEFAULT_MODEL, Session
from voiceproxy_simulator.wire import Event, Frame, Timer


class FakeTimer:
    """A timer of a ``FakeLine``."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Call it off."""
        self.callback = None


class FakeLine:
    """A line that keeps what is sent and runs timers when ``advance`` moves the clock."""

    def __init__(self) -> None:
        self.full = False
        self.sent: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self._now = 1000.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, FakeTimer]] = []

    def now(self) -> float:
        """The moved clock."""
        return self._now

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """A timer on the moved clock."""
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), timer))
        return timer

    def send(self, frame: Frame) -> None:
        """Keep a frame, as it would be on the wire."""
        if self.closed is None:
            self.sent.append(orjson.loads(orjson.dumps(frame)) if _is_event(frame) else frame)

    def close(self, code: int, reason: str) -> None:
        """Keep the close."""
        self.closed = self.closed or (code, reason)

    def reset(self) -> None:
        """Keep the end, as the peer would report it."""
        self.close(1006, "")

    def advance(self, seconds: float) -> None:
        """Move the clock; due timers run in order, those they start too."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._now = end


class Rehearsal:
    """One session on a fake line, already greeted unless ``greeted`` is False.

    ``configured`` sends a first ``session.update`` and waits for its answer.
    """

    def __init__(
        self,
        *,
        kind: str = "realtime",
        model: str = DEFAULT_MODEL,
        pace: Pace = "burst",
        scenario: str | type[Scenario] | None = None,
        configured: bool = True,
        session: dict[str, Any] | None = None,
    ) -> None:
        self.line = FakeLine()
        self.journal = Journal()
        chosen = scenario_class(scenario)
        self.session = Session(
            self.line, self.journal, kind=kind, model=model, pace=pace, scenario=chosen
        )
        self.session.open()
        self._seen = 0
        if configured:
            self.client({"type": "session.update", "session": {"type": kind, **(session or {})}})
            self.advance(0.01)
            self.frames()

    def client(self, *events: Event | str | bytes) -> None:
        """Events from the client; text as it is; bytes are a binary frame."""
        for event in events:
            if isinstance(event, bytes):
                self.session.receive_binary()
            else:
                self.session.receive(event if isinstance(event, str) else orjson.dumps(event))

    def say(self, audio: bytes, chunk: int = 4800) -> None:
        """Append audio in chunks."""
        for start in range(0, len(audio), chunk):
            encoded = base64.b64encode(audio[start : start + chunk]).decode()
            self.client({"type": "input_audio_buffer.append", "audio": encoded})

    def ask(self, text: str, **response: Any) -> list[Event]:
        """A text turn from item to ``response.done``, in a burst; its events."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.client({"type": "conversation.item.create", "item": item})
        self.advance(0.01)
        self.client({"type": "response.create"} | ({"response": response} if response else {}))
        self.advance(0)
        return self.events()

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.line.advance(seconds)

    def frames(self) -> list[Frame]:
        """Everything sent since last asked."""
        frames = self.line.sent[self._seen :]
        self._seen = len(self.line.sent)
        return frames

    def events(self) -> list[Event]:
        """The events among the frames sent since last asked."""
        return [frame for frame in self.frames() if isinstance(frame, dict)]

    def types(self) -> list[str]:
        """The types of the events sent since last asked, runs of one type once."""
        return [kind for kind, _ in itertools.groupby(event["type"] for event in self.events())]

    @property
    def violations(self) -> list[Violation]:
        """Breaches so far."""
        return self.journal.violations

    @property
    def closed(self) -> tuple[int, str] | None:
        """Code and reason, once the session closed its line."""
        return self.line.closed


def tone(seconds: float, rate: int = 24000, amplitude: float = 0.3) -> bytes:
    """Loud PCM, which counts as speech."""
    samples = (
        round(amplitude * 32767 * math.sin(2 * math.pi * 220 * place / rate))
        for place in range(round(seconds * rate))
    )
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def silence(seconds: float, rate: int = 24000) -> bytes:
    """Silent PCM."""
    return bytes(2 * round(seconds * rate))


def _is_event(frame: Frame) -> bool:
    return isinstance(frame, dict)
