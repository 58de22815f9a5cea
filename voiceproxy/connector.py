"""The connector of upstreams: in fewer steps where there is one address to try."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import aiohttp

from voiceproxy.resolving import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable

_RACES = {"self", "args", "addr_infos", "req", "timeout", "client_error", "kwargs"}
_DOES_NOT = _RACES - {"addr_infos"}


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector, which lets several addresses race and opens a socket of its own for it.

    Where there is one address the event loop connects by itself. That spares objects, system calls
    and, with uvloop, a question to a thread.
    """

    async def _wrap_create_connection(
        self, *args: Any, addr_infos: list[Any], **options: Any
    ) -> Any:
        if len(addr_infos) > 1:
            return await super()._wrap_create_connection(*args, addr_infos=addr_infos, **options)
        host, port = addr_infos[0][4][:2]
        return await self._wrap_existing_connection(*args, host, port, **options)


def _takes(method: Callable[..., Any] | None, names: set[str]) -> bool:
    return method is not None and set(inspect.signature(method).parameters) == names


def _is_known(connector: type[Any]) -> bool:
    """Whether the methods this relies on, which are aiohttp's own affair, are those of 3.14."""
    races = getattr(connector, "_wrap_create_connection", None)
    does_not = getattr(connector, "_wrap_existing_connection", None)
    return _takes(races, _RACES) and _takes(does_not, _DOES_NOT)


def connector() -> aiohttp.TCPConnector:
    """Make the connector of one application. In a running event loop."""
    kind = Connector if _is_known(aiohttp.TCPConnector) else aiohttp.TCPConnector
    return kind(limit=0, force_close=True, resolver=Resolver())
