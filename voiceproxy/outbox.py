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

    __slots__ = ("_frames", "bytes", "close", "limit", "total", "unpaced")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.unpaced = 0
        """Bytes put by a source whose reading cannot stop, since the queue was last empty; not the
        frame that found it so: however big, it says nothing about how the peer reads."""
        self.close: Close | None = None
        self.total = Traffic()
        """What has been taken out to be written."""
        self._frames: deque[Frame] = deque()

    @property
    def full(self) -> bool:
        """True when whoever can stop filling it must stop."""
        return self.bytes >= self.limit or len(self._frames) >= MAX_FRAMES

    @property
    def overflowing(self) -> bool:
        """True when sources that cannot be stopped have filled it by themselves."""
        return self.unpaced > self.limit

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame, *, paced: bool = True) -> None:
        """Queue a frame; nothing goes behind a close frame."""
        if self.close is not None:
            return
        size = len(frame.data)
        self.bytes += size
        if not paced and self._frames:
            self.unpaced += size
        self._frames.append(frame)

    def put_close(self, close: Close) -> None:
        """Queue the close frame, made legal, behind everything. The first one counts."""
        if self.close is None:
            self.close = close.legal()

    def take(self) -> Frame | None:
        """The next frame to write, or None when only the close frame, if any, is left."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        size = len(frame.data)
        self.bytes -= size
        self.total.count(size)
        if not self._frames:
            self.unpaced = 0
        return frame

    def clear(self) -> None:
        """Drop every queued frame; a queued close frame stays."""
        self._frames.clear()
        self.bytes = self.unpaced = 0

    def discard_audio(self) -> int:
        """Drop every queued binary frame and return how many bytes that was."""
        kept: deque[Frame] = deque(frame for frame in self._frames if not isinstance(frame, Binary))
        size = sum(len(frame.data) for frame in kept)
        dropped = self.bytes - size
        self._frames, self.bytes = kept, size
        self.unpaced = min(self.unpaced, size)
        return dropped
