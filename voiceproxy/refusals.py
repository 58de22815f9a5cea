"""What an upstream answers instead of a WebSocket: an HTTP status, and often a reason in JSON."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from multidict import CIMultiDict

from voiceproxy.errors import Answer

if TYPE_CHECKING:
    from collections.abc import Collection

    from voiceproxy.backend import Upstream

MAX_BODY_BYTES = 8192
"""How much of a refusal's body is looked at."""

MAX_QUOTED = 500
"""How many characters of a reason are repeated."""

LEAST_SECRET = 6
"""Shorter words of a header are no credential: ``Token``, ``v1``."""


class Refused(Exception):
    """The upstream answered the upgrade with an HTTP status of its own."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"HTTP {answer.status}")


async def refuse_refusals(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Client middleware: raise Refused for what is no upgrade.

    A redirect is not followed: the key in the headers is for the host it was configured for.
    """
    response = await handler(request)
    if response.status < 300:
        return response
    try:
        body = await _body(response) if response.status >= 400 else b""
    finally:
        response.close()
    raise Refused(_answer(response, body))


async def _body(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.readexactly(MAX_BODY_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial
    except (aiohttp.ClientError, OSError):
        return b""


def _answer(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    said = _parse(body)
    return Answer(
        response.status,
        response.headers,
        err_code=_words(said.get("err_code")),
        err_msg=_words(said.get("err_msg")),
        request_id=_words(said.get("request_id")),
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _words(value: object) -> str:
    return value[:MAX_QUOTED] if isinstance(value, str) and value.isprintable() else ""


def secrets_of(upstream: Upstream) -> Collection[str]:
    """Everything in what was sent that may be a credential."""
    sent = [*upstream.headers.values(), *upstream.protocols]
    return {word for value in sent for word in value.split() if len(word) >= LEAST_SECRET}


def masked(answer: Answer, secrets: Collection[str]) -> Answer:
    """The answer, should it repeat a credential, without it."""
    return replace(
        answer,
        headers=CIMultiDict(
            (name, _mask(value, secrets)) for name, value in answer.headers.items()
        ),
        err_msg=_mask(answer.err_msg, secrets),
    )


def _mask(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "****")
    return text
