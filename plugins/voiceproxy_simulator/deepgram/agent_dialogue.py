"""The conversation: what was said, what is to be answered, and whose turn it is."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from voiceproxy_simulator.conversation import Item
from voiceproxy_simulator.deepgram.agent_calls import CallBatch, FunctionCall
from voiceproxy_simulator.deepgram.agent_configuration import Configuration
from voiceproxy_simulator.deepgram.agent_turn import Turn
from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, TurnCut
from voiceproxy_simulator.input_audio import Recording
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.script import NOTHING_NEW, Call, Part, heard, reply

_STT = 0.15
"""What the simulator reports, where it must say it, as seconds of transcribing."""

_CHOICE = {"tool_choice": "auto"}


class Dialogue:
    """Turns of the agent, one at a time. ``user_is_speaking`` is kept by who listens."""

    def __init__(
        self,
        emitter: AgentEmitter,
        configuration: Configuration,
        scenario: DeepgramScenario,
        pace: Pace,
    ) -> None:
        self.user_is_speaking = False
        self._emitter = emitter
        self._configuration = configuration
        self._scenario = scenario
        self._pace = pace
        self._turn: Turn | None = None
        self._unanswered: list[Item] = []
        self._queued: deque[str] = deque()
        self._call_ids = itertools.count(1)
        self._late: set[str] = set()

    @property
    def agent_is_busy(self) -> bool:
        """A turn of the agent has begun and is not over."""
        return self._turn is not None

    def greet(self) -> None:
        """Say the greeting, if there is one."""
        if self._configuration.greeting:
            self._begin(self._configuration.greeting)

    # What the user says

    def hear_text(self, text: str) -> None:
        """``InjectUserMessage``: echo it and answer it, whatever the agent was about to say."""
        self.interrupt()
        self._show("user", text)
        self._add_user([{"type": "input_text", "text": text}])
        self._begin()

    def hear_speech(self, voiced_ms: float) -> None:
        """The user's turn is over: show what was heard, and answer it."""
        self.interrupt()
        recording = Recording(b"", voiced_ms, voiced_ms)
        self._show("user", heard(recording))
        self._emitter.report(stt_latency=_STT)
        self._add_user([{"type": "input_audio"}], recording)
        self._begin()

    def interrupt(self) -> bool:
        """Cut the agent's turn short; whether there was one. What was queued is not said either."""
        self._queued.clear()
        if self._turn is None:
            return False
        turn, self._turn = self._turn, None
        spoke = turn.state in {"speaking", "stalled"}
        turn.cut_short()
        if spoke and self._scenario.audio_done_when_cut:
            self._emitter.line.later(0, partial(self._emitter.send, "AgentAudioDone"))
        return True

    def abandon(self) -> None:
        """The session is over: nothing more is said, nor told."""
        if self._turn is not None:
            self._turn.abandon()
            self._turn = None

    # What the client sends

    def inject(self, message: str, behavior: str) -> None:
        """``InjectAgentMessage``. Refused for ``default`` and ``queue`` while the user speaks, and
        for ``default`` while the agent does."""
        if behavior == "interrupt":
            self.interrupt()
        elif self.user_is_speaking:
            self._refuse("The user is speaking.")
            return
        elif self.agent_is_busy:
            if behavior == "queue":
                self._queued.append(message)
            else:
                self._refuse("The agent is speaking.")
            return
        self._begin(message)

    def inject_dynamic(self, behavior: str) -> None:
        """``InjectAgentMessage`` whose words are the agent's own."""
        self.inject(NOTHING_NEW, behavior)

    def answer_call(self, call_id: str | None, content: str) -> bool:
        """``FunctionCallResponse``; whether it answers a call, if only one that was cancelled."""
        if call_id is None:
            return False
        answered = self._turn is not None and self._turn.answer(call_id, content)
        return answered or call_id in self._late

    def resume(self) -> None:
        """The line takes frames again."""
        if self._turn is not None:
            self._turn.resume()

    # What a turn asks for

    def show_thought(self) -> None:
        """``AgentThinking``, where it is sent at all."""
        if self._scenario.thinks_aloud:
            self._emitter.send("AgentThinking", content="What was said is to be answered.")

    def think(self) -> Sequence[Part]:
        """The script's reply to what is unanswered."""
        items, self._unanswered = self._unanswered, []
        config = {"tools": self._configuration.tools, **_CHOICE}
        names = {item.data["call_id"]: item.data["name"] for item in items if _is_output(item)}
        parts = reply(items, config, names)
        return self._scenario.parts(parts, self._configuration.functions)

    def new_call(self, call: Call) -> FunctionCall:
        """A call, the client's or the service's."""
        call_id = f"call_{next(self._call_ids)}"
        client_side = self._configuration.is_client_side(call.name)
        return FunctionCall(call_id, call.name, call.arguments, client_side)

    def remember_calls(self, batch: CallBatch) -> None:
        """Show the calls with their responses, and have the responses answered."""
        if self._configuration.history:
            calls = [call.record() for call in batch.calls]
            self._emitter.send("History", function_calls=calls)
        for call in batch.calls:
            self._unanswered.append(_output_of(call))

    def forget_calls(self, calls: Sequence[FunctionCall]) -> None:
        """Responses to these are dropped without a word."""
        self._late.update(call.id for call in calls)

    def say(self, sentence: str) -> None:
        """A sentence of the agent."""
        self._show("assistant", sentence)

    def cut(self, text: str) -> TurnCut | None:
        """The scenario's."""
        return self._scenario.cut(text)

    # Inside

    def _begin(self, statement: str | None = None) -> None:
        self._turn = Turn(
            self._emitter,
            self._configuration,
            self,
            pace=self._pace,
            finished=self._finish,
            statement=statement,
        )
        self._turn.begin()

    def _finish(self) -> None:
        self._turn = None
        if self._queued:
            self._begin(self._queued.popleft())
        self._scenario.turned()

    def _show(self, role: str, content: str) -> None:
        self._emitter.send("ConversationText", role=role, content=content)
        if self._configuration.history:
            self._emitter.send("History", role=role, content=content)

    def _add_user(self, content: list[dict[str, Any]], recording: Recording | None = None) -> None:
        data = {"id": "", "type": "message", "role": "user", "content": content}
        self._unanswered.append(Item(data, recording))

    def _refuse(self, reason: str) -> None:
        self._emitter.send("InjectionRefused", message=reason)


def _is_output(item: Item) -> bool:
    return item.kind == "function_call_output"


def _output_of(call: FunctionCall) -> Item:
    """The response of a call as the script has it."""
    kind, output = "function_call_output", call.response or ""
    data = {"id": "", "type": kind, "call_id": call.id, "name": call.name, "output": output}
    return Item(data)
