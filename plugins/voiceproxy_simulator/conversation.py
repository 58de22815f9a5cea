"""The default conversation: its items, their order, and the client events that change them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voiceproxy_simulator import refusals
from voiceproxy_simulator.acknowledgements import Acknowledgements
from voiceproxy_simulator.formats import AudioFormat
from voiceproxy_simulator.input_audio import Recording, decode, measure
from voiceproxy_simulator.speech import Speech
from voiceproxy_simulator.wire import Emitter, Event

ROOT = "root"
"""``previous_item_id`` of an item that goes to the front."""

_WITH_STATUS = frozenset({"message", "function_call", "function_call_output"})
"""Item types that have a status; a client's own has no effect."""


@dataclass(slots=True, eq=False)
class Item:
    """One item. ``data`` is what the wire shows, without audio.

    ``recording`` is heard audio, ``speech`` and ``spoken_ms`` the model's own: what it says and how
    much of that it has produced. ``answered``: a response has begun that takes it into account.
    ``aside``: the model's own, but not in answer to anything.
    """

    data: dict[str, Any]
    recording: Recording | None = None
    speech: Speech | None = None
    spoken_ms: float = 0.0
    answered: bool = False
    aside: bool = False

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.data["id"])

    @property
    def kind(self) -> str:
        """``user``, ``assistant``, ``system``, or the type of what is no message."""
        return str(self.data.get("role") or self.data["type"])

    def shown(self) -> dict[str, Any]:
        """A copy for the wire."""
        if "content" not in self.data:
            return dict(self.data)
        return self.data | {"content": [dict(part) for part in self.data["content"]]}

    def with_audio(self) -> dict[str, Any]:
        """A copy for the wire with the audio in it, as base64."""
        shown = self.shown()
        for part in shown.get("content", ()):
            if part["type"] in {"input_audio", "output_audio"}:
                part["audio"] = base64.b64encode(self._audio()).decode()
        return shown

    def truncate(self, audio_end_ms: int) -> None:
        """Forget the audio behind ``audio_end_ms``, and the text, which nobody can cut exactly."""
        if self.spoken_ms < audio_end_ms:
            message = (
                f"Audio content of {self.spoken_ms:.0f}ms is already shorter than {audio_end_ms}ms"
            )
            raise refusals.invalid_value("audio_end_ms", message)
        self.spoken_ms = audio_end_ms
        for part in self.data["content"]:
            part.pop("transcript", None)

    def _audio(self) -> bytes:
        if self.recording is not None:
            return self.recording.audio
        return b"" if self.speech is None else self.speech.until(self.spoken_ms)


