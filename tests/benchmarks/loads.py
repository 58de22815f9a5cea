"""The loads, and what a proxy is charged for them."""

from __future__ import annotations

import os
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .contestants import Contestant
from .lines import Line, Switchboard

SATURATED_LINES = 32
"""Enough for the proxy always to find one that has something for it."""

MOST_LINES = 200
"""As many as the largest load has."""

SETTLED = 6.5
"""Seconds after which a session does what it does for the rest of its life."""

BATCH = 8
"""Frames that are sent, and so read, together."""


@dataclass(frozen=True)
class Load:
    """One way to keep a proxy busy."""

    name: str
    lines: int
    run: Callable[[Switchboard, Sequence[Line]], int]
    """Returns how many frames were relayed."""
    up_only: bool = False


def real_time(sessions: int, seconds: float) -> Load:
    """Microphones and loudspeakers at their own pace."""

    def run(switchboard: Switchboard, lines: Sequence[Line]) -> int:
        return switchboard.converse(lines, seconds)

    return Load(f"real time, {sessions} sessions", sessions, run)


def saturated(frames: int, *, up: bool, batch: int) -> Load:
    """As fast as the proxy can."""

    def run(switchboard: Switchboard, lines: Sequence[Line]) -> int:
        switchboard.saturate(lines, up=up, frames=frames, batch=batch)
        return frames

    direction, size = "up" if up else "down", "one frame" if batch == 1 else f"{batch} frames"
    name = f"saturated {direction}, {size} a read"
    return Load(name, SATURATED_LINES, run, up_only=up)


def loads(scale: float) -> list[Load]:
    """Every load; ``scale`` shortens the rounds."""
    frames = round(20 * scale) * SATURATED_LINES * BATCH
    return [
        *(real_time(n, seconds * scale) for n, seconds in ((10, 1.0), (50, 0.6), (200, 0.4))),
        *(saturated(frames, up=up, batch=batch) for up in (True, False) for batch in (1, BATCH)),
    ]


def microseconds(contestant: Contestant, switchboard: Switchboard, load: Load) -> float:
    """Processor time a frame, of one round."""
    switchboard.idle()
    before = contestant.proxy.cpu
    frames = load.run(switchboard, contestant.lines[: load.lines])
    return (contestant.proxy.cpu - before) / frames * 1e6


def settle(contestants: Sequence[Contestant], switchboard: Switchboard) -> None:
    """Let every line talk in real time until it is as it will be for the rest of a session.

    In its first six seconds the pace of a microphone is measured.
    """
    for contestant in contestants:
        contestant.begin(switchboard, MOST_LINES)
        switchboard.converse(contestant.lines, SETTLED)
        tell(f"{contestant.name}: {len(contestant.lines)} sessions have settled")


Costs = dict[str, list[float]]
"""Microseconds a frame by contestant, round by round."""


def costs(
    contestants: Sequence[Contestant], switchboard: Switchboard, load: Load, rounds: int
) -> Costs:
    """Everybody under the same load in turn, in another order every round."""
    for contestant in contestants:
        contestant.begin(switchboard, load.lines)
        microseconds(contestant, switchboard, load)  # warm
    found: Costs = {contestant.name: [] for contestant in contestants}
    order, dice = list(contestants), random.Random(1)
    for _ in range(rounds):
        dice.shuffle(order)
        for contestant in order:
            found[contestant.name].append(microseconds(contestant, switchboard, load))
    shown = ", ".join(f"{name} {statistics.median(cost):.1f}" for name, cost in found.items())
    tell(f"{load.name}: microseconds a frame: {shown}")
    return found


def tell(text: str) -> None:
    """What is being done, beside the table."""
    print(text, file=sys.stderr, flush=True)


def stay_off(core: int) -> None:
    """This process drives the load; the proxies have their own core where there are two."""
    os.sched_setaffinity(0, {core})
