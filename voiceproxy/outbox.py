"""What waits to be written to one WebSocket, counted in bytes."""

from __future__ import annotations

from collections import deque

from voiceproxy.closing import Traffic
from voiceproxy.frames import Binary, Close, Frame

MAX_FRAMES = 32_768
"""How many frames may wait, however small: each takes a hundred bytes beside its payload."""


class Outbox:
    """A bounded queue of frames with an optional close frame behind them.

    It exists before its socket does, so frames that come early need no other place. It never
    refuses a frame: the bound is kept by whoever fills it, who stops reading while it is
    ``full``. What is put by something that cannot be stopped is counted apart in ``unpaced``.
    """

    __slots__ = ("_behind", "bytes", "close", "first", "limit", "total", "unpaced")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.first: Frame | None = None
        """The next frame to write; None when none waits."""
        self._behind: deque[Frame] | None = None
        """What waits behind it: mostly nothing, and an empty deque takes 700 bytes."""
        self.bytes = 0
        self.unpaced = 0
        """Bytes put by a source whose reading cannot stop, since the queue was last empty; not the
        frame that found it so: however big, it says nothing about how the peer reads."""
        self.close: Close | None = None
        self.total = Traffic()
        """What has been taken out to be written, or was written past the queue."""

    @property
    def full(self) -> bool:
        """True when whoever can stop filling it must stop."""
        return not self.has_room(0, 0)

    def has_room(self, waiting: int, frames: int) -> bool:
        """The same the other way round, counting bytes and frames that wait to come here, too."""
        if self.first is not None:
            waiting += self.bytes
            frames += len(self)
        return waiting < self.limit and frames < MAX_FRAMES

    @property
    def overflowing(self) -> bool:
        """True when sources that cannot be stopped have filled it by themselves."""
        return self.unpaced > self.limit

    def __len__(self) -> int:
        behind = 0 if self._behind is None else len(self._behind)
        return behind if self.first is None else behind + 1

    def put(self, frame: Frame, *, paced: bool = True) -> None:
        """Queue a frame; nothing goes behind a close frame."""
        if self.close is not None:
            return
        size = len(frame.data)
        self.bytes += size
        if self.first is None:
            self.first = frame
            return
        if not paced:
            self.unpaced += size
        if self._behind is None:
            self._behind = deque()
        self._behind.append(frame)

    def put_close(self, close: Close) -> None:
        """Queue the close frame, made legal, behind everything. The first one counts."""
        if self.close is None:
            self.close = close.legal()

    def take(self) -> Frame | None:
        """The next frame to write, or None when only the close frame, if any, is left."""
        frame = self.first
        if frame is None:
            return None
        behind = self._behind
        if behind is None:
            self.first = None
            self.unpaced = 0
        else:
            self.first = behind.popleft()
            self._behind = behind or None
        size = len(frame.data)
        self.bytes -= size
        total = self.total
        total.frames += 1
        total.bytes += size
        return frame

    def clear(self) -> None:
        """Drop every queued frame; a queued close frame stays."""
        self.first = self._behind = None
        self.bytes = self.unpaced = 0

    def discard_audio(self) -> int:
        """Drop every queued binary frame and return how many bytes that was."""
        if self.first is None:
            return 0
        queued = self.first, *(self._behind or ())
        kept = deque(frame for frame in queued if not isinstance(frame, Binary))
        size = sum(len(frame.data) for frame in kept)
        dropped = self.bytes - size
        self.first, self._behind = kept.popleft() if kept else None, kept or None
        self.bytes, self.unpaced = size, min(self.unpaced, size)
        return dropped
