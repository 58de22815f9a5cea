"""What a session costs by being there may not grow unnoticed: counts, as for frames.

A budget is what was counted and five per cent. Who makes sessions cheaper lowers it.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from running import hear, relaying

from voiceproxy import Text, Translator, TranslatorSession
from voiceproxy.testing import connected, drive
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator

from .dialogues import UP_BYTES, settings_for
from .steps import steps_meanwhile

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the budgets are those of 3.11"),
]

SETTINGS = settings_for(UP_BYTES)

SET_UP = {"passed on": 3889, "openai": 8543}
"""Bytecode instructions of ours from the client's request to its SettingsApplied."""

IDLE = 19_640
"""Bytes of ours that a session holds while nothing is said, without its sockets."""


def translate(session: TranslatorSession) -> Translator:
    return OpenAITranslator(session, OpenAISettings())


async def agent(socket: web.WebSocketResponse[bool], request: web.Request) -> None:
    await socket.receive()
    await socket.send_json({"type": "SettingsApplied"})
    await hear(socket)


async def realtime(socket: web.WebSocketResponse[bool], request: web.Request) -> None:
    await socket.receive()
    await socket.send_json({"type": "session.updated", "session": {}})
    await hear(socket)


async def apply_settings(client: ClientWebSocketResponse[bool]) -> None:
    await client.send_str(SETTINGS.decode())
    while "SettingsApplied" not in (message := await client.receive()).data:
        assert message.type is WSMsgType.TEXT


@pytest.mark.parametrize("name", SET_UP)
async def test_a_set_up_takes_no_more_steps_than_its_budget(name: str) -> None:
    upstream = agent if name == "passed on" else realtime
    backend = {} if name == "passed on" else {"translator": translate}
    async with relaying(upstream, backend=backend, heartbeat=0) as proxy, AsyncExitStack() as stack:

        async def begin() -> None:
            client = await stack.enter_async_context(connected(proxy.endpoint))
            await apply_settings(client)

        await begin()
        taken = [await steps_meanwhile(begin) for _ in range(3)]
    assert max(taken) <= SET_UP[name], taken


def test_an_idle_session_weighs_no_more_than_its_budget() -> None:
    def begun() -> object:
        session = drive(translator=translate)
        session.client(Text(SETTINGS))
        session.upstream({"type": "session.updated", "session": {}})
        session.to_client()
        session.to_upstream()
        return session

    begun()
    gc.collect()
    tracemalloc.start()
    try:
        sessions = [begun() for _ in range(20)]
        gc.collect()
        weight = tracemalloc.get_traced_memory()[0] / len(sessions)
    finally:
        tracemalloc.stop()
    assert weight <= IDLE
