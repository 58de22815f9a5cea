"""Who may connect: origins, hosts and subprotocols of an upgrade request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from aiohttp import web

ANY = "*"

_CREDENTIAL = re.compile(r"eyJ[\w-]*\.[\w-]+\.|[0-9a-fA-F]{32,}$|sk-")
"""How a JSON Web Token begins (the base64url of ``{"``, then its claims), and how keys look."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The checks that keep any web page from spending the operator's key.

    An ``Origin`` must be the listener's own, loopback or allowed (403); a listener on loopback
    answers only to loopback names or allowed ones (421), which stops DNS rebinding. A listener is
    on loopback when the setting ``host`` says so and, for applications mounted in a server that
    knows nothing of that setting, the connection itself does.
    """

    allow_origin: Collection[str]
    allow_host: Collection[str]
    on_loopback: bool

    def refuses(
        self,
        origin: str | None,
        host: str,
        came_by_loopback: Callable[[], bool] = lambda: True,
    ) -> tuple[int, str] | None:
        """(HTTP status, what to do about it), or None when the request may go on."""
        if self.on_loopback and not self._host_is_allowed(host) and came_by_loopback():
            return 421, f"The host {host!r} is not served here; the setting allow_host adds it."
        if origin is not None and not self._origin_is_allowed(origin, host):
            return 403, f"The origin {origin!r} is not allowed; the setting allow_origin adds it."
        return None

    def _host_is_allowed(self, host: str) -> bool:
        name = _host_name(host)
        if is_loopback(name):
            return True
        return not _lower(self.allow_host).isdisjoint({host.lower(), name, ANY})

    def _origin_is_allowed(self, origin: str, host: str) -> bool:
        if ANY in self.allow_origin or origin.lower() in _lower(self.allow_origin):
            return True
        try:
            url = URL(origin)
            own = URL(f"{url.scheme}://{host}") if url.scheme in ("http", "https") else None
        except ValueError:
            return False
        if own is None or not url.host:
            return False
        return is_loopback(url.host) or (url.host, url.port) == (own.host, own.port)


def _lower(names: Collection[str]) -> set[str]:
    return {name.lower().rstrip("/") for name in names}


@lru_cache(maxsize=256)
def _host_name(host: str) -> str:
    try:
        return (URL(f"http://{host}").host or "").lower()
    except ValueError:
        return ""


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """True for localhost, a name under it, 127.0.0.0/8 and ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def is_loopback_listener(request: web.BaseRequest) -> bool:
    """True when the connection was made to a loopback address of this machine."""
    transport = request.transport
    name = transport.get_extra_info("sockname") if transport is not None else None
    return isinstance(name, tuple) and is_loopback(str(name[0]))


def answer_to(offered: Sequence[str]) -> str | None:
    """Which offered subprotocol to answer with: one that is no credential by itself.

    Clients offer ``token, KEY`` or ``bearer, JWT`` and refuse a connection that answers with
    nothing; ``access_token.JWT`` comes alone, so it must be echoed. None: nothing is offered, or
    nothing but credentials, which are not echoed.
    """
    if not offered:
        return None
    for scheme in ("token", "bearer"):
        if scheme in offered:
            return scheme
    for value in offered:
        if value.startswith("access_token."):
            return value
    return next((value for value in offered if not _CREDENTIAL.match(value)), None)
