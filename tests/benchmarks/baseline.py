"""The floor of the stack: a plain aiohttp WebSocket relay on uvloop, which does nothing else."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import uvloop
from aiohttp import web


async def relay(request: web.Request) -> web.WebSocketResponse[Any]:
    client: web.WebSocketResponse[Any] = web.WebSocketResponse(compress=False, decode_text=False)
    await client.prepare(request)
    url, session = request.app[UPSTREAM], request.app[SESSION]
    async with session.ws_connect(url, compress=0, decode_text=False) as upstream:
        await asyncio.gather(copy(client, upstream), copy(upstream, client))
    return client


async def copy(source: Any, target: Any) -> None:
    async for message in source:
        await target.send_frame(message.data, message.type)
    await target.close()


async def main(url: str) -> None:
    app = web.Application()
    app[UPSTREAM] = url
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    app.router.add_get("/", relay)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"listening on http://127.0.0.1:{site.port}", flush=True)
    await asyncio.Event().wait()


UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)

if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
