"""The agent's turns, each of which ends with ``AgentDone`` and ``AgentAudioDone``, once.

Deepgram has no ``AgentDone``, and its ``AgentAudioDone`` may be missing: for a turn the user spoke
over, and on servers that send an agent's words after their audio (contract OUT-12, DGM-6). Told
early the pair would be wrong, as more audio follows; so it waits for whichever comes first:
the upstream's own, the user's next turn, or a silence. The silence after words is short only where
the upstream has sent no ``AgentAudioDone`` so far: one that sends it knows best.

Of audio behind audio only the time matters, and the host notes that; so it is not looked at.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from voiceproxy import Text
from voiceproxy_deepgram.silence import TICK, Silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from voiceproxy import Frame, TranslatorSession
    from voiceproxy_deepgram.settings import DeepgramSettings

AGENT_DONE = Text.of({"type": "AgentDone"})
AGENT_AUDIO_DONE = Text.of({"type": "AgentAudioDone"})


class Turn(Enum):
    """How far the agent's turn has come."""

    ENDED = "ended"
    """The client has been told, and nothing has come since."""
    CUT = "cut"
    """The same, by us: what the upstream may still say of its end is late."""
    DUE = "due"
    """The agent has something to answer, or is about to."""
    WORDS_FIRST = "words first"
    """It began with words; audio follows each of them."""
    AUDIO_FIRST = "audio first"
    """It began with audio; words may be the last of it."""


FOR_EVER = 0.0
"""A silence that ends nothing."""

OPEN = (Turn.WORDS_FIRST, Turn.AUDIO_FIRST)


class Turns:
    """Sends the upstream's frames on and adds what the ends of turns lack."""

    def __init__(self, session: TranslatorSession, settings: DeepgramSettings) -> None:
        self._session = session
        self._anything_ends_it_after = settings.turn_done_after
        self._words_end_it_after = settings.audio_done_after or settings.turn_done_after
        self._turn = Turn.ENDED
        self._silence = Silence(session, self._silent)
        self._audio_passes = False
        """The wait is that of audio, and more of it would only begin the same one anew."""
        self._on: dict[str, Callable[[Text], None]] = {
            "ConversationText": self._conversation_text,
            "UserStartedSpeaking": self._user_turn,
            "AgentStartedSpeaking": self._agent_busy,
            "AgentThinking": self._agent_busy,
            "FunctionCallRequest": self._agent_busy,
            "AgentAudioDone": self._audio_done,
            "AgentDone": self._audio_done,
        }

    def upstream_frame(self, frame: Frame) -> None:
        """A frame from the upstream, for the client."""
        if isinstance(frame, Text):
            self._on.get(frame.type, self._session.to_client)(frame)
        else:
            if frame.data:
                self._audio()
            self._session.to_client(frame)

    def _audio(self) -> None:
        if self._turn not in OPEN:
            self._turn = Turn.AUDIO_FIRST
        self._wait(self._anything_ends_it_after, audio=True)

    def _wait(self, seconds: float, *, audio: bool = False) -> None:
        self._silence.begin(seconds)
        if audio is not self._audio_passes:
            self._audio_passes = audio
            self._session.pass_audio(audio)

    def _silent(self) -> None:
        """Neither words nor audio that was looked at; perhaps some has passed."""
        if self._audio_passes:
            due = self._session.audio_passed_at + self._anything_ends_it_after
            left = due - self._session.now()
            if left > TICK:
                self._silence.begin(left)
                return
        self._cut()

    def _conversation_text(self, frame: Text) -> None:
        role = _role(frame.message())
        if role == "user":
            self._user_turn(frame)
            return
        if role == "assistant":
            self._words()
        self._session.to_client(frame)

    def _words(self) -> None:
        if self._turn not in OPEN:
            self._turn = Turn.WORDS_FIRST
        after_audio = self._turn is Turn.AUDIO_FIRST
        self._wait(self._words_end_it_after if after_audio else self._anything_ends_it_after)

    def _user_turn(self, frame: Text) -> None:
        if self._turn in OPEN:
            self._cut()
        elif self._turn is Turn.ENDED:
            self._turn = Turn.DUE
        self._session.to_client(frame)

    def _agent_busy(self, frame: Text) -> None:
        """However long it takes: it says something, sooner or later."""
        self._wait(FOR_EVER)
        if self._turn is Turn.ENDED:
            self._turn = Turn.DUE
        self._session.to_client(frame)

    def _audio_done(self, frame: Text) -> None:
        self._words_end_it_after = self._anything_ends_it_after
        if self._turn in (*OPEN, Turn.DUE):
            done = frame if frame.type == "AgentAudioDone" else AGENT_AUDIO_DONE
            self._end(Turn.ENDED, done)
        else:
            self._turn = Turn.ENDED

    def _cut(self) -> None:
        self._end(Turn.CUT, AGENT_AUDIO_DONE)

    def _end(self, turn: Turn, done: Text) -> None:
        self._wait(FOR_EVER)
        self._turn = turn
        self._session.to_client(AGENT_DONE)
        self._session.to_client(done)


def _role(message: Any) -> object:
    return message.get("role")
