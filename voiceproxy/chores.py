"""The timers and tasks of one session: all end with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from voiceproxy.errors import PluginFault

if TYPE_CHECKING:
    from voiceproxy.introduction import SessionLog

T = TypeVar("T")


class Timer(Protocol):
    """Something that can be cancelled before it is due."""

    def cancel(self) -> None:
        """Keep the callback from being called."""


class Runtime(Protocol):
    """What a session needs from outside: time and tasks."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once, that many seconds from now."""

    def start(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run a coroutine as a task of that name."""


class LoopRuntime:
    """The running event loop as a session's ``Runtime``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time

    def later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See ``Runtime.later``."""
        return self._loop.call_later(seconds, callback)

    def start(self, coroutine: Any, name: str) -> asyncio.Task[Any]:
        """See ``Runtime.start``."""
        return self._loop.create_task(coroutine, name=name)


class Alarm:
    """A timer of one session."""

    __slots__ = ("_chores", "callback", "timer")

    def __init__(self, chores: Chores, callback: Callable[[], None]) -> None:
        self._chores = chores
        self.callback = callback
        self.timer: Timer | None = None

    def cancel(self) -> None:
        """Keep it from ringing."""
        self._chores.forget(self)
        if self.timer is not None:
            self.timer.cancel()
        self.let_go()

    def let_go(self) -> None:
        """Nothing is due any more; the callback and the timer may know this alarm."""
        self.timer, self.callback = None, _do_nothing


class Chores:
    """What a session has running beside its frames."""

    def __init__(
        self, runtime: Runtime, log: SessionLog, ring: Callable[[Callable[[], None]], None]
    ) -> None:
        self._runtime = runtime
        self._log = log
        self._ring = ring
        self._alarms: set[Alarm] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over = False

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Ring once, unless cancelled or the session is over."""
        alarm = Alarm(self, callback)
        if not self._over:
            self._alarms.add(alarm)
            alarm.timer = self._runtime.later(seconds, lambda: self._due(alarm))
        return alarm

    def later_for(self, plugin: str, seconds: float, callback: Callable[[], None]) -> Timer:
        """The same for a plugin: what its callback raises is the plugin's fault."""
        return self.later(seconds, partial(_call_back, callback, plugin))

    def _due(self, alarm: Alarm) -> None:
        # It may be cancelled by another timer that is due at the same moment.
        if alarm in self._alarms:
            self.forget(alarm)
            callback = alarm.callback
            alarm.let_go()
            self._ring(callback)

    def forget(self, alarm: Alarm) -> None:
        """It has rung, or will not."""
        self._alarms.discard(alarm)

    def start(self, owner: str, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine; when it fails, the log names its owner and the session goes on."""
        task = self._runtime.start(_confine(coroutine, owner), f"voiceproxy task of {owner}")
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, owner, coroutine))
        if self._over:
            task.cancel()
        return task

    def _done(
        self, task: asyncio.Task[Any], owner: str, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        self._tasks.discard(task)
        coroutine.close()  # it may have been cancelled before it began
        if not task.cancelled() and (error := task.exception()) is not None:
            extra = {"plugin": owner}
            self._log.error("a task of the plugin %r failed", owner, exc_info=error, extra=extra)

    def end(self) -> None:
        """Cancel everything."""
        self._over = True
        for alarm in tuple(self._alarms):
            alarm.cancel()
        for task in tuple(self._tasks):
            task.cancel()

    def let_go(self) -> None:
        """The session is over: refer to nothing of it any more."""
        self._ring = _ignore

    async def ended(self, limit: float) -> None:
        """Wait for the cancelled tasks, at most that many seconds; the log names the rest."""
        if self._tasks:
            _, late = await asyncio.wait(tuple(self._tasks), timeout=limit)
            for task in late:
                self._log.error("%s goes on after being cancelled", task.get_name())


async def _confine(coroutine: Coroutine[Any, Any, T], owner: str) -> T:
    """The coroutine, but its SystemExit, which would end the event loop, is a PluginFault."""
    try:
        return await coroutine
    except SystemExit as error:
        raise PluginFault(owner, "a task") from error


def _call_back(callback: Callable[[], None], plugin: str) -> None:
    try:
        callback()
    except (PluginFault, KeyboardInterrupt):
        raise
    except BaseException as error:  # nor is a timer's callback ever cancelled
        raise PluginFault(plugin, "a timer") from error


def _do_nothing() -> None:
    """The callback of an alarm that has rung or will not."""


def _ignore(callback: Callable[[], None]) -> None:
    """Nothing rings after the session."""
