"""One client and its upstream: frames in, frames out, in order. No I/O and no event loop.

Frames, timers and what plugins send are inputs, handled one at a time to completion. An input may
generate others (a plugin's send, a translator's message); they wait in a queue and run before the
next input from outside. What comes out lies in two outboxes, which the relay empties.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from voiceproxy.agent import ONLY
from voiceproxy.chores import Chores
from voiceproxy.closing import Closing, Traffic
from voiceproxy.errors import ClientFault, PluginFault, SessionError, UpstreamFault
from voiceproxy.frames import ABNORMAL, INTERNAL_ERROR, NORMAL, Close, Frame, Text
from voiceproxy.gate import Gate
from voiceproxy.handle import Introduction, Session, SessionLog, State, TranslatorSession, as_frame
from voiceproxy.lane import Hold, Lane, OnTimeout
from voiceproxy.outbox import Outbox

if TYPE_CHECKING:
    from voiceproxy.backend import Translator, Upstream
    from voiceproxy.chains import Chains
    from voiceproxy.chores import Runtime, Timer
    from voiceproxy.handle import Sendable

T = TypeVar("T")

MAX_GENERATED = 1000
"""How many inputs plugins may generate from one external input, beyond what the translator made."""

logger = logging.getLogger("voiceproxy.session")


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one session; the settings of the same names say more."""

    client_buffer: int = 4 * 1024 * 1024
    upstream_buffer: int = 4 * 1024 * 1024
    settings_timeout: float = 15.0


