"""The log's way to stderr: whoever reads it slowly, or not at all, keeps no session waiting."""

from __future__ import annotations

import logging
import select
import time
from typing import TextIO

PIECE = 1024
"""Characters written at once: a pipe that has any room takes 4,096 bytes (Linux, pipe(7))."""


class LineFormatter(logging.Formatter):
    """Time, level and message. The time is put into words once a second."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._second = -1
        self._words = ""

    def formatTime(  # noqa: N802 - logging's name
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        """See ``Formatter``."""
        second = int(record.created)
        if second != self._second:
            words = time.strftime(self.default_time_format, time.localtime(second))
            self._second, self._words = second, words
        return f"{self._words},{int(record.msecs):03d}"


class LogStream(logging.StreamHandler[TextIO]):
    """A handler that writes only what there is room for.

    The event loop writes the log itself; a pipe or a socket whose reader has stopped would stop
    it, and with it every session and the signals. How many lines were lost is said once there is
    room again. Files always have room; a full disk raises, as ever.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lost = 0
        self._torn = False
        """The last line was not written to its end."""
        self._room = _poll(stream)

    def emit(self, record: logging.LogRecord) -> None:
        """See ``Handler``."""
        try:
            self._write(self.format(record) + self.terminator)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as ``StreamHandler`` does: no line of a log ends more
            self.handleError(record)

    def _write(self, line: str) -> None:
        if not self._has_room():
            self._lost += 1
            return
        if self._lost:
            end = self.terminator if self._torn else ""
            line = f"{end}{self.format(_loss(self._lost))}{self.terminator}{line}"
            self._lost, self._torn = 0, False
        for start in range(0, len(line), PIECE):
            if start and not self._has_room():
                self._lost, self._torn = self._lost + 1, True
                return
            self.stream.write(line[start : start + PIECE])
            self.flush()

    def _has_room(self) -> bool:
        return self._room is None or bool(self._room.poll(0))


def _loss(lines: int) -> logging.LogRecord:
    text = "%d lines of the log are lost: nobody read them"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (lines,), None)


def _poll(stream: TextIO) -> select.poll | None:
    """What knows whether a stream can be written; None where nothing does."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
    except (AttributeError, OSError, ValueError):  # Windows; closed; not a file
        return None
    return poll
