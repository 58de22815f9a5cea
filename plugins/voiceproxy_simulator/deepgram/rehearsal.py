"""A Voice Agent session without a socket, on a clock moved by hand: for tests of scenarios."""

from __future__ import annotations

import itertools
from typing import Any

import orjson

from voiceproxy_simulator.deepgram.agent_session import AgentSession
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message
from voiceproxy_simulator.deepgram.scenarios import deepgram_scenario_class
from voiceproxy_simulator.journal import Journal, Violation
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.testing import FakeLine
from voiceproxy_simulator.wire import Frame

SETTINGS: Message = {
    "type": "Settings",
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": 24000},
        "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
    },
    "agent": {
        "listen": {"provider": {"type": "deepgram", "model": "nova-3"}},
        "think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be brief."},
        "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}},
    },
}
"""Settings the service accepts."""


def settings(audio: dict[str, Any] | None = None, **agent: Any) -> Message:
    """``SETTINGS`` with another ``audio``, and with these members of ``agent``; ``functions`` go
    into its ``think``."""
    functions = agent.pop("functions", None)
    merged = {**SETTINGS["agent"], **agent}
    if functions is not None:
        merged["think"] = {**merged["think"], "functions": functions}
    return {**SETTINGS, "audio": audio or SETTINGS["audio"], "agent": merged}


class AgentRehearsal:
    """One session on a fake line, already welcomed.

    ``first`` is sent as its Settings, and their answer awaited; None sends nothing.
    """

    def __init__(
        self,
        first: Message | None = SETTINGS,
        *,
        pace: Pace = "burst",
        scenario: str | type[DeepgramScenario] | None = None,
        patience: float = 1.0,
    ) -> None:
        self.line = FakeLine()
        self.journal = Journal()
        chosen = deepgram_scenario_class(scenario)
        self.session = AgentSession(
            self.line, self.journal, "rehearsal", pace=pace, scenario=chosen, patience=patience
        )
        self._seen = 0
        self.session.open()
        if first is not None:
            self.client(first)
            self.advance(0.005)
            self.frames()

    def client(self, *frames: Message | str | bytes) -> None:
        """Frames from the client: messages, text as it is, audio."""
        for frame in frames:
            if isinstance(frame, bytes):
                self.session.receive_binary(frame)
            else:
                self.session.receive(frame if isinstance(frame, str) else orjson.dumps(frame))

    def speak(self, audio: bytes, chunk: int = 4800) -> None:
        """Audio in chunks."""
        self.client(*(audio[start : start + chunk] for start in range(0, len(audio), chunk)))

    def ask(self, text: str, seconds: float = 1.0) -> list[Frame]:
        """``InjectUserMessage``, and what is sent in so many seconds."""
        self.client({"type": "InjectUserMessage", "content": text})
        self.advance(seconds)
        return self.frames()

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.line.advance(seconds)

    def frames(self) -> list[Frame]:
        """Everything sent since last asked."""
        frames = self.line.sent[self._seen :]
        self._seen = len(self.line.sent)
        return frames

    def messages(self) -> list[Message]:
        """The messages among the frames sent since last asked."""
        return [frame for frame in self.frames() if isinstance(frame, dict)]

    def types(self) -> list[str]:
        """What was sent since last asked, by type, ``audio`` for binary; runs of one type once."""
        return types(self.frames())

    @property
    def violations(self) -> list[Violation]:
        """Breaches so far."""
        return self.journal.violations

    @property
    def closed(self) -> tuple[int, str] | None:
        """Code and reason, once the session closed its line."""
        return self.line.closed


def types(frames: list[Frame]) -> list[str]:
    """The types of frames, ``audio`` for binary; runs of one type once."""
    kinds = (frame["type"] if isinstance(frame, dict) else "audio" for frame in frames)
    return [kind for kind, _ in itertools.groupby(kinds)]
