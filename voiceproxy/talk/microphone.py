"""Records from whichever recorder the machine has."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TYPE_CHECKING, Final

from voiceproxy.talk.processes import kill
from voiceproxy.talk.settings import INPUT_RATE
from voiceproxy.talk.speech import FRAMES_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE: Final = str(INPUT_RATE)
CHUNK: Final = INPUT_RATE // FRAMES_PER_SECOND * 2

_DEFAULT_DEVICE: Final = (
    ("-loglevel", "quiet", "-f", "avfoundation", "-i", ":default")
    if sys.platform == "darwin"
    else ("-loglevel", "quiet", "-f", "pulse", "-i", "default")
)

RECORDERS: Final = (
    ("arecord", "-q", "-t", "raw", "-f", "S16_LE", "-r", RATE, "-c", "1"),
    ("rec", "-q", "-t", "raw", "-e", "signed", "-b", "16", "-r", RATE, "-c", "1", "-"),
    ("ffmpeg", *_DEFAULT_DEVICE, "-f", "s16le", "-ac", "1", "-ar", RATE, "pipe:1"),
)
"""Command lines that write 16-bit mono PCM to standard output."""


def find_recorder() -> Sequence[str] | None:
    """Return the command line of the first recorder that is installed."""
    return next((command for command in RECORDERS if shutil.which(command[0])), None)


class Microphone:
    """A recorder process. ``hear`` gets every 20 ms of sound, ``stop`` is called once it ends."""

    def __init__(
        self, command: Sequence[str], hear: Callable[[bytes], None], stop: Callable[[], None]
    ) -> None:
        self._command = command
        self._hear = hear
        self._stop = stop
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to record."""
        self._task = asyncio.create_task(self._record(), name="microphone")

    async def close(self) -> None:
        """Stop recording and end the process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _record(self) -> None:
        with contextlib.suppress(OSError):
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
            )
            try:
                while chunk := await _read(process):
                    self._hear(chunk)
            finally:
                kill(process)
                await process.wait()
        self._stop()


async def _read(process: Process) -> bytes:
    """Read 20 ms; less at the end, but no half sample."""
    assert process.stdout is not None  # noqa: S101 - every recorder is started with a pipe
    try:
        return await process.stdout.readexactly(CHUNK)
    except asyncio.IncompleteReadError as rest:
        return rest.partial[: len(rest.partial) // 2 * 2]
