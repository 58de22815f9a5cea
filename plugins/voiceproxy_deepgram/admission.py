"""Who may connect, where the setting ``client_key`` says that not everybody may."""

from __future__ import annotations

import hashlib
import hmac
from itertools import pairwise
from typing import TYPE_CHECKING

from voiceproxy import Refuse, StateKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from voiceproxy_deepgram.tokens import Tokens

_ACCESS_TOKEN = "access_token."  # noqa: S105 - what the subprotocol starts with
_SCHEMES = ("token", "bearer")


class Admission:
    """Checks what a request presents against the client key and the tokens granted for it."""

    def __init__(self, client_key: str, tokens: Tokens | None = None) -> None:
        self._client_key = _digest(client_key)
        self._tokens = tokens

    def check(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Raise Refuse (401) unless the client key or a token still valid is presented."""
        if not any(self._is_good(value) for value in presented(headers, query)):
            raise Refuse(
                401,
                "Present the client key or a token granted for it: as Authorization (Token or "
                "Bearer), as the subprotocols token or bearer and it, or as ?token=.",
            )

    def has_client_key(self, headers: Mapping[str, str], query: Mapping[str, str]) -> bool:
        """True for the client key itself: a token grants no further token."""
        return any(self._is_client_key(value) for value in presented(headers, query))

    def _is_good(self, value: str) -> bool:
        by_token = self._tokens is not None and self._tokens.is_valid(value)
        return self._is_client_key(value) or by_token

    def _is_client_key(self, value: str) -> bool:
        return hmac.compare_digest(_digest(value), self._client_key)


ADMISSION = StateKey[Admission]("admission")
"""Left with each session by its endpoint for the connect hook, which may refuse."""


def presented(headers: Mapping[str, str], query: Mapping[str, str]) -> Iterator[str]:
    """Yield everything that may be a credential, in each way an SDK or a browser has."""
    scheme, _, value = headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() in _SCHEMES:
        yield value.strip()
    offered = [one.strip() for one in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    for name, value in pairwise(offered):
        if name.lower() in _SCHEMES:
            yield value
    yield from (one.removeprefix(_ACCESS_TOKEN) for one in offered if one.startswith(_ACCESS_TOKEN))
    if "token" in query:
        yield query["token"]


def _digest(value: str) -> bytes:
    """Of one length, so that a comparison tells nothing of it either."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()
