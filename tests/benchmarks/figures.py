"""Figures with what is known about them: the median of pairs and its interval, and the table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the median that holds with that confidence, whatever the distribution is.

    From the order of the values (the sign test); all of them where there are fewer than six.
    """
    ordered, count = sorted(values), len(values)
    below, rank = 0.0, 0
    while rank < count // 2:
        below += math.comb(count, rank) / 2**count
        if 2 * below > 1 - confidence:
            break
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[count - rank]


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    values: Sequence[float]
    target: float | None = None
    """What the median may be at most."""
    unit: str = ""
    note: str = ""
    """What the figure is made of."""

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)

    @property
    def holds(self) -> str:
        """Yes, no, or nothing where there is no target."""
        if self.target is None:
            return ""
        low, high = interval(self.values)
        if self.median <= self.target:
            return "yes" if high <= self.target else "yes (interval above)"
        return "NO" if low > self.target else "NO (interval below)"

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        low, high = interval(self.values)
        spread = f"{low:.2f}-{high:.2f}" if len(self.values) > 1 else ""
        target = "" if self.target is None else f"<= {self.target:g}"
        return self.name, f"{self.median:.2f}{self.unit}", spread, target, self.holds, self.note


HEAD = ("figure", "median", "95 % interval", "target", "holds", "made of")


def table(figures: Sequence[Figure]) -> str:
    """All figures, one a line, as Markdown."""
    rows = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
