"""Sessions that come and go for a long time, over lines with faults: ``python tests/soak.py``.

The proxy is a process of its own, with both backends, ``redaction`` and ``logging``; so are the
simulated upstreams. Between all of them are faulty lines, whose faults change at random: latency,
jitter, dribble, slow and stalled readers, blackholes, cuts, resets. What each caller is answered
must be what it said. In the end the proxy's memory, file descriptors and tasks must be flat.

Prints a line of JSON a minute and one at the end; status 1 when anything grew or was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import psutil

sys.path.insert(0, str(Path(__file__).parent / "integration"))
from frame_mutations import SETTINGS
from programs import Program, serving

from voiceproxy.testing import Fault, FaultyLine

HOLE = Fault(blackhole=True)
STALLED = Fault(stalled=True)
LATE = Fault(latency=0.1, jitter=0.2)
SLOW = Fault(piece=2048, pause=0.02)
DRIBBLE = Fault(piece=11)

LINE_FAULTS: dict[str, dict[str, Fault]] = {
    "late": {"up": LATE, "down": LATE},
    "dribble": {"up": DRIBBLE, "down": DRIBBLE},
    "slow reader": {"down": SLOW},
    "stalled reader": {"down": STALLED},
    "blackhole": {"up": HOLE, "down": HOLE},
    "half open": {"up": HOLE, "down": HOLE},
    "cut": {"up": Fault(cut_after=700), "down": Fault(cut_after=5000)},
    "reset": {},
}
"""What a caller's line may come to. "half open": the caller goes, and the proxy is not told."""

UPSTREAM_FAULTS: list[dict[str, Fault]] = [
    {"up": LATE, "down": LATE},
    {"up": SLOW},
    {"up": STALLED},
    {"up": HOLE, "down": HOLE},
    {},
]
"""What the line to an upstream may come to for some seconds; ``{}``: all its connections reset."""

SETTINGS_OF_THE_PROXY = (
    *("--heartbeat", "3", "--close-timeout", "1", "--settings-timeout", "5"),
    *("--connect-timeout", "2", "--log-level", "error"),
)

PATHS = ("/openai", "/v1/agent/converse", "/deepgram")

PATIENCE = 20.0
"""Seconds a caller waits for anything."""

GROWTH = 0.05
"""By how much the memory may differ between the second third of the time and the last."""

LEAST_GROWTH = 10.0
"""Megabytes of growth that are nothing yet: allocators keep what they had at the busiest time."""


@dataclass
class Soak:
    """What has happened so far."""

    random: Random
    url: str
    began: dict[str, int] = field(default_factory=Counter)
    """Sessions by fault."""
    ends: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    wrong: list[str] = field(default_factory=list)
    samples: list[tuple[float, float, int, int]] = field(default_factory=list)
    """Seconds, megabytes, file descriptors, tasks."""


