"""``python -m voiceproxy`` as a real process, with a clean environment and bounded waits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

SECONDS = 30
"""How long any wait may take on a busy machine."""

OURS = re.compile(r"VOICEPROXY_|OPENAI_|DEEPGRAM_|(PORT|LOG_LEVEL)$")


def environment(directory: Path, **variables: str) -> dict[str, str]:
    """The environment without settings of ours; modules are also found in ``directory``."""
    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    places = [str(directory), *filter(None, [clean.get("PYTHONPATH")])]
    return {**clean, "PYTHONPATH": os.pathsep.join(places), **variables}


def run(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in ``directory``."""
    return subprocess.run(
        [sys.executable, "-m", "voiceproxy", *arguments],
        cwd=directory,
        env=environment(directory, **variables),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


class Process:
    """A running server. ``announcement`` is its line on stdout, ``url`` the address in it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._errors: list[str] = []
        self.announcement = process.stdout.readline()
        found = re.search(r"https?://\S+", self.announcement)
        self.url = found.group() if found else ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def errors_until(self, text: str) -> list[str]:
        """The lines on stderr, up to and with the first that has ``text`` in it."""
        for line in self._process.stderr:
            self._errors.append(line.rstrip("\n"))
            if text in line:
                break
        return self._errors

    def end(self) -> tuple[int, list[str], list[str]]:
        """Wait for its end: the status, what else was on stdout, and all lines on stderr."""
        output, errors = self._process.communicate()
        lines = [*self._errors, *errors.splitlines()]
        return self._process.returncode, output.splitlines(), lines


@contextmanager
def serving(directory: Path, *arguments: str, **variables: str):
    """Start a server on a free port; it has announced itself, or ended, when this yields."""
    with subprocess.Popen(
        [sys.executable, "-m", "voiceproxy", "--port", "0", *arguments],
        cwd=directory,
        env=environment(directory, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        # A process that is killed closes its pipes: no read below waits longer than this.
        limit = threading.Timer(SECONDS, process.kill)
        limit.start()
        try:
            yield Process(process)
        finally:
            limit.cancel()
            process.kill()
