"""Scenarios in which frames come that no client should stumble over, or that are oddly cut."""

from __future__ import annotations

from collections.abc import Iterable

from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message, Patient
from voiceproxy_simulator.wire import Frame


class ThinkLive(DeepgramScenario):
    """The project is invited to Think Live."""

    think_live = True


class NoForceEndTurn(DeepgramScenario):
    """ForceEndTurn is not enabled for the project: it is unparsable."""

    force_end_turn = False


class UnknownMessages(DeepgramScenario):
    """Messages of unknown types, without a type, and JSON that is no object come in every turn."""

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """As from a service that is ahead of its clients."""
        if message["type"] != "AgentThinking":
            return (message,)
        return (message, {"type": "NewIdea", "of": {"some": "kind"}}, {"no": "type"}, "[1]", "7")


class Junk(DeepgramScenario):
    """Text that is no JSON, and an empty binary frame, come in every turn."""

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """No service should, and some proxy in between may."""
        return (message, "nonsense", "", b"") if message["type"] == "AgentThinking" else (message,)


class OddAudio(DeepgramScenario):
    """Binary frames are cut at odd lengths, in the middle of a sample."""

    def audio(self, data: bytes) -> Iterable[Frame]:
        """Nothing is lost."""
        return (data[:7], data[7:])


class BigFrames(DeepgramScenario):
    """The audio of a turn comes in one frame, at its end, with two minutes of silence behind."""

    _SILENCE = bytes(2 * 60 * 48_000)

    def __init__(self, session: Patient) -> None:
        super().__init__(session)
        self._held = bytearray()

    def audio(self, data: bytes) -> Iterable[Frame]:
        """All of it waits."""
        self._held += data
        return ()

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """More than the 1 MiB that some SDKs take."""
        if message["type"] != "AgentAudioDone":
            return (message,)
        held, self._held = bytes(self._held) + self._SILENCE, bytearray()
        return (held, message)
