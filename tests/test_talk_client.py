"""``voiceproxy talk`` over real sockets, against a small Voice Agent server."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from talk_agent import SOUND, Agent, Script, answer_lines, make_agents

from voiceproxy.talk import client
from voiceproxy.talk.client import talk
from voiceproxy.talk.display import Display
from voiceproxy.talk.options import Options
from voiceproxy.talk.outputs import Outcome
from voiceproxy.talk.wav import Recording

if TYPE_CHECKING:
    from pytest_aiohttp import AiohttpServer

Talk = Callable[..., Awaitable["Spoken"]]


class Spoken:
    """What came of a conversation, on both sides."""

    def __init__(self, outcome: Outcome, out: str, err: str, agents: list[Agent]) -> None:
        self.outcome = outcome
        self.out = out
        self.err = err
        self.agents = agents

    @property
    def agent(self) -> Agent:
        (agent,) = self.agents
        return agent

    def sent(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.agent.messages if message["type"] == kind]


@pytest.fixture
def converse(aiohttp_server: AiohttpServer) -> Talk:
    async def converse(script: Script, **given: Any) -> Spoken:
        app, agents = make_agents(script)
        server = await aiohttp_server(app)
        out, err = io.StringIO(), io.StringIO()
        display = Display(out, err, json_lines=given.get("json_lines", False))
        settings = {"url": str(server.make_url("/agent")), "play": False, "timeout": 5.0}
        async with asyncio.timeout(15):
            outcome = await talk(Options(**(settings | given)), display)
        await server.close()
        return Spoken(outcome, out.getvalue(), err.getvalue(), agents)

    return converse


async def test_lines_are_said_and_answered_and_the_client_hangs_up_with_1000(
    converse: Talk, tmp_path: Path
) -> None:
    save = tmp_path / "reply.wav"
    spoken = await converse(answer_lines, lines=["one", "zwölf"], save=save)
    assert spoken.outcome == Outcome(0)
    assert spoken.out == ("you: one\nagent: You said one.\nyou: zwölf\nagent: You said zwölf.\n")
    assert "first audio after" in spoken.err
    assert f"saved 0.2 s of audio in {save}" in spoken.err
    with wave.open(str(save)) as file:
        assert file.getparams()[:3] == (1, 2, 24_000)
        assert file.readframes(99_999) == SOUND * 2
    assert spoken.agent.close_code == 1000


async def test_the_handshake_offers_no_compression_and_carries_the_headers(converse: Talk) -> None:
    headers = [("Authorization", "Token abc"), ("X-A", "1")]
    spoken = await converse(answer_lines, lines=["hello"], headers=headers)
    request = spoken.agent.request
    assert request.headers["Authorization"] == "Token abc"
    assert request.headers["X-A"] == "1"
    assert "Sec-WebSocket-Extensions" not in request.headers


async def test_json_lines_have_each_message_of_the_agent(converse: Talk) -> None:
    spoken = await converse(answer_lines, lines=["hello"], json_lines=True)
    messages = [json.loads(line) for line in spoken.out.splitlines()]
    assert [message["type"] for message in messages] == [
        "Welcome",
        "SettingsApplied",
        "ConversationText",
        "ConversationText",
        "audio",
        "AgentAudioDone",
    ]
    assert messages[4] == {"type": "audio", "bytes": len(SOUND)}
    assert spoken.err == ""


async def test_a_large_frame_of_audio_is_taken(converse: Talk, tmp_path: Path) -> None:
    async def script(agent: Agent) -> None:
        await agent.start()
        await agent.receive("InjectUserMessage")
        await agent.reply(sound=bytes(20_000_000))
        await agent.until_closed()

    save = tmp_path / "reply.wav"
    spoken = await converse(script, lines=["hello"], save=save)
    assert spoken.outcome == Outcome(0)
    assert save.stat().st_size == 20_000_044


async def test_a_recording_is_sent_whole_and_in_order_with_silence_behind(converse: Talk) -> None:
    data = b"".join(number.to_bytes(2, "little") for number in range(1_000, 4_200))

    async def script(agent: Agent) -> None:
        settings = await agent.start()
        assert settings["audio"]["input"]["sample_rate"] == 8_000
        while len(agent.audio) < len(data) + 3_200:
            await agent.receive("audio")
        await agent.send({"type": "UserStartedSpeaking"})
        await agent.reply()
        await agent.until_closed()

    began = asyncio.get_running_loop().time()
    spoken = await converse(script, recording=Recording(data, 8_000))
    took = asyncio.get_running_loop().time() - began
    assert spoken.outcome == Outcome(0)
    assert spoken.agent.audio.startswith(data)
    assert not spoken.agent.audio[len(data) :].strip(b"\x00")
    # 0.4 s of speech and 0.2 s of silence before the answer, in real time.
    assert took >= 0.6


async def test_audio_is_played_and_stops_when_the_user_speaks(
    converse: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = tmp_path / "played"
    player = tmp_path / "aplay"
    player.write_text(f"#!/bin/sh\nexec /bin/cat >> {played}\n")
    player.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    async def script(agent: Agent) -> None:
        await agent.start()
        await agent.receive("InjectUserMessage")
        await agent.send({"type": "UserStartedSpeaking"})
        await agent.reply(sound=SOUND * 20)
        await agent.until_closed()

    spoken = await converse(script, lines=["hello"], play=True)
    assert spoken.outcome == Outcome(0)
    assert played.read_bytes() == SOUND * 20
    assert "warning" not in spoken.err


async def test_a_microphone_is_sent_as_it_is_heard(
    converse: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = tmp_path / "arecord"
    recorder.write_text("#!/bin/sh\nexec /usr/bin/head -c 6400 /dev/zero\n")
    recorder.chmod(0o755)

    async def script(agent: Agent) -> None:
        await agent.start()
        while len(agent.audio) < 9_600:
            await agent.receive("audio")
        await agent.reply()
        await agent.until_closed()

    spoken = await converse(script, recorder=[str(recorder)])
    assert spoken.outcome == Outcome(0)
    assert "listening" in spoken.err


async def test_a_function_call_is_answered_over_the_wire(converse: Talk) -> None:
    call = {"id": "c1", "name": "time", "arguments": "{}", "client_side": True}

    async def script(agent: Agent) -> None:
        settings = await agent.start()
        assert settings["agent"]["think"]["functions"] == [{"name": "time"}]
        await agent.receive("InjectUserMessage")
        await agent.send({"type": "FunctionCallRequest", "functions": [call]})
        answer = await agent.receive("FunctionCallResponse")
        await agent.reply(answer["content"])
        await agent.until_closed()

    functions = {"functions": [{"name": "time"}], "answers": {"time": "noon"}}
    spoken = await converse(script, lines=["time?"], **functions)
    assert spoken.outcome == Outcome(0)
    assert spoken.out == "you: time?\nagent: noon\n"


async def refuse(agent: Agent) -> None:
    await agent.start()
    await agent.send({"type": "Error", "code": "FAILED_TO_THINK", "description": "no model"})
    await agent.until_closed()


async def leave(agent: Agent) -> None:
    await agent.start()
    await agent.receive("InjectUserMessage")
    await agent.send(SOUND)
    await agent.socket.close(code=1011, message=b"upstream lost")


async def leave_without_a_code(agent: Agent) -> None:
    await agent.start()
    await agent.receive("InjectUserMessage")
    assert agent.request.transport is not None
    agent.request.transport.write(b"\x88\x00")
    await asyncio.sleep(0)
    agent.request.transport.close()


async def reset(agent: Agent) -> None:
    await agent.start()
    await agent.receive("InjectUserMessage")
    assert agent.request.transport is not None
    agent.request.transport.abort()


async def say_nothing(agent: Agent) -> None:
    await agent.receive("InjectUserMessage")


FAILURES = {
    "an Error": (refuse, "the agent reports an error: FAILED_TO_THINK: no model"),
    "a close": (leave, "the agent closed the connection before the reply: 1011 (upstream lost)"),
    "a close without a code": (
        leave_without_a_code,
        "the agent closed the connection before the reply: 1005",
    ),
    "a reset": (
        reset,
        "the agent closed the connection before the reply: 1006 (connection lost)",
    ),
}


@pytest.mark.parametrize(("script", "reason"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_has_its_reason_cli_4(converse: Talk, script: Script, reason: str) -> None:
    spoken = await converse(script, lines=["hello"])
    assert spoken.outcome == Outcome(1, reason)


async def test_an_agent_that_says_nothing_is_given_up_cli_4(converse: Talk) -> None:
    spoken = await converse(say_nothing, lines=["hello"], timeout=0.3)
    assert spoken.outcome == Outcome(1, "no progress for 0.3 s while waiting for SettingsApplied")
    assert spoken.agent.close_code == 1000


async def test_audio_that_came_before_a_failure_is_saved(converse: Talk, tmp_path: Path) -> None:
    save = tmp_path / "reply.wav"
    spoken = await converse(leave, lines=["hello"], save=save)
    assert spoken.outcome.status == 1
    with wave.open(str(save)) as file:
        assert file.readframes(99_999) == SOUND


async def test_a_full_disk_ends_the_conversation(converse: Talk) -> None:
    spoken = await converse(answer_lines, lines=["hello"], save=Path("/dev/full"))
    assert spoken.outcome == Outcome(1, "cannot write /dev/full: No space left on device")
    assert spoken.agent.close_code == 1000


async def test_an_agent_that_stops_reading_does_not_hold_the_client_for_ever(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CLOSE_TIMEOUT", 0.2)
    over = asyncio.Event()

    async def stall(agent: Agent) -> None:
        await agent.start()
        assert agent.request.transport is not None
        agent.request.transport.pause_reading()
        await over.wait()
        agent.request.transport.abort()

    app, _ = make_agents(stall)
    server = await aiohttp_server(app)
    options = Options(url=str(server.make_url("/agent")), lines=["x" * 16_000_000], timeout=0.5)
    async with asyncio.timeout(15):
        outcome = await talk(options, Display(io.StringIO(), io.StringIO()))
    over.set()
    assert outcome == Outcome(1, "the agent took nothing for 0.5 s")


# Connecting


async def connect(url: str, timeout: float = 5.0) -> str:
    async with asyncio.timeout(15):
        outcome = await talk(
            Options(url=url, lines=["hello"], timeout=timeout),
            Display(io.StringIO(), io.StringIO()),
        )
    assert outcome.status == 1
    return outcome.reason


async def test_a_refused_connection_has_its_reason_and_no_secret(unused_tcp_port: int) -> None:
    reason = await connect(f"ws://me:secret@127.0.0.1:{unused_tcp_port}/agent?token=secret")
    assert reason.startswith(f"cannot connect to ws://127.0.0.1:{unused_tcp_port}/agent: ")
    assert reason.endswith(": connection refused; is the server running?")
    assert "secret" not in reason


async def test_a_name_nobody_knows_is_a_reason_of_its_own() -> None:
    # The resolver refuses a label of more than 63 letters without asking anybody.
    reason = await connect(f"ws://{'x' * 64}.invalid/")
    assert reason.startswith("cannot connect to ws://xxx")


async def test_a_refused_upgrade_has_its_status(aiohttp_server: AiohttpServer) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=401)

    app = web.Application()
    app.router.add_get("/agent", refuse)
    server = await aiohttp_server(app)
    url = f"ws://127.0.0.1:{server.port}/agent"
    assert await connect(url) == f"cannot connect to {url}: the server answered with HTTP 401"


async def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/agent"
        reason = await connect(url, timeout=0.3)
    assert reason == f"cannot connect to {url}: no answer within 0.3 s"


async def test_a_server_that_hangs_up_is_named() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/agent"
        reason = await connect(url)
    assert reason.startswith(f"cannot connect to {url}: ")
    assert len(reason) > len(f"cannot connect to {url}: ")
