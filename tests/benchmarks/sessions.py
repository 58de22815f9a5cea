"""What a session costs by being there: setting it up, keeping it, many of them, its latency."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from .contestants import BASELINE, DEEPGRAM, DIRECT, OPENAI, Contestant, started
from .dialogues import agent, realtime
from .figures import Figure
from .lines import Line, Switchboard
from .loads import tell

SET_UPS = 30
PATHS = {
    BASELINE: ("/", agent("agent")),
    OPENAI: ("/openai", realtime("realtime")),
    DEEPGRAM: ("/v1/agent/converse", agent("agent")),
}


def set_up_cost(contestant: Contestant, *, settings: bool) -> float:
    """Milliseconds of processor time for both handshakes, and perhaps up to SettingsApplied."""
    before, lines = contestant.proxy.cpu, []
    for _ in range(SET_UPS):
        line = Line(contestant.proxy, contestant.path, contestant.dialogue)
        if settings:
            line.apply_settings()
        lines.append(line)
    used = contestant.proxy.cpu - before
    for line in lines:
        line.end()
    return used / SET_UPS * 1e3


def set_ups(
    contestants: Sequence[Contestant], switchboard: Switchboard, rounds: int
) -> list[Figure]:
    """Ratios to the baseline."""
    figures = []
    for name, settings in (("handshakes alone", False), ("to SettingsApplied", True)):
        spent: dict[str, list[float]] = {one.name: [] for one in contestants}
        for turn in range(rounds + 1):
            for contestant in contestants:
                switchboard.idle(0.05)  # the last ones have left by then
                cost = set_up_cost(contestant, settings=settings)
                if turn:
                    spent[contestant.name].append(cost)
        tell(f"set-up, {name}: milliseconds: {_medians(spent)}")
        figures += [
            Figure(
                f"set-up, {name}: {backend}",
                ratios(spent[backend], spent[BASELINE]),
                1.3,
                note=f"{statistics.median(spent[backend]):.2f} / "
                f"{statistics.median(spent[BASELINE]):.2f} ms",
            )
            for backend in spent
            if backend != BASELINE
        ]
    return figures


def idle_memory(directory: Path, plugins: Sequence[str]) -> list[Figure]:
    """Kilobytes a session that has spoken and now waits, at 100 and at 500 sessions."""
    kinds: list[tuple[str, tuple[str, ...]]] = [(BASELINE, ()), (OPENAI, ()), (DEEPGRAM, ())]
    if plugins:
        kinds.append((OPENAI, tuple(plugins)))
    figures = []
    for kind, options in kinds:
        with started(directory, kind, *options) as proxy, Switchboard() as switchboard:
            one = Contestant(proxy.name, proxy, *PATHS[kind])
            one.begin(switchboard, 5)  # what the first sessions load is the process's own
            empty = proxy.memory
            for count in (100, 500):
                one.begin(switchboard, count)
                switchboard.idle(0.5)
                each = (proxy.memory - empty) / (count - 5) / 1000
                figures.append(
                    Figure(
                        f"idle memory at {count} sessions, {one.name}",
                        [each],
                        None if kind == BASELINE else 60,
                        " kB",
                        f"process {empty / 1e6:.0f} MB",
                    )
                )
    return figures


def start_up(directory: Path, rounds: int) -> list[Figure]:
    """Seconds of processor time until it listens."""
    figures = []
    for kind, target in ((OPENAI, 0.8), (DEEPGRAM, 0.8), (BASELINE, None)):
        seconds = []
        for _ in range(rounds):
            with started(directory, kind) as proxy:
                seconds.append(proxy.listening_after)
        figures.append(Figure(f"start to listening, {kind}", seconds, target, " s"))
    return figures


def growth(directory: Path, rounds: int) -> list[Figure]:
    """1,000 sessions against 100 with the same number of frames a second."""
    figures = []
    for kind, target in ((OPENAI, 1.2), (BASELINE, None)):
        spent: dict[int, list[float]] = {100: [], 1000: []}
        with started(directory, kind) as proxy, Switchboard() as switchboard:
            one = Contestant(kind, proxy, *PATHS[kind])
            for sessions, values in spent.items():
                one.begin(switchboard, sessions)
                for turn in range(rounds + 1):
                    before = proxy.cpu
                    frames = switchboard.converse(one.lines, 1.0, 50 / sessions)
                    if turn:
                        values.append((proxy.cpu - before) / frames * 1e6)
        tell(f"growth, {kind}: {spent}")
        figures.append(
            Figure(f"1,000 sessions against 100, {kind}", ratios(spent[1000], spent[100]), target)
        )
    return figures


def latency(
    contestants: Sequence[Contestant], switchboard: Switchboard, rounds: int
) -> list[Figure]:
    """What the proxy adds to a frame's median way at 50 sessions, as a ratio to the baseline.

    The way without a proxy is taken off: most of it is the driver's own.
    """
    took: dict[str, list[float]] = {one.name: [] for one in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            took[contestant.name].append(_median_way(contestant, switchboard))
    tell(f"latency: microseconds: {_medians(took)}")
    added = {
        name: [way - without for way, without in zip(ways, took[DIRECT], strict=True)]
        for name, ways in took.items()
        if name != DIRECT
    }
    return [
        Figure(
            f"added median latency at 50 sessions, {name}",
            ratios(added[name], added[BASELINE]),
            1.4,
            note=f"{statistics.median(added[name]):.0f} / "
            f"{statistics.median(added[BASELINE]):.0f} us",
        )
        for name in added
        if name != BASELINE
    ]


def _median_way(contestant: Contestant, switchboard: Switchboard) -> float:
    """Microseconds from the moment a frame was due to the moment it came."""
    contestant.begin(switchboard, 50)
    switchboard.idle()
    switchboard.latencies = []
    switchboard.converse(contestant.lines[:50], 0.6)
    way = statistics.median(switchboard.latencies) * 1e6
    switchboard.latencies = None
    return way


def ratios(costs: Sequence[float], base: Sequence[float]) -> list[float]:
    """Pair by pair."""
    return [cost / other for cost, other in zip(costs, base, strict=True)]


def _medians(values: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {statistics.median(of):.2f}" for name, of in values.items())
