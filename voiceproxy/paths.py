"""Paths with doubled slashes: what clients that join a base URL and a path by hand ask for."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def single_slashes(path: str) -> str:
    """``/v1/listen`` for ``//v1//listen``."""
    return re.sub("/{2,}", "/", path)


def serve_path(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """Route a path, and the same with slashes repeated: browsers follow no redirect to it."""
    app.router.add_route(method, path, handler)
    segments = path.lstrip("/").split("/")
    doubled = "".join(f"/{{slashes{n}:/*}}{segment}" for n, segment in enumerate(segments))
    app.router.add_route(method, doubled, handler)
