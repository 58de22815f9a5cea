"""``make bench``: every figure, in one table, with which targets hold."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .contestants import (
    BASELINE,
    COMPONENT,
    DEEPGRAM,
    DIRECT,
    OPENAI,
    OPENAI_24K,
    Contestant,
    field_of,
)
from .dialogues import agent
from .figures import Figure, table
from .instructions import counted
from .lines import Switchboard
from .loads import Costs, Load, costs, loads, settle, stay_off, tell
from .proxies import LOAD_CORE, Direct
from .sessions import growth, idle_memory, latency, ratios, set_ups, start_up

TARGETS = {
    (OPENAI, "real time, 200 sessions"): 1.6,
    (OPENAI, "saturated up, one frame a read"): 4.2,
    (OPENAI_24K, "saturated up, one frame a read"): 2.0,
    (OPENAI, "saturated down, one frame a read"): 1.5,
}

PASSED_ON = 1.15
"""What a backend that translates nothing may cost, under any load."""

PLUGINS = 1.05
"""What the optional plugins may make of the cost of audio frames."""


def load_figures(load: Load, found: Costs, plugins: Sequence[str]) -> list[Figure]:
    """The table's lines for one load."""
    figures = [
        _ratio(load, found, name, BASELINE, TARGETS.get((name, load.name)))
        for name in (OPENAI, OPENAI_24K)
        if name in found
    ]
    figures += [_ratio(load, found, name, BASELINE, PASSED_ON) for name in (DEEPGRAM, COMPONENT)]
    if plugins:
        for name in (OPENAI, DEEPGRAM):
            figures.append(_ratio(load, found, "+".join((name, *plugins)), name, PLUGINS))
    return figures


def _ratio(load: Load, found: Costs, name: str, base: str, target: float | None) -> Figure:
    versus = "" if base == BASELINE else " / without"
    note = f"{statistics.median(found[name]):.1f} / {statistics.median(found[base]):.1f} us"
    return Figure(
        f"{load.name}: {name}{versus}", ratios(found[name], found[base]), target, note=note
    )


def everything(directory: Path, given: argparse.Namespace) -> list[Figure]:
    """All figures, in order."""
    plugins = [name for name in given.plugins.split(",") if name not in ("", "none")]
    rounds = given.rounds or (7 if given.quick else 17)
    scale = given.scale or (0.4 if given.quick else 1.0)
    figures: list[Figure] = []
    with field_of(directory, plugins) as contestants, Switchboard() as switchboard:
        settle(contestants, switchboard)
        for load in loads(scale):
            entered = [one for one in contestants if load.up_only or one.name != OPENAI_24K]
            found = costs(entered, switchboard, load, rounds)
            figures += load_figures(load, found, plugins)
        plain = [one for one in contestants if one.name in (BASELINE, OPENAI, DEEPGRAM)]
        direct = Contestant(DIRECT, Direct(), "/", agent("agent"))
        figures += latency([direct, *plain], switchboard, rounds)
        figures += set_ups(plain, switchboard, rounds)
    figures += start_up(directory, 3 if given.quick else 9)
    figures += idle_memory(directory, plugins)
    if not given.quick:
        figures += growth(directory, rounds)
        figures += counted(directory, plugins)
    return figures


def main() -> int:
    """Print the table; which targets hold is for the reader to judge, who knows the machine."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes: wide intervals")
    parser.add_argument("--plugins", default="logging,redaction", help="optional plugins, or none")
    parser.add_argument("--rounds", type=int, help="pairs of every figure")
    parser.add_argument("--scale", type=float, help="how long a round is; 1 is usual")
    given = parser.parse_args()
    stay_off(LOAD_CORE)
    with tempfile.TemporaryDirectory() as directory:
        figures = everything(Path(directory), given)
    print(table(figures))
    missed = [figure.name for figure in figures if figure.holds.startswith("NO")]
    tell(f"targets that do not hold: {len(missed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
