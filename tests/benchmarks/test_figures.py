"""The arithmetic behind the table."""

from __future__ import annotations

import pytest

from .figures import Figure, interval, table


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(1, 0, 0), (5, 0, 4), (6, 0, 5), (9, 1, 7), (15, 3, 11), (17, 4, 12), (100, 39, 60)],
)
def test_the_interval_has_the_ranks_of_the_sign_test(count: int, low: int, high: int) -> None:
    assert interval(range(count)) == (low, high)


def test_a_target_holds_when_the_median_does_and_the_table_says_how_sure_that_is() -> None:
    values = [1.0 + at / 100 for at in range(17)]
    verdicts = [Figure("x", values, target).holds for target in (1.2, 1.1, 1.06, 1.0, None)]
    assert verdicts == ["yes", "yes (interval above)", "NO (interval below)", "NO", ""]


def test_the_table_has_one_line_a_figure() -> None:
    lines = table([Figure("up", [1.0, 1.2, 1.1], 1.15), Figure("memory", [34.0], unit=" kB")])
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.split("\n")]
    assert cells[2] == ["up", "1.10", "1.00-1.20", "<= 1.15", "yes (interval above)", ""]
    assert cells[3] == ["memory", "34.00 kB", "", "", "", ""]
