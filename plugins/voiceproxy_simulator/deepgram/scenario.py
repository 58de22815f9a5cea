"""What a Deepgram scenario is: an object per session that is asked at fixed points.

The base class is the service as it should be. Write a scenario of one's own by subclassing it and
overriding points; ``SimulatedDeepgram(scenario=TheClass)`` runs it. ``refusal`` and ``answers`` are
the server's to ask, before there is a session; the others are asked by sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from voiceproxy_simulator.acknowledgements import PROMPT
from voiceproxy_simulator.script import Part
from voiceproxy_simulator.wire import Frame, Line

Message = dict[str, Any]


class HandshakeRefusal(NamedTuple):
    """An HTTP answer in the place of 101, with ``{err_code, err_msg, request_id}`` as its body."""

    status: int
    err_code: str
    err_msg: str


class Patient(Protocol):
    """What a scenario may do to its session."""

    @property
    def line(self) -> Line:
        """Time, raw frames, and ways to end."""

    def fail(self, code: str, description: str) -> None:
        """Send an error of the session's protocol nobody asked for, and end as it ends then."""

    def overhear(self, seconds: float) -> None:
        """Hear the user speak for so long, from now on, without any audio."""


@dataclass(frozen=True, slots=True)
class TurnCut:
    """The end of a turn's production: after so many ``pieces`` of audio it produces no more, and
    ``then`` is called."""

    pieces: int
    then: Callable[[], None]


class DeepgramScenario:
    """The service as it should be."""

    refusal: ClassVar[HandshakeRefusal | None] = None
    """What every handshake is refused with."""

    answers: ClassVar[bool] = True
    """Whether a handshake gets an answer at all."""

    welcome_delay: ClassVar[float | None] = 0.0
    """Seconds until Welcome; None: it never comes."""

    settings_delay: ClassVar[float | None] = PROMPT
    """Seconds until SettingsApplied; None: it never comes, and everything else waits for it."""

    pace: ClassVar[Literal["realtime", "burst"] | None] = None
    """The pace of speech, whatever the settings say; None: the settings' own."""

    silent_seconds: ClassVar[float] = 12.0
    """How long a Voice Agent client may send nothing; in the field it is 10 to 15 s."""

    session_seconds: ClassVar[float] = 2 * 60 * 60
    """How long a Voice Agent session may last."""

    think_live: ClassVar[bool] = False
    """The project is invited to Think Live, whose messages are unparsable to others."""

    force_end_turn: ClassVar[bool] = True
    """ForceEndTurn is enabled for the project; it is unparsable where it is not."""

    thinks_aloud: ClassVar[bool] = True
    """AgentThinking is sent."""

    audio_done_when_cut: ClassVar[bool] = False
    """A turn the user interrupts still gets its AgentAudioDone, behind UserStartedSpeaking."""

    def __init__(self, session: Patient) -> None:
        self.session = session

    def opened(self) -> None:
        """The connection is there, and greeted."""

    def incoming(self, message: Message) -> Message:
        """What is done instead of a message that is sound. May raise ``Fault``."""
        return message

    def parts(self, parts: Sequence[Part], _functions: Sequence[Message]) -> Sequence[Part]:
        """What a turn says and calls, instead of these parts, with these functions at hand."""
        return parts

    def cut(self, _text: str) -> TurnCut | None:
        """Where the speech of a turn is cut off; None: nowhere."""
        return None

    def outgoing(self, message: Message) -> Iterable[Frame]:
        """What goes out instead of a message: itself, something else, more, or nothing.

        Often inside a turn's production: change the session with ``line.later``, not at once.
        """
        return (message,)

    def audio(self, data: bytes) -> Iterable[Frame]:
        """What goes out instead of a piece of audio."""
        return (data,)

    def turned(self) -> None:
        """A turn of the agent is over, said to its end."""
