"""Scenarios in which the Voice Agent service confirms late, not at all, or with a refusal."""

from __future__ import annotations

from collections.abc import Iterable

from voiceproxy_simulator.deepgram.agent_errors import invalid_settings
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message
from voiceproxy_simulator.wire import Frame


class LateWelcome(DeepgramScenario):
    """Welcome comes after 0.3 s."""

    welcome_delay = 0.3


class NoWelcome(DeepgramScenario):
    """Welcome never comes; all else is as it should be."""

    welcome_delay = None


class LateSettings(DeepgramScenario):
    """SettingsApplied comes after 0.5 s."""

    settings_delay = 0.5


class NoSettingsApplied(DeepgramScenario):
    """SettingsApplied never comes, and everything else waits for it."""

    settings_delay = None


class InvalidSettings(DeepgramScenario):
    """Every Settings message is refused with INVALID_SETTINGS."""

    def incoming(self, message: Message) -> Message:
        """As for a model that has just been withdrawn."""
        if message["type"] == "Settings":
            fault = invalid_settings("The model is not available.")
            fault.excused = True
            raise fault
        return message


class NoAudioDone(DeepgramScenario):
    """AgentAudioDone never comes."""

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """Everything else comes."""
        return () if message["type"] == "AgentAudioDone" else (message,)


class LateAudioDone(DeepgramScenario):
    """A turn the user interrupts gets its AgentAudioDone all the same, too late."""

    audio_done_when_cut = True


class Impatient(DeepgramScenario):
    """A client that is silent for a second is timed out."""

    silent_seconds = 1.0


class ShortSession(DeepgramScenario):
    """A session may last two seconds; its end is announced just before."""

    session_seconds = 2.0
