"""voiceproxy/agent/error_codes.py: each code says what it means and what follows."""

from __future__ import annotations

import re

import pytest

from voiceproxy.agent import ERROR_CODES, error_codes

FOLLOWS = re.compile(
    r"The session goes on(: corrected Settings are accepted)?\.$|Closes 1\d\d\d\.$"
    r"|Closes with the upstream's own code, 1011 if it gave none\.$"
)


@pytest.mark.parametrize("code", ERROR_CODES)
def test_a_code_says_what_it_means_and_what_follows(code):
    meaning, _, _ = ERROR_CODES[code].partition(".")
    assert len(meaning) > 15
    assert FOLLOWS.search(ERROR_CODES[code])


def test_every_constant_is_in_the_table_and_named_as_its_code():
    constants = {
        name: value
        for name, value in vars(error_codes).items()
        if name.isupper() and isinstance(value, str)
    }
    assert set(constants.values()) == set(ERROR_CODES)
    assert all(name == value.upper() for name, value in constants.items())


@pytest.mark.parametrize(
    ("code", "closes"),
    [
        ("CLIENT_MESSAGE_TIMEOUT", "1000"),
        ("plugin_failed", "1000"),
        ("internal_error", "1011"),
        ("frame_too_big", "1009"),
        ("upstream_unauthorized", "1000"),
        ("SERVER_GOING_AWAY", "1001"),
    ],
)
def test_a_close_is_1000_where_the_same_client_would_only_fail_again(code, closes):
    assert ERROR_CODES[code].endswith(f"Closes {closes}.")
