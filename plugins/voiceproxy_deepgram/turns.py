"""The agent's turns, each of which ends with ``AgentDone`` and ``AgentAudioDone``, once.

Deepgram has no ``AgentDone``, and its ``AgentAudioDone`` may be missing: for a turn the user spoke
over, and on servers that send an agent's words after their audio (contract OUT-12, DGM-6). Told
early the pair would be wrong, as more audio follows; so it waits for whichever comes first:
the upstream's own, the user's next turn, or a silence. The silence after words is short only where
the upstream has sent no ``AgentAudioDone`` so far: one that sends it knows best.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from voiceproxy import Text
from voiceproxy_deepgram.silence import Silence

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


OPEN = (Turn.WORDS_FIRST, Turn.AUDIO_FIRST)


class Turns:
    """Sends the upstream's frames on and adds what the ends of turns lack."""

    def __init__(self, session: TranslatorSession, settings: DeepgramSettings) -> None:
        self._session = session
        self._anything_ends_it_after = settings.turn_done_after
        self._words_end_it_after = settings.audio_done_after or settings.turn_done_after
        self._turn = Turn.ENDED
        self._silence = Silence(session, self._cut)
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
        self._silence.begin(self._anything_ends_it_after)

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
        self._silence.begin(
            self._words_end_it_after if after_audio else self._anything_ends_it_after
        )

    def _user_turn(self, frame: Text) -> None:
        if self._turn in OPEN:
            self._cut()
        elif self._turn is Turn.ENDED:
            self._turn = Turn.DUE
        self._session.to_client(frame)

    def _agent_busy(self, frame: Text) -> None:
        """However long it takes: it says something, sooner or later."""
        self._silence.end()
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
        self._silence.end()
        self._turn = turn
        self._session.to_client(AGENT_DONE)
        self._session.to_client(done)


def _role(message: Any) -> object:
    return message.get("role")
