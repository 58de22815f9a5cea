"""The plugin in a real process and behind real sockets: every dialect, logs and all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from proxy_process import serving
from redaction_observer import Observer

from voiceproxy.testing import FakeBackend, FakeUpstream, connected, serve

CARD = "4111 1111 1111 1111"

RECORDER = """
import sys
from voiceproxy import hookimpl

@hookimpl(trylast=True)
def voiceproxy_client_frame(session, text):
    print("seen", text.data.decode(), file=sys.stderr)

@hookimpl(trylast=True)
def voiceproxy_upstream_frame(session, text):
    print("seen", text.data.decode(), file=sys.stderr)
"""


SETTINGS = {
    "type": "Settings",
    "audio": {"input": {"encoding": "linear16", "sample_rate": 16000}},
    "agent": {"think": {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Hi."}},
}


async def converse(url: str) -> list[dict[str, Any]]:
    """Type a card number at the agent; every message until its answer is over."""
    messages: list[dict[str, Any]] = []
    typed = {"type": "InjectUserMessage", "content": f"charge {CARD} please"}
    async with asyncio.timeout(20), connected(url) as socket:
        await socket.send_json(SETTINGS)
        while not any(message["type"] == "AgentAudioDone" for message in messages):
            frame = await socket.receive()
            assert frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), messages
            if frame.type is aiohttp.WSMsgType.TEXT:
                messages.append(frame.json())
                if messages[-1]["type"] == "SettingsApplied":
                    await socket.send_json(typed)
    return messages


@pytest.mark.parametrize(
    ("backend", "path"),
    [
        ("openai", "/openai"),
        ("openai", "/v1/agent/converse"),
        ("deepgram", "/deepgram"),
        ("deepgram", "/v1/agent/converse"),
    ],
)
async def test_a_recording_plugin_sees_no_card_whatever_backend_and_dialect(
    tmp_path: Path, backend: str, path: str
):
    (tmp_path / "recorder.py").write_text(RECORDER)
    plugins = (backend, "simulator", "redaction", "recorder")
    arguments = [part for plugin in plugins for part in ("--plugin", plugin)]
    with serving(tmp_path, *arguments, "--simulator-pace", "burst") as process:
        messages = await converse(process.url + path)
        process.send(2)
        _, _, errors = process.end()
    [echo] = [
        one for one in messages if one["type"] == "ConversationText" and one["role"] == "user"
    ]
    assert echo["content"] == f"charge {CARD} please"
    seen = [line for line in errors if line.startswith("seen")]
    assert any('"InjectUserMessage"' in line and "charge [card] please" in line for line in seen)
    assert any('"ConversationText"' in line and "charge [card] please" in line for line in seen)
    assert CARD not in "\n".join(errors)


async def test_the_backend_and_the_client_get_marks_when_they_are_to():
    settings = {
        "simulator.pace": "burst",
        "redaction.backend": "hash",
        "redaction.client": "mask",
        "redaction.hash_key": "0123456789abcdef",
    }
    async with serve("openai", "simulator", "redaction", settings=settings) as url:
        messages = await converse(f"{url}/openai")
    [echo] = [
        one for one in messages if one["type"] == "ConversationText" and one["role"] == "user"
    ]
    assert echo["content"].startswith("charge [card:")
    assert CARD not in str(messages)


async def test_a_stream_of_results_is_redacted_for_those_who_watch_it():
    result = {
        "type": "Results",
        "channel_index": [0, 1],
        "is_final": True,
        "channel": {"alternatives": [{"transcript": f"it is {CARD}", "words": []}]},
    }

    async def listen(socket: Any, request: Any) -> None:
        await socket.receive_bytes()
        await socket.send_json(result)

    observer = Observer()
    async with asyncio.timeout(10), FakeUpstream(listen) as upstream:
        backend = FakeBackend(upstream.url, protocol="listen")
        async with serve(backend, "redaction", observer) as url, connected(f"{url}/fake") as socket:
            await socket.send_bytes(b"\0\0" * 400)
            assert await socket.receive_json() == result
    [seen] = observer.take()
    assert seen["channel"]["alternatives"][0]["transcript"] == "it is [card]"
