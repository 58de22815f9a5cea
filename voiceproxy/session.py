"""One client and its upstream: frames in, frames out, in order. No I/O and no event loop.

Frames, timers and what plugins send are inputs, handled one at a time to completion (``inputs``).
An input may generate others (a plugin's send, a translator's message); they run before the next
input from outside. What comes out lies in two outboxes, which the relay empties.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from voiceproxy.agent import ONLY
from voiceproxy.chores import Chores
from voiceproxy.dialled import Dialled
from voiceproxy.ending import Ending
from voiceproxy.errors import SessionError
from voiceproxy.frames import Close, Frame, Text
from voiceproxy.gate import gate_for
from voiceproxy.handle import Session, TranslatorSession
from voiceproxy.inputs import FROM_CLIENT, FROM_UPSTREAM, Inputs, Origin, Source, Step
from voiceproxy.introduction import Introduction, SessionLog
from voiceproxy.lane import Lane
from voiceproxy.lifecycle import open_upstream
from voiceproxy.outbox import Outbox
from voiceproxy.remains import leave_to
from voiceproxy.state import State
from voiceproxy.turn import Turn

if TYPE_CHECKING:
    from voiceproxy.backend import Translator, Upstream
    from voiceproxy.chains import Chains
    from voiceproxy.chores import Runtime
    from voiceproxy.closing import BeforeUpgrade, Closing
    from voiceproxy.ending import ErrorFrame
    from voiceproxy.errors import UpstreamFault
    from voiceproxy.gate import Gate

logger = logging.getLogger("voiceproxy.session")


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one session; the settings of the same names say more."""

    client_buffer: int = 4 * 1024 * 1024
    upstream_buffer: int = 4 * 1024 * 1024
    settings_timeout: float = 15.0


