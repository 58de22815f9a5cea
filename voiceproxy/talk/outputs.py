"""What a conversation asks of the program around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceproxy.frames import Frame


@dataclass(frozen=True, slots=True)
class Send:
    """Send this to the agent."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Listen:
    """The agent is ready for the microphone."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The conversation waits for the user's next line."""


@dataclass(frozen=True, slots=True)
class Said:
    """One of the two said this. ``typed``: the user sees it on the terminal already."""

    speaker: str
    text: str
    typed: bool = False


@dataclass(frozen=True, slots=True)
class Sounded:
    """The agent's audio, 16-bit mono at 24 kHz; may end inside a sample."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Hushed:
    """The user speaks: audio that has not been played is stale."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the end of the user's turn to the first audio of the reply."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the speech has been sent, in seconds."""

    sent: float
    total: float


@dataclass(frozen=True, slots=True)
class Noted:
    """Something happened that a person may want to know."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The agent warns; the conversation goes on."""

    text: str


Output = Send | Listen | Ask | Said | Sounded | Hushed | Latency | Progress | Noted | Warned


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the conversation ended: the exit status and, unless it is 0, the reason."""

    status: int
    reason: str = ""
