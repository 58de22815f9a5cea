"""What an upstream's or a client's JSON says where a number is due."""

from __future__ import annotations

import pytest

from voiceproxy_openai.reading import MAX_INTEGER, integer_at


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (7, 7),
        (0, 0),
        (-3, -3),
        (100.0, 100),
        (MAX_INTEGER, MAX_INTEGER),
        (-MAX_INTEGER, -MAX_INTEGER),
        (float(MAX_INTEGER), MAX_INTEGER),
    ],
)
def test_a_whole_number_is_read_however_it_is_spelled(given, found):
    number = integer_at({"key": given}, "key", 5)
    assert number == found
    assert type(number) is int


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        False,
        "7",
        7.5,
        [7],
        {},
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        2.0**53,
        10**400,
        float("inf"),
        float("nan"),
    ],
)
def test_what_is_no_whole_number_or_too_large_to_be_exact_is_the_default(given):
    assert integer_at({"key": given}, "key", 5) == 5


def test_a_number_that_is_missing_is_the_default():
    assert integer_at({}, "key") == 0
    assert integer_at({}, "key", 5) == 5
