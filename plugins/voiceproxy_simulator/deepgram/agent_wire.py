"""How a Voice Agent session talks: messages and audio, each through the scenario's last word."""

from __future__ import annotations

from typing import Any

from voiceproxy_simulator.deepgram.scenario import DeepgramScenario
from voiceproxy_simulator.wire import Line


class AgentEmitter:
    """Sends what the agent's server says."""

    def __init__(self, line: Line, scenario: DeepgramScenario) -> None:
        self.line = line
        self._scenario = scenario

    def send(self, kind: str, **fields: Any) -> None:
        """Send one message of type ``kind``."""
        for frame in self._scenario.outgoing({"type": kind, **fields}):
            self.line.send(frame)

    def send_audio(self, data: bytes) -> None:
        """Send a piece of the agent's speech."""
        for frame in self._scenario.audio(data):
            self.line.send(frame)

    def warn(self, code: str, description: str) -> None:
        """Send a ``Warning``."""
        self.send("Warning", description=description, code=code)

    def report(self, **latencies: float) -> None:
        """Send a ``LatencyReport`` for each figure, in seconds: the service sends them singly."""
        for name, seconds in latencies.items():
            self.send("LatencyReport", **{name: round(seconds, 4)})
