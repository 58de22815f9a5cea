"""One Voice Agent session: client frames in, messages and audio out. No socket, no asyncio."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

from voiceproxy_simulator.deepgram.agent_clock import AgentClock
from voiceproxy_simulator.deepgram.agent_configuration import Configuration
from voiceproxy_simulator.deepgram.agent_conversation import AgentConversation
from voiceproxy_simulator.deepgram.agent_errors import (
    Fault,
    settings_missing,
    settings_repeated,
)
from voiceproxy_simulator.deepgram.agent_messages import check, read
from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.wire import NO_STATUS, Line


class AgentSession:
    """A session on a line.

    Call ``open`` once, then ``receive`` for every text frame, ``receive_binary`` for every binary
    one, ``drained`` whenever the line takes frames again after it was full, and ``closed`` when
    the connection is over. The line ends with ``close(NO_STATUS, "")`` (a close frame without a
    status) behind every ``Error`` that ends the session. ``patience`` scales the API's own
    time-outs: 0.01 makes 12 seconds 0.12.
    """

    def __init__(
        self,
        line: Line,
        journal: Journal,
        request_id: str | None = None,
        *,
        pace: Pace = "burst",
        scenario: type[DeepgramScenario] = DeepgramScenario,
        patience: float = 1.0,
    ) -> None:
        self.line = line
        self.id = request_id or str(uuid.uuid4())
        self._journal = journal
        self._scenario = scenario(self)
        self._pace: Pace = self._scenario.pace or pace
        self._emitter = AgentEmitter(line, self._scenario)
        self._clock = AgentClock(self._emitter, self._scenario, self._fail, patience)
        self._conversation: AgentConversation | None = None
        self._applied = False
        self._waiting: list[tuple[str, Callable[[AgentConversation], None]]] = []
        self._over = False

    def open(self) -> None:
        """The connection is there: welcome it, and count the time."""
        self._clock.start()
        delay = self._scenario.welcome_delay
        if delay == 0:
            self._welcome()
        elif delay is not None:
            self.line.later(delay, self._welcome)

    def receive(self, text: str | bytes) -> None:
        """A text frame from the client. After the end nothing is heard."""
        self._clock.hear()
        self._attempt("", partial(self._read, text))

    def receive_binary(self, data: bytes) -> None:
        """A binary frame from the client: audio. After the end nothing is heard."""
        self._clock.hear()
        self._attempt("binary", partial(self._pass_on, "binary", partial(_hear, data)))

    def drained(self) -> None:
        """The line takes frames again."""
        if self._conversation is not None:
            self._conversation.dialogue.resume()

    def closed(self) -> None:
        """The connection is over. Its timers ended with it."""
        self._over = True

    # What scenarios do

    def fail(self, code: str, description: str) -> None:
        """Send an Error nobody asked for, and close."""
        self._fail(Fault(code, description))

    def overhear(self, seconds: float) -> None:
        """Hear the user speak for so long, from now on, without any audio."""
        if self._conversation is not None and not self._over:
            self._conversation.listening.overhear(seconds)

    # Inside

    def _attempt(self, kind: str, handle: Callable[[], None]) -> None:
        """Handle something of the client; a fault in it is noted and answered."""
        if self._over:
            return
        try:
            handle()
        except Fault as fault:
            if not fault.excused:
                detail = " ".join(filter(None, (fault.code, fault.path)))
                self._journal.violate(self.id, "refused", kind, detail[:200])
            self._fail(fault)

    def _read(self, text: str | bytes) -> None:
        message = read(text)
        self._journal.receive(self.id, message)
        self._attempt(message["type"], partial(self._handle, message))

    def _handle(self, message: Message) -> None:
        check(message)
        message = self._scenario.incoming(message)
        kind = message["type"]
        if kind == "Settings":
            self._apply(message)
        else:
            self._pass_on(kind, lambda conversation: conversation.handlers[kind](message))

    def _apply(self, settings: Message) -> None:
        if self._conversation is not None:
            raise settings_repeated()
        self._conversation = AgentConversation(
            self._emitter,
            Configuration(settings, think_live=self._scenario.think_live),
            self._scenario,
            self._pace,
            partial(self._journal.violate, self.id),
        )
        if self._scenario.settings_delay is not None:
            self.line.later(self._scenario.settings_delay, partial(self._begin, self._conversation))

    def _begin(self, conversation: AgentConversation) -> None:
        """The settings are applied: what waited for them is handled."""
        self._applied = True
        conversation.begin()
        waiting, self._waiting = self._waiting, []
        for kind, handle in waiting:
            self._attempt(kind, partial(handle, conversation))

    def _pass_on(self, kind: str, handle: Callable[[AgentConversation], None]) -> None:
        """Have the conversation handle it, once the settings are applied."""
        if self._conversation is None:
            raise settings_missing()
        if self._applied:
            handle(self._conversation)
            return
        if kind != "KeepAlive":
            self._journal.violate(self.id, "input-before-settings-applied", kind)
        self._waiting.append((kind, handle))

    def _welcome(self) -> None:
        self._emitter.send("Welcome", request_id=self.id)
        self._scenario.opened()

    def _fail(self, fault: Fault) -> None:
        if self._over:
            return
        self._emitter.send("Error", description=fault.description, code=fault.code)
        if fault.fatal:
            self._over = True
            if self._conversation is not None:
                self._conversation.dialogue.abandon()
            self.line.close(NO_STATUS, "")


def _hear(data: bytes, conversation: AgentConversation) -> None:
    conversation.listening.hear(data)
