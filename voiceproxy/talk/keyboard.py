"""Lines typed on a terminal, read without holding up the conversation."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def read_lines(descriptor: int, take: Callable[[str], None], end: Callable[[], None]) -> None:
    """Read lines until the input ends; blank ones are passed over.

    Reads the descriptor itself: a thread that waits in ``sys.stdin`` would hold its lock while the
    interpreter shuts down, which aborts the process.
    """
    pending = b""
    while data := os.read(descriptor, 65_536):
        *lines, pending = (pending + data).split(b"\n")
        for line in [text for raw in lines if (text := _decode(raw))]:
            take(line)
    if last := _decode(pending):
        take(last)
    end()


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip()


def start_reading(descriptor: int, take: Callable[[str], None], end: Callable[[], None]) -> None:
    """Read lines in a thread of its own, which ends with the input or with the process."""
    threading.Thread(
        target=read_lines, args=(descriptor, take, end), name="keyboard", daemon=True
    ).start()
