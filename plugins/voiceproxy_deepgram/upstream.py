"""What to dial for one session."""

from __future__ import annotations

import re
import ssl
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from voiceproxy import Upstream
from voiceproxy_deepgram.query import without_ours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voiceproxy_deepgram.settings import DeepgramSettings

AGENT = "/v1/agent/converse"
LISTEN = "/v1/listen"
PASSED_THROUGH = (LISTEN, "/v2/listen", "/v1/speak", "/v2/speak")
"""Paths of the streaming APIs beside the agent's."""

SESSION_ID = "x-deepgram-session-id"
"""What the SDKs call one run of theirs; in browsers they offer it as a subprotocol."""

SHORTEST_KEY = 40
"""Characters of a Deepgram key (contract DGM-14)."""

_SESSION_ID_VALUE = re.compile(r"[!-~]{1,200}")
_API_PATH = re.compile(r"/v\d+/(agent/converse|listen|speak)/?$")


def target(base: str, path: str, raw_query: str) -> str:
    """The URL to dial: the path of an API behind a base URL, the client's query behind its own.

    A base that ends with the path of an API is taken as one that does not (contract DGM-2, DGM-3).
    """
    url, own = _behind(base, path)
    query = "&".join(one for one in (own, without_ours(raw_query)) if one)
    return f"{url}?{query}" if query else url


@lru_cache(maxsize=32)  # an application has one base or two, and a handful of paths
def _behind(base: str, path: str) -> tuple[str, str]:
    """The URL of the API without a query, and the query of the base."""
    parts = urlsplit(base)
    prefix = _API_PATH.sub("", parts.path).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, prefix + path, "", "")), parts.query


def make_upstream(
    settings: DeepgramSettings,
    tls: ssl.SSLContext | None,
    stand_in: str | None,
    path: str,
    raw_query: str,
    request: Mapping[str, str],
) -> Upstream:
    """The upstream of one session; a stand-in gets no credential.

    ``path`` is that of the API, ``request`` has the headers of the client's request.
    """
    base = settings.agent_url if path == AGENT else settings.listen_url
    return Upstream(
        url=target(stand_in or base, path, raw_query),
        headers=({} if stand_in else credentials(settings)) | _session_id(request),
        ssl=None if stand_in else tls,
        dial=settings.dial,  # type: ignore[arg-type]  # the schema allows the three modes only
    )


def credentials(settings: DeepgramSettings) -> dict[str, str]:
    """The headers of the settings: the key goes by header, never by subprotocol (DGM-4)."""
    headers = dict(_split(header) for header in settings.headers)
    key = normal_key(settings.api_key)
    if key and settings.auth != "none":
        headers = {name: it for name, it in headers.items() if name.lower() != "authorization"}
        headers["Authorization"] = f"{settings.auth.capitalize()} {key}"
    return headers


def normal_key(key: str) -> str:
    """The key without what copying it brings along (contract DGM-14)."""
    return key.strip().removeprefix("dgkey_")


def _split(header: str) -> tuple[str, str]:
    name, _, value = header.partition(":")
    return name.strip(), value.strip()


def _session_id(request: Mapping[str, str]) -> dict[str, str]:
    offered = [one.strip() for one in request.get("Sec-WebSocket-Protocol", "").split(",")]
    value = request.get(SESSION_ID) or dict(pairwise(offered)).get(SESSION_ID, "")
    return {SESSION_ID: value} if _SESSION_ID_VALUE.fullmatch(value) else {}


def tls_context(settings: DeepgramSettings) -> ssl.SSLContext | None:
    """The context for the setting ``ca_file``; None for the system's authorities.

    Raises OSError (the file) or ssl.SSLError (its content).
    """
    return ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else None


def missing_key(settings: DeepgramSettings) -> Sequence[str]:
    """What keeps this backend from dialling the real service, one line each."""
    hosts = dict.fromkeys(urlsplit(it).hostname or "" for it in _dialled(settings))
    asking = [host for host in hosts if is_deepgram(host)]
    has_credential = any(name.lower() == "authorization" for name in credentials(settings))
    if has_credential or not asking or settings.auth == "none":
        return []
    problem = (
        f"{asking[0]} needs a key: set DEEPGRAM_API_KEY (or VOICEPROXY_DEEPGRAM_API_KEY). "
        "To try voiceproxy without one, add --plugin simulator."
    )
    return [problem]


def _dialled(settings: DeepgramSettings) -> list[str]:
    rest = [settings.rest_url] if settings.grant == "upstream" else []
    return [settings.agent_url, settings.listen_url, *rest]


def is_deepgram(host: str) -> bool:
    """True for the vendor's own hosts, whatever their region."""
    return host == "deepgram.com" or host.endswith(".deepgram.com")


def looks_cut(key: str) -> bool:
    """True when a key is too short to be whole (contract DGM-14)."""
    key = normal_key(key)
    return bool(key) and len(key) < SHORTEST_KEY and not key.startswith("test")
