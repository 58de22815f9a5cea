"""One upgrade request on its way to becoming a session."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import hdrs, web

from voiceproxy.errors import Refuse, UpstreamFault

if TYPE_CHECKING:
    from voiceproxy.lifecycle import Lifecycle
    from voiceproxy.session import SessionCore

T = TypeVar("T")

WATCH_INTERVAL = 0.1
"""How often (seconds) to look whether a client that waits for its upgrade is still there."""

RETRY_AFTER = "5"
"""Seconds after which to come back after a 503."""

STOPPING = "The proxy is shutting down."

ERR_CODES = {
    400: "BAD_REQUEST",
    401: "INVALID_AUTH",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    421: "MISDIRECTED_REQUEST",
    426: "UPGRADE_REQUIRED",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_SERVER_ERROR",
    502: "BAD_GATEWAY",
    503: "SERVICE_UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}


class Left(Exception):
    """The client went away before its upgrade was answered."""


class Undialled(Exception):
    """The upstream could not be dialled before the upgrade: an HTTP status says so."""

    def __init__(self, fault: UpstreamFault) -> None:
        self.status = 504 if fault.code == "upstream_timeout" else 502
        self.code = fault.code.upper()
        self.reason = fault.description
        super().__init__(str(fault))


@dataclass(slots=True)
class Visit:
    """A request, and the session that is made for it."""

    request: web.Request
    core: SessionCore
    lifecycle: Lifecycle
    stopping: bool = False
    """The proxy is: no session is begun any more."""

    def check(self) -> None:
        """Raise Left when the client is gone, Refuse (503) when the proxy is stopping."""
        transport = self.request.transport
        if transport is None or transport.is_closing():
            raise Left
        if self.stopping:
            raise Refuse(503, STOPPING)

    def leave(self) -> None:
        """Drop the client's connection, if it is still there."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def wait_for(self, coroutine: Coroutine[Any, Any, T], name: str) -> T:
        """Run it for as long as the client waits and the proxy is not stopping (``check``)."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=WATCH_INTERVAL)
                if not task.done():
                    self.check()
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
                _ = task.cancelled() or task.exception()  # nobody else will ask
            del task  # its exception's traceback holds this frame

    def refuse(self, status: int, reason: str, code: str | None = None) -> web.Response:
        """An HTTP error in the shape Voice Agent clients know."""
        body = {
            "err_code": code or ERR_CODES.get(status, "REFUSED"),
            "err_msg": reason,
            "request_id": self.core.introduction.id,
        }
        headers = {}
        if status == 426:
            headers[hdrs.UPGRADE] = "websocket"
        elif status == 503:
            headers[hdrs.RETRY_AFTER] = RETRY_AFTER
        return web.json_response(body, status=status, headers=headers)
