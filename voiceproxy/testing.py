"""The kit plugin authors test with; voiceproxy's own tests use nothing else.

Three levels: ``drive`` runs a real session with a fake clock and no socket; ``serve`` runs a real
proxy on a loopback socket; ``FakeBackend`` and ``FakeUpstream`` stand behind it, ``connected`` is a
client before it, and a ``FaultyLine`` can be put between any two of them.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web
from multidict import CIMultiDict, MultiDict

from voiceproxy.app import furnish
from voiceproxy.backend import Dialect, SpokenProtocol, Translator, Upstream, agent_error
from voiceproxy.caller import Caller
from voiceproxy.chains import compile_chains
from voiceproxy.errors import UpstreamFault
from voiceproxy.faults import Fault, FaultyLine
from voiceproxy.frames import NORMAL, Binary, Close, Frame, Text
from voiceproxy.handle import Introduction, TranslatorSession
from voiceproxy.host_settings import HostSettingsSchema
from voiceproxy.loopback import FakeBackend, FakeUpstream, connected, listening, serve
from voiceproxy.plugins import Plugins
from voiceproxy.session import Limits, SessionCore
from voiceproxy.settings import SettingsSchema, load

if TYPE_CHECKING:
    from voiceproxy.outbox import Outbox

__all__ = [
    # No socket, a fake clock
    "drive",
    "Driver",
    "FakeClock",
    "FakeTimer",
    "Given",
    # Real sockets
    "serve",
    "FakeBackend",
    "FakeUpstream",
    "connected",
    "Caller",
    "listening",
    # Bad days of a network
    "FaultyLine",
    "Fault",
]

T = TypeVar("T")

Given = Frame | dict[str, Any] | bytes
"""A frame; a JSON object for a text frame; bytes for a binary frame."""


class FakeTimer:
    """A timer of the fake clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Keep it from ringing."""
        self.cancelled = True


class FakeClock:
    """Time that moves when told to: a session's ``Runtime`` for tests without an event loop."""

    def __init__(self) -> None:
        self.time = 0.0
        self._due: list[tuple[float, int, FakeTimer]] = []
        self._number = itertools.count()

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self.time

    def later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        """Call back when the clock has been advanced that far."""
        timer = FakeTimer(callback)
        heapq.heappush(self._due, (self.time + seconds, next(self._number), timer))
        return timer

    def start(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run a coroutine on the running event loop (an ``async def`` test has one)."""
        return asyncio.get_running_loop().create_task(coroutine, name=name)

    def advance(self, seconds: float) -> None:
        """Move on, ringing every timer that falls due, in order."""
        until = self.time + seconds
        while self._due and self._due[0][0] <= until:
            due, _, timer = heapq.heappop(self._due)
            self.time = max(self.time, due)
            if not timer.cancelled:
                timer.callback()
        self.time = until


class Driver:
    """A real session without sockets. Made by ``drive``."""

    def __init__(self, core: SessionCore, clock: FakeClock) -> None:
        self.core = core
        self.clock = clock

    def client(self, *frames: Given) -> None:
        """Frames from the client."""
        for frame in frames:
            self.core.client_frame(_as_frame(frame))

    def upstream(self, *frames: Given) -> None:
        """Frames from the upstream, in its own language."""
        for frame in frames:
            self.core.upstream_frame(_as_frame(frame))

    def upstream_opens(self, headers: Mapping[str, str] | None = None) -> None:
        """The upstream answers the upgrade."""
        self.core.upstream_opened(headers or {})

    def upstream_fails(self, fault: UpstreamFault) -> None:
        """The upstream cannot be reached."""
        self.core.upstream_failed(fault)

    def upstream_closes(self, code: int = NORMAL, reason: str = "") -> None:
        """The upstream closes; 1006 for a lost connection."""
        self.core.upstream_closed(Close(code, reason))

    def client_closes(self, code: int = NORMAL, reason: str = "") -> None:
        """The client closes; 1006 for a lost connection."""
        self.core.client_closed(Close(code, reason))

    def asked_to_dial(self) -> Upstream | None:
        """The upstream the translator has asked for since last asked; None for none."""
        return self.core.dialled.take()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def to_client(self) -> list[Any]:
        """What was queued for the client since last asked: JSON parsed, audio as bytes."""
        return _drain(self.core.client)

    def to_upstream(self) -> list[Any]:
        """What was queued for the upstream since last asked: JSON parsed, binary as bytes."""
        return _drain(self.core.upstream)

    @property
    def closed(self) -> Close | None:
        """The close frame for the client, once the session ends."""
        return self.core.client.close

    @property
    def upstream_closed(self) -> Close | None:
        """The close frame for the upstream, once the session ends."""
        return self.core.upstream.close


def drive(
    *,
    translator: Callable[[TranslatorSession], Translator] | None = None,
    plugins: Sequence[object] = (),
    dialect: Dialect = "component",
    protocol: SpokenProtocol = "agent",
    limits: Limits | None = None,
    upstream_opens: bool = True,
    query: Mapping[str, str] | None = None,
    raw_query: str = "",
    headers: Mapping[str, str] | None = None,
    settings: Mapping[str, object] | None = None,
    error: Callable[[str, str], Text | None] = agent_error,
) -> Driver:
    """Open a session on a fake clock: ``s = drive(plugins=[my_plugin])``, ``s.client({...})``.

    The plugins' setups run first. ``settings`` are theirs, as ``create_app`` takes them.
    ``error`` is the endpoint's: (description, code) -> the error frame of its protocol.
    """
    clock = FakeClock()
    loaded = Plugins(plugins)
    app = _app(loaded, settings or {})
    loaded.freeze()
    introduction = Introduction(
        id="0" * 32,
        trace_id="test",
        endpoint="backend",
        path="/",
        protocol=protocol,
        dialect=dialect,
        app=app,
        query=MultiDict(query or {}),
        raw_query=raw_query,
        headers=CIMultiDict(headers or {}),
    )
    core = SessionCore(introduction, compile_chains(loaded), clock, limits, error_frame=error)
    core.open(Upstream(url=None, translator=translator))
    driver = Driver(core, clock)
    if upstream_opens:
        driver.upstream_opens()
    return driver


def _app(plugins: Plugins, settings: Mapping[str, object]) -> web.Application:
    app = web.Application()
    if settings or plugins.schemas or plugins.implementations("voiceproxy_setup"):
        schemas: list[type[SettingsSchema]] = [HostSettingsSchema, *plugins.schemas.values()]
        furnish(app, plugins, load(schemas, overrides=settings))
    return app


def _as_frame(given: Given) -> Frame:
    if isinstance(given, dict):
        return Text.of(given)
    return Binary(given) if isinstance(given, bytes) else given


def _drain(outbox: Outbox) -> list[Any]:
    drained: list[Any] = []
    while (frame := outbox.take()) is not None:
        drained.append(frame.message() if isinstance(frame, Text) else frame.data)
    return drained
