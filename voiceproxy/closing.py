"""How a session ended."""

from __future__ import annotations

from dataclasses import dataclass

from voiceproxy.frames import Close


@dataclass(slots=True)
class Traffic:
    """Frames and payload bytes that crossed one socket in one direction."""

    frames: int = 0
    bytes: int = 0

    def count(self, size: int) -> None:
        """One more frame of that many bytes."""
        self.frames += 1
        self.bytes += size


@dataclass(frozen=True, slots=True)
class Closing:
    """What ``voiceproxy_close`` gets."""

    outcome: str
    """``closed``; ``failed``: an Error ended it; ``refused``: the upgrade was answered with an
    HTTP error; ``left``: the client went away before the upgrade was answered."""
    by: str
    """``client``, ``upstream``, ``proxy``, or the name of the plugin that ended it."""
    code: int
    """The close code between the client and us; for ``refused`` the HTTP status."""
    reason: str
    error: str | None
    """The code of the Error message that ended the session."""
    upstream: Close | None
    """How the upstream closed, if it did so first; 1006 when the connection was lost."""
    duration: float
    """Seconds since the upgrade was asked for."""
    from_client: Traffic
    to_client: Traffic
    from_upstream: Traffic
    to_upstream: Traffic
