"""The agent's answer to one turn, and how one knows that it is over."""

from __future__ import annotations

from voiceproxy.talk.settings import OUTPUT_RATE

SETTLE = 0.5
"""Seconds a finished reply is given for what belongs to it and comes behind its end: the rest of an
``AgentDone`` and ``AgentAudioDone`` pair, a function call after spoken filler."""

LATE_TEXT = 1.5
"""The same when audio came without its text: some agents send the text of speech last."""

QUIET = 2.0
"""Seconds of quiet after which a reply with text, but without any message that ends it, is over."""


class Reply:
    """What has come of a reply. All times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start over: what has come so far was not the answer, or the user cut it off."""
        self.text = False
        self._audio_bytes = 0
        self._audio_since: float | None = None
        self._last_at = 0.0
        self.ended = False

    @property
    def begun(self) -> bool:
        """Whether any of it has come, in text or sound."""
        return self.text or self._audio_bytes > 0

    def speak(self, now: float) -> None:
        """Note some of its text."""
        self.text = True
        self._last_at = now

    def sound(self, size: int, now: float) -> None:
        """Note some of its audio: an end reported before it was not the end."""
        if self._audio_since is None:
            self._audio_since = now
        self._audio_bytes += size
        self._last_at = now
        self.ended = False

    def end(self, now: float) -> None:
        """Note that the agent reports an end: of this reply, or of an earlier one if none began."""
        if self.begun:
            self.ended = True
            self._last_at = now

    @property
    def complete_at(self) -> float | None:
        """When it counts as complete if nothing more comes; None while that is not known."""
        if self.ended:
            return self._last_at + (SETTLE if self.text else LATE_TEXT)
        if self.text:
            return max(self._last_at, self._played_at()) + QUIET
        return None

    def _played_at(self) -> float:
        """When its audio has been played, had it started with the first of it."""
        if self._audio_since is None:
            return 0.0
        return self._audio_since + self._audio_bytes / 2 / OUTPUT_RATE
