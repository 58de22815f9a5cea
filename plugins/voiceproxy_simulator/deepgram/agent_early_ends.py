"""Scenarios in which a Voice Agent session ends before its time."""

from __future__ import annotations

from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, TurnCut

_GRACE = 0.05
"""Seconds between a turn and the end, so that the turn is heard."""


class ErrorMidTurn(DeepgramScenario):
    """Every turn fails after three pieces of audio: Error INTERNAL_SERVER_ERROR, and the end."""

    def cut(self, _text: str) -> TurnCut:
        """In the middle of a word."""
        return TurnCut(3, self._end)

    def _end(self) -> None:
        self.session.fail("INTERNAL_SERVER_ERROR", "The server had an error.")


class FailedToThink(DeepgramScenario):
    """No model answers: Error FAILED_TO_THINK in the place of the first words, and the end."""

    def cut(self, _text: str) -> TurnCut:
        """Before anything is said."""
        return TurnCut(0, self._end)

    def _end(self) -> None:
        self.session.fail("FAILED_TO_THINK", "All think providers failed.")


class GoingAway(DeepgramScenario):
    """After the first turn: Error SERVER_GOING_AWAY, and the end. A new connection is served."""

    def turned(self) -> None:
        """As on a restart."""
        self.session.line.later(_GRACE, self._end)

    def _end(self) -> None:
        self.session.fail("SERVER_GOING_AWAY", "The server is restarting. Please reconnect.")


class Close1011(DeepgramScenario):
    """The socket closes with 1011 after three pieces of a turn, without an Error."""

    def cut(self, _text: str) -> TurnCut:
        """As when a part of the service fails."""
        return TurnCut(3, lambda: self.session.line.close(1011, "The server had an error."))


class Close4001(DeepgramScenario):
    """The socket closes with 4001, a code of its own, after three pieces of a turn."""

    def cut(self, _text: str) -> TurnCut:
        """As a gateway in between may."""
        return TurnCut(3, lambda: self.session.line.close(4001, "Moved."))


class Reset(DeepgramScenario):
    """The connection is lost without a close after three pieces of a turn."""

    def cut(self, _text: str) -> TurnCut:
        """As when a machine dies."""
        return TurnCut(3, self.session.line.reset)
