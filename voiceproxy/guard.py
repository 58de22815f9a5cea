"""Who may connect: origins, hosts and subprotocols of an upgrade request."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from yarl import URL

ANY = "*"


@dataclass(frozen=True, slots=True)
class Guard:
    """The checks that keep any web page from spending the operator's key.

    An ``Origin`` must be the listener's own, loopback or allowed (403); a listener on loopback
    answers only to loopback names or allowed ones (421), which stops DNS rebinding.
    """

    allow_origin: Collection[str]
    allow_host: Collection[str]
    on_loopback: bool

    def refuses(self, origin: str | None, host: str) -> tuple[int, str] | None:
        """(HTTP status, what to do about it), or None when the request may go on."""
        if self.on_loopback and not self._host_is_allowed(host):
            return 421, f"The host {host!r} is not served here; the setting allow_host adds it."
        if origin is not None and not self._origin_is_allowed(origin, host):
            return 403, f"The origin {origin!r} is not allowed; the setting allow_origin adds it."
        return None

    def _host_is_allowed(self, host: str) -> bool:
        name = _host_name(host)
        allowed = _lower(self.allow_host)
        return is_loopback(name) or not allowed.isdisjoint({host.lower(), name, ANY})

    def _origin_is_allowed(self, origin: str, host: str) -> bool:
        if ANY in self.allow_origin or origin.lower() in _lower(self.allow_origin):
            return True
        try:
            url = URL(origin)
        except ValueError:
            return False
        own = url.authority.lower() == host.lower()
        return url.scheme in ("http", "https") and (own or is_loopback(url.host or ""))


def _lower(names: Collection[str]) -> set[str]:
    return {name.lower().rstrip("/") for name in names}


def _host_name(host: str) -> str:
    try:
        return (URL(f"http://{host}").host or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """True for localhost, a name under it, 127.0.0.0/8 and ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def answer_to(offered: Sequence[str]) -> str | None:
    """Which offered subprotocol to answer with: one that is no credential by itself.

    Clients offer ``token, KEY`` or ``bearer, JWT`` and refuse a connection that answers with
    nothing; ``access_token.JWT`` comes alone, so it must be echoed.
    """
    for scheme in ("token", "bearer"):
        if scheme in offered:
            return scheme
    for value in offered:
        if value.startswith("access_token."):
            return value
    return offered[0] if offered else None
