"""The fault matrix as data: what goes wrong, what the client sees of it, and within which time.

``tests/integration/test_fault_matrix.py`` and ``test_fault_machine.py`` run it; the table in
docs/explanation/reliability.md is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

BACKENDS = ("openai", "deepgram")


@dataclass(frozen=True)
class GoesOn:
    """The session lives, and everything arrives."""

    sees: str = "Everything, whole and in order, later."


@dataclass(frozen=True)
class Gone:
    """There is no client any more: its session ends, and so does the upstream's."""

    sees: str = "It counts as gone: its session ends, and so does the upstream's."


@dataclass(frozen=True)
class Ends:
    """The client is told, then closed. By backend: the codes of Errors, and of the close."""

    by: Mapping[str, tuple[list[str], int]]

    @property
    def sees(self) -> str:
        """In words."""
        return "; ".join(f"{name}: {_told(*end)}" for name, end in self.by.items()) + "."


@dataclass(frozen=True)
class Undialled:
    """The upstream is not there: an HTTP status, or an Error where the client was let in first."""

    status: int
    error: str
    code: int = 1011

    @property
    def sees(self) -> str:
        """In words."""
        return f"{_told([self.error], self.code)}; deepgram without a browser: HTTP {self.status}."


Outcome = GoesOn | Gone | Ends | Undialled


def _told(errors: list[str], code: int) -> str:
    return ", ".join([*(f"Error `{error}`" for error in errors), f"close {code}"])


@dataclass(frozen=True)
class Row:
    """One fault."""

    leg: str
    """``client``, ``upstream``, ``dialling`` or ``machine``."""
    name: str
    fault: str
    """In words."""
    outcome: Outcome
    within: Mapping[str, float] = field(default_factory=dict)
    """Settings, and how many times each, that the end may take at most. Empty: at once."""

    @property
    def time(self) -> str:
        """In words."""
        if isinstance(self.outcome, GoesOn):
            return "no end"
        terms = [
            f"{times:g} times `{name}`" if times != 1 else f"`{name}`"
            for name, times in self.within.items()
        ]
        return " + ".join(terms) or "at once"


LOST = Ends({"openai": (["upstream_closed"], 1011), "deepgram": ([], 1011)})
EARLY = Ends({"openai": (["upstream_closed_before_session_ready"], 1011), "deepgram": ([], 1011)})
"""The same before the Settings are applied."""

ROWS = [
    Row("client", "late", "latency and jitter, up to 100 ms each way", GoesOn()),
    Row("client", "dribble", "a few bytes at a time, one by one at first", GoesOn()),
    Row("client", "slow", "the client reads slowly", GoesOn()),
    Row(
        "client",
        "pausing",
        "the client stops reading, the queue fills, then it reads on",
        GoesOn("Everything, whole and in order; the upstream was not read meanwhile."),
    ),
    Row("client", "big", "a frame that takes several heartbeats to come", GoesOn()),
    Row("client", "stalled", "the client neither reads nor speaks", Gone(), {"heartbeat": 2}),
    Row("client", "reset", "a reset", Gone()),
    Row("client", "half-open", "the client vanishes without a word", Gone(), {"heartbeat": 2}),
    Row("client", "blackhole", "nothing crosses any more", Gone(), {"heartbeat": 2}),
    Row("client", "cut", "the connection ends inside a frame", Gone()),
    Row("upstream", "late", "latency and jitter, up to 100 ms each way", GoesOn()),
    Row("upstream", "dribble", "a few bytes at a time, one by one at first", GoesOn()),
    Row("upstream", "slow", "the upstream reads slowly", GoesOn()),
    Row(
        "upstream",
        "pausing",
        "the upstream stops reading, the queue fills, then it reads on",
        GoesOn("Everything, whole and in order; the client was not read meanwhile."),
    ),
    Row("upstream", "big", "a frame that takes several heartbeats to be taken", GoesOn()),
    Row("upstream", "stalled", "the upstream neither reads nor speaks", LOST, {"heartbeat": 2}),
    Row("upstream", "reset", "a reset", LOST),
    Row("upstream", "half-open", "the upstream vanishes without a word", LOST, {"heartbeat": 2}),
    Row("upstream", "blackhole", "nothing crosses any more", LOST, {"heartbeat": 2}),
    Row("upstream", "cut", "the connection ends inside a frame", LOST),
    Row("dialling", "late", "the answer to the upgrade comes late and in small pieces", GoesOn()),
    Row("dialling", "refused", "nobody listens", Undialled(502, "upstream_unreachable")),
    Row(
        "dialling",
        "unanswered",
        "the connection opens, the upgrade is never answered",
        Undialled(504, "upstream_timeout"),
        {"connect_timeout": 1},
    ),
    Row(
        "dialling", "reset", "a reset instead of an answer", Undialled(502, "upstream_unreachable")
    ),
    Row("dialling", "cut", "the answer ends in its head", Undialled(502, "upstream_unreachable")),
    Row(
        "dialling",
        "unresolved",
        "the name does not resolve any more",
        Undialled(502, "upstream_dns_failed"),
    ),
    Row(
        "dialling",
        "unresolving",
        "the name server does not answer",
        Undialled(504, "upstream_timeout"),
        {"connect_timeout": 1},
    ),
    Row(
        "machine",
        "descriptors",
        "no file descriptor is left",
        GoesOn(
            "Sessions there are go on. New clients wait, are turned away, or are told "
            "`upstream_unreachable`; when sessions end, new ones begin."
        ),
    ),
    Row(
        "machine",
        "disk",
        "stderr cannot be written: the disk of the log is full",
        GoesOn("Nothing of it. The lines are lost."),
    ),
    Row(
        "machine",
        "unread",
        "nobody reads stderr: the pipe of the log is full",
        GoesOn("Nothing of it. Lines are lost, and how many is logged when there is room again."),
    ),
    Row(
        "machine",
        "stopped",
        "the process stands still for many heartbeats, as on a suspended machine",
        GoesOn("Nothing of it, once it goes on."),
    ),
    Row(
        "machine",
        "silent",
        "a connection on which no request comes, or half of one",
        GoesOn("It is closed after 75 seconds; it was no session yet."),
    ),
    Row(
        "machine",
        "clock",
        "the wall clock jumps a day ahead and back",
        GoesOn("Nothing of it: every deadline is kept by the monotonic clock."),
    ),
]


def rows(*legs: str) -> list[Row]:
    """Those of some legs."""
    return [row for row in ROWS if row.leg in legs]


def table() -> str:
    """The matrix for people."""
    lines = [("Leg", "Fault", "What the client sees", "Its end comes within")]
    lines += [("---",) * 4]
    lines += [(row.leg, row.fault, row.outcome.sees, row.time) for row in ROWS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
