"""voiceproxy/garbage.py: what is not looked at, and what is not given back."""

from __future__ import annotations

import gc
import platform
import subprocess
import sys
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


BURSTS = """
import resource
from voiceproxy.garbage import keep_room
if {kept}:
    keep_room()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    frames = [bytes(4800) for _ in range(300)]
    del frames
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(*, kept: bool) -> int:
    script = BURSTS.format(kept=kept)
    return int(subprocess.check_output([sys.executable, "-c", script], text=True, timeout=60))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc learns it this way")
def test_a_burst_of_frames_finds_the_memory_of_the_one_before():
    assert _page_faults(kept=True) < _page_faults(kept=False) / 5
