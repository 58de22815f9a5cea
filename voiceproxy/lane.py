"""One direction of one session: frames travel through the plugins to where they are delivered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voiceproxy.chains import Chain, Direction, Link
from voiceproxy.errors import PluginFault
from voiceproxy.frames import NORMAL, Frame, Text, message_in
from voiceproxy.hold import Hold, Line, OnTimeout
from voiceproxy.inputs import FROM_CLIENT, MAX_GENERATED

if TYPE_CHECKING:
    from voiceproxy.inputs import Source
    from voiceproxy.session import SessionCore
    from voiceproxy.turn import Turn

__all__ = ["Hold", "Lane", "OnTimeout"]


class Lane:
    """Runs a frame through the plugins, in order of their places, then hands it to ``deliver``.

    What a hook sends in the direction of the frame it looks at takes that frame's place in the
    order; so a plugin that replaces some frames of many moves none of them.
    """

    __slots__ = (
        "_binary",
        "_core",
        "_hook",
        "_inputs",
        "_kept",
        "_lines",
        "_listener",
        "_may_wait",
        "_place",
        "_seen",
        "_sent",
        "_source",
        "_text",
        "_unseen",
        "barge_in",
        "came",
        "deliver",
        "encode",
        "frame",
        "held_bytes",
        "held_frames",
        "observed",
        "passed_at",
    )

    def __init__(
        self,
        core: SessionCore,
        direction: Direction,
        source: Source,
        deliver: Callable[[Frame], None],
    ) -> None:
        self._core = core
        self._inputs = core.inputs
        self._hook = direction.hook
        self._text = direction.text
        self._binary = direction.binary
        self._source = source
        record = core.ending.record
        self.came = record.from_client if source is FROM_CLIENT else record.from_upstream
        """What the peer this direction comes from has sent."""
        self.deliver = deliver
        """Where a frame goes that every plugin let pass."""
        self._unseen = False
        self._listener: Turn | None = None
        self.encode: Callable[[bytes], bytes] | None = None
        self.passed_at = 0.0
        """When audio last went past the session (``passed``)."""
        self.barge_in: str | None = None
        """The message that does not wait behind a hold but discards the audio that does."""
        self._lines: dict[int, Line] = {}
        self._may_wait = True
        self.held_bytes = 0
        """Bytes of the frames that are held or wait behind a held one."""
        self.held_frames = 0
        """How many frames wait behind a held one."""
        self.frame: Frame | None = None
        """The frame a hook is looking at; None outside a hook of this direction."""
        self.observed: Frame | None = None
        """What observers see instead of it, or of the frame that replaces it."""
        self._seen: Frame | None = None
        self._place = 0
        self._kept: Frame | None = None
        self._sent: list[tuple[int, Frame]] = []

    # Travelling. ``first`` is the place of the first plugin that sees the frame.

    def send(self, frame: Frame, first: int = 0, observed: Frame | None = None) -> None:
        """Show the frame to the plugins from a place on; deliver it unless one of them keeps it."""
        chain = self._text if isinstance(frame, Text) else self._binary
        if (chain.links or self._lines) and not self._passes(frame, chain, first, observed):
            return
        self.deliver(frame)

    def pass_audio(self, listener: Turn | None) -> None:
        """From now on nobody but plugins looks at it, and ``listener`` while it ``listens``."""
        self._unseen = not self._binary.links
        self._listener = listener

    def show_audio(self) -> None:
        """From now on the translator looks at it again."""
        self._unseen = False

    def encode_audio(self, encode: Callable[[bytes], bytes] | None) -> None:
        """What goes past the session goes as the text this makes of it; None: as it is."""
        self.encode = encode

    def passes_audio(self) -> bool:
        """True when a binary frame from the peer goes on as it is, at once, and nobody is told.

        No translator and no plugin looks at it, nothing is held, and the session is open and at
        rest: no input is being handled or waits. Whoever writes it past the session counts it.
        """
        listener = self._listener
        return (
            self._unseen
            and not self._lines
            and not self._core.closing
            and not self._inputs.running
            and (listener is None or not listener.listens)
        )

    def passed(self, size: int) -> None:
        """Count a binary frame of that many bytes that went past the session, and note when."""
        self.came.count(size)
        self.passed_at = self._core.runtime.now()

    def is_clear_for(self, frame: Frame) -> bool:
        """True inside an input when such a frame has no plugin to see and nothing to overtake."""
        chain = self._text if isinstance(frame, Text) else self._binary
        return not chain.links and not self._lines and self._inputs.is_clear()

    def _passes(self, frame: Frame, chain: Chain, first: int, observed: Frame | None) -> bool:
        self.observed = observed
        try:
            for link in chain.links[chain.start[first] :]:
                if self._lines and self._waits(frame, first, link.place):
                    return False
                if self._show(frame, link):
                    return False
                first = link.place + 1
            return not (self._lines and self._waits(frame, first, len(chain.start)))
        finally:
            self.frame = self._seen = self.observed = None

    def _show(self, frame: Frame, link: Link) -> bool:
        """Call one implementation; True when the frame stops there."""
        seen = self.observed if link.observer and self.observed is not None else frame
        message = None
        if link.wants_message:
            message = message_in(seen)
            if message is None:
                return False
        self.frame, self._seen, self._place = frame, seen, link.place
        try:
            stops = link.call(self._core.handle(link.place), seen, message) is not None
        except (PluginFault, KeyboardInterrupt):
            raise
        except BaseException as error:  # a hook runs within no task of its own: never cancelled
            raise PluginFault(link.plugin, self._hook) from error
        if self._kept is frame:  # whatever the hook returned, it has said what is to happen
            self._kept = None
            stops = self._may_wait
        if self._sent:
            self._queue_sent(frame, replaced=stops)
        return stops

    # What plugins send.

    def send_from(self, place: int, frame: Frame) -> None:
        """Start behind the plugin at that place. Raises PluginFault when it is one too many."""
        core = self._core
        if not self._inputs.count_generated():  # plugins that answer each other for ever
            where = f"a send (over {MAX_GENERATED:,} from one input)"
            raise PluginFault(core.name_of(place), where)
        if self.frame is None:
            core.submit_generated(self.send, frame, place + 1)
        else:
            self._sent.append((place, frame))

    def _queue_sent(self, frame: Frame, *, replaced: bool) -> None:
        for place, sent in self._sent:
            observed = None
            if replaced:
                sent = _in_place_of(frame, sent)
                observed = self.observed if type(sent) is type(frame) else None
            self._inputs.submit_replacement(self.send, sent, place + 1, observed)
        self._sent.clear()

    # Holding. A frame waits *before* the plugin that holds an earlier one, so that plugin sees
    # every frame once and in order.

    def hold(self, place: int, frame: Frame, timeout: float, on_timeout: OnTimeout) -> Hold:
        """Keep the frame the hook at that place was called with."""
        if on_timeout not in ("drop", "pass", "close"):
            raise ValueError(f"on_timeout is 'drop', 'pass' or 'close', not {on_timeout!r}")
        looked_at = self.frame is not None and self._seen is frame and self._place == place
        if self.frame is None or not looked_at or self._kept is not None:
            raise RuntimeError("hold takes the frame the hook was called with, once")
        self._kept = self.frame
        hold = Hold(self, place, self.frame, frame, self.observed)
        if self._may_wait:
            self._lines.setdefault(place, Line()).holds.append(hold)
            self.held_bytes += len(self.frame.data)
            hold.timer = self._core.chores.later(timeout, lambda: self._expire(hold, on_timeout))
        return hold

    def _waits(self, frame: Frame, first: int, last: int) -> bool:
        """True when the frame has to wait at one of these places; it has joined the line then."""
        for place in sorted(place for place in self._lines if first <= place <= last):
            if self.barge_in is not None and _is(frame, self.barge_in):
                self._drop_audio(self._lines[place])
                self._core.submit(self._resume, place)
            else:
                self._lines[place].waiting.append((frame, self.observed))
                self.held_frames += 1
                self.held_bytes += len(frame.data)
                return True
        return False

    def release(self, hold: Hold, frame: Frame | None) -> None:
        """The plugin has decided."""
        self._inputs.check_thread()
        if self._is_held(hold):
            self._core.submit(self._go_on, hold, frame)

    def _is_held(self, hold: Hold) -> bool:
        line = self._lines.get(hold.place)
        return line is not None and hold in line.holds

    def _expire(self, hold: Hold, on_timeout: OnTimeout) -> None:
        if on_timeout == "close":
            name = self._core.name_of(hold.place)
            text = f"The plugin {name!r} took too long."
            self._core.ending.fail("plugin_timeout", text, NORMAL, name)
        else:
            self._go_on(hold, hold.seen if on_timeout == "pass" else None)

    def _go_on(self, hold: Hold, frame: Frame | None) -> None:
        """The released frame goes on, then what waited for it, before anything queued since."""
        if not self._is_held(hold):
            return
        self._settle(hold)
        if frame is hold.seen:
            frame = hold.frame  # an observer let go of what it was shown
        if frame is not None:
            replacing = _in_place_of(hold.frame, frame)
            self._inputs.submit_next(
                self._source, self.send, replacing, hold.place + 1, hold.observed
            )
        self._resume(hold.place)

    def _settle(self, hold: Hold) -> None:
        self._lines[hold.place].holds.remove(hold)
        self.held_bytes -= len(hold.frame.data)
        hold.timer.cancel()

    def _resume(self, place: int) -> None:
        line = self._lines.get(place)
        if line is None or line.holds:
            return
        del self._lines[place]
        self.held_frames -= len(line.waiting)
        for frame, observed in line.waiting:
            self.held_bytes -= len(frame.data)
            self._inputs.submit_next(self._source, self.send, frame, place, observed)

    def discard_audio(self) -> int:
        """Drop the audio that is held or waits; returns how many bytes that was."""
        before = self.held_bytes
        places = tuple(self._lines)
        for place in places:
            self._drop_audio(self._lines[place])
        dropped = before - self.held_bytes
        for place in places:
            self._core.submit(self._resume, place)
        return dropped

    def _drop_audio(self, line: Line) -> None:
        for hold in line.held_audio():
            self._settle(hold)  # a decision about it has no effect any more
        frames = len(line.waiting)
        self.held_bytes -= line.drop_waiting_audio()
        self.held_frames -= frames - len(line.waiting)

    def stop_holding(self) -> None:
        """Drop what is held; from now on nothing waits. For an Error the close comes behind."""
        self._may_wait = False
        self._lines.clear()
        self.held_bytes = self.held_frames = 0

    def let_go(self) -> None:
        """The session is over. A plugin may still keep a Hold, and with it this lane."""
        self.stop_holding()
        self._sent.clear()
        self._seen = self._kept = self.observed = self._listener = self.encode = None
        self._unseen = False
        del self._core, self.deliver


def _is(frame: Frame, kind: str) -> bool:
    return isinstance(frame, Text) and frame.type == kind


def _in_place_of(frame: Frame, sent: Frame) -> Frame:
    """What replaces a frame for one dialect only, is for that dialect too, if of the same type."""
    if isinstance(frame, Text) and isinstance(sent, Text) and frame.only and sent.only is None:
        return sent.for_dialect(frame.only) if sent.type == frame.type else sent
    return sent
