"""One upgrade request on its way to becoming a session."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import hdrs, web
from multidict import CIMultiDict

from voiceproxy.agent import error_codes
from voiceproxy.errors import Answer, Refuse, UpstreamFault
from voiceproxy.turn import STOPPING

if TYPE_CHECKING:
    from voiceproxy.backend import Endpoint
    from voiceproxy.lifecycle import Lifecycle
    from voiceproxy.session import SessionCore

T = TypeVar("T")

WATCH_INTERVAL = 0.1
"""How often (seconds) to look whether a client that waits for its upgrade is still there."""

RETRY_AFTER = "5"
"""Seconds after which to come back after a 503."""

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


_UPGRADES = re.compile(r"(?:^|,)\s*upgrade\s*(?:,|$)", re.IGNORECASE)
_VERSIONS = frozenset({"13", "8", "7"})
"""Those aiohttp speaks."""

NOT_RELAYED = frozenset({407, 421, 426})
"""Statuses of the upstream that mean something else between the client and us: 502 instead."""


class Left(Exception):
    """The client went away before its upgrade was answered."""


class Undialled(Exception):
    """The upstream could not be dialled before the upgrade: an HTTP status says so."""

    def __init__(self, fault: UpstreamFault) -> None:
        self.fault = fault
        self.status = _status_for(fault)
        self.reason = fault.description
        super().__init__(str(fault))


def _status_for(fault: UpstreamFault) -> int:
    """The upstream's own status, unless it speaks of a hop that is not the client's."""
    answer = fault.answer
    if answer is not None and 400 <= answer.status <= 599 and answer.status not in NOT_RELAYED:
        return answer.status
    return 504 if fault.code == error_codes.UPSTREAM_TIMEOUT else 502


@dataclass(slots=True)
class Visit:
    """A request, and the session that is made for it."""

    request: web.Request
    core: SessionCore
    lifecycle: Lifecycle
    endpoint: Endpoint
    offered: Sequence[str]
    """The subprotocols the client offers."""
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

    async def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it for as long as the client waits and the proxy is not stopping (``check``)."""
        patience = asyncio.timeout(None)
        watch = Watch(self, patience)
        try:
            async with patience:
                return await coroutine
        except asyncio.CancelledError:
            raise  # by somebody else: patience makes a TimeoutError of its own
        except BaseException:
            if patience.expired():
                self.check()
            raise
        finally:
            watch.stop()

    def refuse(self, status: int, reason: str) -> web.Response:
        """An HTTP error of ours."""
        return refusal(self.core.introduction.id, status, reason, headers=self.headers({}))

    def refuse_for(self, undialled: Undialled) -> web.Response:
        """What the upstream said, in its own words where it is one of these servers itself."""
        fault, answer = undialled.fault, undialled.fault.answer or Answer(undialled.status)
        return refusal(
            answer.request_id or self.core.introduction.id,
            undialled.status,
            answer.err_msg or fault.description,
            answer.err_code or fault.code.upper(),
            self.headers(answer.headers),
        )

    def headers(self, answered: Mapping[str, str]) -> dict[str, str]:
        """The headers this endpoint adds, taken from those the upstream answered with."""
        endpoint = self.endpoint
        names = [name for name in endpoint.relayed_headers if name in answered]
        headers = {name.lower(): answered[name] for name in names}
        if endpoint.request_id_header:
            headers.setdefault(endpoint.request_id_header.lower(), self.core.introduction.id)
        return headers


class Watch:
    """Looks again and again whether a visit goes on, and lets its patience end when it does not."""

    __slots__ = ("_patience", "_timer", "_visit")

    def __init__(self, visit: Visit, patience: asyncio.Timeout) -> None:
        self._visit = visit
        self._patience = patience
        self._look_later(asyncio.get_running_loop())

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(WATCH_INTERVAL, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._visit.check()
        except (Left, Refuse):
            self._patience.reschedule(loop.time())
        else:
            self._look_later(loop)

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()


def asks_for_websocket(request: web.BaseRequest) -> bool:
    """Whether the request is a client's opening handshake (RFC 6455, 4.2.1).

    ``WebSocketResponse.can_prepare`` would say the same and make half an answer for that.
    """
    headers = request.headers
    return (
        headers.get(hdrs.UPGRADE, "").strip().lower() == "websocket"
        and _UPGRADES.search(",".join(headers.getall(hdrs.CONNECTION, ()))) is not None
        and headers.get(hdrs.SEC_WEBSOCKET_VERSION) in _VERSIONS
        and _is_nonce(headers.get(hdrs.SEC_WEBSOCKET_KEY, ""))
    )


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key)) == 16
    except ValueError:
        return False


def offered_by(request: web.Request) -> list[str]:
    """The subprotocols of the first header: the one aiohttp answers."""
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL)
    return [one.strip() for one in offered.split(",") if one.strip()] if offered else []


def refusal(
    request_id: str,
    status: int,
    reason: str,
    code: str | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> web.Response:
    """An HTTP error in the shape Voice Agent clients know.

    It ends the connection: whoever is refused has nothing more to ask on it, and would keep a
    descriptor that others need.
    """
    body = {
        "err_code": code or ERR_CODES.get(status, "REFUSED"),
        "err_msg": reason,
        "request_id": request_id,
    }
    told = CIMultiDict(headers)
    if status == 426:
        told[hdrs.UPGRADE] = "websocket"
    elif status == 503:
        told.setdefault(hdrs.RETRY_AFTER, RETRY_AFTER)
    response = web.json_response(body, status=status, headers=told)
    response.force_close()
    return response
