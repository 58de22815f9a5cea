"""Our programs as processes of their own, in an environment without settings of ours."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from yarl import URL

SECONDS = 30.0
"""How long a process may take for anything on a busy machine."""

OURS = re.compile(r"VOICEPROXY_|OPENAI_|DEEPGRAM_|(PORT|LOG_LEVEL)$")


class Program:
    """A running ``python -m ...``. Both its streams are read as it writes them."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.output: list[str] = []
        self.errors: list[str] = []
        self._news = asyncio.Event()
        self._readers = [
            asyncio.create_task(self._read(process.stdout, self.output)),
            asyncio.create_task(self._read(process.stderr, self.errors)),
        ]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def url(self) -> URL:
        """The address a server announced."""
        found = re.search(r"voiceproxy listening on (http://\S+)", "\n".join(self.output))
        assert found is not None, self.errors
        return URL(found[1])

    async def _read(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream is not None
        while line := await stream.readline():
            lines.append(line.decode().rstrip("\n"))
            self._news.set()
        self._news.set()

    async def until(self, text: str, seconds: float = SECONDS) -> str:
        """The first line of either stream with this in it. Raises EOFError when there is none."""
        async with asyncio.timeout(seconds):
            while True:
                for line in (*self.output, *self.errors):
                    if text in line:
                        return line
                if all(reader.done() for reader in self._readers):
                    raise EOFError(f"no {text!r} in {self.output + self.errors}")
                self._news.clear()
                await self._news.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def end(self, seconds: float = SECONDS) -> int:
        """Wait until it ends; its status."""
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._readers)
            return await self._process.wait()

    async def stop(self) -> int:
        """End a server as an operator would; its status."""
        if self._process.returncode is None:
            self.signal(signal.SIGTERM)
        return await self.end()

    async def kill(self) -> None:
        """Whatever it is at, it ends."""
        if self._process.returncode is None:
            self._process.kill()
        await self.end()


@asynccontextmanager
async def running(directory: Path, *argv: str, **variables: str) -> AsyncIterator[Program]:
    """``python ARGV`` in a directory; killed in the end if it still runs."""
    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *argv,
        cwd=directory,
        env=clean | variables,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    program = Program(process)
    try:
        yield program
    finally:
        await program.kill()


@asynccontextmanager
async def serving(directory: Path, *flags: str, **variables: str) -> AsyncIterator[Program]:
    """``python -m voiceproxy --port 0 FLAGS``, once it listens."""
    argv = ("-m", "voiceproxy", "--port", "0", *flags)
    async with running(directory, *argv, **variables) as program:
        await program.until("voiceproxy listening on")
        yield program


async def talk(directory: Path, url: str, *flags: str) -> Program:
    """``python -m voiceproxy talk --url URL FLAGS``, to its end with status 0."""
    argv = ("-m", "voiceproxy", "talk", "--url", url, "--text-only", *flags)
    async with running(directory, *argv) as program:
        status = await program.end()
        assert status == 0, program.errors
        return program
