"""E-mail and IP addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address

from voiceproxy_redaction.spans import Span

MAX_LOCAL = 254
"""The most characters looked at before an ``@``; RFC 5321 allows 64 of them."""

_MARKS = "!#$%&'*+/=?^`{|}~.-"
_LOCAL_BACKWARDS = re.compile(rf"[\w{re.escape(_MARKS)}]*+")
_DOMAIN = re.compile(r"(?:[\w-]{1,63}+\.)+[^\W\d_][\w-]{1,62}+")
_IPV4 = re.compile(
    r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)",
    re.ASCII,
)
_COLONS = re.compile(r"[0-9A-Fa-f:.]++")
_WORD = re.compile(r"\w")

MAX_IPV6 = 45
"""Characters of the longest spelling: six groups and a dotted quad."""


def emails(text: str) -> Iterator[Span]:
    """Every ``local@domain`` whose domain has a dot. Spaces and "at" in words are not read."""
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        if domain is not None:
            before = text[max(0, at - MAX_LOCAL) : at][::-1]
            found = _LOCAL_BACKWARDS.match(before)
            local = (found.group() if found else "").rstrip(_MARKS)
            if local:
                start = at - len(local)
                yield Span(start, domain.end(), "email", text[start : domain.end()])
        at = text.find("@", at + 1)


def ips(text: str) -> Iterator[Span]:
    """Every IPv4 address in four parts and every IPv6 address, without port or prefix."""
    if "." in text:
        for found in _IPV4.finditer(text):
            yield Span(*found.span(), "ip", found.group())
    if text.count(":") > 1:
        for found in _COLONS.finditer(text):
            start, end = _without_punctuation(found)
            if _is_ipv6(text, start, end):
                yield Span(start, end, "ip", text[start:end])


def _without_punctuation(found: re.Match[str]) -> tuple[int, int]:
    """Leave out a full stop behind it, and a single colon before or behind it."""
    written = found.group().rstrip(".")
    end = found.start() + len(written)
    if written.endswith(":") and not written.endswith("::"):
        end -= 1
    alone = written.startswith(":") and not written.startswith("::")
    return found.start() + alone, end


def _is_ipv6(text: str, start: int, end: int) -> bool:
    written = text[start:end]
    if not 2 < len(written) <= MAX_IPV6 or written.count(":") < 2:
        return False
    if (start and _WORD.match(text, start - 1)) or _WORD.match(text, end):
        return False
    try:
        IPv6Address(written)
    except ValueError:
        return False
    return True
