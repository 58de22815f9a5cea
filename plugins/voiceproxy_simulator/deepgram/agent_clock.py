"""The session's own time-outs: a client that is silent, and two hours that are over.

Source: facts in the field for the silence (10 to 15 s); Deepgram's page "Voice Agent Errors and
Warnings" for the length. KeepAlive ends a silence and does not lengthen a session.
"""

from __future__ import annotations

from collections.abc import Callable

from voiceproxy_simulator.deepgram.agent_errors import Fault, client_silent, session_too_long
from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario

_WARNED = 115 / 120
"""The share of a session after which its end is announced."""


class AgentClock:
    """Ends the session by ``fail``. ``patience`` scales the scenario's times."""

    def __init__(
        self,
        emitter: AgentEmitter,
        scenario: DeepgramScenario,
        fail: Callable[[Fault], None],
        patience: float,
    ) -> None:
        self._line = emitter.line
        self._emitter = emitter
        self._fail = fail
        self._silence = scenario.silent_seconds * patience
        self._session = scenario.session_seconds * patience
        self._heard = 0.0

    def start(self) -> None:
        """The connection is there."""
        self.hear()
        self._line.later(self._silence, self._check_silence)
        self._line.later(self._session * _WARNED, self._warn)
        self._line.later(self._session, self._end)

    def hear(self) -> None:
        """The client sent something."""
        self._heard = self._line.now()

    def _check_silence(self) -> None:
        left = self._heard + self._silence - self._line.now()
        if left > 0:
            self._line.later(left, self._check_silence)
        else:
            self._fail(client_silent())

    def _warn(self) -> None:
        self._emitter.warn(
            "MAXIMUM_SESSION_LENGTH_APPROACHING",
            "The session will reach its maximum length soon.",
        )

    def _end(self) -> None:
        self._fail(session_too_long())
