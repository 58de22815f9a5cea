"""What a scenario is: an object per session that the session asks at fixed points.

The base class is the API as it should be. Write a scenario of one's own by subclassing it and
overriding points; ``SimulatedOpenAI(scenario=TheClass)`` runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from voiceproxy_simulator.acknowledgements import PROMPT
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.script import Part
from voiceproxy_simulator.wire import Event, Frame, Line


class Patient(Protocol):
    """What a scenario may do to its session."""

    @property
    def line(self) -> Line:
        """Time, raw frames, and ways to end."""

    def refuse(self, refusal: Refusal) -> None:
        """Send an error nobody asked for, and close behind it when it says so."""

    def volunteer(self, text: str) -> None:
        """Begin a response by itself, to nothing that was said, unless one is active."""

    def overhear(self, seconds: float) -> None:
        """Hear the user speak for so long, from now on, without any audio."""

    def time_out(self) -> None:
        """Find that the user has been silent for too long, unless a response is active."""


class Cuttable(Protocol):
    """The response a ``Cut`` is about."""

    def fail(self, error: dict[str, Any]) -> None:
        """End it as failed; the error is reported in ``response.done`` alone."""

    def stop_short(self, reason: Literal["max_output_tokens", "content_filter"]) -> None:
        """End it as incomplete."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of a response's production: after so many ``pieces`` (deltas of audio with their
    words, words, or bits of arguments) it produces no more, and ``then`` is called."""

    pieces: int
    then: Callable[[Cuttable], None]


class Scenario:
    """The API as it should be."""

    item_delay: float | None = PROMPT
    """Seconds until a client's item is added; None: it never is, though it is there."""

    settings_delay: float | None = PROMPT
    """Seconds until a ``session.update`` is answered; None: it never is, though it is in force."""

    pace: Literal["realtime", "burst"] | None = None
    """The pace of replies, whatever the settings say; None: the settings' own."""

    def __init__(self, session: Patient) -> None:
        self.session = session

    def rejection(self) -> Refusal | None:
        """What the session is refused with, in the place of ``session.created``."""
        return None

    def incoming(self, event: Event) -> Event:
        """What is done instead of a client event that is sound. May raise ``Refusal``, which is not
        held against the client."""
        return event

    def parts(self, parts: Sequence[Part], _config: dict[str, Any]) -> Sequence[Part]:
        """What a response says and calls, instead of these parts, under its settings."""
        return parts

    def cut(self, _parts: Sequence[Part]) -> Cut | None:
        """Where a response with these parts is cut off; None: nowhere."""
        return None

    def hesitation(self, _parts: Sequence[Part]) -> float | None:
        """Seconds between a response's last piece and its ``response.done``; None: no such event
        comes until the response is cancelled."""
        return 0.0

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """What goes out instead of an event: itself, something else, more, or nothing.

        Often inside a response's production: change the session with ``line.later``, not at once.
        """
        return (event,)

    def responded(self) -> None:
        """A response is done."""
