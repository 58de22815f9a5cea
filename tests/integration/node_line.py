"""A conversation held with the real ``@deepgram/sdk`` of npm, in a Node process of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from caller import PATIENCE
from deepgram.core.events import EventType
from deepgram_line import Line, Refused, credentials
from pydantic import BaseModel
from wire_types import known

NODE = Path(__file__).parents[1] / "node"
"""Where the packages are that npm installs, and what runs with them."""


def node() -> str:
    """The path of Node; fails the test, saying what to do, when it or a package is missing."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.fail("Node is missing: apt-get install nodejs npm", pytrace=False)
    if not (NODE / "node_modules" / "@deepgram" / "sdk").is_dir():
        pytest.fail(f"packages are missing: npm ci --prefix {NODE}", pytrace=False)
    return found


class NodeLine(Line):
    """The line of a process that runs ``line.mjs``."""

    def __init__(self, process: Process, product: str) -> None:
        super().__init__()
        self._process = process
        self._product = product
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, message: BaseModel | None = None) -> None:
        name = _camel(method)
        plain = {"type": name.removeprefix("send")} if message is None else message.dict()
        await self._tell({"method": name, "message": plain})

    async def speak(self, frames: list[bytes]) -> None:
        for frame in frames:
            await self._tell({"media": base64.b64encode(frame).decode()})

    async def _tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            await self._process.stdin.drain()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told = json.loads(line)
            event = EventType(told["event"])
            self._events.put_nowait((event, self._data(event, told.get("data"))))
        self._events.put_nowait((EventType.ERROR, ConnectionError("the process has ended")))
        self._events.put_nowait((EventType.CLOSE, None))

    def _data(self, event: EventType, data: Any) -> Any:
        """What the Python SDK would hand on in its place."""
        if event is EventType.ERROR:
            return ConnectionError(data)
        if event is not EventType.MESSAGE:
            return data
        if isinstance(data, dict) and set(data) == {"audio"}:
            return base64.b64decode(data["audio"])
        return known(self._product, data) or data

    async def opened(self) -> None:
        """Wait for the SDK to say that it is connected. Raises Refused when it says it is not."""
        event = EventType.CLOSE  # which it emits before the error, with 1000
        async with asyncio.timeout(PATIENCE):
            while event is EventType.CLOSE:
                event, data = await self._events.get()
        if event is EventType.ERROR:
            status = re.search(r"response: (\d{3})", str(data))
            raise Refused(int(status[1]) if status else None, str(data))

    async def end(self) -> None:
        """Close the connection; the process ends by itself and has complained of nothing."""
        process = self._process
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                complaints = await process.stderr.read()
                await self._reader
                status = await process.wait()
            assert (status, complaints.decode()) == (0, "")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._reader.cancel()


@asynccontextmanager
async def node_line(
    authority: str, product: str = "agent.v1", **options: Any
) -> AsyncIterator[Line]:
    """A line of the JavaScript SDK's ``DeepgramClient``."""
    client = {_camel(name): value for name, value in credentials(options).items()}
    client["baseUrl"] = f"ws://{authority}"
    task = {"client": client, "product": product, "options": _arguments(**options)}
    process = await asyncio.create_subprocess_exec(
        node(),
        NODE / "line.mjs",
        json.dumps(task),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=1 << 24,
    )
    line = NodeLine(process, product)
    try:
        await line.opened()
        yield line
    finally:
        await line.end()


def _camel(name: str) -> str:
    """A name as JavaScript has it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _arguments(
    *,
    request_options: dict[str, Any] | None = None,
    authorization: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """The arguments of ``connect`` by the names they have in JavaScript."""
    requested = request_options or {}
    named = {
        "queryParams": requested.get("additional_query_parameters"),
        "headers": requested.get("additional_headers"),
        "Authorization": authorization,
    }
    return options | {name: given for name, given in named.items() if given is not None}
