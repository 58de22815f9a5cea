"""``POST /v1/auth/grant``: a short-lived token for who has the client key.

Shapes are Deepgram's: the body ``{"ttl_seconds": n}`` with 30 as its default and 1 to 3600 as its
bounds, the answer ``{"access_token", "expires_in"}``, refusals ``{"err_code", "err_msg",
"request_id"}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from voiceproxy_deepgram.admission import Admission
    from voiceproxy_deepgram.tokens import Tokens

PATH = "/v1/auth/grant"

REQUEST_ID = "dg-request-id"

DEFAULT_SECONDS = 30
MAX_SECONDS = 3600

BODY_TIMEOUT = 10.0
"""Seconds a caller may take for its few bytes."""

Mint = Callable[[bytes], Awaitable[web.Response]]
"""Makes the answer from the body of a caller who may have a token."""


class Grant:
    """The route."""

    def __init__(self, admission: Admission, mint: Mint) -> None:
        self._admission = admission
        self._mint = mint

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        if not self._admission.has_client_key(request.headers, request.query):
            return refusal(401, "INVALID_AUTH", "Present the client key as Authorization.")
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                body = await request.read()
        except TimeoutError:
            return refusal(408, "REQUEST_TIMEOUT", "The body did not come.")
        except web.HTTPRequestEntityTooLarge:
            return refusal(413, "PAYLOAD_TOO_LARGE", "The body is too long.")
        return await self._mint(body)


class OwnTokens:
    """Mints tokens that open sessions here."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def mint(self, body: bytes) -> web.Response:
        """Answer with a token, or with what is wrong with the body."""
        try:
            seconds = ttl_seconds(body)
        except ValueError as problem:
            return refusal(400, "INVALID_REQUEST_BODY", str(problem))
        granted = {"access_token": self._tokens.issue(seconds), "expires_in": seconds}
        return web.json_response(granted, headers={REQUEST_ID: str(uuid4())})


def ttl_seconds(body: bytes) -> float:
    """How long the token is to last. Raises ValueError that names what is wrong."""
    seconds = _object(body).get("ttl_seconds")
    if seconds is None:
        return DEFAULT_SECONDS
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 1 <= seconds <= MAX_SECONDS:
        raise ValueError(f"ttl_seconds: a number from 1 to {MAX_SECONDS}.")
    return float(seconds) if isinstance(seconds, float) else int(seconds)


def _object(body: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(body) if body.strip() else {}
    except ValueError:
        raise ValueError("The body is not JSON.") from None
    if not isinstance(message, dict):
        raise ValueError("The body is not a JSON object.")  # noqa: TRY004 - of the caller's making
    return message


def refusal(status: int, code: str, reason: str) -> web.Response:
    """An error in Deepgram's shape."""
    request_id = str(uuid4())
    return web.json_response(
        {"err_code": code, "err_msg": reason, "request_id": request_id},
        status=status,
        headers={REQUEST_ID: request_id},
    )
