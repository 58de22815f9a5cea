"""Numbers that name a person or an account: cards, social security numbers, telephones.

Each reader is given a run of digits and the index of a group, and says with which group its number
ends. A number is made of whole groups. None looks further than 19 groups, so the work is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from voiceproxy_redaction.digits import HYPHENS, Run, runs
from voiceproxy_redaction.phones import phone
from voiceproxy_redaction.spans import Span

Reader = Callable[[Run, int], int | None]
"""(run, first group) -> last group, or None."""

MIN_CARD, MAX_CARD = 13, 19
"""Digits of the shortest card number there is, and of the longest (ISO/IEC 7812-1)."""

_ISSUERS = tuple(
    (re.compile(prefix), frozenset(lengths))
    for prefix, lengths in (
        (r"4", (13, 16, 19)),  # Visa
        (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
        (r"3[47]", (15,)),  # American Express
        (r"30|36|38|39", range(14, 20)),  # Diners Club
        (r"35", range(16, 20)),  # JCB
        (r"220[0-4]|60|62|64|65|81|82", range(16, 20)),  # Mir, Discover, UnionPay, RuPay
        (r"50|5[6-8]|6", range(13, 20)),  # Maestro
        (r"9792", (16,)),  # Troy
    )
)
"""The first digits an issuer has, and how long its numbers are."""

_SSN_GAP = re.compile(rf"[{HYPHENS} .]")


def card(run: Run, first: int) -> int | None:
    """A payment card: an issuer's first digits, its length, and the check digit (Luhn)."""
    if run.groups[first].digits[0] in "017":
        return None
    digits, last = "", None
    for group in run.groups[first : first + MAX_CARD]:
        digits += group.digits[: MAX_CARD + 1]
        if len(digits) > MAX_CARD:
            break
        if len(digits) >= MIN_CARD and _is_issued(digits) and luhn(digits):
            last = first
        first += 1
    return last


def _is_issued(digits: str) -> bool:
    length = len(digits)
    return any(length in lengths and prefix.match(digits) for prefix, lengths in _ISSUERS)


def luhn(digits: str) -> bool:
    """Whether the last digit is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) << place % 2
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def ssn(run: Run, first: int) -> int | None:
    """Three, two and four digits with the same mark between: a US number, or one that looks so.

    Without marks it is only nine digits, and not taken for one.
    """
    last = first + 2
    groups = run.groups[first : last + 1]
    if [len(group.digits) for group in groups] != [3, 2, 4]:
        return None
    gap = run.gap(last)
    if run.gap(first + 1) != gap or not _SSN_GAP.fullmatch(gap):
        return None
    issued = groups[0].digits != "000" and groups[1].digits != "00" and groups[2].digits != "0000"
    return last if issued and run.starts_free(first) and run.ends_free(last) else None


READERS: Mapping[str, Reader] = MappingProxyType({"card": card, "ssn": ssn, "phone": phone})
"""In the order they are asked: a card is never a telephone."""


def numbers(text: str, readers: Mapping[str, Reader]) -> Iterator[Span]:
    """Every number the readers know."""
    for run in runs(text):
        first = 0
        while first < len(run.groups):
            for kind, reader in readers.items():
                last = reader(run, first)
                if last is not None:
                    start = _with_sign(text, run.groups[first].start)
                    end = run.groups[last].end
                    yield Span(start, end, kind, text[start:end])
                    first = last
                    break
            first += 1


def _with_sign(text: str, start: int) -> int:
    """A number begins with its ``+`` and its ``(``."""
    lead = text[max(0, start - 2) : start]
    return start - len(lead) + len(lead.rstrip("+("))
