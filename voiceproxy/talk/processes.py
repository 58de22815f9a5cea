"""Ending the players and recorders that were started."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio.subprocess import Process

_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)


def kill(process: Process) -> None:
    """End the process at once, if it has not ended by itself.

    Not by ``process.kill()``: that collects the exit status of a process that has just ended, and
    asyncio's own watcher, which comes second, then complains on standard error.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, _KILL)
