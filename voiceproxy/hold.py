"""Frames a plugin keeps until it has decided about them, and the frames that wait behind them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

from voiceproxy.frames import Binary, Frame, Sendable, as_frame

if TYPE_CHECKING:
    from voiceproxy.chores import Timer
    from voiceproxy.lane import Lane

OnTimeout = Literal["drop", "pass", "close"]


class Hold:
    """A frame one plugin keeps."""

    __slots__ = ("_lane", "frame", "observed", "place", "seen", "timer")

    def __init__(
        self, lane: Lane, place: int, frame: Frame, seen: Frame, observed: Frame | None
    ) -> None:
        self._lane = lane
        self.place = place
        self.frame = frame
        """The frame itself."""
        self.seen = seen
        """What the plugin was shown: the frame itself, unless ``observe_as`` named another."""
        self.observed = observed
        self.timer: Timer
        """Runs out while it is held."""

    def release(self, frame: Sendable | None) -> None:
        """Let this frame go on instead of the held one, None to drop it; once, then no effect.

        Does nothing when the hold has timed out, barge-in has discarded what it held, or the
        session has ended. Raises RuntimeError from another thread.
        """
        self._lane.release(self, None if frame is None else as_frame(frame))


class Line:
    """What one plugin holds, and what waits before it until it holds nothing any more."""

    __slots__ = ("holds", "waiting")

    def __init__(self) -> None:
        self.holds: list[Hold] = []
        """One; two when a message that does not wait was held as well."""
        self.waiting: deque[tuple[Frame, Frame | None]] = deque()
        """Frames, each with what observers are to see instead."""

    def held_audio(self) -> list[Hold]:
        """The holds whose frame is audio."""
        return [hold for hold in self.holds if isinstance(hold.frame, Binary)]

    def drop_waiting_audio(self) -> int:
        """Drop the audio that waits; returns how many bytes that was."""
        kept = deque(one for one in self.waiting if not isinstance(one[0], Binary))
        dropped = sum(len(one[0].data) for one in self.waiting if isinstance(one[0], Binary))
        self.waiting = kept
        return dropped
