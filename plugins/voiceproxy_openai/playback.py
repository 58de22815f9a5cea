"""What the user has heard, reckoned from what was sent and how long ago.

On a WebSocket the upstream does not know it: without ``conversation.item.truncate`` the model
believes that everything it said was heard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from voiceproxy_openai.audio_formats import PCM_24K, AudioFormat


class Heard(NamedTuple):
    """How much of an item was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class Playback:
    """The client's loudspeaker as far as it can be known: it plays what it gets, at once."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.upstream = PCM_24K
        self.client: AudioFormat = PCM_24K
        self._ends = float("-inf")
        self._part = ("", 0)
        self._part_bytes = 0

    def sent(self, item_id: str, content_index: int, audio: bytes) -> None:
        """Audio of this item, in the upstream's format, was queued for the client."""
        part = (item_id, content_index)
        if part != self._part:
            self._part, self._part_bytes = part, 0
        self._part_bytes += len(audio)
        seconds = len(audio) / self.upstream.bytes_per_second
        self._ends = max(self._ends, self._now()) + seconds

    def interrupted(self, discarded: int) -> Heard | None:
        """The user spoke over it; ``discarded`` bytes of client audio were never sent.

        None when all was heard, or nothing, or the item has no id.
        """
        now = self._now()
        unheard = max(self._ends - now, discarded / self.client.bytes_per_second)
        self._ends = now
        (item_id, content_index), length = self._part, self._part_bytes
        self._part, self._part_bytes = ("", 0), 0
        total_ms = length * 1000 // self.upstream.bytes_per_second
        heard_ms = round(total_ms - unheard * 1000)
        if not item_id or not 0 < heard_ms < total_ms:
            return None
        return Heard(item_id, content_index, heard_ms)
