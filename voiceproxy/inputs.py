"""Run to completion: one input at a time, and everything it generates before the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from threading import get_ident
from typing import Any

MAX_GENERATED = 1000
"""How many inputs plugins may generate from one frame, timer or call from outside."""

Step = Callable[..., None]


class Source(Enum):
    """Where an input came from: it decides whose reading can stop while it has no room."""

    CLIENT = "client"
    UPSTREAM = "upstream"
    PROXY = "proxy"


FROM_CLIENT, FROM_UPSTREAM = Source.CLIENT, Source.UPSTREAM
"""The members under names of their own: found through the class they take ten times as long."""


class Origin:
    """What an input goes back to: a frame from a peer or from the translator, a timer, a call."""

    __slots__ = ("generated", "source")

    def __init__(self, source: Source, generated: int = 0) -> None:
        self.source = source
        self.generated = generated
        """How many inputs plugins have made of it so far."""


Input = tuple[Origin, bool, Step, tuple[Any, ...]]


class Inputs:
    """A queue of inputs and the one that is being handled.

    What an input generates waits in order behind everything queued before it. Two things keep a
    place nearer the front: what a plugin sends instead of a frame takes that frame's place, and
    what had been held back goes on before what has come since (``submit_next``).
    """

    __slots__ = ("_answer", "_early", "_next", "_waiting", "derived", "origin", "running", "thread")

    def __init__(self, answer: Callable[[BaseException], None]) -> None:
        self._answer = answer
        """Answers for what a step has raised."""
        self._early: list[tuple[Source, Step, tuple[Any, ...]]] | None = []
        self._next: list[Input] = []
        self._waiting: deque[Input] | None = None
        """Made when something has to wait: an empty one takes 700 bytes."""
        self.thread = get_ident()
        """The one thread inputs may come from."""
        self.running = False
        self.origin = Origin(Source.PROXY)
        self.derived = False
        """True while the input being handled goes back to something a plugin sent."""

    def check_thread(self) -> None:
        """Raise RuntimeError when called from another thread than the session's own."""
        if get_ident() != self.thread:
            raise RuntimeError(
                "a session may be used from its own thread only; from another thread call "
                "loop.call_soon_threadsafe(session.to_client, frame)"
            )

    def open(self) -> list[tuple[Source, Step, tuple[Any, ...]]]:
        """From now on inputs are handled; returns those that came too early to be."""
        early, self._early = self._early or [], None
        return early

    def handle(self, origin: Origin, step: Step, arguments: tuple[Any, ...]) -> bool:
        """Handle an input from outside; False when it has to wait.

        ``origin`` may be one the caller keeps for every input from there; its count starts anew.
        """
        if self._early is not None:
            self._early.append((origin.source, step, arguments))
            return False
        if self.running:
            self._wait((Origin(origin.source), False, step, arguments))
            return False
        self.running = True
        origin.generated = 0
        self.origin, self.derived = origin, False
        try:
            try:
                step(*arguments)
            except BaseException as error:  # noqa: BLE001 - whoever answers for it logs it
                self._answer(error)
            if self._next or self._waiting:
                self._drain()
        finally:
            self.running = False
        return True

    def _drain(self) -> None:
        while True:
            waiting = self._waiting
            if self._next:
                self._waiting = waiting = waiting or deque()
                waiting.extendleft(reversed(self._next))
                self._next.clear()
            if not waiting:
                self._waiting = None
                return
            self.origin, self.derived, step, arguments = waiting.popleft()
            try:
                step(*arguments)
            except BaseException as error:  # noqa: BLE001 - the same
                self._answer(error)

    def is_clear(self) -> bool:
        """True inside an input when nothing waits: order allows a short cut."""
        return not self._waiting and not self._next

    def _wait(self, one: Input) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(one)

    # From inside an input.

    def submit(self, step: Step, *arguments: Any) -> None:
        """Behind what is queued."""
        self._wait((self.origin, self.derived, step, arguments))

    def submit_generated(self, step: Step, *arguments: Any) -> None:
        """Behind what is queued, as a plugin's doing."""
        self._wait((self.origin, True, step, arguments))

    def submit_made(self, step: Step, *arguments: Any) -> None:
        """Behind what is queued, as something the translator has made.

        Counts for itself, since a plugin may do something about every frame a translator makes of
        one of its upstream's; unless a plugin caused it, or two could play for ever.
        """
        origin = self.origin if self.derived else Origin(self.origin.source)
        self._wait((origin, self.derived, step, arguments))

    def submit_replacement(self, step: Step, *arguments: Any) -> None:
        """Before what is queued, after what was submitted so before: a plugin's replacement."""
        self._next.append((self.origin, True, step, arguments))

    def submit_next(self, source: Source, step: Step, *arguments: Any) -> None:
        """Before what is queued, after what was submitted so before: what had to wait.

        ``source`` is whose reading its waiting has slowed.
        """
        origin = Origin(source, self.origin.generated)
        self._next.append((origin, self.derived, step, arguments))

    def count_generated(self) -> bool:
        """Count something a plugin sends; False when that is one too many."""
        if self.running:
            self.origin.generated += 1
        return self.origin.generated <= MAX_GENERATED

    def clear(self) -> None:
        """Drop everything that waits."""
        self._next.clear()
        self._waiting = None

    def let_go(self) -> None:
        """The session is over: refer to nothing of it any more."""
        self.clear()
        self._early = []
        self._answer = _ignore


def _ignore(error: BaseException) -> None:
    """Nothing is left that could be told."""
