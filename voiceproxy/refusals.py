"""What an upstream answers instead of a WebSocket: an HTTP status, and often a reason in JSON."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import orjson
from multidict import CIMultiDict
from yarl import URL

from voiceproxy.errors import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from voiceproxy.backend import Upstream

MAX_BODY_BYTES = 8192
"""How much of a refusal's body is looked at."""

BODY_TIMEOUT = 1.0
"""Seconds that may take; the status is known without it."""

MAX_QUOTED = 500
"""How many characters of a reason are repeated."""

LEAST_SECRET = 8
"""Shorter words of a header are no credential: ``Bearer``, ``v1``."""

_SECRET_NAME = re.compile("auth|cred|jwt|key$|pass|secret|sig|token", re.IGNORECASE)
"""Parameters of a query whose values may be one."""


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
        async with asyncio.timeout(BODY_TIMEOUT):
            return await response.content.readexactly(MAX_BODY_BYTES)
    except asyncio.IncompleteReadError as end:
        return end.partial
    except (aiohttp.ClientError, OSError):  # an OSError: TimeoutError is one
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
    return value if isinstance(value, str) and value.isprintable() else ""


def secrets_of(upstream: Upstream) -> Sequence[str]:
    """Everything in what was sent that may be a credential, plain and as URLs have it.

    The longest first, so that none is taken for a shorter one it begins with.
    """
    sent = {word for word in _sent(upstream) if len(word) >= LEAST_SECRET}
    forms = {form for word in sent for form in (word, quote(word), quote(word, safe=""))}
    return sorted(forms, key=len, reverse=True)


def _sent(upstream: Upstream) -> Iterable[str]:
    for value in (*upstream.headers.values(), *upstream.protocols):
        yield from value.split()
    url = URL(upstream.url or "")
    yield url.password or ""
    yield from (value for name, value in url.query.items() if _SECRET_NAME.search(name))


def masked(answer: Answer, secrets: Sequence[str]) -> Answer:
    """The answer, should it repeat a credential, without it; and its words cut to a length."""
    return replace(
        answer,
        headers=CIMultiDict(
            (name, _mask(value, secrets)) for name, value in answer.headers.items()
        ),
        err_code=_mask(answer.err_code, secrets)[:MAX_QUOTED],
        err_msg=_mask(answer.err_msg, secrets)[:MAX_QUOTED],
        request_id=_mask(answer.request_id, secrets)[:MAX_QUOTED],
    )


def _mask(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "****")
    return text
