"""The answers that confirm a client's event: a moment late, as over any real distance.

Without the delay a client that does not wait for a confirmation could not be told from one that
does. Order is kept all the same: what the client sends next is handled after what it sent before
has been confirmed, unless a scenario holds confirmations back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from voiceproxy_simulator.wire import Line, Timer

PROMPT = 0.005
"""Seconds. Shorter than any network, longer than two frames of one client are apart on loopback."""


@dataclass(slots=True, eq=False)
class _Pending:
    confirm: Callable[[], None]
    prompt: bool
    timer: Timer = field(init=False)


class Acknowledgements:
    """The confirmations of one kind that are still to be sent."""

    def __init__(self, line: Line, delay: float | None) -> None:
        self._line = line
        self._delay = delay
        self._pending: deque[_Pending] = deque()

    def defer(self, confirm: Callable[[], None]) -> None:
        """Confirm after the delay; never, when the scenario's delay is None."""
        if self._delay is None:
            return
        pending = _Pending(confirm, self._delay <= PROMPT)
        self._pending.append(pending)
        pending.timer = self._line.later(self._delay, lambda: self._confirm(pending))

    @property
    def outstanding(self) -> bool:
        """A client that goes on as if everything were confirmed is mistaken."""
        return bool(self._pending)

    def flush(self) -> None:
        """Confirm now what would have been confirmed in a moment."""
        while self._pending and self._pending[0].prompt:
            self._confirm(self._pending[0])

    def _confirm(self, pending: _Pending) -> None:
        self._pending.remove(pending)
        pending.timer.cancel()
        pending.confirm()
