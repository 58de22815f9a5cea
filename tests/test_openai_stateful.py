"""Client, translator and the simulated API together, through random interleavings.

The simulator is a second implementation of the protocol, written from its documentation, so what
the two agree on is more than one misunderstanding. Frames between them take up to a tenth of a
second each way, in any mixture with what the user says, types and answers.

The number of examples is small in the usual run. ``-m deep`` tries more, always the same ones;
with VOICEPROXY_FUZZ set to a number it tries that many, others each time.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from openai_session import Conversation

from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.script import Call, Part, Say
from voiceproxy_simulator.testing import Rehearsal, silence, tone

KEY = "sk-never-to-be-seen-0123456789"
LATENCY = 0.1
"""Seconds a frame takes between translator and API at most."""

VOICE, HUSH = tone(0.25), silence(0.5)
CALLS = "get_time and get_weather"
TOOLS = [{"name": name, "parameters": {"type": "object"}} for name in ("get_time", "get_weather")]
OVERDUE = "a function call was not answered in 20 s"


class CallThenSpeak(Scenario):
    """A response that calls a function goes on speaking, so that it can still be interrupted."""

    def parts(self, parts: Sequence[Part], _config: dict[str, Any]) -> Sequence[Part]:
        called = any(isinstance(part, Call) for part in parts)
        return (
            (*parts, Say("This may take me a little while, please hold the line."))
            if called
            else parts
        )


PACES: list[Pace] = ["burst", "realtime"]
Plot = str | type[Scenario] | None
SCENARIOS: list[Plot] = [
    None,
    None,
    CallThenSpeak,
    "refused-create",
    "late-acks",
    "late-transcripts",
]
"""Of those in which the API does nothing wrong."""


class Log(logging.Handler):
    """What is logged may hold neither keys nor words."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().removeprefix("[test] "))


