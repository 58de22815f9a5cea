"""What the user has heard, reckoned from what was sent and how long ago.

On a WebSocket the upstream does not know it: without ``conversation.item.truncate`` the model
believes that everything it said was heard.
"""

from __future__ import annotations

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

    __slots__ = ("_ends", "_now", "_parts", "client", "upstream")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.upstream = PCM_24K
        self.client: AudioFormat = PCM_24K
        self._ends = float("-inf")
        self._parts: list[Part] = []

    def sent(self, item_id: str, content_index: int, size: int, now: float) -> None:
        """Now so many bytes of this item's audio in the upstream's format go to the client."""
        part = self._parts[-1] if self._parts else None
        if part is None or part.content_index != content_index or part.item_id != item_id:
            part = self._begin(item_id, content_index, now)
        begins = self._ends if self._ends > now else now
        part.ends = self._ends = begins + size / self.upstream.bytes_per_second
        part.size += size

    def _begin(self, item_id: str, content_index: int, now: float) -> Part:
        """The parts that were played are forgotten."""
        self._parts = [part for part in self._parts if part.ends > now][1 - MAX_PARTS :]
        part = Part(item_id, content_index)
        self._parts.append(part)
        return part

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
        parts, self._parts = self._parts, []
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
