"""The proxies under the load, as processes: pinned, with the processor time they have used."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

OURS = re.compile(r"VOICEPROXY_|OPENAI_|DEEPGRAM_|(PORT|LOG_LEVEL)$")

BASELINE = Path(__file__).with_name("baseline.py")

SERVE = ("-m", "voiceproxy", "--port", "0", "--max-sessions", "100000")

CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[0], CORES[-1]


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, from the scheduler, in seconds.

    The clock of ``clock_getcpuclockid``: /proc/PID/stat has the same in hundredths of a second.
    """
    return time.clock_gettime((~pid << 3) | 2)


def memory(pid: int) -> int:
    """Bytes a process has written to: what it shares with others it only reads."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(size) for size in re.findall(r"Private_Dirty:\s+(\d+) kB", rollup))


def environment() -> dict[str, str]:
    """Ours without its settings, and with the same hash seed in every run."""
    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    ours = {"VOICEPROXY_ENV_FILE": os.devnull, "VOICEPROXY_DEEPGRAM_API_KEY": "0" * 40}
    return {**clean, "PYTHONHASHSEED": "0", **ours}


class Direct:
    """No proxy at all: what is dialled is the upstream itself."""

    def __init__(self) -> None:
        self.upstream = listener()
        self.address: tuple[str, int] = self.upstream.getsockname()
        self.cpu = 0.0


def listener() -> socket.socket:
    """Where an upstream is dialled."""
    found = socket.create_server(("127.0.0.1", 0), backlog=1024)
    found.settimeout(60)
    return found


class Proxy:
    """A running proxy and the listener that is its upstream."""

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, prefix: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.upstream = listener()
        url = f"ws://127.0.0.1:{self.upstream.getsockname()[1]}"
        command = [sys.executable, *(part.format(url=url) for part in arguments)]
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [*prefix, *command],
                env=environment(),
                cwd=log.parent,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        os.sched_setaffinity(self.process.pid, {PROXY_CORE})
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"listening on http://([\d.]+):(\d+)", line)
        if found is None:
            self.stop()
            raise ChildProcessError(f"{name} does not listen: {log.read_text()}")
        self.address = found[1], int(found[2])
        self.listening_after = self.cpu
        """Processor time from its start until it listened."""

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return cpu_seconds(self.process.pid)

    @property
    def memory(self) -> int:
        """Bytes it occupies by itself."""
        return memory(self.process.pid)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()
        self.upstream.close()


def baseline(log: Path, prefix: Sequence[str] = ()) -> Proxy:
    """The plain relay."""
    return Proxy("baseline", [str(BASELINE), "{url}"], log, prefix)


def voiceproxy(
    backend: str, log: Path, plugins: Sequence[str] = (), prefix: Sequence[str] = ()
) -> Proxy:
    """``python -m voiceproxy`` with that backend and those plugins besides."""
    flags = [flag for name in (*plugins, backend) for flag in ("--plugin", name)]
    if backend == "openai":
        flags += ["--openai-response-timeout", "86400"]  # the reply of a load has no end
    name = "+".join((backend, *plugins))
    return Proxy(name, [*SERVE, *flags, "--upstream-url", "{url}"], log, prefix)
