"""What a plugin and a translator hold of a session: handles that know their place."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from voiceproxy.frames import NORMAL, Close, Frame, Sendable, as_frame
from voiceproxy.introduction import Introduction, SessionLog
from voiceproxy.state import State, StateKey

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web
    from multidict import MultiMapping

    from voiceproxy.backend import Dialect, SpokenProtocol, Upstream
    from voiceproxy.chores import Timer
    from voiceproxy.hold import Hold, OnTimeout
    from voiceproxy.lane import Lane
    from voiceproxy.remains import Remains
    from voiceproxy.session import SessionCore

__all__ = ["Introduction", "Sendable", "Session", "State", "StateKey", "TranslatorSession"]

T = TypeVar("T")


class _Handle:
    """What plugins and translators share."""

    __slots__ = ("_core", "_place")

    def __init__(self, core: SessionCore, place: int) -> None:
        self._core: SessionCore | Remains = core
        self._place = place

    @property
    def id(self) -> str:
        """32 hexadecimal digits, unique to this session."""
        return self._core.introduction.id

    @property
    def trace_id(self) -> str:
        """``?traceId=`` of the request, else the id."""
        return self._core.introduction.trace_id

    @property
    def endpoint(self) -> str:
        """The backend's name, such as ``openai``."""
        return self._core.introduction.endpoint

    @property
    def app(self) -> web.Application:
        """The application: ``settings_of(session.app, ...)``, and what setup kept in it."""
        return self._core.introduction.app

    @property
    def path(self) -> str:
        """The path the client connected to."""
        return self._core.introduction.path

    @property
    def protocol(self) -> SpokenProtocol:
        """``agent``, ``listen`` or ``speak``: what the frames of this session are."""
        return self._core.introduction.protocol

    @property
    def dialect(self) -> Dialect:
        """``component`` or ``agent``: what this client expects of the Voice Agent protocol."""
        return self._core.introduction.dialect

    @property
    def query(self) -> MultiMapping[str]:
        """The query parameters of the client's request. May hold secrets: not for logs."""
        return self._core.introduction.query

    @property
    def raw_query(self) -> str:
        """The query as it came, without ``?``: order, repeats and escapes kept."""
        return self._core.introduction.raw_query

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the client's request. May hold secrets: not for logs."""
        return self._core.introduction.headers

    @property
    def remote(self) -> str | None:
        """The client's address as the socket reports it."""
        return self._core.introduction.remote

    @property
    def state(self) -> State:
        """Values plugins keep for this session, by typed keys."""
        return self._core.state

    @property
    def log(self) -> SessionLog:
        """A logger whose lines carry the trace id."""
        return self._core.log

    @property
    def closing(self) -> bool:
        """True once the session ends; what is sent from now on goes nowhere."""
        return self._core.closing

    def now(self) -> float:
        """The session's clock, in seconds; only differences mean anything."""
        return self._core.runtime.now()

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back as an input of its own, unless cancelled or the session has ended."""
        self._core.inputs.check_thread()
        return self._core.chores.later(seconds, callback)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine beside the session; cancelled with it. Its exception is logged."""
        try:
            self._core.inputs.check_thread()
        except RuntimeError:
            coroutine.close()
            raise
        return self._core.chores.start(self._owner, coroutine)

    def discard_audio(self) -> int:
        """Drop the audio queued or held for the client; returns how many bytes that was."""
        self._core.inputs.check_thread()
        return self._core.discard_audio()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close both sides behind what is queued. Frames still held are dropped."""
        self._core.inputs.check_thread()
        close = Close(code, reason).legal()
        self._core.submit(self._core.ending.close, close, self._owner)

    def fail(self, code: str, description: str, close_code: int = NORMAL, reason: str = "") -> None:
        """Send ``Error{code, description}`` to the client, then close.

        ``reason`` goes into the close frame; without one the code does.
        """
        self._core.inputs.check_thread()
        close = Close(close_code).legal()
        fail, owner = self._core.ending.fail, self._owner
        self._core.submit(fail, code, description, close.code, owner, reason)

    @property
    def _owner(self) -> str:
        return self._core.name_of(self._place)


def outlive(handle: _Handle, remains: Remains) -> None:
    """The session is over: let go of it, on behalf of whoever keeps this handle."""
    handle._core = remains


class Session(_Handle):
    """One session as one plugin sees it: what it sends starts behind that plugin's place.

    What a hook sends comes behind the frame it looks at. To replace that frame, send another in
    its direction and return True; the other takes its place in the order.
    """

    __slots__ = ()

    def to_client(self, frame: Sendable) -> None:
        """Send a Voice Agent frame to the client, through the plugins behind this one."""
        self._core.inputs.check_thread()
        self._core.to_client.send_from(self._place, as_frame(frame))

    def to_upstream(self, frame: Sendable) -> None:
        """Send a Voice Agent frame towards the backend, through the plugins behind this one."""
        self._core.inputs.check_thread()
        self._core.to_upstream.send_from(self._place, as_frame(frame))

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back as an input of its own, unless cancelled or the session has ended.

        What the callback raises ends the session with ``Error`` code ``plugin_failed``.
        """
        self._core.inputs.check_thread()
        return self._core.chores.later_for(self._owner, seconds, callback)

    def hold(self, frame: Frame, timeout: float, on_timeout: OnTimeout = "drop") -> Hold:
        """Keep the frame this hook was called with until ``release`` or the timeout (seconds).

        Return True from the hook afterwards. Later frames of that direction wait in order before
        this plugin, inside the bounded queue. On timeout the frame is dropped (``drop``), goes on
        (``pass``), or the session ends with ``Error`` code ``plugin_timeout`` (``close``).
        ``UserStartedSpeaking`` does not wait: it goes ahead and discards the audio that does.
        The Error that ends a session cannot be held: it goes on, and what is held is dropped.
        Raises RuntimeError outside a frame hook, for another frame or a second time.
        """
        self._core.inputs.check_thread()
        return self._lane().hold(self._place, frame, timeout, on_timeout)

    def observe_as(self, frame: Sendable) -> None:
        """Show the ``trylast`` plugins this instead of the frame the hook was called with.

        It stands for a frame that replaces that one, too. The wire is not changed. Raises
        RuntimeError outside a frame hook.
        """
        self._core.inputs.check_thread()
        self._lane().observed = as_frame(frame)

    def _lane(self) -> Lane:
        lane = self._core.lane
        if lane is not None:
            return lane
        raise RuntimeError("only inside voiceproxy_client_frame or voiceproxy_upstream_frame")


