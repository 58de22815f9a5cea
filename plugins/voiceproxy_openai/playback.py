"""What the user has heard, reckoned from what was sent and how long ago.

On a WebSocket the upstream does not know it: without ``conversation.item.truncate`` the model
believes that everything it said was heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from voiceproxy_openai.audio_formats import PCM_24K, AudioFormat

MAX_PARTS = 32
"""Parts remembered while they wait to be played; the oldest was begun long before the others."""


class Heard(NamedTuple):
    """How much of an item was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(slots=True)
class Part:
    """The audio of one content part of an item."""

    item_id: str
    content_index: int
    size: int = 0
    """Bytes in the upstream's format."""
    ends: float = 0.0
    """When its last sample will have been played."""


class Playback:
    """The client's loudspeaker as far as it can be known: it plays what it gets, at once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.upstream = PCM_24K
        self.client: AudioFormat = PCM_24K
        self._ends = float("-inf")
        self._parts: deque[Part] = deque(maxlen=MAX_PARTS)

    def sent(self, item_id: str, content_index: int, audio: bytes) -> None:
        """Audio of this item, in the upstream's format, was queued for the client."""
        now = self._now()
        part = self._parts[-1] if self._parts else None
        if part is None or (part.item_id, part.content_index) != (item_id, content_index):
            while self._parts and self._parts[0].ends <= now:
                self._parts.popleft()
            part = Part(item_id, content_index)
            self._parts.append(part)
        part.size += len(audio)
        self._ends = max(self._ends, now) + len(audio) / self.upstream.bytes_per_second
        part.ends = self._ends

    def interrupted(self, discarded: int) -> Heard | None:
        """The user spoke over it; ``discarded`` bytes of client audio were never sent.

        The client stops playing at once. None when all was heard, or nothing, or the item has no
        id.
        """
        now = self._now()
        unheard = max(self._ends - now, discarded / self.client.bytes_per_second)
        self._ends = now
        return self._last_heard(unheard)

    def cut(self, discarded: int) -> Heard | None:
        """The agent was stopped; the client plays what it has got, all but those bytes."""
        if not discarded:
            return None
        unheard = discarded / self.client.bytes_per_second
        self._ends -= unheard
        return self._last_heard(unheard)

    def _last_heard(self, unheard: float) -> Heard | None:
        """Where hearing ended, so many seconds before the end of what was sent."""
        parts = list(self._parts)
        self._parts.clear()
        for part in reversed(parts):
            length = part.size / self.upstream.bytes_per_second
            if unheard < length:
                return _clamped(part, length, unheard)
            unheard -= length
        return None


def _clamped(part: Part, length: float, unheard: float) -> Heard | None:
    """Whole milliseconds, inside the part; None at its very beginning or end."""
    total_ms = int(length * 1000)
    heard_ms = round(total_ms - unheard * 1000)
    if not part.item_id or not 0 < heard_ms < total_ms:
        return None
    return Heard(part.item_id, part.content_index, heard_ms)
