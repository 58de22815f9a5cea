"""When a turn ends on ``/v2/listen``, and which changes of that are rejected."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from voiceproxy_simulator.deepgram.listen_v2_query import (
    EAGER,
    THRESHOLD,
    TIMEOUT_MS,
    ListenV2Query,
)

_RANGES: dict[str, tuple[float, float]] = {
    "eager_eot_threshold": EAGER,
    "eot_threshold": THRESHOLD,
    "eot_timeout_ms": TIMEOUT_MS,
}


class RejectedError(Exception):
    """A configuration that is well-formed and cannot be had."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The three numbers; ``eager_eot_threshold`` None is off."""

    eager_eot_threshold: float | None
    eot_threshold: float
    eot_timeout_ms: int

    @classmethod
    def of(cls, query: ListenV2Query) -> Thresholds:
        """Those a connection begins with."""
        return cls(query.eager_eot_threshold, query.eot_threshold, query.eot_timeout_ms)

    def changed(self, changes: dict[str, Any]) -> Thresholds:
        """These with changes; null keeps. Raises ``RejectedError`` for numbers out of range."""
        given = {name: value for name, value in changes.items() if value is not None}
        for name, value in given.items():
            low, high = _RANGES[name]
            if not low <= value <= high:
                raise RejectedError(f"{name} must be from {low:g} to {high:g}.")
        return replace(self, **given)

    def described(self) -> dict[str, Any]:
        """As ``ConfigureSuccess`` tells them."""
        return {name: value for name, value in asdict(self).items() if value is not None}
