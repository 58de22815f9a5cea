"""Telephone numbers as people write them, by the shapes of national and international numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voiceproxy_redaction.digits import Run

MAX_GROUPS = 16
"""More groups than any number is written in: one digit each."""

E164 = 15
"""The most digits of an international number, country code included (ITU-T E.164)."""

_APART = frozenset(",+\n")
"""What stands between two numbers, never inside one."""

_NORTH_AMERICAN = re.compile(r"1?[2-9]\d\d[2-9]\d{6}")
_NORTH_AMERICAN_GROUPS = frozenset(
    {
        *((3, 3, 4), (10,), (3, 7), (3, 3, 2, 2), (1,) * 10),
        *((1, 3, 3, 4), (11,), (4, 3, 4), (1, 10), (1, 3, 7), (1,) * 11),
    }
)
_BEGINNINGS = frozenset(
    lengths[:count] for lengths in _NORTH_AMERICAN_GROUPS for count in range(1, len(lengths) + 1)
)


def phone(run: Run, first: int) -> int | None:
    """The last group of the telephone number that begins with this group, None if none does."""
    if not run.starts_free(first):
        return None
    lead = run.text[max(0, run.groups[first].start - 2) : run.groups[first].start]
    if "+" in lead:
        return _international(run, first, 0)
    if run.groups[first].digits.startswith("00"):
        return _international(run, first, 2)
    if run.groups[first].digits.startswith("0"):
        return _trunk(run, first)
    if lead.endswith("("):
        last = _area_in_brackets(run, first)
        if last is not None:
            return last
    last = _north_american(run, first)
    return _by_groups(run, first) if last is None else last


def _international(run: Run, first: int, prefix: int) -> int | None:
    """``+`` or ``00``, then 8 to 15 digits of which the first is not zero."""
    digits, last = "", None
    for index in _near(run, first):
        digits += run.groups[index].digits[: E164 + 3]
        known = digits[prefix : prefix + 1]
        limit = 11 if known == "1" else E164
        if len(digits) - prefix > limit or known == "0":
            break
        if len(digits) - prefix >= 8 and run.ends_free(index):
            last = index
    return last


def _trunk(run: Run, first: int) -> int | None:
    """Nine to twelve digits behind a trunk 0, as in most of Europe and in Australia."""
    digits, last = "", None
    for index in _near(run, first):
        digits += run.groups[index].digits[:13]
        if len(digits) > 12 or digits[1:2] == "0":
            break
        if len(digits) >= 9 and run.ends_free(index):
            last = index
    return None if last is None or _is_date(run, first) else last


def _area_in_brackets(run: Run, first: int) -> int | None:
    """``(11) 95555-0132``: two to five digits in brackets, six to nine behind them."""
    if first + 1 >= len(run.groups) or ")" not in run.gap(first + 1):
        return None
    if not 2 <= len(run.groups[first].digits) <= 5:
        return None
    digits, last = "", None
    for index in _near(run, first):
        if index == first:
            continue
        digits += run.groups[index].digits[:10]
        if len(digits) > 9:
            break
        if len(digits) >= 6 and run.ends_free(index):
            last = index
    return last


def _north_american(run: Run, first: int) -> int | None:
    """Ten digits, maybe behind a 1; area and exchange do not begin with 0 or 1."""
    digits = ""
    lengths: tuple[int, ...] = ()
    for group in run.groups[first : first + 11]:
        digits += group.digits[:12]
        lengths += (len(group.digits),)
        if lengths not in _BEGINNINGS or len(digits) > 11:
            return None
        known = lengths in _NORTH_AMERICAN_GROUPS and _NORTH_AMERICAN.fullmatch(digits)
        if known and run.ends_free(first):
            return first
        first += 1
    return None


def _by_groups(run: Run, first: int) -> int | None:
    """National numbers without a trunk prefix that their groups give away."""
    groups = [group.digits for group in run.groups[first : first + 4]]
    lengths = [len(group) for group in groups]
    last = None
    if lengths[:3] == [3, 3, 3] and groups[0][0] in "56789":  # Spain, Portugal, Poland
        gaps = run.gap(first + 1), run.gap(first + 2)
        last = first + 2 if gaps in ((" ", " "), ("-", "-")) else None
    elif lengths == [3, 2, 2, 2] and groups[0][0] in "6789":  # Spain
        blanks = all(run.gap(index) == " " for index in range(first + 1, first + 4))
        last = first + 3 if blanks else None
    elif lengths[:2] == [5, 5] and groups[0][0] in "6789":  # India
        last = first + 1
    elif lengths[:2] == [3, 4] and run.gap(first + 1) in ("-", "\u2011"):
        local = groups[0][0] in "23456789" and groups[0][1:] not in ("00", "11")
        last = first + 1 if local else None
    return last if last is not None and run.ends_free(last) else None


def _near(run: Run, first: int) -> Iterator[int]:
    """The groups from this one on that only marks of a telephone number join to it."""
    yield first
    for index in range(first + 1, min(first + MAX_GROUPS, len(run.groups))):
        if not _APART.isdisjoint(run.gap(index)):
            return
        yield index


def _is_date(run: Run, first: int) -> bool:
    lengths = [len(group.digits) for group in run.groups[first : first + 3]]
    return lengths in ([2, 2, 4], [2, 2, 2]) and all(
        run.gap(index) in ".-/" for index in (first + 1, first + 2)
    )
