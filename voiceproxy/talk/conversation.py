"""One conversation with a Voice Agent: what to send next, and when it is over.

No socket, no clock and no terminal in here. What happens is told by calling a method with the time
(seconds of a monotonic clock); what follows is taken from ``take()``; ``deadline()`` says when
``tick()`` has something to do. Works in both dialects of the protocol: what only one of them sends
(``AgentDone``, ``Transcript``, ``UtteranceEnd``; ``History``) is used when it comes and not missed.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from voiceproxy.frames import NO_STATUS, NORMAL, Binary, Close, Frame, Text
from voiceproxy.talk import outputs
from voiceproxy.talk.functions import answer_call
from voiceproxy.talk.outputs import Outcome, Output
from voiceproxy.talk.speech import Speech
from voiceproxy.talk.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GREETING_WAIT: Final = 3.0
"""Seconds an agent that was given a greeting has to begin it, before the user's turn goes ahead."""

KEEPALIVE: Final = 8.0
"""Seconds without sending after which ``KeepAlive`` is due: agents hang up at about 10."""

Message = dict[str, Any]


class Stage(Enum):
    """What the conversation waits for, with the words used when it waits in vain."""

    SETTINGS = "SettingsApplied"
    GREETING = "the end of the greeting"
    REPLY = "the reply"
    LINE = "a line of the user's"
    OVER = "nothing"


