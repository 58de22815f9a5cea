"""How a session ended, and what is noted of it while it lives."""

from __future__ import annotations

from dataclasses import dataclass, field

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


BeforeUpgrade = tuple[str, str, int, str]
"""Of a session that never opened: (outcome, by, HTTP status, reason)."""


@dataclass(slots=True)
class Record:
    """What a session notes for its ``Closing``."""

    began: float
    from_client: Traffic = field(default_factory=Traffic)
    from_upstream: Traffic = field(default_factory=Traffic)
    by: str = "proxy"
    close: Close = field(default_factory=Close)
    error: str | None = None
    upstream: Close | None = None

    def closing(
        self, now: float, to_client: Traffic, to_upstream: Traffic, early: BeforeUpgrade | None
    ) -> Closing:
        """Sum up."""
        outcome, by, close = "failed" if self.error else "closed", self.by, self.close
        if early is not None:
            outcome, by, status, reason = early
            close = Close(status, reason)
        return Closing(
            outcome=outcome,
            by=by,
            code=close.code,
            reason=close.reason,
            error=self.error,
            upstream=self.upstream,
            duration=now - self.began,
            from_client=self.from_client,
            to_client=to_client,
            from_upstream=self.from_upstream,
            to_upstream=to_upstream,
        )
