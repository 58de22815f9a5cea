"""voiceproxy/garbage.py: what the garbage collector need not look at."""

from __future__ import annotations

import gc
import weakref

import pytest

from voiceproxy.garbage import spare_looks


@pytest.fixture(autouse=True)
def usual_collector():
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


class Circle:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_not_looked_at_again_and_what_comes_is():
    old = Circle()
    spare_looks()
    young = Circle()
    assert not any(one is old for one in gc.get_objects())
    assert any(one is young for one in gc.get_objects())


def test_circles_of_the_start_are_freed_first():
    circle = weakref.ref(Circle())
    spare_looks()
    assert circle() is None


def test_the_young_are_looked_at_less_often_and_all_objects_as_often_as_ever():
    before = gc.get_threshold()
    spare_looks()
    assert gc.get_threshold()[0] > before[0]
    assert 0.8 < _until_all(gc.get_threshold()) / _until_all(before) < 1.2


def _until_all(thresholds: tuple[int, int, int]) -> int:
    """How many more objects there are when all are looked at: each generation waits for one more
    look than its threshold."""
    young, older, oldest = thresholds
    return young * (older + 1) * (oldest + 1)