class TranslatorSession(_Handle):
    """One session as its translator sees it."""

    __slots__ = ()

    def to_client(self, frame: Sendable, *, only: Dialect | None = None) -> None:
        """Send a Voice Agent frame to the client, through every plugin.

        Emit what any dialect has; the host drops what the client's lacks. ``only`` keeps this
        frame from the other dialect though its type is known there.
        """
        core = self._core
        core.inputs.check_thread()
        core.translated(as_frame(frame), only)

    def to_upstream(self, frame: Sendable) -> None:
        """Queue a native frame for the upstream."""
        core = self._core
        core.inputs.check_thread()
        core.put_upstream(as_frame(frame))

    def pass_audio(self, passes: bool) -> None:
        """Whether ``upstream_frame`` need not see audio, so that the host may send it on itself.

        It may still be called with some. Plugins see all they ask for. Until then it sees all.
        """
        core = self._core
        core.inputs.check_thread()
        if passes:
            core.to_client.pass_audio(core.turn)
        else:
            core.to_client.show_audio()

    def encode_audio(self, encode: Callable[[bytes], bytes] | None) -> None:
        """Let the host send the client's audio on itself, as the text frames ``encode`` makes.

        ``encode`` gets the payload of a binary frame and returns that of the text frame for the
        upstream, ``b""`` for none. It sends nothing; a timer may. From the moment the Settings are
        applied ``client_frame`` need not see audio, though it may still be called with some, and
        always with frames of more than 1 MiB. Plugins see all they ask for. None: it sees all.
        """
        core = self._core
        core.inputs.check_thread()
        core.to_upstream.encode_audio(encode)
        if encode is None:
            core.to_upstream.show_audio()
        elif core.gate is None or core.gate.is_open:
            core.to_upstream.pass_audio(None)

    @property
    def audio_passed_at(self) -> float:
        """When (``now``) the host last sent audio on that ``upstream_frame`` has not seen."""
        return self._core.to_client.passed_at

    @property
    def upstream(self) -> Upstream | None:
        """What is connected or dialled, as the connect hooks left it; None once it is over."""
        return self._core.dialled.upstream

    def settings_refused(self, description: str, code: str = "INVALID_SETTINGS") -> None:
        """The upstream refused the Settings: the client gets the Error and may send others."""
        self._core.inputs.check_thread()
        if self._core.gate is not None:
            self._core.submit(self._core.gate.settings_refused, description, code)

    def dial(self, upstream: Upstream | None = None) -> None:
        """Dial again, the same upstream or another one.

        In ``upstream_closed``, instead of closing the session; or at any other time: then the
        connection there is closed with 1000, what is queued for it dropped, and ``upstream_opened``
        comes for the new one.
        """
        self._core.inputs.check_thread()
        self._core.redial(upstream)
