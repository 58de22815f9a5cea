"""What a process of our own does with memory that is free, or may be."""

from __future__ import annotations

import gc

YOUNG = 10_000
"""How many more objects than were freed are made before the youngest are looked at; Python's own
figure, 700, is what two sessions bring along."""

OLDER = 2
"""How many looks at a generation come before one at the next; Python's own figure is ten. So all
objects are looked at as often as ever, after some 90,000 more."""


def spare_looks() -> None:
    """Call it once, when everything is loaded and before the first session.

    What start-up made is there for good, so it is never looked at again: every look at all objects
    would take some twenty milliseconds of it, in which no session moves. The young are looked at
    less often. Looking there must be: aiohttp's objects of a connection that was cut are a circle.

    Not for a process whose owner is somebody else, such as an embedding application.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)


ROOM = 4 * 1024 * 1024
"""Bytes. The C library keeps twice as much at the top of its heap before it gives any back."""


def keep_room() -> None:
    """Call it once: bursts of frames then find the memory that the ones before them left.

    glibc gives it back above 128 KiB, less than a burst takes, and every page that is asked for
    again costs a fault: a third of what such a frame costs. It learns from the first big block that
    is freed (mallopt(3), M_MMAP_THRESHOLD). Elsewhere this does nothing.
    """
    bytes(ROOM)
