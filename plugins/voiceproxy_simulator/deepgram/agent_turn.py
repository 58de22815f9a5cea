"""One turn of the agent: it thinks, calls functions while it has to, speaks, and is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

from voiceproxy_simulator.deepgram.agent_calls import CallBatch, FunctionCall
from voiceproxy_simulator.deepgram.agent_configuration import Configuration
from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.deepgram.scenario import TurnCut
from voiceproxy_simulator.outputs import HEAD_START
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.script import Call, Part, Say
from voiceproxy_simulator.speech import Speech
from voiceproxy_simulator.wire import Timer

THINK_SECONDS = 0.01
"""How long a thought takes: long enough for what is said at once to be answered together."""

_TTT, _TTS = 0.21, 0.12
"""What the simulator reports, and where it must say it, as seconds of thinking and of speaking."""

_SENTENCE = re.compile(r"\S.*?(?:[.!?…]+[\"')]*(?=\s|$)|$)", re.DOTALL)

State = Literal["thinking", "calling", "speaking", "stalled", "over"]
"""``stalled``: a scenario keeps it from going on, and it is not over."""


class Mind(Protocol):
    """What a turn needs to know."""

    def show_thought(self) -> None:
        """The agent begins to think."""

    def think(self) -> Sequence[Part]:
        """What is to be said and called now, in answer to what is unanswered."""

    def new_call(self, call: Call) -> FunctionCall:
        """A call with an id of its own."""

    def remember_calls(self, batch: CallBatch) -> None:
        """The calls have been answered; what came back is to be answered next."""

    def forget_calls(self, calls: Sequence[FunctionCall]) -> None:
        """The calls are called off; their responses come too late."""

    def say(self, sentence: str) -> None:
        """Show a sentence of the agent."""

    def cut(self, text: str) -> TurnCut | None:
        """Where a scenario cuts off a speech."""


class Turn:
    """A turn that answers, or, with a ``statement``, one that says only that.

    ``finished`` is called once, when it is said to its end; not when it is cut short.
    """

    def __init__(
        self,
        emitter: AgentEmitter,
        configuration: Configuration,
        mind: Mind,
        *,
        pace: Pace,
        finished: Callable[[], None],
        statement: str | None = None,
    ) -> None:
        self.state: State = "thinking"
        self._emitter = emitter
        self._configuration = configuration
        self._mind = mind
        self._pace = pace
        self._finished = finished
        self._statement = statement
        self._timer: Timer | None = None
        self._batch: CallBatch | None = None
        self._calls: Sequence[Call] = ()
        self._steps: Iterator[float] = iter(())
        self._cut: TurnCut | None = None
        self._pieces = 0
        self._began = 0.0
        self._stalled = False
        self._announced = False

    def begin(self) -> None:
        """Start thinking."""
        if self._statement is not None:
            self._take([Say(self._statement)])
            return
        self._mind.show_thought()
        self._think_soon()

    def answer(self, call_id: str, content: str) -> bool:
        """The client's response to a function call; whether the call is open."""
        return self._batch is not None and self._batch.answer(call_id, content)

    def abandon(self) -> None:
        """Produce no more, and tell nobody."""
        self.state = "over"
        if self._timer is not None:
            self._timer.cancel()

    def cut_short(self) -> None:
        """End it now, wherever it is; calls are called off."""
        self.abandon()
        if self._batch is not None:
            self._mind.forget_calls(self._batch.cancel())
            self._batch = None

    def resume(self) -> None:
        """The line takes frames again."""
        if self._stalled:
            self._advance()

    # Thinking and calling

    def _think_soon(self) -> None:
        self.state = "thinking"
        self._timer = self._emitter.line.later(THINK_SECONDS, self._think)

    def _think(self) -> None:
        self._take(self._mind.think())

    def _take(self, parts: Sequence[Part]) -> None:
        """Say what there is to say, then call what there is to call."""
        self._calls = [part for part in parts if isinstance(part, Call)]
        text = " ".join(part.text for part in parts if isinstance(part, Say))
        if self._calls and not text:
            self._call()
            return
        self.state = "speaking"
        self._began = self._emitter.line.now()
        self._pieces = 0
        self._cut = self._mind.cut(text)
        self._steps = self._speak(text)
        self._advance()

    def _call(self) -> None:
        self.state = "calling"
        calls = [self._mind.new_call(one) for one in self._calls]
        self._batch = CallBatch(self._emitter, calls, self._go_on)
        self._batch.begin()

    def _go_on(self, batch: CallBatch) -> None:
        self._batch = None
        self._mind.remember_calls(batch)
        self._think_soon()

    # Speaking

    def _speak(self, text: str) -> Iterator[float]:
        """Send the speech, sentence by sentence; after each piece of audio, when the next is due,
        in seconds since the speech began."""
        self._announce()
        elapsed = 0.0
        for sentence in _SENTENCE.findall(text):
            self._mind.say(sentence)
            speech = Speech(f"{sentence} ", self._configuration.output, self._configuration.voice)
            for audio in speech.deltas():
                self._emitter.send_audio(audio)
                self._pieces += 1
                if self._pieces == 1:
                    self._emitter.report(tts_latency=_TTS, total_latency=_TTT + _TTS)
                elapsed += self._configuration.output.milliseconds(len(audio)) / 1000
                yield elapsed

    def _announce(self) -> None:
        """The first words are there."""
        if self._announced:
            return
        self._announced = True
        if self._configuration.experimental:
            self._emitter.send(
                "AgentStartedSpeaking",
                total_latency=_TTT + _TTS,
                tts_latency=_TTS,
                ttt_latency=_TTT,
            )
        if self._statement is None:
            self._emitter.report(ttt_text_latency=_TTT)

    def _advance(self) -> None:
        """Produce what is due. Stops while the line is full; ``resume`` goes on."""
        self._timer = None
        while self.state == "speaking" and not self._is_cut_off():
            self._stalled = self._emitter.line.full
            if self._stalled:
                return
            due = next(self._steps, None)
            if due is None:
                self._end_speech()
                return
            wait = self._wait(due)
            if wait is not None:
                self._timer = self._emitter.line.later(wait, self._advance)
                return

    def _is_cut_off(self) -> bool:
        """Whether a scenario ends the speech here; then it is told so, once."""
        if self._cut is None or self._pieces < self._cut.pieces:
            return False
        self.state = "stalled"
        self._cut.then()
        return True

    def _wait(self, due: float) -> float | None:
        """Seconds until the piece that is due then; None: it is due. A burst lets others run."""
        if self._pace == "burst":
            return 0.0
        wait = self._began + due - HEAD_START - self._emitter.line.now()
        return wait if wait > 0 else None

    def _end_speech(self) -> None:
        if self._calls:
            self._call()
            return
        self.state = "over"
        self._emitter.send("AgentAudioDone")
        self._finished()
