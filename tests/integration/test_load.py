"""Many people at once: nobody hears what another one was told, and memory stays where it is."""

from __future__ import annotations

import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from caller import SPEECH
from programs import Program, running, serving, talk

DRIVER = Path(__file__).parents[1] / "load_driver.py"

SIMULATED = ("--plugin", "openai", "--plugin", "simulator")

HEARD = "agent: I heard 2.7 s of speech."


async def drive(directory: Path, proxy: Program, sessions: int, seconds: float) -> dict[str, Any]:
    """Run the driver in a process of its own; its figures."""
    flags = ("--url", f"{proxy.url.origin()}/openai".replace("http", "ws", 1))
    amount = ("--sessions", str(sessions), "--seconds", str(seconds))
    async with running(directory, str(DRIVER), *flags, *amount) as driver:
        status = await driver.end(seconds + 60)
        assert driver.output, driver.errors
        figures: dict[str, Any] = json.loads(driver.output[-1])
        assert figures["first_failures"] == []
        assert (status, driver.errors) == (0, [])
        return figures


async def three_talks(directory: Path, proxy: Program) -> None:
    """Three real ``talk`` processes at once: two with a recording, one with lines of text."""
    url = f"{proxy.url.origin()}".replace("http", "ws", 1)

    async def say_recording(path: str) -> None:
        saved = directory / f"{path.replace('/', '-')}.wav"
        flags = ("--audio", str(SPEECH), "--save", str(saved))
        program = await talk(directory, f"{url}{path}", *flags)
        assert HEARD in program.output
        assert saved.stat().st_size > 48000

    async def type_lines() -> None:
        program = await talk(directory, f"{url}/openai", "--text", "beside", "--text", "the load")
        assert program.output[1::2] == ['agent: You said "beside".', 'agent: You said "the load".']

    await asyncio.gather(
        say_recording("/openai"), say_recording("/v1/agent/converse"), type_lines()
    )


async def check_quiet(program: Program) -> None:
    """No session is left, and the log has no error and no breach of a rule."""
    async with aiohttp.ClientSession() as client, asyncio.timeout(5):
        while (await (await client.get(program.url.origin() / "ready")).json())["sessions"]:
            await asyncio.sleep(0.05)
    assert await program.stop() == 0
    assert [line for line in program.errors if " ERROR " in line or "Traceback" in line] == []
    # The simulator warns of every breach of the API and of our own rules.
    assert [line for line in program.errors if " WARNING " in line] == []


async def test_ten_sessions_and_a_talk_for_a_few_seconds(tmp_path: Path) -> None:
    async with serving(tmp_path, *SIMULATED) as proxy:
        url = f"{proxy.url.origin()}/openai".replace("http", "ws", 1)
        figures, beside = await asyncio.gather(
            drive(tmp_path, proxy, sessions=10, seconds=5),
            talk(tmp_path, url, "--text", "beside"),
        )
        assert figures["sessions"] == 10
        assert figures["turns"] >= 15
        assert beside.output[-1] == 'agent: You said "beside".'
        await check_quiet(proxy)


class Watch:
    """The resident memory of a process, twice a second."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.samples: list[tuple[float, int]] = []

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            now = self._loop.time() - self._began
            self.samples.append((now, self._process.memory_info().rss))
            await asyncio.sleep(0.5)

    def megabytes(self, second: float) -> float:
        """Around that second."""
        near = [rss for now, rss in self.samples if abs(now - second) <= 2]
        return statistics.median(near) / 1e6

    @property
    def cpu_seconds(self) -> float:
        """What it has computed so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)


async def under_load(
    directory: Path, proxy: Program, sessions: int = 50, seconds: float = 60
) -> dict[str, Any]:
    """The driver for a minute, the talks after a third of it, the proxy's memory all the time."""
    watch = Watch(proxy.pid)
    watching = asyncio.create_task(watch.run())

    async def beside() -> None:
        await asyncio.sleep(seconds / 3)
        await three_talks(directory, proxy)

    try:
        figures, _ = await asyncio.gather(drive(directory, proxy, sessions, seconds), beside())
    finally:
        watching.cancel()
    early, late = watch.megabytes(10), watch.megabytes(seconds - 1)
    figures |= {"rss_10_s": early, "rss_60_s": late, "cpu_seconds": watch.cpu_seconds}
    print(json.dumps(figures))
    assert figures["sessions"] == sessions
    assert figures["fewest_turns"] >= 8
    return figures


def grew(figures: dict[str, Any]) -> float:
    """Megabytes between the 10th second and the last."""
    return float(figures["rss_60_s"] - figures["rss_10_s"])


@pytest.mark.deep
async def test_fifty_sessions_and_three_talks_for_a_minute_leave_the_proxys_memory_flat(
    tmp_path: Path,
) -> None:
    # The upstream is in another process: what the simulator remembers of its sessions is not ours.
    async with serving(tmp_path, *SIMULATED) as upstream:
        announced = await upstream.until("simulating OpenAI Realtime at")
        flags = ("--plugin", "openai", "--upstream-url", announced.rpartition(" ")[2])
        async with serving(tmp_path, *flags, OPENAI_API_KEY="any") as proxy:
            figures = await under_load(tmp_path, proxy)
            await check_quiet(proxy)
        await check_quiet(upstream)
    assert grew(figures) < max(5.0, 0.05 * figures["rss_10_s"])


@pytest.mark.deep
async def test_fifty_sessions_and_three_talks_for_a_minute_as_make_run_serves_them(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, *SIMULATED) as proxy:
        figures = await under_load(tmp_path, proxy)
        await check_quiet(proxy)
    # The simulator is in this process too, and it remembers the items of its conversations.
    assert grew(figures) < 20
