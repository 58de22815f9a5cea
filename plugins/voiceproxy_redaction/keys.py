"""Credentials by their shape: the prefixes services give their keys, and long random words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voiceproxy_redaction.spans import Span

_TOKEN = re.compile(r"[\w.-]{16,}+", re.ASCII)
_PREFIXED = re.compile(
    r"[prs]k[-_](?=.*\d)[\w-]{16,}"  # OpenAI, Anthropic, Stripe and many more
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|gh[oprsu]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}"  # Slack
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}"  # Google
    r"|(?:hf|npm|dckr_pat|gsk|r8|dop_v1)_\w{20,}|(?:xai|pypi)-[\w-]{16,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}"  # SendGrid
    r"|eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?",  # a JSON Web Token
    re.ASCII,
)
_HEXADECIMAL = re.compile(r"(?=.*\d)(?=.*[a-fA-F])[0-9a-fA-F]{40,}")
_RANDOM = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=(?:\D*\d){3})[A-Za-z0-9]{32,}", re.ASCII)


def keys(text: str) -> Iterator[Span]:
    """Every word that looks like a credential."""
    for found in _TOKEN.finditer(text):
        token = found.group().strip(".-_")
        if any(shape.fullmatch(token) for shape in (_PREFIXED, _HEXADECIMAL, _RANDOM)):
            start = found.start() + found.group().index(token)
            yield Span(start, start + len(token), "key", token)
