"""Scenarios in which the API confirms late, not at all, or says no."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voiceproxy_simulator import refusals
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.script import Call, Part
from voiceproxy_simulator.wire import Event, Frame


class RefuseSettings(Scenario):
    """Every session.update is refused with invalid_value."""

    def incoming(self, event: Event) -> Event:
        """The old settings stay in force."""
        if event["type"] == "session.update":
            message = "These settings are refused by the scenario."
            raise refusals.invalid_value("session", message)
        return event


class LateAcks(Scenario):
    """session.updated and conversation.item.added come half a second late."""

    item_delay = 0.5
    settings_delay = 0.5


class MissingAcks(Scenario):
    """conversation.item.added and .done never come for items of the client."""

    item_delay = None


class Silent(Scenario):
    """session.update is never answered."""

    settings_delay = None


class LateDone(Scenario):
    """The response.done of a response with function calls never comes until it is cancelled."""

    def hesitation(self, parts: Sequence[Part]) -> float | None:
        """All else of the response has come by then."""
        return None if any(isinstance(part, Call) for part in parts) else 0.0


class LateTranscripts(Scenario):
    """What the user said is transcribed only when the reply to it is done."""

    _TRANSCRIPTION = "conversation.item.input_audio_transcription."

    _responses = 0
    _held: tuple[Event, ...] = ()

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """Hold transcripts while a response is active."""
        kind = event["type"]
        self._responses += (kind == "response.created") - (kind == "response.done")
        if self._responses:
            if not kind.startswith(self._TRANSCRIPTION):
                return (event,)
            self._held = (*self._held, event)
            return ()
        held, self._held = self._held, ()
        return (event, *held)
