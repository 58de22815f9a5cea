"""docs/tutorial/first-plugin.md, followed word for word in an empty folder."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from wheels import host_wheel

PAGE = Path(__file__).parent.parent / "docs" / "tutorial" / "first-plugin.md"
STEP = re.compile(
    r"(?:`(?P<file>[\w./]+)`:\n\n)?^```(?P<language>\w+) ?(?P<note>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
PATIENCE = 240.0
"""Seconds for one command: pip downloads what voiceproxy depends on."""
DONE = "--- done:"

pytestmark = pytest.mark.deep


@dataclass(frozen=True)
class Step:
    """One fenced block: a file to save, commands to run, or what is to be seen then."""

    file: str | None
    language: str
    note: str
    text: str


def steps(page: str) -> Iterator[Step]:
    for found in STEP.finditer(page):
        yield Step(found["file"], found["language"], found["note"], found["text"])


def shows(expected: str, output: str) -> bool:
    """Whether each line is there, with anything in the place of an ellipsis."""
    return all(
        re.search(".*".join(map(re.escape, line.split("…"))), output)
        for line in expected.splitlines()
    )


class Terminal:
    """A shell that is given blocks of commands, one after the other."""

    def __init__(self, shell: Process) -> None:
        self._shell = shell
        self.output = ""

    async def run(self, commands: str) -> int:
        """Run a block; its last status. ``output`` is what it wrote, both streams together."""
        self.enter(f"{commands}\necho '\n{DONE}' $?")
        await self.until(DONE)
        self.output, _, status = self.output.rpartition(DONE)
        return int(status)

    def enter(self, commands: str) -> None:
        """Type a block."""
        assert self._shell.stdin is not None
        self.output = ""
        self._shell.stdin.write(f"{commands}\n".encode())

    async def until(self, expected: str) -> None:
        """Read until that has been written."""
        assert self._shell.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                while not shows(expected, self.output):
                    line = await self._shell.stdout.readline()
                    assert line, f"the shell ended before {expected!r}:\n{self.output}"
                    self.output += line.decode()
        except TimeoutError:
            pytest.fail(f"no {expected!r} in:\n{self.output}")

    async def leave(self) -> None:
        """Ctrl-C, and the shell is closed."""
        if self._shell.returncode is None:
            os.killpg(self._shell.pid, signal.SIGINT)
            self._shell.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await self._shell.communicate()


@asynccontextmanager
async def terminal(folder: Path, variables: dict[str, str]) -> AsyncIterator[Terminal]:
    shell = await asyncio.create_subprocess_exec(
        "bash",
        cwd=folder,
        env=variables,
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        start_new_session=True,
    )
    try:
        opened = Terminal(shell)
        yield opened
        await opened.leave()
    finally:
        if shell.returncode is None:
            os.killpg(shell.pid, signal.SIGKILL)
            await shell.communicate()


class Reader:
    """Does what the page says: what serves in one terminal, everything else in another."""

    def __init__(self, folder: Path, variables: dict[str, str], port: int) -> None:
        self._folder = folder
        self._tree = folder / "voiceproxy-swear-box"
        self._variables = {**variables, "VOICEPROXY_PORT": str(port)}
        self._port = port

    async def follow(self, page: str) -> None:
        async with AsyncExitStack() as self._stack:
            self._first = await self._open(self._folder)
            self._server: Terminal | None = None
            for step in steps(page.replace("127.0.0.1:8080", f"127.0.0.1:{self._port}")):
                if step.file:
                    (self._tree / step.file).write_text(step.text)
                elif step.language == "sh":
                    await self._enter(step)
                else:
                    await self._look(step)

    async def _open(self, folder: Path) -> Terminal:
        return await self._stack.enter_async_context(terminal(folder, self._variables))

    async def _enter(self, step: Step) -> None:
        if step.note == "server":
            await self._serve(step.text)
            return
        talk = f"-m voiceproxy talk --url ws://127.0.0.1:{self._port}/openai"
        commands = step.text.strip().replace("-m voiceproxy talk", talk).splitlines()
        for command in commands:
            status = await self._first.run(command)
            assert (status != 0) == (step.note == "fails"), self._first.output

    async def _serve(self, commands: str) -> None:
        if self._server is not None:
            await self._server.leave()
        self._server = await self._open(self._tree)
        self._server.enter(f". ../.venv/bin/activate\n{commands}")
        await self._server.until(f"voiceproxy listening on http://127.0.0.1:{self._port}")

    async def _look(self, step: Step) -> None:
        if step.note == "server":
            await self._server.until(step.text)
            return
        seen = self._first.output
        if self._server is not None and "listening" in step.text:
            seen = self._server.output
        assert shows(step.text, seen) == (step.note != "absent"), f"{step.text}\nnot in\n{seen}"


OURS = re.compile(r"VOICEPROXY_|OPENAI_|DEEPGRAM_|VIRTUAL_ENV|PYTHON|COVERAGE|(PORT|LOG_LEVEL)$")


def clean_environment(constraint: Path) -> dict[str, str]:
    """One without settings of ours, in which pip installs the voiceproxy it is told to."""
    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    path = f"{Path(sys.executable).parent}:{clean['PATH']}"
    return {**clean, "PIP_CONSTRAINT": str(constraint), "PATH": path}


async def test_a_reader_ends_with_an_installed_tested_plugin(tmp_path, unused_tcp_port):
    wheel = host_wheel(tmp_path)
    constraint = tmp_path / "constraint.txt"
    constraint.write_text(f"voiceproxy @ {wheel.as_uri()}\n")
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(folder, clean_environment(constraint), unused_tcp_port)
    await reader.follow(PAGE.read_text())
