"""The type of what ``session.later`` returns."""

from __future__ import annotations

from typing import Protocol


class Timer(Protocol):
    """A pending call-back."""

    def cancel(self) -> None:
        """Keep it from ringing."""
