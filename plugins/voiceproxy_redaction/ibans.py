"""International bank account numbers (ISO 13616), with the shape each country gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from voiceproxy_redaction.digits import HYPHENS, INVISIBLE
from voiceproxy_redaction.spans import Span

_REGISTRY = """
AD:8n12c AE:19n AL:8n16c AT:16n AZ:4a20c BA:16n BE:12n BG:4a6n8c BH:4a14c BI:23n BR:23n1a1c
BY:4c4n16c CH:5n12c CR:18n CY:8n16c CZ:20n DE:18n DJ:23n DK:14n DO:4c20n EE:16n EG:25n
ES:20n FI:14n FK:2a12n FO:14n FR:10n11c2n GB:4a14n GE:2a16n GI:4a15c GL:14n GR:7n16c GT:24c
HN:4a20n HR:17n HU:24n IE:4a14n IL:19n IQ:4a15n IS:22n IT:1a10n12c JO:4a4n18c KW:4a22c
KZ:3n13c LB:4n20c LC:4a24c LI:5n12c LT:16n LU:3n13c LV:4a13c LY:21n MC:10n11c2n MD:20c
ME:18n MK:3n10c2n MN:16n MR:23n MT:4a5n18c MU:4a19n3a NI:4a20n NL:4a10n NO:11n OM:3n16c
PK:4a16c PL:24n PS:4a21c PT:21n QA:4a21c RO:4a16c RS:18n RU:14n15c SA:2n18c SC:4a20n3a
SD:14n SE:20n SI:15n SK:20n SM:1a10n12c SO:19n ST:21n SV:4a20n TL:19n TN:20n TR:6n16c
UA:6n19c VA:18n VG:4a16n XK:16n YE:4a4n18c
"""
"""SWIFT IBAN Registry, release 101: what follows country and check digits; n digits, a letters,
c either."""

_MARKS = rf"[\s{HYPHENS}.,{INVISIBLE}]"
_FITS = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[0-9A-Za-z]"}

_START = re.compile(r"(?<![0-9A-Za-z])([A-Za-z]{2})[\s\-]?(?=[0-9])")
_REST = re.compile(rf"{_MARKS}{{0,2}}\Z")
_NOT_ITS_OWN = re.compile(r"[^0-9A-Za-z]")

MAX_IBAN = 34 * 3
"""The most characters an IBAN takes, with two marks behind each of its own."""


def _shape(written: str) -> str:
    return "nn" + "".join(kind * int(count) for count, kind in re.findall(r"(\d+)(\w)", written))


SHAPES: Mapping[str, str] = MappingProxyType(
    {item[:2]: _shape(item[3:]) for item in _REGISTRY.split()}
)
"""Country -> one of n, a, c for each character behind it."""


def ibans(text: str) -> Iterator[Span]:
    """Every IBAN with the right shape and check digits."""
    for start, end, compact in _begun(text):
        whole = len(compact) == 2 + len(SHAPES[compact[:2]])
        if whole and not _goes_on(text, end) and is_checked(compact):
            yield Span(start, end, "iban", text[start:end])


def open_iban(text: str) -> int:
    """Where an IBAN begins whose rest may follow; the text's length when there is none."""
    offset = max(0, len(text) - MAX_IBAN)
    window = text[offset:]
    for start, end, _ in _begun(window):
        if _REST.match(window, end):
            return offset + start
    return len(text)


def is_checked(compact: str) -> bool:
    """Whether the check digits are right (ISO/IEC 7064, mod 97-10)."""
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _begun(text: str) -> Iterator[tuple[int, int, str]]:
    """Whatever begins like an IBAN: where, up to where it fits, and its own characters."""
    for found in _START.finditer(text):
        country = found[1].upper()
        if country in SHAPES:
            rest = _fitting(country).match(text, found.end())
            end = rest.end() if rest else found.end()
            compact = _NOT_ITS_OWN.sub("", text[found.end() : end]).upper()
            yield found.start(), end, country + compact


@cache
def _fitting(country: str) -> re.Pattern[str]:
    """As much as fits of what stands behind that country, with marks between."""
    fitting = ""
    for kind in reversed(SHAPES[country]):
        fitting = f"(?:{_MARKS}{{0,2}}{_FITS[kind]}{fitting})?+"
    return re.compile(fitting)


def _goes_on(text: str, end: int) -> bool:
    following = text[end : end + 1]
    return following.isascii() and following.isalnum()