class SessionCore:
    """The synchronous heart of one session; every decision about order is made here."""

    def __init__(
        self,
        introduction: Introduction,
        chains: Chains,
        runtime: Runtime,
        limits: Limits | None = None,
        *,
        on_output: Callable[[], None] = lambda: None,
        error_frame: ErrorFrame = lambda description, code: None,
    ) -> None:
        self.introduction = introduction
        self.runtime = runtime
        self.limits = limits or Limits()
        self.on_output = on_output
        self.state = State()
        self.log = SessionLog(logger, introduction.id, introduction.trace_id)
        self.client = Outbox(self.limits.client_buffer)
        self.upstream = Outbox(self.limits.upstream_buffer)
        self.chains = chains
        self.inputs = Inputs(self._answer)
        self.ending = Ending(self, error_frame)
        self.to_upstream = Lane(self, chains.client, FROM_CLIENT, self.put_upstream)
        self.to_client = Lane(self, chains.upstream, FROM_UPSTREAM, self._deliver_client)
        if introduction.protocol == "agent":
            self.to_client.barge_in = "UserStartedSpeaking"
        self.turn = Turn(self)
        self.translator: Translator | None = None
        self.gate: Gate | None = None
        self.closing = False
        """True once the session ends: inputs have no effect any more."""
        self._client_origin = Origin(FROM_CLIENT)
        self._upstream_origin = Origin(FROM_UPSTREAM)
        self._own_origin = Origin(Source.PROXY)
        self.dialled = Dialled()
        self.chores = Chores(runtime, self.log, partial(self._input, self._own_origin))
        self._handles: dict[int, Session] = {}
        self._translator_handle: TranslatorSession | None = None

    # What the relay calls.

    def open(self, upstream: Upstream) -> None:
        """The client's upgrade has been answered. What plugins sent before comes after Welcome."""
        early = self.inputs.open()
        self._input(self._own_origin, self._open, upstream)
        for source, step, arguments in early:
            self._input(Origin(source), step, *arguments)

    def _open(self, upstream: Upstream) -> None:
        self.dialled.upstream = upstream
        if upstream.translator is not None:
            self._translate(upstream.translator)
        else:
            self.to_upstream.pass_audio(None)
            self.to_client.pass_audio(self.turn)

    def _translate(self, make: Callable[[TranslatorSession], Translator]) -> None:
        self._translator_handle = TranslatorSession(self, len(self.chains.places))
        self.translator = translator = make(self._translator_handle)
        self.gate = gate = gate_for(self, translator)
        if gate is not None:
            self.to_upstream.deliver = gate.client_frame
            gate.await_settings()
        else:
            self.to_upstream.deliver = lambda frame: translator.client_frame(frame, None)
        translator.opened()

    def client_frame(self, frame: Frame) -> None:
        """A frame from the client."""
        lane = self.to_upstream
        lane.came.count(len(frame.data))
        if not self.closing and self.inputs.handle(self._client_origin, lane.send, (frame,)):
            self.on_output()

    def client_closed(self, close: Close) -> None:
        """The client closed, or is gone (1006)."""
        self.client.clear()
        self._input(self._own_origin, self.ending.close, close, "client")

    def upstream_opened(self, headers: Mapping[str, str]) -> None:
        """The upstream's upgrade has been answered."""
        if self.closing:
            return
        self.ending.record.upstream = None
        self._input(self._own_origin, open_upstream, self, headers)

    def upstream_frame(self, frame: Frame) -> None:
        """A frame from the upstream."""
        lane, translator = self.to_client, self.translator
        lane.came.count(len(frame.data))
        receive = lane.send if translator is None else translator.upstream_frame
        if not self.closing and self.inputs.handle(self._upstream_origin, receive, (frame,)):
            self.on_output()

    def upstream_closed(self, close: Close) -> None:
        """The upstream closed, or is gone (1006). Unless the translator dials again, we close."""
        if self.closing:
            return
        self.ending.record.upstream, self.dialled.closed = close, True
        self.upstream.clear()
        self._input(self._own_origin, self._upstream_closed, close)

    def _upstream_closed(self, close: Close) -> None:
        if self.translator is not None:
            self.translator.upstream_closed(close)
        if not self.dialled.again:
            self.submit(self.ending.close, close, "upstream")

    def upstream_failed(self, fault: UpstreamFault) -> None:
        """The upstream cannot be reached, or refused the connection."""
        self.upstream.clear()
        self.end(fault)

    def end(self, fault: SessionError, by: str | None = None) -> None:
        """The proxy ends this session: an Error, then the close."""
        arguments = fault.code, fault.description, fault.close_code, by or fault.by
        self._input(self._own_origin, self.ending.fail, *arguments)

    def shut_down(self, close: Close) -> None:
        """The proxy ends this session without an Error."""
        self._input(self._own_origin, self.ending.close, close, "proxy")

    @property
    def client_may_send(self) -> bool:
        """False while what the client sends has nowhere to go; then its reading stops."""
        lane, gate = self.to_upstream, self.gate
        waiting, frames = lane.held_bytes, lane.held_frames
        if gate is not None and gate.frames:
            waiting, frames = waiting + gate.bytes, frames + gate.frames
        return self.closing or self.upstream.has_room(waiting, frames)

    @property
    def upstream_may_send(self) -> bool:
        """False while the client does not take what the upstream sends."""
        lane = self.to_client
        return self.closing or self.client.has_room(lane.held_bytes, lane.held_frames)

    # Inputs.

    def _input(self, origin: Origin, step: Step, *arguments: Any) -> None:
        """Handle one input from outside, then everything it generates."""
        if not self.closing and self.inputs.handle(origin, step, arguments):
            self.on_output()

    def _answer(self, error: BaseException) -> None:
        """A step has raised that: it becomes the client's last message, and is logged."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        self.ending.abandon_for(error)

    def submit(self, step: Step, *arguments: Any) -> None:
        """Queue an input made inside; from outside (a task, a test) handle it now."""
        if not self.inputs.running:
            self._input(self._own_origin, step, *arguments)
        elif not self.closing:
            self.inputs.submit(step, *arguments)

    def submit_generated(self, step: Step, *arguments: Any) -> None:
        """The same, for what a plugin sends."""
        if not self.inputs.running:
            self._input(self._own_origin, step, *arguments)
        else:
            self.inputs.submit_generated(step, *arguments)

    # Where frames arrive.

    def put_upstream(self, frame: Frame) -> None:
        """Queue a native frame for the upstream."""
        if not self.inputs.running:
            self.submit(self.put_upstream, frame)
            return
        paced = self.inputs.origin.source is FROM_CLIENT
        self.upstream.put(frame, paced=paced)
        if not paced and self.upstream.overflowing:
            self.submit(self.ending.check_overflow)

    def _deliver_client(self, frame: Frame) -> None:
        if isinstance(frame, Text):
            only = (frame.only or ONLY.get(frame.type)) if self.gate is not None else None
            if only is not None and only != self.introduction.dialect:
                return
            self.turn.text(frame)
        elif self.turn.listens:
            self.turn.audio()
        paced = self.inputs.origin.source is FROM_UPSTREAM
        self.client.put(frame, paced=paced)
        if not paced and self.client.overflowing:
            self.submit(self.ending.check_overflow)

    def translated(self, frame: Frame, only: str | None) -> None:
        """A Voice Agent frame from the translator: through the plugins, to the client."""
        if self.closing:
            return
        if only is not None and isinstance(frame, Text):
            frame = frame.for_dialect(only)
        inputs, lane = self.inputs, self.to_client
        if not inputs.running:
            self._input(self._own_origin, self.translated, frame, None)
            return
        if lane.is_clear_for(frame):
            self._deliver_client(frame)
        else:
            inputs.submit_made(lane.send, frame)
        if isinstance(frame, Text) and self.gate is not None and frame.type == "SettingsApplied":
            inputs.submit_made(self.gate.settings_applied)

    def reply_error(self, code: str, description: str) -> None:
        """A host-made error the session survives."""
        if not self.closing:
            self.ending.reply_error(code, description)

    # What handles call.

    def handle(self, place: int) -> Session:
        """The session as the plugin at that place sees it."""
        handle = self._handles.get(place)
        if handle is None:
            handle = self._handles[place] = Session(self, place)
        return handle

    @property
    def lane(self) -> Lane | None:
        """The direction whose hook is being called; None outside a frame hook."""
        return next((it for it in (self.to_upstream, self.to_client) if it.frame is not None), None)

    def name_of(self, place: int) -> str:
        """The plugin at that place; the translator stands behind them all."""
        places = self.chains.places
        return places[place] if place < len(places) else self.introduction.endpoint

    def discard_audio(self) -> int:
        """See ``Session.discard_audio``."""
        dropped = self.client.discard_audio() + self.to_client.discard_audio()
        if not self.inputs.running:
            self.on_output()  # there is room again
        return dropped

    def redial(self, upstream: Upstream | None) -> None:
        """See ``TranslatorSession.dial``."""
        if not self.inputs.running:
            self.submit(self.redial, upstream)
        elif not self.closing and self.dialled.ask(upstream):
            self.upstream.clear()

    # The end.

    def stop(self) -> None:
        """Nothing runs from now on but the close hooks; also for what was never opened."""
        self.closing = True
        self.inputs.clear()
        self.chores.end()

    async def release(self, limit: float) -> None:
        """Wait for the session's tasks (seconds), free what plugins kept. After the close hooks.

        From now on nothing inside refers back to the session, so it goes as soon as its last user
        does, with all it has buffered: the garbage collector would let it lie for minutes.
        """
        self.stop()
        await self.chores.ended(limit)
        self.state.clear()
        leave_to([*self._handles.values(), self._translator_handle], self)
        self._handles.clear()
        self.translator = self.gate = None
        self.client.clear()
        self.upstream.clear()
        lanes = self.to_client, self.to_upstream
        for insider in (self.inputs, self.chores, self.ending, self.dialled, self.turn, *lanes):
            insider.let_go()

    def summary(self, before_upgrade: BeforeUpgrade | None = None) -> Closing:
        """How it ended. Before the upgrade: (outcome, by, HTTP status, reason)."""
        now, record = self.runtime.now(), self.ending.record
        return record.closing(now, self.client.total, self.upstream.total, before_upgrade)