class Source(Enum):
    """Where the input being handled came from: it decides whose reading can stop."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    PROXY = "proxy"


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
        error_frame: Callable[[str, str], Text | None] = lambda description, code: None,
    ) -> None:
        self.introduction = introduction
        self.runtime = runtime
        self.limits = limits or Limits()
        self.on_output = on_output
        self.state = State()
        self.log = SessionLog(logger, {"trace_id": introduction.trace_id})
        self.client = Outbox(self.limits.client_buffer)
        self.upstream = Outbox(self.limits.upstream_buffer)
        self.chains = chains
        self.to_upstream = Lane(self, chains.client, self._deliver_upstream)
        self.to_client = Lane(self, chains.upstream, self._deliver_client)
        self.translator: Translator | None = None
        self.gate: Gate | None = None
        self._redial: tuple[Upstream | None] | None = None
        self.closing = False
        """True once the session ends: inputs have no effect any more."""
        self._error_frame = error_frame
        self._chores = Chores(runtime, self.log, self._ring)
        self._settings_timer: Timer | None = None
        self._inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._running = False
        self._source = Source.PROXY
        self._generated = 0
        self._handles: dict[int, Session] = {}
        self._thread = threading.get_ident()
        self._began = runtime.now()
        self._from_client = Traffic()
        self._from_upstream = Traffic()
        self._ended: tuple[str, Close] = ("proxy", Close())
        self._error: str | None = None
        self._upstream_close: Close | None = None

    # What the relay calls.

    def open(self, upstream: Upstream) -> None:
        """The client's upgrade has been answered."""
        if upstream.translator is not None:
            session = TranslatorSession(self, len(self.chains.places))
            self.translator = upstream.translator(session)
            self.gate = Gate(self, self.translator)
            self.await_settings()
            self._input(Source.PROXY, self.translator.opened)

    def client_frame(self, frame: Frame) -> None:
        """A frame from the client."""
        self._from_client.count(len(frame.data))
        self._input(Source.CLIENT, self.to_upstream.send, frame)

    def client_closed(self, close: Close) -> None:
        """The client closed, or is gone (1006)."""
        self.client.clear()
        self._input(Source.PROXY, self.close, close, "client")

    def upstream_opened(self, headers: Mapping[str, str]) -> None:
        """The upstream's upgrade has been answered."""
        self._upstream_close = None
        if self.translator is not None:
            self._input(Source.PROXY, self.translator.upstream_opened, headers)

    def upstream_frame(self, frame: Frame) -> None:
        """A frame from the upstream."""
        self._from_upstream.count(len(frame.data))
        receive = self.to_client.send if self.translator is None else self.translator.upstream_frame
        self._input(Source.UPSTREAM, receive, frame)

    def upstream_closed(self, close: Close) -> None:
        """The upstream closed, or is gone (1006)."""
        self._upstream_close = close
        self.upstream.clear()
        if self.translator is None:
            self._input(Source.PROXY, self.close, close, "upstream")
        else:
            self._input(Source.PROXY, self.translator.upstream_closed, close)

    def upstream_failed(self, fault: UpstreamFault) -> None:
        """The upstream cannot be reached, or refused the connection."""
        self.upstream.clear()
        self._input(
            Source.PROXY, self.fail, fault.code, fault.description, fault.close_code, "upstream"
        )

    def end(self, fault: SessionError, by: str = "proxy") -> None:
        """The proxy ends this session: an Error, then the close."""
        self._input(Source.PROXY, self.fail, fault.code, fault.description, fault.close_code, by)

    def shut_down(self, close: Close) -> None:
        """The proxy ends this session without an Error."""
        self._input(Source.PROXY, self.close, close, "proxy")

    @property
    def client_may_send(self) -> bool:
        """False while what the client sends has nowhere to go; then its reading stops."""
        waiting = self.upstream.bytes + self.to_upstream.held_bytes
        if self.gate is not None:
            waiting += self.gate.bytes
        return waiting < self.upstream.limit

    @property
    def upstream_may_send(self) -> bool:
        """False while the client does not take what the upstream sends."""
        return self.client.bytes + self.to_client.held_bytes < self.client.limit

    # Run to completion.

    def _input(self, source: Source, step: Callable[..., None], *arguments: Any) -> None:
        """Handle one input from outside, then everything it generates."""
        if self.closing:
            return
        if self._running:
            self._inputs.append((step, arguments))
            return
        self._running, self._source = True, source
        try:
            self._guard(step, arguments)
            while self._inputs:
                self._guard(*self._inputs.popleft())
            if self.client.overflowing or self.upstream.overflowing:
                self._guard(self._overflow, ())
        finally:
            self._running, self._source, self._generated = False, Source.PROXY, 0
        self.on_output()

    def _guard(self, step: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        try:
            step(*arguments)
        except PluginFault as fault:
            self.log.error("%s", fault.description, exc_info=fault.__cause__)
            self._abandon(fault, fault.plugin)
        except SessionError as fault:
            self._abandon(fault, "proxy")
        except Exception:
            self.log.exception("internal error; the session ends")
            unknown = SessionError("internal_error", "The proxy failed.", INTERNAL_ERROR)
            self._abandon(unknown, "proxy")

    def submit(self, step: Callable[..., None], *arguments: Any) -> None:
        """Queue an input made inside; from outside (a task, a test) handle it now."""
        self._input(Source.PROXY, step, *arguments)

    def submit_from_plugin(self, step: Callable[..., None], place: int, frame: Frame) -> None:
        """The same, counted: plugins that answer each other for ever are stopped."""
        if self._running:
            self._generated += 1
            if self._generated > MAX_GENERATED:
                raise PluginFault(self.name_of(place), "a send (over 1,000 from one input)")
        self.submit(step, place, frame)

    def _overflow(self) -> None:
        if self.client.overflowing:
            raise ClientFault("client_overflow", "The client does not read; its queue is full.")
        raise UpstreamFault("upstream_overflow", "The upstream does not read; its queue is full.")

    # Where frames arrive.

    def _deliver_upstream(self, frame: Frame) -> None:
        if self.gate is not None:
            self.gate.client_frame(frame)
        else:
            self.put_upstream(frame)

    def _deliver_client(self, frame: Frame) -> None:
        if self.gate is not None and isinstance(frame, Text):
            only = frame.only or ONLY.get(frame.type)
            if only is not None and only != self.introduction.dialect:
                return
        self.client.put(frame, paced=self._source is Source.UPSTREAM)

    def put_upstream(self, frame: Frame) -> None:
        """Queue a native frame for the upstream."""
        self.upstream.put(frame, paced=self._source is Source.CLIENT)

    def translated(self, frame: Frame, only: str | None) -> None:
        """A Voice Agent frame from the translator: through the plugins, to the client."""
        if self.closing:
            return
        if isinstance(frame, Text):
            frame.only = only
        elif self._running and not self._inputs and self.to_client.is_clear_for(frame):
            self._deliver_client(frame)  # the audio path: no plugin to run, nothing to overtake
            return
        self._generated -= 1  # a plugin may replace each frame the translator makes
        self.submit(self.to_client.send, frame)
        if self.gate is not None and isinstance(frame, Text) and frame.type == "SettingsApplied":
            self.submit(self.gate.settings_applied)

    def await_settings(self) -> None:
        """From now on the client has the time of the setting to send its Settings."""
        if self._settings_timer is not None:
            self._settings_timer.cancel()
        if self.gate is not None:
            timeout = self.limits.settings_timeout
            self._settings_timer = self.later(timeout, self.gate.expire, "proxy")

    def settings_refused(self, description: str, code: str) -> None:
        """The upstream refused the Settings; the gate takes others."""
        if self.gate is not None:
            self.gate.settings_refused(description, code)

    def reply(self, message: dict[str, Any]) -> None:
        """A host-made message for the client."""
        self.submit(self.to_client.send, Text.of(message))

    def reply_error(self, code: str, description: str) -> None:
        """A host-made error the session survives."""
        frame = self._error_frame(description, code)
        if frame is not None:
            self.submit(self.to_client.send, frame)

    # Handles.

    def handle(self, place: int) -> Session:
        """The session as the plugin at that place sees it."""
        handle = self._handles.get(place)
        if handle is None:
            handle = self._handles[place] = Session(self, place)
        return handle

    def name_of(self, place: int) -> str:
        """The plugin at that place; the translator stands behind them all."""
        places = self.chains.places
        return places[place] if place < len(places) else self.introduction.endpoint

    def check_thread(self) -> None:
        """Raise RuntimeError when called from another thread than the session's own."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                "a session may be used from its own thread only; from another thread call "
                "loop.call_soon_threadsafe(session.to_client, frame)"
            )

    def inherit(self, frame: Sendable) -> Frame:
        """A frame for the client; one that replaces another goes to the same dialects."""
        sent = as_frame(frame)
        current = self.to_client.current
        if current is not None and isinstance(sent, Text) and sent.only is None:
            replaced = current[0]
            if isinstance(replaced, Text) and replaced.only and replaced.type == sent.type:
                sent.only = replaced.only
        return sent

    def observe_as(self, frame: Frame) -> None:
        """See ``Session.observe_as``."""
        self._lane_in_hook().observed = frame

    def hold(self, place: int, frame: Frame, timeout: float, on_timeout: OnTimeout) -> Hold:
        """See ``Session.hold``."""
        lane = self._lane_in_hook()
        if lane.current is None or lane.current[0] is not frame or lane.current[1] != place:
            raise RuntimeError("hold takes the frame the hook was called with")
        return lane.hold(place, frame, timeout, on_timeout)

    def _lane_in_hook(self) -> Lane:
        for lane in (self.to_upstream, self.to_client):
            if lane.current is not None:
                return lane
        raise RuntimeError("only inside voiceproxy_client_frame or voiceproxy_upstream_frame")

    def redial(self, upstream: Upstream | None) -> None:
        """See ``TranslatorSession.dial``."""
        self._redial = (upstream,)

    def take_redial(self, last: Upstream) -> Upstream | None:
        """What the relay is to dial next, if the translator asked for it."""
        asked, self._redial = self._redial, None
        return None if asked is None or self.closing else asked[0] or last

    # Timers and tasks.

    def later(self, seconds: float, callback: Callable[[], None], owner: str) -> Timer:
        """Call back as an input of its own."""
        return self._chores.later(seconds, callback, owner)

    def _ring(self, callback: Callable[[], None], owner: str) -> None:
        self._input(Source.PROXY, self._call_back, callback, owner)

    def _call_back(self, callback: Callable[[], None], owner: str) -> None:
        try:
            callback()
        except SessionError:
            raise
        except Exception as error:
            if owner in self.chains.places:
                raise PluginFault(owner, "a timer") from error
            raise

    def start(self, coroutine: Coroutine[Any, Any, T], owner: str) -> asyncio.Task[T]:
        """Run a coroutine beside the session."""
        name = f"voiceproxy {owner} {self.introduction.id}"
        return self._chores.start(coroutine, name, owner)

    # The end.

    def fail(self, code: str, description: str, close_code: int, by: str) -> None:
        """An error ends the session: the client is told, through the plugins, then closed."""
        if self.closing or self._error is not None:
            return
        self.log.error("%s: %s (by %s)", code, description, by)
        self._error = code
        frame = self._error_frame(description, code)
        if frame is not None:
            self.to_client.send_around_holds(frame)
        self.submit(self.close, Close(close_code, code if frame else description), by)

    def _abandon(self, fault: SessionError, by: str) -> None:
        """Something broke: drop what is queued, tell the client without asking any plugin."""
        if self.closing:
            return
        self.log.error("%s (by %s)", fault, by)
        self._error = fault.code
        self.client.clear()
        self.upstream.clear()
        frame = self._error_frame(fault.description, fault.code)
        if frame is not None:
            self.client.put(frame)
        self._end(Close(fault.close_code, fault.code), by)

    def close(self, close: Close, by: str) -> None:
        """Close both sides behind what is queued."""
        if self.closing:
            return
        if self.translator is not None:
            try:
                self.translator.closed()
            except Exception:
                self.log.exception("the translator failed at the end of the session")
        self._end(close, by)

    def _end(self, close: Close, by: str) -> None:
        self.closing = True
        self._ended = (by, close)
        self._inputs.clear()
        self.to_client.drop_holds()
        self.to_upstream.drop_holds()
        self.client.put_close(close)
        self.upstream.put_close(Close(NORMAL) if close.code == ABNORMAL else close)
        self._chores.end()

    async def release(self, limit: float) -> None:
        """Wait for the session's tasks (seconds), free what plugins kept. After the close hooks."""
        await self._chores.ended(limit)
        self.state.clear()
        self._handles.clear()

    def summary(self, before_upgrade: tuple[str, str, int, str] | None = None) -> Closing:
        """How it ended. Before the upgrade: (outcome, by, HTTP status, reason)."""
        by, close = self._ended
        outcome = "failed" if self._error else "closed"
        if before_upgrade is not None:
            outcome, by, status, reason = before_upgrade
            close = Close(status, reason)
        return Closing(
            outcome=outcome,
            by=by,
            code=close.code,
            reason=close.reason,
            error=self._error,
            upstream=self._upstream_close,
            duration=self.runtime.now() - self._began,
            from_client=self._from_client,
            to_client=self.client.total,
            from_upstream=self._from_upstream,
            to_upstream=self.upstream.total,
        )
