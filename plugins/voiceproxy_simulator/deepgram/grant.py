"""``POST /v1/auth/grant``: short-lived tokens, and who may connect with what.

Source: Deepgram's page on token-based authentication. A token opens connections until it expires;
it mints no further tokens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any

import orjson

from voiceproxy_simulator.deepgram.handshake import Refused, bad_request, invalid_credentials

DEFAULT_TTL_SECONDS = 30
MAX_TTL_SECONDS = 3600


class Credentials:
    """What opens connections: the one key (None: anything) and the tokens granted so far."""

    def __init__(self, key: str | None, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._expiries: dict[str, float] = {}

    def admit(self, credential: tuple[str, str] | None) -> None:
        """Judge who connects. A key comes under ``token``, a granted one under ``bearer``.

        Raises ``Refused`` with 401.
        """
        if self._key is None:
            return
        scheme, value = credential or ("", "")
        if not (self._is_key(scheme, value) or self._is_granted(scheme, value)):
            raise invalid_credentials()

    def grant(self, credential: tuple[str, str] | None, body: bytes) -> dict[str, Any]:
        """Issue a token to who has the key. Raises ``Refused`` with 400, 401 or 403."""
        scheme, value = credential or ("", "")
        if self._key is not None and not self._is_key(scheme, value):
            self.admit(credential)
            raise Refused(403, "INSUFFICIENT_PERMISSIONS", "A token cannot grant tokens.")
        seconds = _ttl_seconds(body)
        token = self._token(seconds)
        self._expiries[token] = self._clock() + seconds
        return {"access_token": token, "expires_in": seconds}

    def _is_key(self, scheme: str, value: str) -> bool:
        key = (self._key or "").encode()
        return scheme == "token" and hmac.compare_digest(value.encode(), key)

    def _is_granted(self, scheme: str, value: str) -> bool:
        return scheme == "bearer" and self._expiries.get(value, 0.0) > self._clock()

    def _token(self, seconds: int) -> str:
        """A JWT signed with HS256, as a client may look into it."""
        head = {"alg": "HS256", "typ": "JWT"}
        claims = {"exp": int(self._clock()) + seconds, "jti": secrets.token_hex(8)}
        signed = f"{_encoded(head)}.{_encoded(claims)}"
        signature = hmac.new(self._secret, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_base64(signature)}"


def _ttl_seconds(body: bytes) -> int:
    if not body.strip():
        return DEFAULT_TTL_SECONDS
    try:
        asked = orjson.loads(body)
    except ValueError:
        raise bad_request("The body is not valid JSON.") from None
    seconds = asked.get("ttl_seconds", DEFAULT_TTL_SECONDS) if isinstance(asked, dict) else None
    if isinstance(seconds, float) and seconds.is_integer():
        seconds = int(seconds)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise bad_request("ttl_seconds must be an integer.")
    if not 1 <= seconds <= MAX_TTL_SECONDS:
        raise bad_request(f"ttl_seconds must be from 1 to {MAX_TTL_SECONDS}.")
    return seconds


def _encoded(part: dict[str, Any]) -> str:
    return _base64(orjson.dumps(part))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
