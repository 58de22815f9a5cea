"""What the simulator noticed: the events it received, and breaches of voiceproxy's own contract.

A breach is something the API itself would bear, or answer with an error that a good proxy never
provokes. It is recorded and logged, without any content, and never reaches the wire.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, NamedTuple

log = logging.getLogger(__name__)

RULES = {
    "refused": "The API refuses the event; the detail names its error code and parameter.",
    "refused-connection": "The API refuses the URL or a header of the connection.",
    "response-before-item-added": (
        "response.create came before the item it answers was added to the conversation."
    ),
    "input-before-settings": (
        "Audio or an item came before the first session.updated was sent: the session had its "
        "default settings."
    ),
    "binary-frame": "A binary frame: every frame of this protocol is text.",
}
"""Every rule a violation may name, and what it means."""

_MOST_VIOLATIONS = 1000
"""A client that breaks a rule with every frame is known by then."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach: which rule, by which event, in which session. Never its content."""

    session_id: str
    rule: str
    event_type: str
    detail: str = ""


class Received(NamedTuple):
    """One client event as it was received, parsed."""

    session_id: str
    event: dict[str, Any]


class Journal:
    """What all sessions of one server noticed; ``record=False`` keeps violations alone."""

    def __init__(self, *, record: bool = True) -> None:
        self.received: list[Received] = []
        self.violations: list[Violation] = []
        self._record = record

    def receive(self, session_id: str, event: dict[str, Any]) -> None:
        """Keep a client event."""
        if self._record:
            self.received.append(Received(session_id, event))

    def violate(self, session_id: str, rule: str, event_type: str, detail: str = "") -> None:
        """Keep and log a breach."""
        log.warning(
            "violation %s by %s in %s: %s", rule, event_type or "-", session_id, detail or "-"
        )
        if len(self.violations) < _MOST_VIOLATIONS:
            self.violations.append(Violation(session_id, rule, event_type, detail))
