"""One direction of one session: frames travel through the plugins to where they are delivered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from voiceproxy.chains import Chain, Direction, Link
from voiceproxy.errors import PluginFault
from voiceproxy.frames import Binary, Frame, Text

if TYPE_CHECKING:
    from voiceproxy.chores import Timer
    from voiceproxy.session import SessionCore

OnTimeout = Literal["drop", "pass", "close"]


class Hold:
    """A frame one plugin keeps, and what waits behind it."""

    def __init__(self, lane: Lane, place: int, frame: Frame) -> None:
        self._lane = lane
        self._place = place
        self.frame: Frame | None = frame
        self.waiting: deque[Frame] = deque()
        self.timer: Timer | None = None

    def release(self, frame: Frame | None) -> None:
        """Let this frame go on instead of the held one, None to drop it; once, then no effect.

        Does nothing when the hold has timed out or the session has ended.
        """
        self._lane.release(self, frame)

    def discard_audio(self) -> int:
        """Drop the audio that waits; returns how many bytes that was."""
        kept: deque[Frame] = deque(frame for frame in self.waiting if not isinstance(frame, Binary))
        dropped = sum(len(frame.data) for frame in self.waiting if isinstance(frame, Binary))
        self.waiting = kept
        if isinstance(self.frame, Binary):
            dropped += len(self.frame.data)
            self.frame = None
        return dropped


class Lane:
    """Runs a frame through the plugins behind a place, then hands it to ``deliver``."""

    __slots__ = ("_core", "_deliver", "_direction", "_holds", "current", "observed")

    def __init__(
        self, core: SessionCore, direction: Direction, deliver: Callable[[Frame], None]
    ) -> None:
        self._core = core
        self._direction = direction
        self._deliver = deliver
        self._holds: dict[int, Hold] = {}
        self.current: tuple[Frame, int] | None = None
        """The frame a hook is looking at, and that plugin's place."""
        self.observed: Frame | None = None

    def send(self, frame: Frame) -> None:
        """Start before the first plugin."""
        self._travel(frame, self._chain(frame), 0)

    def send_after(self, place: int, frame: Frame) -> None:
        """Start behind the plugin at that place."""
        chain = self._chain(frame)
        self._travel(frame, chain, chain.after[place])

    def send_around_holds(self, frame: Frame) -> None:
        """Show a host-made error to every plugin, whatever waits."""
        holds, self._holds = self._holds, {}
        try:
            self.send(frame)
        finally:
            self._holds = {**holds, **self._holds}

    def is_clear_for(self, frame: Frame) -> bool:
        """True when no plugin looks at such a frame and nothing is held."""
        return not self._chain(frame).links and not self._holds

    @property
    def held_bytes(self) -> int:
        """Bytes of the frames that are held or wait behind a held one."""
        return sum(
            sum(len(one.data) for one in hold.waiting) + (len(hold.frame.data) if hold.frame else 0)
            for hold in self._holds.values()
        )

    def _chain(self, frame: Frame) -> Chain:
        return self._direction.text if isinstance(frame, Text) else self._direction.binary

    def _travel(self, frame: Frame, chain: Chain, start: int) -> None:
        if chain.links:
            try:
                for link in chain.links[start:]:
                    if self._holds and self._waits(frame, link.place):
                        return
                    if self._show(frame, link) is not None:
                        return
            finally:
                self.observed = self.current = None
        self._deliver(frame)

    def _show(self, frame: Frame, link: Link) -> Any:
        seen = self.observed if link.observer and self.observed is not None else frame
        message = None
        if link.wants_message:
            message = _own_copy(seen)
            if message is None:
                return None
        self.current = (frame, link.place)
        try:
            return link.call(self._core.handle(link.place), seen, message)
        except Exception as error:
            raise PluginFault(link.plugin, self._direction.hook) from error

    # Holding. A frame waits *before* the plugin that holds an earlier one, so that plugin sees
    # every frame once and in order.

    def hold(self, place: int, frame: Frame, timeout: float, on_timeout: OnTimeout) -> Hold:
        """Keep the current frame at that place."""
        hold = Hold(self, place, frame)
        self._holds[place] = hold
        owner = self._core.name_of(place)
        hold.timer = self._core.later(timeout, lambda: self._expire(hold, on_timeout), owner)
        return hold

    def _waits(self, frame: Frame, place: int) -> bool:
        hold = self._holds.get(place)
        if hold is None:
            return False
        if isinstance(frame, Text) and frame.type == "UserStartedSpeaking":
            self._core.log.debug("barge-in dropped %d held bytes", hold.discard_audio())
            return False
        hold.waiting.append(frame)
        return True

    def release(self, hold: Hold, frame: Frame | None) -> None:
        """Run on with the released frame, then with what waited for it."""
        self._core.check_thread()
        if self._holds.get(hold._place) is hold:
            self._core.submit(self._go_on, hold, frame)

    def _expire(self, hold: Hold, on_timeout: OnTimeout) -> None:
        if self._holds.get(hold._place) is not hold:
            return
        if on_timeout == "close":
            name = self._core.name_of(hold._place)
            self._core.fail("plugin_timeout", f"The plugin {name!r} took too long.", 1000, name)
        else:
            self._go_on(hold, hold.frame if on_timeout == "pass" else None)

    def _go_on(self, hold: Hold, frame: Frame | None) -> None:
        if self._holds.get(hold._place) is not hold:
            return
        del self._holds[hold._place]
        if hold.timer is not None:
            hold.timer.cancel()
        # A held frame that barge-in discarded stays discarded, whatever was decided about it.
        if frame is not None and hold.frame is not None:
            self.send_after(hold._place, frame)
        while hold.waiting:
            self._resume(hold._place, hold.waiting)

    def _resume(self, place: int, waiting: deque[Frame]) -> None:
        again = self._holds.get(place)
        if again is not None:
            again.waiting.extend(waiting)
            waiting.clear()
            return
        frame = waiting.popleft()
        chain = self._chain(frame)
        start = chain.after[place - 1] if place else 0
        self._travel(frame, chain, start)

    def drop_holds(self) -> None:
        """The session ends: what is held will not be sent."""
        self._holds.clear()


def _own_copy(frame: Frame) -> dict[str, Any] | None:
    """The frame's JSON object, parsed for one plugin alone; None when it holds none."""
    if not isinstance(frame, Text):
        return None
    try:
        message = frame.message()
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
