"""What a session costs: fifty of them have room on one core, beside the proxy they test.

Counted, not timed: bytecode instructions of ours, the same number however busy the machine is.
"""

from __future__ import annotations

import base64
import sys

import orjson
import pytest
from benchmarks.steps import steps

from voiceproxy_simulator.testing import Rehearsal, silence, tone

pytestmark = [
    pytest.mark.deep,  # what counts the steps would take coverage's place
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the budgets are those of 3.11"),
]

LISTENING, SPEAKING = 54_300, 6_350
"""Instructions for a second of a conversation, five per cent above what was counted."""


def test_listening_costs_little() -> None:
    audio = silence(1.0) + tone(2.0) + silence(1.0)
    size = 960  # 20 ms, as microphones send it
    pieces = [audio[start : start + size] for start in range(0, len(audio), size)]
    frames = [
        orjson.dumps(
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(piece).decode()}
        )
        for piece in pieces
    ]
    rehearsal = Rehearsal()

    def listen() -> None:
        for frame in frames * 5:
            rehearsal.session.receive(frame)

    assert steps(listen) / 20 <= LISTENING
    started = [one for one in rehearsal.events() if one["type"].endswith("speech_started")]
    assert len(started) == 5


def test_speaking_costs_little() -> None:
    rehearsal = Rehearsal(pace="realtime")
    rehearsal.ask("count to 60")

    def speak() -> None:
        for _ in range(200):
            rehearsal.advance(0.1)

    assert steps(speak) / 20 <= SPEAKING
    deltas = [one for one in rehearsal.events() if one["type"] == "response.output_audio.delta"]
    assert len(deltas) == 200
