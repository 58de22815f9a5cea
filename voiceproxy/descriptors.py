"""File descriptors: every session takes two, and a machine gives a process only so many."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable
from typing import Any

PER_SESSION = 2
"""The client's connection, and the upstream's."""

BESIDE = 100
"""For listeners, logs, the event loop, plain requests, and what plugins open."""

REMINDER = 60.0
"""Seconds after which it is said again that nobody can be let in."""

logger = logging.getLogger("voiceproxy.descriptors")


def provide(max_sessions: int) -> None:
    """Raise the limit of this process to what that many sessions may take, as far as it may be.

    Many systems begin with 1,024 and allow far more to who asks (RLIMIT_NOFILE: soft and hard).
    A warning says when they do not.
    """
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return  # Windows has no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = PER_SESSION * max_sessions + BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):  # macOS allows less than it says
        allowed = soft
    if allowed < needed:
        logger.warning(
            "%d sessions (the setting max_sessions) may take %d file descriptors, and this process "
            "may have %d: raise the limit (ulimit -n), or lower max_sessions",
            *(max_sessions, needed, allowed),
        )


class Scarcity:
    """A filter for the ``asyncio`` logger: that nobody can be let in is said once a minute.

    asyncio says it thousands of times a second, each with a traceback.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = float("-inf")

    def __call__(self, record: logging.LogRecord) -> bool:
        """False for what has just been said; the record becomes a plain line."""
        error = record.exc_info[1] if record.exc_info else None
        if not (isinstance(error, OSError) and "socket.accept()" in record.getMessage()):
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + REMINDER
        record.msg = (
            "new clients wait outside: %s; raise the limit (ulimit -n), or lower max_sessions"
        )
        record.args, record.exc_info, record.exc_text = (error.strerror,), None, None
        return True


said_once = Scarcity()
"""The one of this process."""
