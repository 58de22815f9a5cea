"""Scenarios in which the connection ends before its time."""

from __future__ import annotations

from collections.abc import Sequence

from voiceproxy_simulator import refusals
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.scenario import Cut, Scenario
from voiceproxy_simulator.script import Part


class Unauthorized(Scenario):
    """No key is good: invalid_api_key is the first frame, then close 3000."""

    def rejection(self) -> Refusal:
        """The upgrade has succeeded all the same."""
        return refusals.invalid_key()


class Expired(Scenario):
    """The session expires right after the first reply: session_expired and close 1001."""

    _GRACE = 0.1

    def responded(self) -> None:
        """Leave the reply's last events a moment of their own."""
        self.session.line.later(self._GRACE, lambda: self.session.refuse(refusals.expired()))


class _Close(Scenario):
    code: int
    reason: str

    def cut(self, _parts: Sequence[Part]) -> Cut:
        return Cut(3, lambda _response: self.session.line.close(self.code, self.reason))


class Close1011(_Close):
    """The server closes with 1011 after three pieces of a response."""

    code, reason = 1011, "The server had an error."


class Close4001(_Close):
    """The server closes with 4001, a code of its own, after three pieces of a response."""

    code, reason = 4001, "The session is over."


class Reset(Scenario):
    """The connection is lost without a close after three pieces of a response."""

    def cut(self, _parts: Sequence[Part]) -> Cut:
        """As when a machine between here and there restarts."""
        return Cut(3, lambda _response: self.session.line.reset())