class Caller:
    """One person after the other on one line."""

    def __init__(self, soak: Soak, number: int, client: aiohttp.ClientSession) -> None:
        self._soak, self._number, self._client = soak, number, client
        self._random = Random(soak.random.random())
        self._turn = 0

    async def call(self, until: float) -> None:
        """Session after session."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._random.random() * 5)
        async with FaultyLine(self._soak.url, seed=self._number) as line:
            while loop.time() < until:
                line.becomes()
                try:
                    async with asyncio.timeout(3 * PATIENCE):
                        await self._session(line)
                    self._soak.ends["left"] += 1
                except (OSError, aiohttp.ClientError, TimeoutError) as error:
                    self._soak.ends[type(error).__name__] += 1
                await line.reset()
                await asyncio.sleep(self._random.random())

    async def _session(self, line: FaultyLine) -> None:
        fault = self._random.choice(["none", "none", *LINE_FAULTS])
        self._soak.began[fault] += 1
        url = line.url.rstrip("/") + self._random.choice(PATHS)
        socket = await self._client.ws_connect(url, max_msg_size=0)
        try:
            await socket.send_json(SETTINGS)
            await self._until(socket, "SettingsApplied")
            turns = self._random.randrange(1, 5)
            breaks = self._random.randrange(turns)
            for turn in range(turns):
                if turn == breaks:
                    await self._break(line, fault)
                    if fault == "half open":
                        return
                await self._converse(socket)
                await asyncio.sleep(self._random.uniform(1, 4))
            if self._random.random() < 0.7 and fault == "none":
                await socket.close()
        finally:
            connection = socket._response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()

    async def _break(self, line: FaultyLine, fault: str) -> None:
        if fault == "reset":
            await line.reset()
        elif fault != "none":
            line.becomes(**LINE_FAULTS[fault])

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._turn += 1
        words = f"caller {self._number} turn {self._turn}"
        for _ in range(self._random.randrange(10)):
            await socket.send_bytes(bytes(3200))
        await socket.send_json({"type": "InjectUserMessage", "content": words})
        while True:
            said = await self._until(socket, "ConversationText", "Error")
            if said["type"] == "Error":
                raise ConnectionError(said.get("code"))
            if not said["content"].startswith("You said"):  # an echo, or the greeting
                continue
            break
        if said["content"] != f'You said "{words}".':
            self._soak.wrong.append(f"{words!r} was answered with {said['content']!r}")
        await self._until(socket, "AgentAudioDone")
        self._soak.turns += 1

    async def _until(self, socket: aiohttp.ClientWebSocketResponse, *kinds: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await socket.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    heard: dict[str, Any] = json.loads(message.data)
                    if heard["type"] in kinds:
                        return heard
                elif message.type is not aiohttp.WSMsgType.BINARY:
                    raise ConnectionError(f"closed with {socket.close_code}")


async def trouble(random: Random, line: FaultyLine) -> None:
    """Now and then the line to an upstream is bad for some seconds."""
    while True:
        await asyncio.sleep(random.uniform(8, 20))
        fault = random.choice(UPSTREAM_FAULTS)
        if fault:
            line.becomes(**fault)
            await asyncio.sleep(random.uniform(1, 4))
            line.becomes()
        else:
            await line.reset()


async def gauge(soak: Soak, client: aiohttp.ClientSession, pid: int, began: float) -> Any:
    """Look at the proxy."""
    async with client.get(f"{soak.url}/gauge") as response:
        tasks = await response.json()
    process = psutil.Process(pid)
    now = asyncio.get_running_loop().time() - began
    sample = now, process.memory_info().rss / 1e6, process.num_fds(), tasks["tasks"]
    soak.samples.append(sample)
    return tasks


async def watch(soak: Soak, client: aiohttp.ClientSession, pid: int, began: float) -> None:
    """Look every second, tell every minute."""
    told = 0
    while True:
        await gauge(soak, client, pid, began)
        seconds, megabytes, descriptors, tasks = soak.samples[-1]
        if seconds // 60 > told:
            told = int(seconds // 60)
            line = {"minute": told, "mb": round(megabytes), "fds": descriptors, "tasks": tasks}
            print(json.dumps(line | {"turns": soak.turns, "wrong": len(soak.wrong)}), flush=True)
        await asyncio.sleep(1)


def megabytes(soak: Soak, first: float, last: float) -> float:
    """The median between two parts of the time."""
    end = soak.samples[-1][0]
    return statistics.median(
        sample[1] for sample in soak.samples if first * end <= sample[0] <= last * end
    )


async def settled(
    soak: Soak, client: aiohttp.ClientSession, pid: int, began: float, first: tuple[int, int]
) -> tuple[int, int]:
    """File descriptors and tasks once all have left; waits until they are as at first."""
    for _ in range(30):
        await gauge(soak, client, pid, began)
        if soak.samples[-1][2] <= first[0] and soak.samples[-1][3] <= first[1]:
            break
        await asyncio.sleep(1)
    return soak.samples[-1][2], soak.samples[-1][3]


async def run(minutes: float, callers: int, seed: int, directory: Path) -> dict[str, Any]:
    """Everything; the result."""
    random = Random(seed)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        upstream = await enter(serving(directory, "--plugin", "openai", "--plugin", "simulator"))
        lines = [await enter(FaultyLine(await _simulated(upstream, name))) for name in NAMES]
        to_openai, to_deepgram = (line.url.rstrip("/") for line in lines)
        proxy = await enter(
            serving(
                directory,
                *("--plugin", "openai", "--plugin", "deepgram", "--plugin", "redaction"),
                *("--plugin", "logging", "--plugin", "soak_gauge"),
                *("--openai-url", to_openai, "--deepgram-agent-url", to_deepgram),
                *SETTINGS_OF_THE_PROXY,
                OPENAI_API_KEY="any",
                DEEPGRAM_API_KEY="any",
                PYTHONPATH=str(Path(__file__).parent),
            )
        )
        client = await enter(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        soak = Soak(random, str(proxy.url.origin()))
        began = loop.time()
        await gauge(soak, client, proxy.pid, began)
        first = soak.samples[-1][2], soak.samples[-1][3]
        beside = [asyncio.create_task(watch(soak, client, proxy.pid, began))]
        beside += [asyncio.create_task(trouble(random, line)) for line in lines]
        calls = [
            Caller(soak, number, client).call(began + 60 * minutes) for number in range(callers)
        ]
        await asyncio.gather(*calls)
        busiest = max(soak.samples, key=lambda sample: sample[3])
        for task in beside:
            task.cancel()
        for line in lines:
            line.becomes()
        middle, last = megabytes(soak, 1 / 3, 2 / 3), megabytes(soak, 2 / 3, 1)
        left = await settled(soak, client, proxy.pid, began, first)
        status = await _stop(proxy)
        return {
            "minutes": minutes,
            "callers": callers,
            "seed": seed,
            "sessions": sum(soak.began.values()),
            "by_fault": dict(soak.began),
            "ends": dict(soak.ends),
            "turns": soak.turns,
            "wrong": soak.wrong[:5],
            "rss_mb": {"second third": round(middle, 1), "last third": round(last, 1)},
            "fds": {"first": first[0], "busiest": busiest[2], "left": left[0]},
            "tasks": {"first": first[1], "busiest": busiest[3], "left": left[1]},
            "tracebacks": sum("Traceback" in line for line in proxy.errors),
            "status": status,
        }


NAMES = ("simulating OpenAI Realtime at", "simulating Deepgram at")


async def _simulated(upstream: Program, announced: str) -> str:
    return (await upstream.until(announced)).rpartition(" ")[2]


async def _stop(proxy: Program) -> int:
    return await proxy.stop()


def problems(result: dict[str, Any]) -> list[str]:
    """What is not as it should be."""
    middle, last = result["rss_mb"].values()
    found = {
        f"memory grew from {middle} to {last} MB": last - middle
        > max(LEAST_GROWTH, GROWTH * middle),
        "file descriptors are left": result["fds"]["left"] > result["fds"]["first"],
        "tasks are left": result["tasks"]["left"] > result["tasks"]["first"],
        "answers were wrong": result["wrong"],
        "nobody got an answer": not result["turns"],
        "exceptions were logged": result["tracebacks"],
        "the proxy did not end in order": result["status"],
    }
    return [problem for problem, is_so in found.items() if is_so]


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Let sessions come and go over bad lines.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--callers", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        result = asyncio.run(run(given.minutes, given.callers, given.seed, Path(directory)))
    found = problems(result)
    print(json.dumps(result | {"problems": found}, indent=1))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
