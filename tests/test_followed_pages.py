"""Pages a reader follows command by command, followed word for word in an empty folder."""

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

DOCS = Path(__file__).parent.parent / "docs"
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

    def __init__(self, folder: Path, name: str, variables: dict[str, str], port: int) -> None:
        self._tree = folder / f"voiceproxy-{name}"
        self._folder = folder
        self._variables = {**variables, "VOICEPROXY_PORT": str(port)}
        self._port = port

    async def follow(self, page: str) -> None:
        async with AsyncExitStack() as self._stack:
            self._first = await self._open(self._folder)
            self._server: Terminal | None = None
            for step in steps(page.replace("127.0.0.1:8080", f"127.0.0.1:{self._port}")):
                if step.file and step.language == "python":
                    (self._tree / step.file).write_text(step.text)
                elif step.language == "sh":
                    await self._enter(step)
                elif step.language == "text":
                    await self._look(step)

    async def _open(self, folder: Path) -> Terminal:
        return await self._stack.enter_async_context(terminal(folder, self._variables))

    async def _enter(self, step: Step) -> None:
        if step.note == "upload":
            return  # a reader would publish it
        if step.note == "server":
            await self._serve(step.text)
            return
        talk = f"-m voiceproxy talk --url ws://127.0.0.1:{self._port}/openai"
        for command in step.text.strip().replace("-m voiceproxy talk", talk).splitlines():
            status = await self._first.run(command)
            assert (status != 0) == (step.note == "fails"), self._first.output

    async def _serve(self, commands: str) -> None:
        if self._server is not None:
            await self._server.leave()
        self._server = await self._open(self._tree)
        self._server.enter(f". ../.venv/bin/activate\n{commands}")
        await self._server.until(f"voiceproxy listening on http://127.0.0.1:{self._port}")

    async def _look(self, step: Step) -> None:
        if step.note == "refusal":
            return  # test_new_plugin.py sees it
        if step.note == "server":
            assert self._server is not None
            await self._server.until(step.text)
            return
        seen = self._first.output
        assert shows(step.text, seen) == (step.note != "absent"), f"{step.text}\nnot in\n{seen}"


OURS = re.compile(r"VOICEPROXY_|OPENAI_|DEEPGRAM_|VIRTUAL_ENV|PYTHON|COVERAGE|(PORT|LOG_LEVEL)$")


def clean_environment(constraint: Path) -> dict[str, str]:
    """One without settings of ours, in which pip installs the voiceproxy it is told to."""
    clean = {name: text for name, text in os.environ.items() if not OURS.match(name)}
    path = f"{Path(sys.executable).parent}:{clean['PATH']}"
    return {**clean, "PIP_CONSTRAINT": str(constraint), "PATH": path}


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("host")
    constraint = place / "constraint.txt"
    constraint.write_text(f"voiceproxy @ {host_wheel(place).as_uri()}\n")
    return clean_environment(constraint)


async def test_who_follows_the_tutorial_has_had_an_installed_tested_plugin(
    tmp_path, variables, unused_tcp_port
):
    reader = Reader(tmp_path, "swear-box", variables, unused_tcp_port)
    await reader.follow((DOCS / "tutorial" / "first-plugin.md").read_text())


async def test_who_follows_the_way_to_publish_has_a_wheel_that_works(
    tmp_path, variables, unused_tcp_port
):
    page = (DOCS / "how-to" / "publish-a-plugin.md").read_text()
    environment = "```sh\npython3 -m venv .venv\n. .venv/bin/activate\n```\n"
    installed = "```sh\npython -m pip install --quiet voiceproxy\n```\n"
    reader = Reader(tmp_path, "echo-words", variables, unused_tcp_port)
    await reader.follow(environment + installed + page)
