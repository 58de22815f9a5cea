"""Named faults: what the API does on a bad day, or a compatible server every day.

A scenario is an object per session that the session asks at fixed points; the base class is the
well-behaved API. Add one by subclassing, overriding points, and entering it in ``SCENARIOS``; the
first line of its docstring is its description.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import orjson

from voiceproxy_simulator import refusals
from voiceproxy_simulator.acknowledgements import PROMPT
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.wire import Event, Frame, Line


class Patient(Protocol):
    """What a scenario may do to a session."""

    @property
    def line(self) -> Line:
        """Time, and raw frames."""

    def refuse(self, refusal: Refusal) -> None:
        """Send an error, and close behind it when it says so."""


class Scenario:
    """The API as it should be."""

    item_delay: float | None = PROMPT
    """Seconds until a client's item is added; None: it never is, though it is there."""

    settings_delay: float | None = PROMPT
    """Seconds until a ``session.update`` is answered; None: it never is, though it is in force."""

    stalls = False
    """A response produces its first piece and no more."""

    def __init__(self, session: Patient) -> None:
        self.session = session

    def refusal(self, event: Event) -> Refusal | None:
        """Refuse a sound client event."""
        return None

    def failure(self) -> dict[str, Any] | None:
        """The error with which the response being created fails; None: it does not."""
        return None

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """What goes out instead of an event: itself, something else, more, or nothing.

        Inside a response's production: change the session with ``line.later``, not at once.
        """
        return (event,)

    def responded(self) -> None:
        """A response is done."""


class Quota(Scenario):
    """Every response fails with insufficient_quota."""

    def failure(self) -> dict[str, Any] | None:
        """As reported for an account without credit; no ``error`` event comes with it."""
        return {
            "type": "insufficient_quota",
            "code": "insufficient_quota",
            "message": "You exceeded your current quota, please check your plan and billing.",
        }


class Expired(Scenario):
    """The session expires right after the first reply: session_expired and close 1001."""

    _GRACE = 0.1

    def responded(self) -> None:
        """Leave the reply's last events a moment of their own."""
        self.session.line.later(self._GRACE, lambda: self.session.refuse(refusals.expired()))


class RefuseSettings(Scenario):
    """Every session.update is refused with invalid_value."""

    def refusal(self, event: Event) -> Refusal | None:
        """The old settings stay in force."""
        if event["type"] != "session.update":
            return None
        return refusals.invalid_value("session", "These settings are refused by the scenario.")


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


class Stall(Scenario):
    """Every response stops after its first delta and stays active until it is cancelled."""

    stalls = True


class Junk(Scenario):
    """Frames nobody understands come before every event of a response's beginning and end."""

    _FRAMES: tuple[Frame, ...] = (
        "this is not JSON",
        '["a", "list"]',
        "null",
        '{"no_type": true}',
        '{"type": 7}',
        orjson.dumps({"type": "simulator.unknown", "event_id": "event_unknown", "x": 1}).decode(),
        '{"type": "response.output_audio.delta"}',
        b"\x00\x01\x02",
    )

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """Junk first."""
        if event["type"] in {"response.created", "response.done"}:
            return (*self._FRAMES, event)
        return (event,)


SCENARIOS: dict[str, type[Scenario]] = {
    "quota": Quota,
    "expired": Expired,
    "refuse-settings": RefuseSettings,
    "late-acks": LateAcks,
    "missing-acks": MissingAcks,
    "silent": Silent,
    "junk": Junk,
    "stall": Stall,
}
"""Every scenario a setting may name."""


def scenario_class(scenario: str | type[Scenario] | None) -> type[Scenario]:
    """The class behind a name; None and ``""`` are the well-behaved API. Raises ValueError."""
    if not scenario:
        return Scenario
    if not isinstance(scenario, str):
        return scenario
    if scenario not in SCENARIOS:
        raise ValueError(f"unknown scenario {scenario!r}; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[scenario]
