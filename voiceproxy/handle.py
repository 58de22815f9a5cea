"""What a plugin and a translator hold of a session: handles that know their place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from multidict import CIMultiDict, MultiDict, MultiMapping

from voiceproxy.frames import NORMAL, Binary, Close, Frame, Text

if TYPE_CHECKING:
    import asyncio

    from voiceproxy.backend import Dialect, SpokenProtocol, Upstream
    from voiceproxy.chores import Timer
    from voiceproxy.lane import Hold, OnTimeout
    from voiceproxy.session import SessionCore

T = TypeVar("T")
D = TypeVar("D")

Sendable = Text | Binary | dict[str, Any]
"""A frame, or a JSON object that becomes a text frame."""


class StateKey(Generic[T]):
    """A typed key of ``session.state``. Two keys are never equal, whatever their names."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<StateKey {self.name}>"


class State:
    """What plugins keep for one session. Shared between plugins, freed after the close hooks."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[StateKey[Any], Any] = {}

    def __getitem__(self, key: StateKey[T]) -> T:
        value: T = self._values[key]
        return value

    def __setitem__(self, key: StateKey[T], value: T) -> None:
        self._values[key] = value

    def __delitem__(self, key: StateKey[T]) -> None:
        del self._values[key]

    def __contains__(self, key: StateKey[Any]) -> bool:
        return key in self._values

    @overload
    def get(self, key: StateKey[T]) -> T | None: ...
    @overload
    def get(self, key: StateKey[T], default: D) -> T | D: ...
    def get(self, key: StateKey[Any], default: Any = None) -> Any:
        """The value, or the default when the key has none."""
        return self._values.get(key, default)

    def clear(self) -> None:
        """Drop every value."""
        self._values.clear()


@dataclass(frozen=True, slots=True)
class Introduction:
    """What is known of a client before its upgrade is answered."""

    id: str
    """32 hexadecimal digits; the ``request_id`` of Welcome and of a refusal."""
    trace_id: str
    """``?traceId=`` of the request, else the id. Names the session in every log line."""
    endpoint: str
    path: str
    protocol: SpokenProtocol
    dialect: Dialect
    query: MultiMapping[str] = field(default_factory=MultiDict, repr=False)
    headers: Mapping[str, str] = field(default_factory=CIMultiDict, repr=False)
    remote: str | None = None


class SessionLog(logging.LoggerAdapter[logging.Logger]):
    """Puts the session's trace id in front of every line."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Prefix the message with ``[trace id]``."""
        return f"[{self.extra['trace_id'] if self.extra else ''}] {msg}", kwargs


class _Handle:
    """What plugins and translators share."""

    __slots__ = ("_core", "_place")

    def __init__(self, core: SessionCore, place: int) -> None:
        self._core = core
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
        self._core.check_thread()
        return self._core.later(seconds, callback, self._owner)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine beside the session; cancelled with it. Its exception is logged."""
        self._core.check_thread()
        return self._core.start(coroutine, self._owner)

    def discard_audio(self) -> int:
        """Drop the audio queued for the client; returns how many bytes that was."""
        self._core.check_thread()
        return self._core.client.discard_audio()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close both sides behind what is queued."""
        self._core.check_thread()
        self._core.submit(self._core.close, Close(code, reason), self._owner)

    def fail(self, code: str, description: str, close_code: int = NORMAL) -> None:
        """Send ``Error{code, description}`` to the client, then close."""
        self._core.check_thread()
        self._core.submit(self._core.fail, code, description, close_code, self._owner)

    @property
    def _owner(self) -> str:
        return self._core.name_of(self._place)


class Session(_Handle):
    """One session as one plugin sees it: what it sends starts behind that plugin's place."""

    __slots__ = ()

    def to_client(self, frame: Sendable) -> None:
        """Send a Voice Agent frame to the client, through the plugins behind this one."""
        core = self._core
        core.check_thread()
        core.submit_from_plugin(core.to_client.send_after, self._place, core.inherit(frame))

    def to_upstream(self, frame: Sendable) -> None:
        """Send a Voice Agent frame towards the backend, through the plugins behind this one."""
        core = self._core
        core.check_thread()
        core.submit_from_plugin(core.to_upstream.send_after, self._place, as_frame(frame))

    def hold(self, frame: Frame, timeout: float, on_timeout: OnTimeout = "drop") -> Hold:
        """Keep the frame this hook was called with until ``release`` or the timeout (seconds).

        Return True from the hook afterwards. Later frames of that direction wait in order before
        this plugin, inside the bounded queue. On timeout the frame is dropped (``drop``), goes on
        (``pass``), or the session ends with ``Error`` code ``plugin_timeout`` (``close``).
        ``UserStartedSpeaking`` does not wait: it goes ahead and discards the audio that does.
        Raises RuntimeError outside a frame hook or for another frame.
        """
        self._core.check_thread()
        return self._core.hold(self._place, frame, timeout, on_timeout)

    def observe_as(self, frame: Frame) -> None:
        """Show the ``trylast`` plugins this instead of the frame the hook was called with.

        The wire is not changed. Raises RuntimeError outside a frame hook.
        """
        self._core.check_thread()
        self._core.observe_as(frame)


class TranslatorSession(_Handle):
    """One session as its translator sees it."""

    __slots__ = ()

    def to_client(self, frame: Sendable, *, only: Dialect | None = None) -> None:
        """Send a Voice Agent frame to the client, through every plugin.

        Emit what any dialect has; the host drops what the client's lacks. ``only`` keeps this
        frame from the other dialect though its type is known there.
        """
        self._core.translated(as_frame(frame), only)

    def to_upstream(self, frame: Sendable) -> None:
        """Queue a native frame for the upstream."""
        self._core.put_upstream(as_frame(frame))

    def settings_refused(self, description: str, code: str = "INVALID_SETTINGS") -> None:
        """The upstream refused the Settings: the client gets the Error and may send others."""
        self._core.submit(self._core.settings_refused, description, code)

    def dial(self, upstream: Upstream | None = None) -> None:
        """Dial again, the same upstream or another one, after the connection was lost."""
        self._core.redial(upstream)


def as_frame(frame: Sendable) -> Frame:
    """The frame itself, or the JSON object as a text frame."""
    return Text.of(frame) if isinstance(frame, dict) else frame