class Conversation:
    """Settings, then one turn after the other: the user's lines, a recording or a microphone.

    ``lines`` are said one after the other, each after the reply to the one before. ``interactive``:
    more of them come through ``say()`` until ``stop_saying()``. ``speech`` is sent in real time.
    ``microphone``: what comes through ``hear()`` is sent until ``stop_hearing()``.
    ``timeout``: seconds without any progress after which a wait ends the conversation.
    """

    def __init__(
        self,
        settings: Message,
        *,
        lines: Sequence[str] = (),
        interactive: bool = False,
        speech: Speech | None = None,
        microphone: int | None = None,
        answers: Mapping[str, str] | None = None,
        timeout: float = 20.0,
    ) -> None:
        self.outcome: Outcome | None = None
        self._settings = settings
        self._lines = deque(lines)
        self._interactive = self._more_lines = interactive
        self._recording = speech
        self._microphone = microphone
        self._answers = answers or {}
        self._timeout = timeout
        self._outputs: list[Output] = []
        self._stage = Stage.SETTINGS
        self._turn = Turn()
        self._silent = True
        self._applied_at = self._progress_at = self._sent_at = 0.0

    # What happens

    def open(self, now: float) -> None:
        """The connection is open: send Settings, without waiting for ``Welcome``."""
        self._progress_at = now
        self._send(Text.of(self._settings), now)

    def receive(self, frame: Frame, now: float) -> None:
        """Take a frame from the agent. What cannot be understood is passed over."""
        if self.outcome is not None:
            return
        self._progress_at = now
        if isinstance(frame, Binary):
            self._sound(frame.data, now)
        elif frame.type in self._HANDLERS:
            self._HANDLERS[frame.type](self, frame.message(), now)

    def close(self, close: Close, now: float) -> None:
        """The agent closed the connection: too early, unless what is there makes a whole reply."""
        if self.outcome is not None:
            return
        clean = close.code in (NORMAL, NO_STATUS)
        idle = self._stage is Stage.LINE and clean
        reply = self._turn.reply
        answered = reply.ended or (reply.text and clean)
        last = self._stage is Stage.REPLY and not self._lines and not self._more_lines
        if idle or (answered and last):
            self._finish(Outcome(0))
        else:
            reason = f" ({close.reason})" if close.reason else ""
            before = "" if self._stage is Stage.LINE else f" before {self._stage.value}"
            self._fail(f"the agent closed the connection{before}: {close.code}{reason}")

    def say(self, line: str, now: float) -> None:
        """Take a line the user typed; it waits for the reply to the one before."""
        self._lines.append(line)
        if self._stage is Stage.LINE:
            self._take_turn(now)

    def stop_saying(self, now: float) -> None:
        """The user types no more."""
        self._more_lines = False
        if self._stage is Stage.LINE:
            self._take_turn(now)

    def hear(self, chunk: bytes, now: float) -> None:
        """Take a chunk from the microphone: 16-bit mono at its rate."""
        self._silent = False
        self._progress_at = now
        self._send(Binary(chunk), now)

    def stop_hearing(self, now: float) -> None:
        """The microphone ended: silence follows, so that the agent hears the end of the turn."""
        if self._silent:
            self._fail("the microphone gave no sound")
        elif self._microphone is not None:
            self._progress_at = now
            self._turn.stop_hearing(Speech(b"", self._microphone), now)

    def tick(self, now: float) -> None:
        """Do what is due by now."""
        if self.outcome is not None:
            return
        self._send_speech(now)
        complete_at = self._complete_at()
        if complete_at is not None and now >= complete_at:
            self._take_turn(now)
        elif self._stage is not Stage.LINE and now >= self._progress_at + self._timeout:
            self._fail(f"no progress for {self._timeout:g} s while waiting for {self._stage.value}")
        elif self._stage is not Stage.SETTINGS and now >= self._sent_at + KEEPALIVE:
            self._send(Text.of({"type": "KeepAlive"}), now)

    def deadline(self) -> float:
        """When ``tick()`` has to be called next, at the latest."""
        moments = []
        if self._stage is not Stage.SETTINGS:
            moments.append(self._sent_at + KEEPALIVE)
        if self._stage is not Stage.LINE:
            moments.append(self._progress_at + self._timeout)
        if self._turn.speech is not None:
            moments.append(self._turn.speech.next_at())
        complete_at = self._complete_at()
        if complete_at is not None:
            moments.append(complete_at)
        return min(moments)

    def take(self) -> list[Output]:
        """Take what has to be done since last asked, in order."""
        taken, self._outputs = self._outputs, []
        return taken

    # Turns

    def _take_turn(self, now: float) -> None:
        if self._lines:
            self._say_line(self._lines.popleft(), now)
        elif self._recording is not None:
            self._begin(Turn(speech=self._recording), now)
            self._recording = None
        elif self._microphone is not None and not self._turn.speech:
            self._begin(Turn(live=True), now)
            self._outputs.append(outputs.Listen())
        elif self._more_lines:
            self._stage = Stage.LINE
            self._outputs.append(outputs.Ask())
        else:
            self._finish(Outcome(0))

    def _begin(self, turn: Turn, now: float) -> None:
        self._stage = Stage.REPLY
        self._progress_at = now
        self._turn = turn
        turn.start(now)

    def _say_line(self, line: str, now: float) -> None:
        self._begin(Turn(line=line), now)
        self._outputs.append(outputs.Said("you", line, typed=self._interactive))
        self._send(Text.of({"type": "InjectUserMessage", "content": line}), now)

    def _send_speech(self, now: float) -> None:
        speech = self._turn.speech
        if speech is None:
            return
        frames = speech.take(now)
        if frames:
            self._progress_at = now
            self._outputs.append(outputs.Progress(speech.sent_seconds, speech.seconds))
        silence = speech.take_silence(now)
        for data in frames if self._turn.reply.begun else frames + silence:
            self._send(Binary(data), now)

    def _complete_at(self) -> float | None:
        if self._stage is Stage.GREETING and not self._turn.reply.begun:
            return self._applied_at + GREETING_WAIT
        return self._turn.complete_at if self._stage in (Stage.GREETING, Stage.REPLY) else None

    def _send(self, frame: Frame, now: float) -> None:
        self._sent_at = now
        self._outputs.append(outputs.Send(frame))

    def _finish(self, outcome: Outcome) -> None:
        self._stage = Stage.OVER
        self.outcome = outcome

    def _fail(self, reason: str) -> None:
        self._finish(Outcome(1, reason))

    # What the agent says

    def _sound(self, data: bytes, now: float) -> None:
        latency = self._turn.sound(len(data), now)
        if latency is not None:
            self._outputs.append(outputs.Latency(latency))
        self._outputs.append(outputs.Sounded(data))

    def _welcome(self, message: Message, now: float) -> None:
        self._note(f"connected, session {_string(message, 'request_id') or 'without an id'}")

    def _settings_applied(self, message: Message, now: float) -> None:
        if self._stage is not Stage.SETTINGS:
            return
        self._applied_at = now
        if self._settings["agent"].get("greeting"):
            self._stage = Stage.GREETING
        else:
            self._take_turn(now)

    def _conversation_text(self, message: Message, now: float) -> None:
        content = _string(message, "content")
        if message.get("role") == "user":
            self._hear_user(content, now)
        elif content.strip():
            self._turn.reply.speak(now)
            self._outputs.append(outputs.Said("agent", content))

    def _transcript(self, message: Message, now: float) -> None:
        if message.get("is_final") is True:
            self._hear_user(_string(message, "transcript"), now)

    def _hear_user(self, content: str, now: float) -> None:
        self._turn.end_speech(now)
        words = self._turn.hear_user(content)
        if words is not None:
            self._outputs.append(outputs.Said("you", words))

    def _user_started_speaking(self, message: Message, now: float) -> None:
        self._turn.interrupt()
        self._outputs.append(outputs.Hushed())
        self._note("you started speaking")

    def _utterance_end(self, message: Message, now: float) -> None:
        self._turn.end_speech(now)
        self._note("you stopped speaking")

    def _agent_thinking(self, message: Message, now: float) -> None:
        self._note(f"thinking {_string(message, 'content')}".rstrip())

    def _agent_done(self, message: Message, now: float) -> None:
        self._turn.reply.end(now)

    def _function_call_request(self, message: Message, now: float) -> None:
        """Answer the calls that are the client's to answer; the reply comes after them."""
        self._turn.reply.restart()
        functions = message.get("functions")
        for call in functions if isinstance(functions, list) else []:
            if isinstance(call, dict):
                self._note(f"function {_string(call, 'name')}({_string(call, 'arguments')})")
                if call.get("client_side", True):
                    self._send(Text.of(answer_call(call, self._answers)), now)

    def _injection_refused(self, message: Message, now: float) -> None:
        self._fail(f"the agent refused the line: {_string(message, 'message')}")

    def _warning(self, message: Message, now: float) -> None:
        self._outputs.append(outputs.Warned(_describe(message)))

    def _error(self, message: Message, now: float) -> None:
        self._fail(f"the agent reports an error: {_describe(message)}")

    def _note(self, text: str) -> None:
        self._outputs.append(outputs.Noted(text))

    _HANDLERS: ClassVar[dict[str, Callable[[Conversation, Message, float], None]]] = {
        "Welcome": _welcome,
        "SettingsApplied": _settings_applied,
        "ConversationText": _conversation_text,
        "Transcript": _transcript,
        "UserStartedSpeaking": _user_started_speaking,
        "UtteranceEnd": _utterance_end,
        "AgentThinking": _agent_thinking,
        "AgentDone": _agent_done,
        "AgentAudioDone": _agent_done,
        "FunctionCallRequest": _function_call_request,
        "InjectionRefused": _injection_refused,
        "Warning": _warning,
        "Error": _error,
    }


def _string(message: Message, field: str) -> str:
    value = message.get(field)
    return value if isinstance(value, str) else ""


def _describe(message: Message) -> str:
    parts = (_string(message, "code"), _string(message, "description"))
    return ": ".join(part for part in parts if part) or "no reason given"
