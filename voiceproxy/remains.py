"""What is left of a session for the handles that outlive it: who it was, and nothing to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from voiceproxy.handle import outlive
from voiceproxy.state import State

if TYPE_CHECKING:
    from voiceproxy.backend import Upstream
    from voiceproxy.frames import Frame
    from voiceproxy.gate import Gate
    from voiceproxy.handle import Session, TranslatorSession
    from voiceproxy.inputs import Step
    from voiceproxy.session import SessionCore


class NoLane:
    """A direction in which nothing travels any more."""

    __slots__ = ()

    passed_at = 0.0

    def send_from(self, place: int, frame: Frame) -> None:
        """Send nothing."""

    def pass_audio(self, listener: object) -> None:
        """Pass nothing."""

    def show_audio(self) -> None:
        """Show nothing."""

    def encode_audio(self, encode: object) -> None:
        """Encode nothing."""


class Remains:
    """Takes the session's place in its handles once it is over.

    What a plugin or a translator still does with a handle has no effect, and the handle keeps
    nothing of the session's queues, translator and sockets in memory.
    """

    __slots__ = (
        "_owners",
        "chores",
        "dialled",
        "ending",
        "inputs",
        "introduction",
        "log",
        "runtime",
        "state",
    )

    closing = True
    lane = turn = None
    gate: Gate | None = None
    to_client = to_upstream = NoLane()

    def __init__(self, core: SessionCore) -> None:
        self.introduction = core.introduction
        self.runtime = core.runtime
        self.state = State()
        self.log = core.log
        self.inputs = core.inputs
        self.chores = core.chores
        self.dialled = core.dialled
        self.ending = core.ending
        self._owners = core.chains.places

    def name_of(self, place: int) -> str:
        """See ``SessionCore.name_of``."""
        return self._owners[place] if place < len(self._owners) else self.introduction.endpoint

    def submit(self, step: Step, *arguments: object) -> None:
        """Do nothing."""

    def translated(self, frame: Frame, only: str | None) -> None:
        """Send nothing."""

    def put_upstream(self, frame: Frame) -> None:
        """Send nothing."""

    def discard_audio(self) -> int:
        """No audio is left."""
        return 0

    def redial(self, upstream: Upstream | None) -> None:
        """Dial nothing."""


def leave_to(handles: Iterable[Session | TranslatorSession | None], core: SessionCore) -> None:
    """Put what remains of the session in its place."""
    remains = Remains(core)
    for handle in handles:
        if handle is not None:
            outlive(handle, remains)
