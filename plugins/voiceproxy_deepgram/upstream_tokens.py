"""Tokens that Deepgram itself mints, with the key that stays here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from voiceproxy_deepgram.grant import PATH, refusal
from voiceproxy_deepgram.upstream import credentials

if TYPE_CHECKING:
    from voiceproxy_deepgram.settings import DeepgramSettings

TIMEOUT = 10.0
"""Seconds for the whole answer."""

MAX_BYTES = 65_536
"""An answer is a token and a few words."""

RELAYED = ("Content-Type", "dg-request-id", "dg-error")
NOT_RELAYED = frozenset({407, 421, 426})
"""Statuses that speak of the way between the upstream and us."""

MASK = "****"


@dataclass(frozen=True, slots=True)
class Service:
    """Where tokens are asked for, and how we say who we are."""

    base: str
    """``https://api.deepgram.com``."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ssl: ssl.SSLContext | None = None


def token_service(
    settings: DeepgramSettings, tls: ssl.SSLContext | None, stand_in: str | None
) -> Service:
    """Who mints, by the settings; a stand-in (``ws://``) gets no credential."""
    if stand_in is not None:
        return Service(stand_in.replace("ws", "http", 1))
    return Service(settings.rest_url, credentials(settings), tls)


class UpstreamTokens:
    """Mints by asking the upstream; its status and its words are relayed."""

    def __init__(self, service: Callable[[], Service], timeout: float = TIMEOUT) -> None:
        self._service = service
        self._timeout = timeout

    async def mint(self, body: bytes) -> web.Response:
        """Answer as the upstream does; 502 when it cannot be reached, 504 when it is silent."""
        try:
            async with asyncio.timeout(self._timeout):
                return await _ask(self._service(), body)
        except TimeoutError:
            return refusal(504, "GATEWAY_TIMEOUT", "The upstream did not answer in time.")
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError):
            # Nothing of it is repeated: aiohttp's errors may quote what was sent.
            return refusal(502, "BAD_GATEWAY", "The upstream gave no usable answer.")


async def _ask(service: Service, body: bytes) -> web.Response:
    async with (
        aiohttp.ClientSession(trust_env=True, cookie_jar=aiohttp.DummyCookieJar()) as client,
        client.post(
            service.base.rstrip("/") + PATH,
            data=body,
            headers={**service.headers, "Content-Type": "application/json"},
            ssl=service.ssl or True,
            allow_redirects=False,  # the key is for this host and no other
        ) as answer,
    ):
        if 300 <= answer.status < 400 or answer.status in NOT_RELAYED:
            return refusal(502, "BAD_GATEWAY", f"The upstream answered HTTP {answer.status}.")
        return _relayed(answer, await _read(answer), service)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """Raises ValueError for more than anybody would need."""
    try:
        await answer.content.readexactly(MAX_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial
    raise ValueError("the upstream's answer is too long")


def _relayed(answer: aiohttp.ClientResponse, body: bytes, service: Service) -> web.Response:
    headers = {name: answer.headers[name] for name in RELAYED if name in answer.headers}
    for secret in _secrets(service):
        body = body.replace(secret.encode(), MASK.encode())
        headers = {name: value.replace(secret, MASK) for name, value in headers.items()}
    return web.Response(body=body, status=answer.status, headers=headers)


def _secrets(service: Service) -> list[str]:
    """What of our credentials an upstream might repeat: words too long to be a scheme's name."""
    words = (word for value in service.headers.values() for word in value.split())
    return [word for word in words if len(word) > len("Bearer")]
