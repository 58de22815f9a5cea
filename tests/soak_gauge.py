"""A plugin for the soak: how many tasks and sessions the process has, at ``GET /gauge``."""

from __future__ import annotations

import asyncio

from aiohttp import web

from voiceproxy import add_route, hookimpl


async def _gauge(request: web.Request) -> web.Response:
    names = sorted(task.get_name() for task in asyncio.all_tasks())
    ours = [name for name in names if name.startswith("voiceproxy")]
    return web.json_response({"tasks": len(names), "ours": ours})


@hookimpl
def voiceproxy_setup(app: web.Application) -> None:
    add_route(app, "GET", "/gauge", _gauge)
