"""Resolving the names of upstreams where a resolver that does not answer keeps nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from aiohttp.abc import AbstractResolver, ResolveResult

T = TypeVar("T")

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

_OF_USE = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", socket.AI_ADDRCONFIG)
"""Addresses of the kinds this machine has itself; a system refuses flags that its mask lacks."""


class Resolver(AbstractResolver):
    """The system's resolver, each question in a thread of its own that nobody waits for.

    The event loops ask in a few threads which the end of the process joins: with a dead name
    server that takes as long as the system's resolver tries, half a minute and more.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See ``AbstractResolver``. Raises OSError for a name that has no address."""
        return await _in_a_thread(partial(_ask, host, port, family), f"resolving {host}")

    async def close(self) -> None:
        """See ``AbstractResolver``. What is asked still ends by itself."""


def _ask(host: str, port: int, family: int) -> list[ResolveResult]:
    """Blocks until there is an answer."""
    return [
        ResolveResult(
            hostname=host,
            host=_numeric(address),
            port=port,
            family=found,
            proto=protocol,
            flags=_NUMERIC,
        )
        for found, _, protocol, _, address in _answers(host, port, family)
    ]


def _answers(host: str, port: int, family: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, _OF_USE)
    except socket.gaierror:
        on_windows: bool = sys.platform == "win32"
        if not on_windows or host.rstrip(".").casefold() != "localhost":
            raise
        # A Windows machine without a network has no address of use, and localhost all the same.
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, 0)


def _numeric(address: Any) -> str:
    """With the interface, where an address of IPv6 holds on one alone."""
    flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return socket.getnameinfo(address, flags)[0]


async def _in_a_thread(call: Callable[[], T], name: str) -> T:
    """What it returns or raises. Cancelled, it goes on by itself, also beyond the loop's end."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[Any], None], outcome: object) -> None:
        if not answer.done():
            settle(outcome)

    def run() -> None:
        try:
            said = partial(tell, answer.set_result, call())
        except (OSError, ValueError) as error:
            said = partial(tell, answer.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(said)

    threading.Thread(target=run, name=f"voiceproxy {name}", daemon=True).start()
    return await answer
