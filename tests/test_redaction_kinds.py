"""What is found in one text, what is left alone, and that no text takes long."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceproxy_redaction.finder import KINDS, Finder
from voiceproxy_redaction.patterns import Pattern
from voiceproxy_redaction.spans import Span, merged

FINDER = Finder()


def found(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in FINDER.find(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("4111\u200b1111\u200b1111\u200b1111", "card"),
        ("4111\x001111\u200e1111\u202c1111", "card"),
        ("612 34 56 78", "phone"),
        ("612-34-56-78", None),
        ("112 34 56 78", None),
        ("612 34 56 78%", None),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "card"),  # noqa: RUF001
        ("5018 0000 0009", None),
        ("2200 0000 0000 0004", "card"),
        ("9792 0000 0000 0003", "card"),
        ("6304 0000 0000 0000 00", "card"),
        ("+1 206 555 0131", "phone"),
        ("+ 44 20 7946 0123", "phone"),
        ("+0 20 7946 0123", None),
        ("+44 20", None),
        ("+44, 20 7946 0123", None),
        ("0012 206 555", "phone"),
        ("01.02.03", None),
        ("(12) 345", None),
        ("(12)", None),
        ("(12) 1456789012", None),
        ("(123456) 555 0131", None),
        ("911-1234", None),
        ("123 456 789", None),
        ("612.345.678", None),
        ("98765 4321", None),
        ("206-555-0131x", None),
        ("206-555-0131%", None),
        ("206-555-0131-a", None),
        ("206-555-0131:a", None),
        ("01.02.2024 10", None),
        ("01/02/24 100", None),
        ("01 99 00 12 34", "phone"),
        ("€206-555-0131", None),
        ("206-555-0131-7", None),
        ("DE89 3704 0044 0532 0130 00x", "phone"),  # no IBAN any more, but digits all the same
        ("dead::beef", "ip"),
        (":2001:db8::1", "ip"),
        ("g::1", None),
        ("1::2::3", None),
        ("1:2:3:4:5:6:7:8:9", None),
        ("::ffff:192.0.2.1", "ip"),
        ("me@example.com.", "email"),
        ("...@example.com", None),
        ("me@example.c", None),
        ("me@-", None),
    ],
)
def test_a_shape_is_told_from_what_is_nearly_one(text: str, kind: str | None):
    assert [one for one, _ in found(text)] == ([kind] if kind else [])


def test_a_card_is_found_behind_another_number():
    assert found("order 5512 4111 1111 1111 1111 2") == [("card", "4111 1111 1111 1111")]


def test_a_number_of_country_1_has_no_more_than_eleven_digits():
    assert found("+1 206 555 0131 2024") == [("phone", "+1 206 555 0131")]


def test_every_find_of_a_text_is_told_in_order():
    text = "bob@example.com 206-555-0131 4111111111111111 192.0.2.1"
    assert [kind for kind, _ in found(text)] == ["email", "phone", "card", "ip"]


def test_kinds_that_are_not_asked_for_are_left_alone():
    assert Finder(["email"]).find("206-555-0131 4111111111111111 GB82WEST12345698765432") == []
    assert Finder([]).find("bob@example.com") == []


def test_finds_that_overlap_become_one_that_is_named_by_the_longer():
    short, long = Span(0, 4, "ip", "1234"), Span(2, 9, "key", "3456789")
    assert merged([long, short]) == [Span(0, 9, "key", "3456789")]
    assert merged([short, Span(4, 5, "ip", "5")]) == [short, Span(4, 5, "ip", "5")]


PIECES = (
    *("4111 1111 1111 1111", "378282246310005", "206-555-0131", "+44 20 7946 0123", "(206) "),
    *("DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "123-45-6789", "192.0.2.1"),
    *("2001:db8::8a2e:370:7334", "bob@example.com", "sk-EXAMPLE0123456789example"),
    *("eyJhbGciOiJub25lIn0.eyJleGFtcGxlIjoxfQ", "EMP-123456", "hello", "my", "is", "7", "a"),
    *("0", "@", ".", "-", " ", "  ", ",", ":", "+", "(", ")", "/", "\n", "é", "\u200b", "_", "="),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12, unique=False).map(
    "".join
)
WITH_PATTERNS = Finder(KINDS, [Pattern("employee", r"EMP-\d{6}"), Pattern("hi", r"[hj]e?l{2}o")])


@given(TEXTS)
@settings(deadline=None, max_examples=150)
def test_finds_lie_in_the_text_in_order_and_apart(text: str):
    end = 0
    for span in WITH_PATTERNS.find(text):
        assert end <= span.start < span.end <= len(text)
        end = span.end


@given(TEXTS, st.data())
@settings(deadline=None, max_examples=300)
def test_an_interim_text_shows_nothing_of_what_becomes_a_match(text: str, data: st.DataObject):
    cut = data.draw(st.integers(0, len(text)))
    hidden = set(range(WITH_PATTERNS.open(text[:cut]), cut))
    for span in WITH_PATTERNS.find(text[:cut]):
        hidden |= set(range(span.start, span.end))
    for span in WITH_PATTERNS.find(text):
        assert hidden.issuperset(range(span.start, min(span.end, cut)))


ADVERSARIES = (
    *("4", "4111 1111 ", "4 1 ", "+1 ", "(1)", "01 ", "0.", "1-", "123-45-", "DE89 ", "GB8"),
    *("a", "a@", "a.", "@a.", "@", "a@a.", ":", "::", "a:", "1.", "1.1.1.", "sk-", "eyJ", "eyJ."),
    *("-", "_", "A1a", "EMP-", "hel", "\u200b4", " ", "\n", "{", "[", "é"),
)


@pytest.mark.parametrize("piece", ADVERSARIES, ids=repr)
def test_the_time_a_text_takes_grows_no_faster_than_the_text(piece: str):
    def seconds(length: int) -> float:
        text = (piece * length)[:length] + "x"
        best = float("inf")
        for _ in range(3):
            began = time.thread_time()
            WITH_PATTERNS.find(text)
            WITH_PATTERNS.open(text)
            best = min(best, time.thread_time() - began)
        return best

    # Four times the text: 16 times the time would be quadratic.
    assert seconds(16_000) < 10 * seconds(4_000) + 0.005


@given(st.lists(st.sampled_from(ADVERSARIES), min_size=1, max_size=4), st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_no_mixture_of_awkward_pieces_takes_long(pieces: list[str], twist: int):
    text = ("".join(pieces) * 4_000)[: 4_000 + twist]
    began = time.thread_time()
    WITH_PATTERNS.find(text)
    WITH_PATTERNS.open(text)
    assert time.thread_time() - began < 0.5
