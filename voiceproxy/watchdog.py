"""Tells who blocks the event loop: the one thing a plugin can do that hurts every session."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from voiceproxy import chores
from voiceproxy.lane import Lane
from voiceproxy.lifecycle import Lifecycle, open_upstream
from voiceproxy.plugins import installed

logger = logging.getLogger("voiceproxy.watchdog")

LOOKS_PER_THRESHOLD = 4
"""How often to look: a block is told at most a quarter of the threshold late."""

_WHOM_CALLED: Mapping[CodeType, Callable[[Mapping[str, Any]], str]] = {
    Lane._show.__code__: lambda local: str(local["link"].plugin),
    Lifecycle._call.__code__: lambda local: str(local["step"].plugin),
    Lifecycle._finish.__code__: lambda local: str(local["step"].plugin),
    open_upstream.__code__: lambda local: str(local["step"].plugin),
    chores._call_back.__code__: lambda local: str(local["plugin"]),
    chores._confine.__code__: lambda local: str(local["owner"]),
}
"""The functions that call plugins, and which of their variables says whom."""


class Watchdog:
    """A thread that knocks at an event loop and logs the stack when nobody answers in time.

    Nothing on the path of a frame knows of it. ``threshold``: seconds. Each block is told once as
    an error while it lasts, with the plugin's name and the stack (lines of code, no values), and
    once as a warning when it is over, with its duration. What holds Python's lock (a regular
    expression that goes astray) stops this thread as well, and is told when it lets go of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, threshold: float) -> None:
        self.threshold = threshold
        self._loop = loop
        self._watched = threading.get_ident()
        self._stop = threading.Event()
        self._stopwatch = Stopwatch(threshold / LOOKS_PER_THRESHOLD)
        self._began = self._ended = time.monotonic()
        self._blocked = 0.0
        self._answered = True
        self._told = False
        self._thread = threading.Thread(target=self._watch, name="voiceproxy watchdog", daemon=True)

    def start(self) -> None:
        """Watch from now on. Called in the thread of the loop."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        self._stopwatch.lap()
        while not self._stop.wait(self._stopwatch.usual):
            try:
                self._look(self._stopwatch.lap())
            except RuntimeError:
                return  # the loop is closed

    def _look(self, passed: float) -> None:
        """``passed``: seconds since the last look."""
        # This thread could not run so long, though the process did: somebody held the lock.
        held = passed - self._stopwatch.usual
        answered = self._answered
        if answered:
            self._end_block()
            self._blocked, self._began = held, time.monotonic() - held
        else:
            self._blocked += passed
        if not self._told and self._blocked >= self.threshold:
            self._told = True
            self._tell(held >= self.threshold)
        if answered:
            self._answered = False
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        """In the thread of the loop."""
        self._ended, self._answered = time.monotonic(), True

    def _end_block(self) -> None:
        if self._told:
            logger.warning("the event loop goes on after %.1f s", self._ended - self._began)
        self._told = False

    def _tell(self, held: bool) -> None:
        frames = sys._current_frames()
        frame = frames.pop(self._watched, None)
        if frame is None:
            return
        plugin = blocker(frame)
        whose = f"the plugin {plugin!r} blocks" if plugin else "something blocks"
        logger.error(
            "%s the event loop, and with it every session, for over %.1f s (the setting "
            "block_warning)%s:\n%s",
            whose,
            self.threshold,
            ", holding Python's lock" if held else "",
            "".join(traceback.format_stack(frame))
            + ("" if plugin and not held else _beside(frames)),
        )


class Stopwatch:
    """Measures laps that should take ``usual`` seconds, without the time the process stood still.

    A suspended or starved process blocks nobody by itself: of what a lap takes beyond ``usual``,
    as much counts as the process computed meanwhile.
    """

    def __init__(
        self,
        usual: float,
        clock: Callable[[], float] = time.monotonic,
        computed: Callable[[], float] = time.process_time,
    ) -> None:
        self.usual = usual
        self._clocks = clock, computed
        self._ended, self._computed = clock(), computed()

    def lap(self) -> float:
        """Seconds since the last one, at least the usual ones."""
        ended, computed = (read() for read in self._clocks)
        late = ended - self._ended - self.usual
        worked = computed - self._computed
        self._ended, self._computed = ended, computed
        return self.usual + max(0.0, min(late, worked))


def _beside(frames: Mapping[int, FrameType]) -> str:
    """The stacks of the other threads: the one the loop waits for may be among them."""
    return "".join(
        f"  thread {thread.name!r}:\n" + "".join(traceback.format_stack(frames[thread.ident]))
        for thread in threading.enumerate()
        if thread.ident is not None
        and thread.ident in frames
        and thread is not threading.current_thread()
    )


def blocker(frame: FrameType) -> str | None:
    """The plugin that is being called at this place of the stack, if one is.

    Where none was called by the host, it is the one whose code runs: a translator, a route, or a
    task a plugin has started by itself.
    """
    stack = [one for one, _ in traceback.walk_stack(frame)]
    for one in stack:
        whom = _WHOM_CALLED.get(one.f_code)
        if whom is not None:
            return whom(one.f_locals)
    modules = _modules()
    running = (str(one.f_globals.get("__name__")).partition(".")[0] for one in stack)
    return next((modules[module] for module in running if module in modules), None)


def _modules() -> Mapping[str, str]:
    """The installed plugins by module; none while no file descriptor is free to look for them."""
    try:
        return {one.module.partition(".")[0]: one.name for one in installed()}
    except OSError:
        return {}


_watching: dict[asyncio.AbstractEventLoop, list[Watchdog]] = {}
"""The watchdog of each loop, once for every application that runs there."""


@contextmanager
def watching(threshold: float) -> Iterator[None]:
    """Watch the running loop; 0 does not. Applications of one loop share the first one's thread."""
    if threshold <= 0:
        yield
        return
    loop = asyncio.get_running_loop()
    shares = _watching.setdefault(loop, [])
    if not shares:
        shares.append(Watchdog(loop, threshold))
        shares[0].start()
    else:
        shares.append(shares[0])
    try:
        yield
    finally:
        watchdog = shares.pop()
        if not shares:
            del _watching[loop]
            watchdog.stop()
