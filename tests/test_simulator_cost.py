"""What a session costs: fifty of them have room on one core, beside the proxy they test."""

from __future__ import annotations

import base64
import time

import orjson

from voiceproxy_simulator.testing import Rehearsal, silence, tone

BUDGET = 0.006
"""Seconds of processor time for a second of a conversation: fifty take a third of a core. What is
measured is a fifth of this; the rest is for slow machines."""


def test_listening_costs_little_of_a_core() -> None:
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
    began = time.process_time()
    for frame in frames * 5:
        rehearsal.session.receive(frame)
    spent = time.process_time() - began
    assert spent / 20 < BUDGET
    started = [one for one in rehearsal.events() if one["type"].endswith("speech_started")]
    assert len(started) == 5


def test_speaking_costs_little_of_a_core() -> None:
    rehearsal = Rehearsal(pace="realtime")
    rehearsal.ask("count to 60")
    began = time.process_time()
    for _ in range(200):
        rehearsal.advance(0.1)
    spent = time.process_time() - began
    assert spent / 20 < BUDGET
    deltas = [one for one in rehearsal.events() if one["type"] == "response.output_audio.delta"]
    assert len(deltas) == 200
