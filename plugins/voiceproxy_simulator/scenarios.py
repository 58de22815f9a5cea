"""Every scenario by its name: what the API does on a bad day, or a compatible server every day.

To add one: a small class where its like are, and a line here. The first line of its docstring is
its description.
"""

from __future__ import annotations

from voiceproxy_simulator.early_ends import Close1011, Close4001, Expired, Reset, Unauthorized
from voiceproxy_simulator.odd_responses import (
    Burst,
    CancelledCall,
    ErrorMidResponse,
    IdleTimeout,
    Incomplete,
    Oversized,
    ParallelCalls,
    Quota,
    RefusedCreate,
    SpokenCall,
    Stall,
)
from voiceproxy_simulator.other_servers import (
    BetaNames,
    CreatedOmitted,
    Junk,
    MissingIndexes,
    ReplacedIds,
    StringError,
    UnknownEvents,
)
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.slow_answers import (
    LateAcks,
    LateDone,
    LateTranscripts,
    MissingAcks,
    RefuseSettings,
    Silent,
)

SCENARIOS: dict[str, type[Scenario]] = {
    # Confirmed late, not at all, or refused
    "late-acks": LateAcks,
    "missing-acks": MissingAcks,
    "silent": Silent,
    "refuse-settings": RefuseSettings,
    "late-done": LateDone,
    "late-transcripts": LateTranscripts,
    # Odd responses
    "parallel-calls": ParallelCalls,
    "spoken-call": SpokenCall,
    "cancelled-call": CancelledCall,
    "refused-create": RefusedCreate,
    "error-mid-response": ErrorMidResponse,
    "incomplete": Incomplete,
    "quota": Quota,
    "stall": Stall,
    "burst": Burst,
    "oversized": Oversized,
    "idle-timeout": IdleTimeout,
    # Early ends
    "unauthorized": Unauthorized,
    "expired": Expired,
    "close-1011": Close1011,
    "close-4001": Close4001,
    "reset": Reset,
    # Other servers
    "replaced-ids": ReplacedIds,
    "created-omitted": CreatedOmitted,
    "beta-names": BetaNames,
    "missing-indexes": MissingIndexes,
    "string-error": StringError,
    "unknown-events": UnknownEvents,
    "junk": Junk,
}
"""Every scenario a setting may name."""


def description(scenario: type[Scenario]) -> str:
    """What a scenario does, in a line."""
    return (scenario.__doc__ or "").partition("\n")[0]


def scenario_class(scenario: str | type[Scenario] | None) -> type[Scenario]:
    """The class behind a name; None and ``""`` are the well-behaved API. Raises ValueError."""
    if not scenario:
        return Scenario
    if not isinstance(scenario, str):
        return scenario
    if scenario not in SCENARIOS:
        raise ValueError(f"unknown scenario {scenario!r}; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[scenario]
