"""tests/soak.py: that a short one passes, and what it would call a problem."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import soak

GOOD: dict[str, Any] = {
    "rss_mb": {"second third": 80.0, "last third": 81.0},
    "fds": {"first": 15, "busiest": 90, "left": 15},
    "tasks": {"first": 3, "busiest": 90, "left": 3},
    "turns": 7,
    "wrong": [],
    "tracebacks": 0,
    "status": 0,
}


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("rss_mb", "last third"), 90.5, "memory grew"),
        (("fds", "left"), 16, "file descriptors"),
        (("tasks", "left"), 4, "tasks are left"),
        (("turns",), 0, "nobody got an answer"),
        (("wrong",), ["'a' was answered with 'b'"], "answers were wrong"),
        (("tracebacks",), 1, "exceptions were logged"),
        (("status",), 1, "did not end in order"),
    ],
)
def test_what_grew_or_was_wrong_is_a_problem(path: tuple[str, ...], value: Any, problem: str):
    assert soak.problems(GOOD) == []
    bad = copy.deepcopy(GOOD)
    inner = bad
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    [found] = soak.problems(bad)
    assert problem in found


@pytest.mark.deep
async def test_ten_callers_over_bad_lines_for_20_seconds_leave_nothing(tmp_path: Path):
    result = await soak.run(minutes=0.33, callers=10, seed=2, directory=tmp_path)
    assert soak.problems(result) == []
