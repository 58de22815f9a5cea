"""A small Voice Agent server that ``voiceproxy talk`` is tested against over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

SOUND = b"\x00\x10" * 2_400  # 0.1 s

Script = Callable[["Agent"], Awaitable[None]]


class Agent:
    """One connection to the server: what came in, and a script that answers it."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.socket = web.WebSocketResponse(compress=False)
        self.messages: list[dict[str, Any]] = []
        self.audio = b""
        self.close_code: int | None = None

    async def send(self, *frames: dict[str, Any] | bytes) -> None:
        for frame in frames:
            if isinstance(frame, bytes):
                await self.socket.send_bytes(frame)
            else:
                await self.socket.send_str(json.dumps(frame))

    async def receive(self, kind: str) -> dict[str, Any]:
        """Read until a message of this type; ``"audio"`` is any binary frame."""
        while True:
            message = await self.socket.receive(timeout=10)
            if message.type is WSMsgType.BINARY:
                self.audio += message.data
                if kind == "audio":
                    return {}
            elif message.type is WSMsgType.TEXT:
                self.messages.append(json.loads(message.data))
                if self.messages[-1]["type"] == kind:
                    return self.messages[-1]
            else:
                raise EOFError

    async def start(self) -> dict[str, Any]:
        """Welcome the client, apply its Settings and return them."""
        await self.send({"type": "Welcome", "request_id": "r1"})
        settings = await self.receive("Settings")
        await self.send({"type": "SettingsApplied"})
        return settings

    async def reply(self, words: str = "Hi.", sound: bytes = SOUND) -> None:
        await self.send(
            {"type": "ConversationText", "role": "assistant", "content": words},
            sound,
            {"type": "AgentAudioDone"},
        )

    async def until_closed(self) -> None:
        await self.receive("nothing that ever comes")


async def answer_lines(agent: Agent) -> None:
    """Answer every line the user says."""
    await agent.start()
    while True:
        line = await agent.receive("InjectUserMessage")
        content = line["content"]
        await agent.send({"type": "ConversationText", "role": "user", "content": content})
        await agent.reply(f"You said {content}.")


def make_agents(script: Script) -> tuple[web.Application, list[Agent]]:
    """Make the application, and the list its connections are added to."""
    agents: list[Agent] = []

    async def handle(request: web.Request) -> web.WebSocketResponse:
        agent = Agent(request)
        agents.append(agent)
        await agent.socket.prepare(request)
        try:
            async with asyncio.timeout(20):
                await script(agent)
        except (EOFError, ConnectionError):
            pass
        agent.close_code = agent.socket.close_code
        return agent.socket

    app = web.Application()
    app.router.add_get("/agent", handle)
    return app, agents
