"""``python -m voiceproxy.talk`` as a process: exit status, standard streams, signals."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
import wave
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from talk_agent import SOUND, Agent, Script, answer_lines, make_agents

if TYPE_CHECKING:
    from pytest_aiohttp import AiohttpServer

ROOT = Path(__file__).parents[1]
SPEECH = Path(__file__).parent / "data" / "speech.wav"

Start = Callable[..., Awaitable[Process]]


@pytest.fixture
def start(aiohttp_server: AiohttpServer) -> Start:
    async def start(script: Script, *argv: str, **streams: int) -> Process:
        app, _ = make_agents(script)
        server = await aiohttp_server(app)
        url = f"ws://127.0.0.1:{server.port}/agent"
        return await run("--url", url, "--text-only", *argv, **streams)

    return start


async def run(*argv: str, **streams: int) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "voiceproxy.talk", *argv),
        cwd=ROOT,
        **({"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE} | streams),
    )


async def end(process: Process, stdin: bytes | None = None) -> tuple[int | None, str, str]:
    async with asyncio.timeout(20):
        out, err = await process.communicate(stdin)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


async def read_line(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    async with asyncio.timeout(20):
        return (await stream.readline()).decode()


async def test_a_line_is_answered_and_the_process_exits_with_0_cli_2(start: Start) -> None:
    status, out, err = await end(await start(answer_lines, "--text", "hello"))
    assert (status, out) == (0, "you: hello\nagent: You said hello.\n"), err


async def test_lines_are_read_from_standard_input_cli_1(start: Start) -> None:
    process = await start(answer_lines, stdin=PIPE)
    status, out, _ = await end(process, "one\n\nzwölf".encode())
    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("agent")] == [
        "agent: You said one.",
        "agent: You said zwölf.",
    ]


async def test_nothing_to_say_exits_with_2_cli_3() -> None:
    status, out, err = await end(await run())
    assert (status, out) == (2, ""), err
    assert "nothing to say" in err


async def test_nobody_there_exits_with_1_and_one_line_cli_4(unused_tcp_port: int) -> None:
    process = await run("--url", f"ws://127.0.0.1:{unused_tcp_port}/", "--text", "hello")
    status, out, err = await end(process)
    assert (status, out) == (1, "")
    assert err.startswith("voiceproxy talk: cannot connect to ws://127.0.0.1:")
    assert err.count("\n") == 1


async def test_a_spoken_turn_from_a_real_recording(start: Start, tmp_path: Path) -> None:
    async def script(agent: Agent) -> None:
        settings = await agent.start()
        assert settings["audio"]["input"] == {"encoding": "linear16", "sample_rate": 16_000}
        with wave.open(str(SPEECH)) as file:
            speech = file.readframes(file.getnframes())
        while len(agent.audio) < len(speech):
            await agent.receive("audio")
        assert agent.audio.startswith(speech)
        await agent.send(
            {"type": "UserStartedSpeaking"},
            {"type": "Transcript", "transcript": "Please tell me.", "is_final": True},
        )
        await agent.reply()
        await agent.until_closed()

    save = tmp_path / "reply.wav"
    process = await start(script, "--audio", str(SPEECH), "--save", str(save), "--json")
    status, out, err = await end(process)
    assert status == 0, err
    assert [json.loads(line)["type"] for line in out.splitlines()][-1] == "AgentAudioDone"
    with wave.open(str(save)) as file:
        assert file.readframes(99_999) == SOUND


async def hold(agent: Agent) -> None:
    """Begin a reply and never end it."""
    await agent.start()
    await agent.receive("InjectUserMessage")
    await agent.send(SOUND, {"type": "AgentThinking", "content": "long"})
    try:
        await agent.until_closed()
    finally:
        assert agent.socket.close_code == 1000


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_conversation_is_closed_politely_and_keeps_its_audio(
    start: Start, tmp_path: Path, number: int, status: int
) -> None:
    save = tmp_path / "reply.wav"
    closes: list[int | None] = []

    async def script(agent: Agent) -> None:
        try:
            await hold(agent)
        finally:
            closes.append(agent.socket.close_code)

    process = await start(script, "--text", "hello", "--save", str(save))
    while "thinking" not in await read_line(process.stderr):
        pass
    process.send_signal(number)
    ended, _, err = await end(process)
    assert ended == status
    assert "Traceback" not in err
    assert closes == [1000]
    with wave.open(str(save)) as file:
        assert file.readframes(99_999) == SOUND


async def test_a_reader_that_leaves_ends_the_process_without_a_traceback(start: Start) -> None:
    reading, writing = os.pipe()
    process = await start(answer_lines, "--text", "hello", stdout=writing)
    os.close(writing)
    os.close(reading)
    status, _, err = await end(process)
    assert status == 1
    assert "Traceback" not in err
    assert "Exception" not in err


async def test_lines_are_typed_on_a_terminal_one_by_one(start: Start) -> None:
    ours, theirs = pty.openpty()
    process = await start(answer_lines, stdin=theirs, stderr=theirs)
    os.close(theirs)
    try:
        for line in ("one", "two"):
            os.write(ours, f"{line}\n".encode())
            assert await read_line(process.stdout) == f"agent: You said {line}.\n"
        os.write(ours, b"\x04")
        status, out, _ = await end(process)
    finally:
        os.close(ours)
    assert (status, out) == (0, "")


async def test_an_interrupt_while_a_line_is_awaited_exits_with_130(start: Start) -> None:
    ours, theirs = pty.openpty()
    process = await start(answer_lines, stdin=theirs)
    os.close(theirs)
    try:
        while "connected" not in await read_line(process.stderr):
            pass
        process.send_signal(signal.SIGINT)
        status, _, err = await end(process)
    finally:
        os.close(ours)
    assert (status, "error" in err.lower()) == (130, False)
