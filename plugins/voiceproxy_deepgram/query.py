"""The client's query on its way up: nothing is decoded, nothing of ours goes along."""

from __future__ import annotations

import string
from urllib.parse import quote, unquote_plus

OURS = frozenset({"token", "service", "traceId", "profile"})
"""Parameters that are meant for the proxy (contract DGM-3; ``traceId`` names the session in logs,
``profile`` is for plugins)."""

_PRINTABLE = string.ascii_letters + string.digits + string.punctuation


def without_ours(raw_query: str) -> str:
    """The raw query without the parameters of ours: order, repeats and escapes as they came.

    Bytes beyond ASCII, which no URL may hold, are escaped.
    """
    kept = "&".join(part for part in raw_query.split("&") if _name(part) not in OURS)
    return kept if kept.isascii() else quote(kept, safe=_PRINTABLE, errors="surrogateescape")


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])