class Talk(RuleBasedStateMachine):
    """One session; its rules are what a user, a client and a network do."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        logging.getLogger("voiceproxy.session").addHandler(self.log)

    @initialize(
        dialect=st.sampled_from(["component", "agent"]),
        pace=st.sampled_from(PACES),
        text_only=st.sampled_from([False, False, True]),
        marked=st.sampled_from([True, True, False]),
        scenario=st.sampled_from(SCENARIOS),
    )
    def begin(
        self, dialect: str, pace: Pace, text_only: bool, marked: bool, scenario: Plot
    ) -> None:
        self.dialect = dialect
        chosen = OpenAISettings(api_key=KEY, mark_responses=marked)
        self.s = Conversation(dialect, chosen, applied=False)
        self.api = Rehearsal(configured=False, pace=pace, model=chosen.model, scenario=scenario)
        self.up: deque[tuple[float, dict]] = deque()
        self.down: deque[tuple[float, dict]] = deque()
        self.now = 0.0
        self.number = 0
        self.open_calls: list[tuple[str, str]] = []
        # What has been sent up and come down, as the translator can know it.
        self.active: set[str] = set()
        self.over: set[str] = set()
        self.ours: set[str] = set()
        """Responses the API made because it was asked to."""
        self.in_flight: dict | None = None
        self.calls: dict[str, str] = {}
        self.outputs: list[str] = []
        self.cancelled: set[str] = set()
        self.owed: set[str] = set()
        self.asked: set[str] = set()
        self.pairs = 0
        self.silent_statements = 0
        self.accepted = 0
        self.stated = 0
        self.texts: list[str] = []
        self.told: list[str] = []
        self.items: set[str] = set()
        think: dict = {"prompt": "Be brief.", "functions": TOOLS}
        if text_only:
            think["outputModalities"] = ["text"]
        audio = {"input": {"encoding": "linear16", "sample_rate": 24000}}
        self.s.client({"type": "Settings", "audio": audio, "agent": {"think": think}})
        self.look()
        self.settle(0.2)

    # The user and the client.

    def new_words(self) -> str:
        self.number += 1
        return f"word{self.number:04}"

    @rule(more=st.sampled_from(["", "", f" {CALLS}", " count to 12"]))
    def types(self, more: str) -> None:
        self.s.inject(self.new_words() + more)
        self.look()

    @rule(behavior=st.sampled_from(["default", "queue", "interrupt"]))
    def has_the_agent_say_something(self, behavior: str) -> None:
        words = self.new_words()
        self.accepted += 1
        self.s.client({"type": "InjectAgentMessage", "message": words, "behavior": behavior})
        self.look()

    @rule()
    def types_and_speaks_at_once(self) -> None:
        """The create for what was typed and the end of what was said cross on the way."""
        self.types("")
        while self.up:
            self.carry_up()
        self.s.client(VOICE, HUSH)
        self.look()
        while self.down:
            self.carry_down()

    @rule(loud=st.booleans())
    def sends_audio(self, loud: bool) -> None:
        self.s.client(VOICE if loud else HUSH)
        self.look()

    @precondition(lambda self: self.open_calls)
    @rule(place=st.integers(0, 3))
    def answers_a_call(self, place: int) -> None:
        call_id, name = self.open_calls.pop(place % len(self.open_calls))
        self.s.client(
            {"type": "FunctionCallResponse", "id": call_id, "name": name, "content": "fine"}
        )
        self.look()

    @precondition(lambda self: len(self.open_calls) < 8)  # the oldest of very many are forgotten
    @rule(wait=st.sampled_from([0.4, 0.6]))
    def has_a_function_called_and_speaks_over_it(self, wait: float) -> None:
        self.types(f" {CALLS}")
        self.pass_time(wait)
        self.s.client(VOICE, HUSH)
        self.look()
        self.pass_time(LATENCY)

    # The network and the time.

    @rule(count=st.integers(1, 4))
    def carries_up(self, count: int) -> None:
        for _ in range(min(count, len(self.up))):
            self.carry_up()

    @rule(count=st.integers(1, 12))
    def carries_down(self, count: int) -> None:
        for _ in range(min(count, len(self.down))):
            self.carry_down()

    @rule(seconds=st.sampled_from([0.01, 0.03, 0.1, 0.4, 1.5]))
    def lets_time_pass(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            step = min(0.02, until - self.now)
            self.now += step
            self.api.advance(step)
            self.collect()
            self.s.advance(step)
            self.look()
            while self.up and self.up[0][0] <= self.now - LATENCY:
                self.carry_up()
            while self.down and self.down[0][0] <= self.now - LATENCY:
                self.carry_down()

    def settle(self, seconds: float) -> None:
        self.pass_time(seconds)
        while self.up or self.down:
            self.pass_time(LATENCY)

    def collect(self) -> None:
        for event in self.api.events():
            self.down.append((self.now, event))

    def carry_up(self) -> None:
        event = self.up.popleft()[1]
        self.collect()
        before = len(self.down)
        self.api.client(event)
        self.collect()
        answers = [answer for _, answer in list(self.down)[before:]]
        refused = any(answer["type"] == "error" for answer in answers)
        if event["type"] == "response.create" and not refused:
            made = [answer for answer in answers if answer["type"] == "response.created"]
            self.ours |= {answer["response"]["id"] for answer in made}

    def carry_down(self) -> None:
        event = self.down.popleft()[1]
        kind = event["type"]
        self.note(kind, event)
        before = self.pairs
        self.s.upstream(event)
        audio = self.look()
        if audio:
            assert kind in ("response.output_audio.delta", "response.output_audio.done")
            assert event["response_id"] not in self.over, "audio after its end"
        assert self.pairs - before <= 1 + self.silent_statements, "two pairs at once"

    def note(self, kind: str, event: dict) -> None:
        if kind == "response.created":
            self.active.add(event["response"]["id"])
            self.begun(event["response"])
        elif kind == "response.done":
            response = event["response"]
            self.active.discard(response["id"])
            self.over.add(response["id"])
            if response["status"] == "cancelled":
                self.cancelled.add(response["id"])
                self.owed.discard(response["id"])
        elif kind == "response.output_item.done" and event["item"]["type"] == "function_call":
            self.calls[event["item"]["call_id"]] = event["response_id"]
        elif kind == "response.function_call_arguments.done":
            self.calls[event["call_id"]] = event["response_id"]
        elif kind == "conversation.item.done" and event["item"].get("role") == "assistant":
            self.items.add(event["item"]["id"])
        elif kind == "error":
            assert event["error"]["code"] in (
                "conversation_already_has_active_response",
                "response_cancel_not_active",
            ), event
            if event["error"]["code"] == "conversation_already_has_active_response":
                self.refused(event["error"]["event_id"])

    def begun(self, response: dict) -> None:
        if response["id"] in self.ours:
            mine, self.in_flight = self.in_flight, None
            assert mine is not None, "two responses for one create"
            self.asked.clear()
            self.stated += "instructions" in mine.get("response", {})

    def refused(self, event_id: str | None) -> None:
        if self.in_flight is not None and event_id == self.in_flight["event_id"]:
            self.in_flight = None
            self.owed |= self.asked
            self.asked = set()
        elif event_id is None:
            self.owed.add("spoken")

    # What comes out.

    def look(self) -> bool:
        """Check what the translator has sent; True when audio was among it."""
        for event in self.s.sent():
            self.up.append((self.now, event))
            self.check_sent(event)
        frames = self.s.got()
        kinds = [frame["type"] for frame in frames if isinstance(frame, dict)]
        for frame in frames:
            if isinstance(frame, dict):
                self.check_got(frame)
        self.check_pairs(kinds)
        assert self.s.driver.closed is None
        return len(kinds) != len(frames)

    def check_sent(self, event: dict) -> None:
        assert KEY not in str(event)
        kind = event["type"]
        if kind == "conversation.item.create":
            item = event["item"]
            if item["type"] == "function_call_output":
                self.outputs.append(item["call_id"])
                owner = self.calls[item["call_id"]]
                if owner not in self.cancelled:
                    self.owed.add(owner)
            elif item["role"] == "user":
                self.owed.add(item["id"])
            else:
                self.silent_statements += 1
        elif kind == "response.create":
            self.check_create(event)

    def check_create(self, event: dict) -> None:
        assert not self.active, "beside an active response"
        assert self.in_flight is None, "beside another create"
        self.in_flight = event
        self.asked = set()
        if "instructions" in event.get("response", {}):
            return
        open_batches = {self.calls[call_id] for call_id, _ in self.open_calls}
        if OVERDUE in self.log.lines:
            open_batches.clear()  # nobody waits for the rest of them any more
        asked = self.owed - open_batches
        assert asked, "a response nobody is waiting for"
        self.asked, self.owed = asked, self.owed - asked

    def check_got(self, frame: dict) -> None:
        kind = frame["type"]
        assert "sk-" not in str(frame)
        assert kind != "Error", frame
        if kind == "ConversationText" and frame["role"] == "assistant":
            self.texts.append(frame["content"])
            if "word" in frame["content"]:
                assert frame["content"] not in self.told, "said twice"
                self.told.append(frame["content"])
        elif kind == "InjectionRefused":
            self.accepted -= 1
        elif kind == "FunctionCallRequest":
            for call in frame["functions"]:
                assert call["id"] not in [call_id for call_id, _ in self.open_calls]
                self.open_calls.append((call["id"], call["name"]))
        elif kind == "FunctionCallCancelled":
            gone = {call["id"] for call in frame["functions"]}
            self.open_calls = [call for call in self.open_calls if call[0] not in gone]

    def check_pairs(self, kinds: list[str]) -> None:
        places = [place for place, kind in enumerate(kinds) if kind == "AgentAudioDone"]
        self.pairs += len(places)
        if self.dialect == "component":
            assert kinds.count("AgentDone") == len(places)
            assert all(kinds[place - 1] == "AgentDone" for place in places)

    # The end.

    def teardown(self) -> None:
        try:
            if hasattr(self, "s"):
                self.finish()
        finally:
            logging.getLogger("voiceproxy.session").removeHandler(self.log)

    def finish(self) -> None:
        self.s.client(*[HUSH] * 4)
        self.look()
        for _ in range(80):
            before = len(self.over), self.number, len(self.outputs)
            while self.open_calls:
                self.answers_a_call(0)
                self.settle(0.3)
            self.settle(1.0)
            if self.rests and before == (len(self.over), self.number, len(self.outputs)):
                break
        self.check_the_end()

    @property
    def rests(self) -> bool:
        translator = self.translator
        waits = translator.gate.occupied or translator.responses.running or self.open_calls
        return not (waits or translator.items._pending)

    @property
    def translator(self) -> OpenAITranslator:
        translator = self.s.driver.core.translator
        assert isinstance(translator, OpenAITranslator)
        return translator

    def check_the_end(self) -> None:
        translator = self.translator
        assert self.rests, "something still waits"
        assert not translator._dialogue._held
        assert not translator.gate._unconfirmed
        assert self.active == set()
        assert self.owed - self.cancelled <= {"spoken"}, "a turn was not answered"
        assert self.pairs == len(self.over) + self.silent_statements, "one pair for each response"
        assert self.stated + self.silent_statements == self.accepted, "words were not said"
        assert len(self.outputs) == len(set(self.outputs)), "a call was answered twice"
        assert len(self.texts) <= len(self.items) + self.silent_statements, "a text twice"
        assert self.api.violations == []
        lines = [line for line in self.log.lines if line != OVERDUE]
        assert not [line for line in lines if "word" in line or "sk-" in line]
        assert not lines, "nothing goes wrong with the real API"


FUZZ = int(os.environ.get("VOICEPROXY_FUZZ", "0"))
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
PHASES = [Phase.explicit, Phase.generate, Phase.shrink]


def explore(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=FUZZ or examples,
            stateful_step_count=steps,
            derandomize=not FUZZ,
            deadline=None,
            database=None,
            suppress_health_check=QUIET,
            phases=PHASES,
        ),
    )


def test_no_interleaving_with_the_simulated_api_breaks_a_rule():
    explore(Talk, examples=250, steps=30)


@pytest.mark.deep
def test_no_interleaving_with_the_simulated_api_breaks_a_rule_deep():
    explore(Talk, examples=2000, steps=60)
