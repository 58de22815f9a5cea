"""Scenarios in which a turn says more, less or other things than it should, or ends badly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message, Patient, TurnCut
from voiceproxy_simulator.script import Call, Part, Say, call_of
from voiceproxy_simulator.wire import Frame


class NoThinking(DeepgramScenario):
    """AgentThinking never comes."""

    thinks_aloud = False


class TextOnly(DeepgramScenario):
    """Turns have no audio; AgentAudioDone comes all the same."""

    def audio(self, _data: bytes) -> Iterable[Frame]:
        """All of it is left out."""
        return ()


class TextAfterAudio(DeepgramScenario):
    """The words of every sentence come behind the first piece of its audio."""

    def __init__(self, session: Patient) -> None:
        super().__init__(session)
        self._words: list[Message] = []

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """What the agent says waits for audio; what the user said does not."""
        if message.get("role") == "assistant":
            self._words.append(message)
            return ()
        return (message,)

    def audio(self, data: bytes) -> Iterable[Frame]:
        """The words go behind it."""
        words, self._words = self._words, []
        return (data, *words)


class WordsLast(DeepgramScenario):
    """The words of a turn come behind all of its audio, in the place of AgentAudioDone."""

    def __init__(self, session: Patient) -> None:
        super().__init__(session)
        self._words: list[Message] = []

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """As from servers that show a turn when it is over."""
        if message["type"] == "AgentAudioDone":
            words, self._words = self._words, []
            return words
        if message.get("role") == "assistant":
            self._words.append(message)
            return ()
        return (message,)


class Stall(DeepgramScenario):
    """Every turn stops after its first piece of audio and is not over."""

    def cut(self, _text: str) -> TurnCut:
        """Nothing follows."""
        return TurnCut(1, lambda: None)


class BargeIn(DeepgramScenario):
    """The user speaks over the third piece of audio of every other turn, without any audio."""

    _SPOKEN = 0.6

    def __init__(self, session: Patient) -> None:
        super().__init__(session)
        self._let_finish = True

    def cut(self, _text: str) -> TurnCut | None:
        """The answer to that is said to its end."""
        self._let_finish = not self._let_finish
        if self._let_finish:
            return None
        return TurnCut(3, lambda: self.session.overhear(self._SPOKEN))


class CancelledCall(DeepgramScenario):
    """The user speaks as soon as a function is to be called: the call is cancelled."""

    _SPOKEN = 0.6

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """Speech nobody sent, and a turn of its own."""
        if message["type"] == "FunctionCallRequest":
            self.session.line.later(0, lambda: self.session.overhear(self._SPOKEN))
        return (message,)


class ParallelCalls(DeepgramScenario):
    """A turn that calls a function calls all of the session's; one alone is called twice."""

    def parts(self, parts: Sequence[Part], functions: Sequence[Message]) -> Sequence[Part]:
        """Each call has an id of its own."""
        called = [part.name for part in parts if isinstance(part, Call)]
        if not called:
            return parts
        more = [call_of(one) for one in functions if one["name"] not in called]
        calls = (*parts, *more)
        return calls if len(calls) > 1 else calls * 2


class SpokenCall(DeepgramScenario):
    """A turn that calls a function says something first."""

    def parts(self, parts: Sequence[Part], _functions: Sequence[Message]) -> Sequence[Part]:
        """The words come first, as the service's do."""
        called = any(isinstance(part, Call) for part in parts)
        return (Say("One moment."), *parts) if called else parts


class Burst(DeepgramScenario):
    """Every spoken reply is a minute long and its audio comes at once, whatever the pace."""

    pace = "burst"

    def parts(self, parts: Sequence[Part], _functions: Sequence[Message]) -> Sequence[Part]:
        """The reply proper comes first."""
        much = " ".join(f"And {number}." for number in range(1, 61))
        return [Say(f"{part.text} {much}") if isinstance(part, Say) else part for part in parts]


class SlowThink(DeepgramScenario):
    """Every thought comes with warnings: a provider was slow, and another stepped in."""

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """Warnings end nothing."""
        if message["type"] != "AgentThinking":
            return (message,)
        return (
            message,
            _warning("SLOW_THINK_REQUEST", "The think request has taken 5 seconds."),
            _warning("THINK_REQUEST_FAILED", "The think request failed. Trying the next one."),
        )


def _warning(code: str, description: str) -> Message:
    return {"type": "Warning", "description": description, "code": code}
