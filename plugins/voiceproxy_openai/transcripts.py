"""What the user said, written down: interim and final (TRN-4 to TRN-6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voiceproxy_openai.dialogue import Turn
from voiceproxy_openai.memory import Recent
from voiceproxy_openai.reading import Event, integer_at, integers_at, number_at, objects_at, text_at

if TYPE_CHECKING:
    from voiceproxy_openai.dialogue import Dialogue
    from voiceproxy_openai.messages import Messages

MAX_OPEN = 32
"""Interim transcripts kept at a time; the oldest was forgotten by the upstream as well."""


class Transcripts:
    """Interim words by item, until the final ones replace them."""

    def __init__(self, messages: Messages, dialogue: Dialogue) -> None:
        self._messages = messages
        self._dialogue = dialogue
        self._interim: dict[str, str] = {}
        self._ignored = Recent()
        """Items of which nothing more is told: silence, and those that are over."""

    def expect(self, item_id: str) -> None:
        """A spoken turn was committed; unless it was silence, its words follow, or are there."""
        if item_id not in self._ignored:
            self._dialogue.spoken(item_id)

    def ignore(self, item_id: str) -> None:
        """What is (still) transcribed of this item is made up, or was told already."""
        if item_id:
            self._ignored.add(item_id)

    def delta(self, event: Event) -> None:
        """``transcription.delta``: an interim Transcript of all words so far."""
        item_id, words = text_at(event, "item_id"), text_at(event, "delta")
        if not words or item_id in self._ignored:
            return
        self._make_room(item_id)
        self._interim[item_id] = self._interim.get(item_id, "") + words
        self._tell_interim(event, item_id)

    def _make_room(self, item_id: str) -> None:
        if item_id not in self._interim and len(self._interim) >= MAX_OPEN:
            del self._interim[next(iter(self._interim))]

    def _tell_interim(self, event: Event, item_id: str) -> None:
        self._messages.transcript(_transcript(event, self._interim[item_id], final=False))

    def completed(self, event: Event) -> None:
        """``transcription.completed``: the final Transcript, and the turn's ConversationText.

        Azure's Voice Live sends it for interim words as well, and says so in ``status``.
        """
        item_id, words = text_at(event, "item_id"), text_at(event, "transcript")
        if item_id in self._ignored:
            return
        if event.get("status") == "in_progress":
            self._make_room(item_id)
            self._interim[item_id] = words
            self._tell_interim(event, item_id)
            return
        self._interim.pop(item_id, None)
        self.ignore(item_id)
        self._dialogue.heard(item_id, Turn(words, _transcript(event, words, final=True)))

    def failed(self, event: Event) -> None:
        """``transcription.failed``: nothing more comes for this item (DEF-17)."""
        item_id = text_at(event, "item_id")
        self._interim.pop(item_id, None)
        self.ignore(item_id)
        self._dialogue.unheard(item_id)


def _transcript(event: Event, words: str, *, final: bool) -> dict[str, Any]:
    channels = _channels(event)
    return {
        "type": "Transcript",
        "transcript": words,
        "is_final": final,
        "speech_final": final,
        "channel": integer_at(event, "channel", channels[0]),
        "channel_index": channels,
        "start": number_at(event, "start") or 0,
        "duration": number_at(event, "duration") or 0,
        "alternatives": _alternatives(event) or [_alternative({}, words)],
    }


def _channels(event: Event) -> list[int]:
    """``channel_index``, else the channel, else the first (TRN-5)."""
    return integers_at(event, "channel_index") or [integer_at(event, "channel")]


def _alternatives(event: Event) -> list[dict[str, Any]]:
    return [_alternative(given, "") for given in objects_at(event, "alternatives")]


def _alternative(given: Event, words: str) -> dict[str, Any]:
    confidence = number_at(given, "confidence")
    return {
        "transcript": text_at(given, "transcript") or words,
        "confidence": 1 if confidence is None else confidence,
        "words": objects_at(given, "words"),
    }
