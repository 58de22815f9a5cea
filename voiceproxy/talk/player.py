"""Plays the agent's audio through whichever player the machine has."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from typing import TYPE_CHECKING, Final

from voiceproxy.talk.processes import kill
from voiceproxy.talk.settings import OUTPUT_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RATE: Final = str(OUTPUT_RATE)

_QUIET: Final = ("-loglevel", "quiet", "-nodisp", "-autoexit")

PLAYERS: Final = (
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", RATE, "-c", "1", "-"),
    ("paplay", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1"),
    ("ffplay", *_QUIET, "-f", "s16le", "-sample_rate", RATE, "-i", "pipe:0"),
    ("play", "-q", "-t", "raw", "-e", "signed", "-b", "16", "-r", RATE, "-c", "1", "-"),
)
"""Command lines that play 16-bit mono PCM from standard input."""

FINISH_TIMEOUT: Final = 5.0
"""Seconds a player may take longer than its audio lasts."""


def find_player() -> Sequence[str] | None:
    """Return the command line of the first player that is installed."""
    return next((command for command in PLAYERS if shutil.which(command[0])), None)


class Player:
    """A player process that is fed as audio arrives. What goes wrong is told once, never raised."""

    def __init__(self, command: Sequence[str], complain: Callable[[str], None]) -> None:
        self._command = command
        self._complain = complain
        self._queue: deque[bytes] = deque()
        self._seconds = 0.0
        self._process: Process | None = None
        self._hushed: list[Process] = []
        self._feeder: asyncio.Task[None] | None = None
        self._broken = False

    def play(self, data: bytes) -> None:
        """Play this after what is queued."""
        if self._broken:
            return
        self._queue.append(data)
        self._seconds += len(data) / 2 / OUTPUT_RATE
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.create_task(self._feed(), name="player")

    def hush(self) -> None:
        """Drop what has not been played, with what the player itself has buffered."""
        self._queue.clear()
        self._seconds = 0.0
        if self._process is not None:
            kill(self._process)
            self._hushed.append(self._process)
            self._process = None

    async def finish(self) -> None:
        """Wait until everything has been played: as long as it lasts and a little longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds + FINISH_TIMEOUT):
                if self._feeder is not None:
                    await self._feeder
                if self._process is not None and await _end(self._process) != 0:
                    self._give_up()

    async def close(self) -> None:
        """End the player and every process of its, whatever they are at."""
        if self._feeder is not None:
            self._feeder.cancel()
            await asyncio.wait([self._feeder])
        self.hush()
        for process in self._hushed:
            await _end(process)

    async def _feed(self) -> None:
        while self._queue:
            process = None
            try:
                process = await self._running()
                _input(process).write(self._queue.popleft())
                await _input(process).drain()
            except OSError:
                if process is self._process:
                    self._give_up()

    async def _running(self) -> Process:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL
            )
        return self._process

    def _give_up(self) -> None:
        if not self._broken:
            self._complain(f"{self._command[0]} cannot play here; going on without sound")
        self._broken = True
        self.hush()


def _input(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101 - every player is started with a pipe
    return process.stdin


async def _end(process: Process) -> int:
    """Let the process reach the end of its input; returns its exit status."""
    _input(process).close()
    return await process.wait()
