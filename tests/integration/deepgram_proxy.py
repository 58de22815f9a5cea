"""A real proxy with the deepgram backend in front of whatever upstream a test brings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from running import RawClient, Running, raw_server, running
from yarl import URL

from voiceproxy.testing import FakeUpstream

API_KEY = "dg0123456789abcdef0123456789abcdef012345"
CLIENT_KEY = "a-client-key-of-ours"

AGENT = "/v1/agent/converse"
STREAMS = ("/v1/listen", "/v2/listen", "/v1/speak", "/v2/speak")
UNTOUCHED = (AGENT, *STREAMS, "/deepgram?service=transcription")
"""Where no frame is touched."""


@asynccontextmanager
async def proxied(
    upstream: str, *, host: dict[str, object] | None = None, **settings: object
) -> AsyncIterator[Running]:
    """The proxy alone; ``settings`` are the backend's, ``host`` has others, by their full names."""
    given = {"agent_url": upstream, "listen_url": upstream, "api_key": API_KEY, **settings}
    named = {f"deepgram.{name}": value for name, value in given.items()}
    async with running("deepgram", **named, **(host or {})) as proxy:
        yield proxy


@asynccontextmanager
async def relayed(script: Any, **settings: Any) -> AsyncIterator[tuple[Running, FakeUpstream]]:
    """The proxy and an upstream that does what ``script`` says."""
    async with FakeUpstream(script) as upstream, proxied(upstream.url, **settings) as proxy:
        yield proxy, upstream


async def wait(ws: web.WebSocketResponse, request: web.Request) -> None:
    """An upstream that listens until the other end leaves."""
    async for _ in ws:
        pass


@asynccontextmanager
async def asking(url: str, *lines: str) -> AsyncIterator[RawClient]:
    """A client whose request has that very target; the answer is still to be read."""
    client = await RawClient.connect(URL(url, encoded=True), *lines)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        client.leave()


@asynccontextmanager
async def refusing(
    status: int, body: bytes, heads: list[bytes] | None = None
) -> AsyncIterator[str]:
    """An upstream that answers every upgrade with that status; ``heads`` collects the requests."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heads is not None:
            heads.append(head)
        answer = f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n"
        answer += "dg-request-id: theirs\r\ndg-error: why not\r\nX-Theirs: 1\r\n\r\n"
        writer.write(answer.encode() + body)
        await writer.drain()

    async with raw_server(refuse) as port:
        yield f"ws://127.0.0.1:{port}"
