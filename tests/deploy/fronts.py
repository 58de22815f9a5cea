"""HAProxy and nginx as Debian packages them, under the configurations in ``deploy/``.

The shipped file is run with the places of this machine in it and nothing else changed, unless a
test changes a line on purpose.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import psutil
from daemons import SECONDS, Daemon, daemon, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "voice.example.com"
"""What clients call the service."""

FIX = "apt-get install --no-install-recommends haproxy nginx"
SERVERS = ("10.0.0.11:8080", "10.0.0.12:8080")
"""The instances' addresses in the shipped files."""

UNCHANGED: Mapping[str, str] = MappingProxyType({})


class Front(ABC):
    """A reverse proxy in front of two instances, at ``port``."""

    program: ClassVar[str]
    file: ClassVar[str]
    idle_timeout: ClassVar[str]
    """The words that say how long a session may be silent."""
    shorter: ClassVar[Mapping[str, str]]
    """Every other timeout a session passes, at two seconds or less."""
    reload_signal: ClassVar[int]

    def __init__(self, directory: Path, instances: list[int]) -> None:
        self.port = free_port()
        self.directory = directory
        self._instances = instances
        self._daemon: Daemon | None = None

    @property
    @abstractmethod
    def arguments(self) -> list[str]:
        """The command line, behind the program."""

    @property
    @abstractmethod
    def places(self) -> dict[str, str]:
        """Words of the shipped file, and what stands there on this machine."""

    @abstractmethod
    async def take_out(self, number: int) -> None:
        """Give an instance no new session, as an operator does who will stop it."""

    @property
    def daemon(self) -> Daemon:
        """The running program."""
        assert self._daemon is not None
        return self._daemon

    @property
    def logs(self) -> str:
        """Everything it logged."""
        return self.daemon.said

    def configure(self, changes: Mapping[str, str] = UNCHANGED) -> None:
        """Write its configuration; ``changes`` are made to the shipped file first."""
        servers = {
            address: f"127.0.0.1:{port}"
            for address, port in zip(SERVERS, self._instances, strict=True)
        }
        text = (DEPLOY / self.file).read_text()
        for old, new in {**changes, **self.places, **servers}.items():
            assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        (self.directory / self.file).write_text(text)

    @contextmanager
    def running(self, changes: Mapping[str, str] = UNCHANGED) -> Iterator[Front]:
        """Run it until the block is left; it listens when that begins."""
        self.configure(changes)
        argv = [_found(self.program), *self.arguments]
        with daemon(*argv, directory=self.directory, kind=Daemon) as running:
            running.wait_for_port(self.port)
            self._daemon = running
            yield self

    async def reload(self) -> None:
        """Have it read its configuration again; it listens with the new one when this returns."""
        before = self._workers()
        self.daemon.signal(self.reload_signal)
        async with asyncio.timeout(SECONDS):
            while self._workers() <= before:
                await asyncio.sleep(0.02)
        self.daemon.wait_for_port(self.port)

    def _workers(self) -> set[int]:
        return {one.pid for one in psutil.Process(self.daemon.pid).children()}


class HAProxy(Front):
    """In the mode Debian's unit starts it in: a master and its worker."""

    program = "haproxy"
    file = "haproxy.cfg"
    idle_timeout = "timeout tunnel 1h"
    shorter: ClassVar = {
        "timeout client 60s": "timeout client 2s",
        "timeout server 60s": "timeout server 2s",
        "timeout http-request 10s": "timeout http-request 2s",
    }
    reload_signal = signal.SIGUSR2

    @property
    def arguments(self) -> list[str]:
        return ["-W", "-f", self.file]

    @property
    def places(self) -> dict[str, str]:
        places = {
            "log /dev/log local0": "log stdout format raw local0",
            "/run/haproxy/admin.sock": str(self.directory / "admin.sock"),
            "bind :443": f"bind 127.0.0.1:{self.port}",
            "/etc/haproxy/voice.pem": str(self.directory / "voice.pem"),
        }
        if os.geteuid():
            unprivileged = ("user haproxy", "group haproxy", "chroot /var/lib/haproxy")
            places |= dict.fromkeys((f"    {line}\n" for line in unprivileged), "")
        return places

    async def take_out(self, number: int) -> None:
        server = ("one", "two")[number]
        assert self.ask(f"set server voiceproxy/{server} state drain") == ""

    def ask(self, command: str) -> str:
        """What an operator is told at the admin socket."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(SECONDS)
            line.connect(str(self.directory / "admin.sock"))
            line.sendall(command.encode() + b"\n")
            answer = b""
            while part := line.recv(65536):
                answer += part
        return answer.decode().strip()

    def status(self, number: int) -> str:
        """What it thinks of an instance: UP, DOWN, DRAIN."""
        head, *rows = (row.split(",") for row in self.ask("show stat").splitlines())
        rows_by_name = {(row[0], row[1]): row for row in rows if len(row) > 2}
        row = rows_by_name["voiceproxy", ("one", "two")[number]]
        return row[head.index("status")].split()[0]


class Nginx(Front):
    """With its workers under a master in the foreground."""

    program = "nginx"
    file = "nginx.conf"
    idle_timeout = "proxy_read_timeout 1h"
    shorter: ClassVar = {
        "proxy_buffering off;": "proxy_buffering off; client_body_timeout 2s; send_timeout 2s;",
        "server_tokens off;": "server_tokens off; keepalive_timeout 2s; client_header_timeout 2s;",
    }
    reload_signal = signal.SIGHUP

    @property
    def arguments(self) -> list[str]:
        where = ["-p", str(self.directory), "-c", self.file]
        return [*where, "-e", "stderr", "-g", "daemon off;"]

    @property
    def places(self) -> dict[str, str]:
        directory = self.directory
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        scratch = "".join(f"    {kind}_temp_path {directory}/{kind};\n" for kind in kinds)
        return {
            "/run/nginx.pid": f"{directory}/nginx.pid",
            "/var/log/nginx/error.log": f"{directory}/error.log",
            "/var/log/nginx/access.log": f"{directory}/access.log",
            "http {\n": f"http {{\n{scratch}",
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "/etc/nginx/voice.pem": f"{directory}/voice.pem",
            "/etc/nginx/voice.key": f"{directory}/voice.key",
        }

    @property
    def logs(self) -> str:
        files = [self.directory / "access.log", self.directory / "error.log"]
        return self.daemon.said + "".join(one.read_text() for one in files)

    async def take_out(self, number: int) -> None:
        line = f"server {SERVERS[number]} max_fails=0"
        self.configure({line: f"{line} down"})
        await self.reload()

    async def reload(self) -> None:
        before = self._workers()
        await super().reload()
        async with asyncio.timeout(SECONDS):
            while any(_takes_connections(worker) for worker in before):
                await asyncio.sleep(0.02)


FRONTS: tuple[type[Front], ...] = (HAProxy, Nginx)


def _takes_connections(worker: int) -> bool:
    """Whether a worker of nginx has not yet been told to shut down: its title says so."""
    try:
        return "shutting down" not in " ".join(psutil.Process(worker).cmdline())
    except psutil.NoSuchProcess:
        return False


def _found(program: str) -> str:
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin")
    assert path, f"{program} is missing; as root: {FIX}"
    return path
