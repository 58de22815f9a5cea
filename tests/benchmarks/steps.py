"""Bytecode instructions our own code takes for a frame: the same number on every machine."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import voiceproxy

ROOT = str(Path(voiceproxy.__file__).parent.parent)


class Count:
    """Instructions taken so far."""

    def __init__(self) -> None:
        self.taken = 0

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """What ``sys.settrace`` calls."""
        if event == "opcode":
            self.taken += 1
        elif not _is_ours(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.trace


@contextmanager
def _counting() -> Iterator[Count]:
    count = Count()
    before = sys.gettrace()
    sys.settrace(count.trace)
    try:
        yield count
    finally:
        sys.settrace(before)


def steps(action: Callable[[], object]) -> int:
    """Instructions of voiceproxy and its plugins in the course of a call."""
    with _counting() as count:
        action()
    return count.taken


async def steps_meanwhile(action: Callable[[], Awaitable[object]]) -> int:
    """The same until the action is done, in whatever task of this event loop."""
    with _counting() as count:
        await action()
    return count.taken


def _is_ours(file: str) -> bool:
    return file.startswith((f"{ROOT}/voiceproxy/", f"{ROOT}/plugins/"))
