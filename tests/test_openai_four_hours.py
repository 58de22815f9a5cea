"""Four hours of conversation with the simulated API on a virtual clock (DEF-17)."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from enum import Enum
from typing import Any

import numpy as np
import pytest
from openai_session import Conversation
from test_openai_long_sessions import held

import voiceproxy_simulator.session as simulated
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator
from voiceproxy_simulator.testing import Rehearsal, silence, tone

HOUR = 3600.0
VOICE, HUSH = tone(1.2), silence(0.1)
TOOLS = [{"name": name, "parameters": {"type": "object"}} for name in ("get_time", "get_weather")]


def weight(value: object, seen: set[int]) -> int:
    """Bytes of everything behind an object of the backend, its texts and samples included."""
    if id(value) in seen or isinstance(value, Enum | OpenAISettings | type):
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value)
    if isinstance(value, dict | OrderedDict):
        return size + sum(weight(each, seen) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple | set | frozenset | deque):
        return size + sum(weight(inner, seen) for inner in value)
    if isinstance(value, str | bytes | int | float | np.ndarray):
        return size
    if not type(value).__module__.startswith("voiceproxy_openai"):
        return 0
    names = getattr(type(value), "__slots__", None) or list(vars(value))
    return size + sum(weight(getattr(value, name, None), seen) for name in names)


class Day:
    """A session that goes on and on: the user types, talks, cuts in and lets calls wait."""

    def __init__(self, dialect: str) -> None:
        chosen = OpenAISettings()
        self.s = Conversation(dialect, chosen, applied=False)
        self.api = Rehearsal(configured=False, pace="realtime", model=chosen.model)
        self.now = 0.0
        self.turns = 0
        self.calls: list[str] = []
        self.got = 0
        audio = {"input": {"encoding": "linear16", "sample_rate": 24000}}
        agent = {"think": {"functions": TOOLS}, "greeting": "Good morning."}
        self.s.client({"type": "Settings", "audio": audio, "agent": agent})
        self.run(1)

    def run(self, seconds: float) -> None:
        """A tenth of a second at a time, the microphone always on."""
        until = self.now + seconds
        while self.now < until:
            self.now += 0.1
            self.exchange()
            self.api.advance(0.1)
            self.exchange()
            self.s.advance(0.1)
            if self.now > 1:
                self.s.client(HUSH)

    def exchange(self) -> None:
        self.api.client(*self.s.driver.to_upstream())
        for event in self.api.events():
            self.s.upstream(event)
        for frame in self.s.driver.to_client():
            self.got += 1
            if isinstance(frame, dict) and frame["type"] == "FunctionCallRequest":
                self.calls += [call["id"] for call in frame["functions"]]

    def turn(self) -> None:
        """Twenty seconds."""
        self.turns += 1
        number = self.turns
        if number % 2 == 0:
            self.s.inject(f"word{number} get_time and get_weather")
        elif number % 4 == 1:
            self.s.client(VOICE)
        else:
            self.s.inject(f"word{number} count to 9")
        self.run(2)
        if number % 3 == 0:
            behavior = ("default", "queue", "interrupt")[number // 3 % 3]
            self.s.client(
                {"type": "InjectAgentMessage", "message": f"m{number}", "behavior": behavior}
            )
        if number % 5 == 0:
            self.s.client(VOICE)
        calls, self.calls = self.calls, []
        for call_id in calls[number % 8 // 7 :]:
            self.s.answer(call_id)
        self.run(18)

    def rest(self) -> OpenAITranslator:
        """Until nothing waits for anything."""
        self.run(40)
        translator: Any = self.s.driver.core.translator
        assert not translator.gate.occupied
        return translator


@pytest.mark.deep
@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_after_four_hours_a_session_keeps_no_more_than_after_two_def_17(dialect, monkeypatch):
    monkeypatch.setattr(simulated, "SESSION_SECONDS", 5 * HOUR)
    day = Day(dialect)
    entries, weights = [], []
    for hour in (1, 2, 3, 4):
        while day.now < hour * HOUR - 40:
            day.turn()
        translator = day.rest()
        entries.append(held(translator, set()))
        weights.append(weight(translator, set()))
    assert day.turns > 600
    assert day.got > 10_000
    assert day.s.driver.closed is None
    assert day.api.violations == []
    # The bounded memories of what is over fill up in the first two hours.
    assert max(entries[2:]) <= entries[1] + 5, entries
    assert max(weights[2:]) <= weights[1] * 1.02, weights