class Conversation:
    """The items in order. Announces them itself."""

    def __init__(self, emitter: Emitter, additions: Acknowledgements) -> None:
        self._emitter = emitter
        self._additions = additions
        self._items: list[Item] = []
        self._heard: Recording | None = None
        self.id = emitter.new_id("conv")

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def last_id(self) -> str | None:
        """The id of the last item."""
        return self._items[-1].id if self._items else None

    def find(self, item_id: str, verb: str) -> Item:
        """The item of that id. ``Refusal`` names the verb that looked for it."""
        for item in self._items:
            if item.id == item_id:
                return item
        raise refusals.unknown_item(verb, item_id, "item_id")

    # What clients do

    def create(self, event: Event, audio_format: AudioFormat) -> None:
        """``conversation.item.create``: added and done, both at once but a moment later."""
        data = self._named(event["item"])
        self._check(data)
        item = _received(data, audio_format)
        place = self._place(event.get("previous_item_id"))
        previous = self._items[place - 1].id if place else None
        self._items.insert(place, item)
        self._additions.defer(lambda: self._announce(item, previous, "added", "done"))

    def retrieve(self, event: Event) -> None:
        """``conversation.item.retrieve``: the item with its audio."""
        item = self.find(event["item_id"], "retrieve")
        self._emitter.emit("conversation.item.retrieved", item=item.with_audio())

    def delete(self, event: Event) -> None:
        """``conversation.item.delete``."""
        item = self.find(event["item_id"], "delete")
        self._items.remove(item)
        self._emitter.emit("conversation.item.deleted", item_id=item.id)

    def truncate(self, event: Event) -> None:
        """``conversation.item.truncate``: only what the model said, never past its end."""
        item = self.find(event["item_id"], "truncate")
        if item.speech is None:
            message = "Only model output audio messages can be truncated."
            raise refusals.invalid_value("item_id", message)
        if event["content_index"] >= len(item.data["content"]):
            message = f"Content at index {event['content_index']} does not exist."
            raise refusals.invalid_value("content_index", message)
        item.truncate(event["audio_end_ms"])
        names = ("item_id", "content_index", "audio_end_ms")
        self._emitter.emit("conversation.item.truncated", **{name: event[name] for name in names})

    # What the session does

    def hear(self, item_id: str, recording: Recording) -> Item:
        """A committed utterance. Only the latest keeps its audio, so that talk costs no memory."""
        content = [{"type": "input_audio", "transcript": None}]
        data = {"id": item_id, "type": "message", "status": "completed", "role": "user"}
        item = Item(data | {"content": content}, recording)
        if self._heard is not None:
            self._heard.audio = b""
        self._heard = recording
        previous = self.last_id
        self._items.append(item)
        self._announce(item, previous, "added", "done")
        return item

    def begin(self, item: Item) -> None:
        """An item of the model's own enters, still empty."""
        previous = self.last_id
        self._items.append(item)
        self._announce(item, previous, "added")

    def finish(self, item: Item) -> None:
        """An item of the model's own is complete, or cut short."""
        if item in self._items:
            place = self._items.index(item)
            previous = self._items[place - 1].id if place else None
            self._announce(item, previous, "done")

    def unanswered(self) -> list[Item]:
        """What a response would react to: user turns and outputs since the model last spoke."""
        found: list[Item] = []
        for item in reversed(self._items):
            if item.aside:
                continue
            if item.kind == "assistant" and item.data["status"] != "in_progress":
                break
            if item.kind in {"user", "function_call_output"} and not item.answered:
                found.insert(0, item)
        return found

    def called(self, call_id: str) -> Item | None:
        """The function call of that id."""
        for item in self._items:
            if item.kind == "function_call" and item.data.get("call_id") == call_id:
                return item
        return None

    def _named(self, data: dict[str, Any]) -> dict[str, Any]:
        """The item with the ids its maker left to us."""
        named = data | {"id": data.get("id") or self._emitter.new_id("item")}
        if data["type"] == "function_call" and not data.get("call_id"):
            named["call_id"] = self._emitter.new_id("call")
        return named

    def _check(self, data: dict[str, Any]) -> None:
        if any(item.id == data["id"] for item in self._items):
            raise refusals.duplicate_item(data["id"])
        if data["type"] == "function_call_output" and self.called(data["call_id"]) is None:
            raise refusals.unknown_tool_call(data["call_id"])
        for index, part in enumerate(data.get("content", ())):
            if part.get("type") == "output_audio":
                message = "Assistant audio cannot be created by a client."
                raise refusals.invalid_value(f"item.content[{index}].type", message)

    def _place(self, previous_item_id: str | None) -> int:
        if previous_item_id is None:
            return len(self._items)
        if previous_item_id == ROOT:
            return 0
        for place, item in enumerate(self._items):
            if item.id == previous_item_id:
                return place + 1
        raise refusals.unknown_item("create", previous_item_id, "previous_item_id")

    def _announce(self, item: Item, previous: str | None, *stages: str) -> None:
        for stage in stages:
            kind = f"conversation.item.{stage}"
            self._emitter.emit(kind, previous_item_id=previous, item=item.shown())


def _received(data: dict[str, Any], audio_format: AudioFormat) -> Item:
    """An item as a client made it; its audio is measured and kept apart."""
    item = Item(dict(data))
    if data["type"] in _WITH_STATUS:
        item.data["status"] = "completed"
    if "content" in data:
        item.data["content"] = [dict(part) for part in data["content"]]
        for index, part in enumerate(item.data["content"]):
            if "audio" in part:
                audio = decode(part.pop("audio"), f"item.content[{index}].audio")
                item.recording = measure(audio, audio_format)
    return item
