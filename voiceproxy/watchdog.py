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

logger = logging.getLogger("voiceproxy.watchdog")

LOOKS_PER_THRESHOLD = 4
"""How often to look: a block is told at most a quarter of the threshold late."""

_WHOM_CALLED: Mapping[CodeType, Callable[[Mapping[str, Any]], str]] = {
    Lane._show.__code__: lambda local: str(local["link"].plugin),
    Lifecycle._call.__code__: lambda local: str(local["step"].plugin),
    open_upstream.__code__: lambda local: str(local["step"].plugin),
    chores._call_back.__code__: lambda local: str(local["plugin"]),
    chores._confine.__code__: lambda local: str(local["owner"]),
}
"""The functions that call plugins, and which of their variables says whom."""


class Watchdog:
    """A thread that knocks at an event loop and logs the stack when nobody answers in time.

    Nothing on the path of a frame knows of it. ``threshold``: seconds. Each block is told once as
    an error while it lasts, with the plugin's name and the stack (lines of code, no values), and
    once as a warning when it is over, with its duration.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, threshold: float) -> None:
        self.threshold = threshold
        self._loop = loop
        self._watched = threading.get_ident()
        self._stop = threading.Event()
        self._answered = time.monotonic()
        self._knocked = False
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
        while not self._stop.wait(self.threshold / LOOKS_PER_THRESHOLD):
            try:
                self._look()
            except RuntimeError:
                return  # the loop is closed

    def _look(self) -> None:
        if not self._knocked:
            self._knocked, self._answered = True, time.monotonic()
            self._loop.call_soon_threadsafe(self._answer)
        elif not self._told and time.monotonic() - self._answered >= self.threshold:
            self._told = True
            self._tell()

    def _answer(self) -> None:
        if self._told:
            blocked = time.monotonic() - self._answered
            logger.warning("the event loop goes on after %.1f s", blocked)
        self._knocked = self._told = False

    def _tell(self) -> None:
        frame = sys._current_frames().get(self._watched)
        if frame is None:
            return
        plugin = blocker(frame)
        whose = f"the plugin {plugin!r} blocks" if plugin else "something blocks"
        stack = "".join(traceback.format_stack(frame))
        logger.error(
            "%s the event loop, and with it every session, for over %.1f s (the setting "
            "block_warning):\n%s",
            whose,
            self.threshold,
            stack,
        )


def blocker(frame: FrameType) -> str | None:
    """The plugin that is being called at this place of the stack, if one is."""
    for one, _ in traceback.walk_stack(frame):
        whom = _WHOM_CALLED.get(one.f_code)
        if whom is not None:
            return whom(one.f_locals)
    return None


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
