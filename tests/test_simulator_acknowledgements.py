"""Confirmations: a moment late, in order, or held back."""

from __future__ import annotations

from voiceproxy_simulator.acknowledgements import PROMPT, Acknowledgements
from voiceproxy_simulator.testing import FakeLine


def confirmed(delay: float | None) -> tuple[FakeLine, Acknowledgements, list[str]]:
    line, seen = FakeLine(), list[str]()
    acknowledgements = Acknowledgements(line, delay)
    for name in ("first", "second"):
        acknowledgements.defer(lambda name=name: seen.append(name))  # type: ignore[misc]
    return line, acknowledgements, seen


def test_confirmations_come_after_the_delay_in_order() -> None:
    line, acknowledgements, seen = confirmed(0.5)
    line.advance(0.4)
    assert (seen, acknowledgements.outstanding) == ([], True)
    line.advance(0.2)
    assert (seen, acknowledgements.outstanding) == (["first", "second"], False)


def test_prompt_confirmations_can_be_hurried_and_come_once() -> None:
    line, acknowledgements, seen = confirmed(PROMPT)
    acknowledgements.flush()
    line.advance(1)
    assert seen == ["first", "second"]


def test_late_confirmations_cannot_be_hurried() -> None:
    _, acknowledgements, seen = confirmed(0.5)
    acknowledgements.flush()
    assert (seen, acknowledgements.outstanding) == ([], True)


def test_without_a_delay_nothing_is_ever_confirmed_nor_outstanding() -> None:
    line, acknowledgements, seen = confirmed(None)
    line.advance(10)
    assert (seen, acknowledgements.outstanding) == ([], False)
