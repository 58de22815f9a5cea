"""Programs that run until they are told to end: proxies and voiceproxy itself, on loopback.

Each runs in a process group of its own, so that its workers end with it, and writes into a file,
so that nobody has to read a pipe while a test waits for something else.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import psutil
from proxy_process import environment
from yarl import URL

SECONDS = 40.0
"""How long a program may take for anything on a busy machine."""

_NUMBERS = count(1)


class Daemon:
    """A running program."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def said(self) -> str:
        """Both its streams, so far."""
        return self._log.read_text(errors="replace")

    def wait_for(self, text: str) -> str:
        """Wait until it has said that; the line it is in."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            ended = self._process.poll()
            for line in self.said.splitlines():
                if text in line:
                    return line
            assert ended is None, f"ended with {ended}: {self.said}"
            time.sleep(0.02)
        raise AssertionError(f"no {text!r} within {SECONDS:g} s: {self.said}")

    def wait_for_port(self, port: int) -> None:
        """Wait until it listens there."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            ended = self._process.poll()
            assert ended is None, f"ended with {ended}: {self.said}"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"nobody listens on {port}: {self.said}")

    def signal(self, number: int) -> None:
        """Send a signal to the program, not to its workers."""
        self._process.send_signal(number)

    async def end(self) -> int:
        """Wait for its end; its status."""
        return await asyncio.to_thread(self._process.wait, SECONDS)


D = TypeVar("D", bound=Daemon)


@contextmanager
def daemon(*argv: str | Path, directory: Path, kind: type[D], **variables: str) -> Iterator[D]:
    """Run a program in a directory; it and its workers are gone when the block is left."""
    log = directory / f"log-{next(_NUMBERS)}"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(one) for one in argv],
            cwd=directory,
            env=environment(directory, **variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield kind(process, log)
    finally:
        if process.returncode is None:  # nobody else can have got its number
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Instance(Daemon):
    """A voiceproxy with a simulated upstream."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return _url(self.wait_for("voiceproxy listening on")).port or 0

    async def sessions(self) -> int:
        """How many it says there are."""
        return int((await self.ready())[1]["sessions"])

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Status and body of ``/ready``."""
        async with aiohttp.request("GET", f"http://127.0.0.1:{self.port}/ready") as answer:
            return answer.status, await answer.json()

    async def until_free(self, sessions: int) -> None:
        """Wait until there are no more sessions than that, also for who is in front of it."""
        async with asyncio.timeout(SECONDS):
            while await self.sessions() > sessions or _connections(self.port) > sessions:
                await asyncio.sleep(0.02)


@contextmanager
def instance(directory: Path, *flags: str, port: int = 0) -> Iterator[Instance]:
    """Run ``python -m voiceproxy`` until the block is left; it listens when that begins."""
    plugins = ("--plugin", "openai", "--plugin", "simulator")
    argv = (sys.executable, "-m", "voiceproxy", *plugins, "--port", str(port), *flags)
    with daemon(*argv, directory=directory, kind=Instance) as running:
        running.wait_for("voiceproxy listening on")
        yield running


class Gone(Instance):
    """An instance whose machine is gone: connections to it are not even refused."""

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def port(self) -> int:
        """Where it listened."""
        return self._port


@contextmanager
def gone() -> Iterator[Gone]:
    """What its operating system does not answer for: a listener whose queue is full."""
    with socket.socket() as listener, ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield Gone(listener.getsockname()[1])


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def own_connections(port: int) -> list[int]:
    """File descriptors of this process that are connected to a port."""
    connections = psutil.Process().net_connections(kind="tcp")
    return [one.fd for one in connections if one.raddr and one.raddr.port == port]


def _url(announcement: str) -> URL:
    return URL(announcement.partition("listening on ")[2].split()[0])


def _connections(port: int) -> int:
    """Connections to a port that whoever opened them has not closed."""
    held = (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT)
    return sum(
        one.status in held and bool(one.raddr) and one.raddr.port == port
        for one in psutil.net_connections(kind="tcp")
    )
