"""Short-lived tokens of our own: JSON Web Tokens (RFC 7519), signed with HS256."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable

import jwt

_ALGORITHM = "HS256"
_AUDIENCE = "voiceproxy"


class Tokens:
    """Issues and recognises tokens. Nothing is stored: whoever has the secret knows them all."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret.encode(), b"voiceproxy deepgram grant", "sha256")
        self._now = now

    def issue(self, seconds: float) -> str:
        """Return a token that opens sessions for that long."""
        now = self._now()
        claims = {"aud": _AUDIENCE, "iat": int(now), "exp": math.ceil(now + seconds)}
        return jwt.encode(claims, self._key, _ALGORITHM)

    def is_valid(self, token: str) -> bool:
        """True for a token issued with this secret whose time is not over."""
        try:
            jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                options={"require": ["exp", "aud"]},
            )
        except (jwt.InvalidTokenError, ValueError):
            return False
        return True
