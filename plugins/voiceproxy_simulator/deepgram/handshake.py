"""What the HTTP side says: refusals before the upgrade, and the headers of every answer.

Every answer carries ``dg-request-id``; a refusal has the JSON body ``{err_code, err_msg,
request_id}`` and says its reason again in ``dg-error`` (as captured from the service).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from itertools import pairwise

from aiohttp import hdrs, web
from multidict import MultiMapping

REQUEST_ID = "dg-request-id"
ERROR = "dg-error"
EXPOSED = "dg-model-name,dg-model-uuid,dg-char-count,dg-request-id,dg-error"
"""What a browser may read of an answer."""

_SCHEMES = ("token", "bearer")


class Refused(Exception):
    """A request answered with an HTTP status of 400 or more instead of an upgrade.

    ``excused``: it is not the doing of the client's author.
    """

    def __init__(self, status: int, err_code: str, err_msg: str, *, excused: bool = False) -> None:
        super().__init__(err_msg)
        self.status = status
        self.err_code = err_code
        self.err_msg = err_msg
        self.excused = excused

    def response(self, request_id: str) -> web.Response:
        """The answer, for the request of this id."""
        body = {"err_code": self.err_code, "err_msg": self.err_msg, "request_id": request_id}
        headers = answer_headers(request_id) | {ERROR: self.err_msg}
        return web.json_response(body, status=self.status, headers=headers)


def bad_request(message: str) -> Refused:
    """400: a parameter is wrong."""
    return Refused(400, "Bad Request", f"Bad Request: {message}")


def invalid_credentials() -> Refused:
    """401: no key, or not the one."""
    return Refused(401, "INVALID_AUTH", "Invalid credentials.", excused=True)


def new_request_id() -> str:
    """An id as the service makes them: a UUID."""
    return str(uuid.uuid4())


def answer_headers(request_id: str) -> dict[str, str]:
    """The headers of every answer."""
    return {REQUEST_ID: request_id, hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: EXPOSED}


def offered_protocols(headers: MultiMapping[str]) -> list[str]:
    """The subprotocols a client offers, in its order."""
    offered = headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
    return [one.strip() for header in offered for one in header.split(",")]


def answered_protocol(offered: Iterable[str]) -> str | None:
    """The one that is answered: ``token`` or ``bearer``, never a credential."""
    return next((one for one in offered if one.lower() in _SCHEMES), None)


def credential(authorization: str, offered: list[str]) -> tuple[str, str] | None:
    """Scheme, in lower case, and secret: of the header ``Authorization: Token KEY`` or ``Bearer
    JWT``, else of the subprotocols ``token, KEY`` and ``bearer, JWT``. None without any.
    """
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() in _SCHEMES and secret.strip():
        return scheme.lower(), secret.strip()
    for kind, value in pairwise(offered):
        if kind.lower() in _SCHEMES:
            return kind.lower(), value
    return None
