"""The Realtime API's client events: built in one place, each with an ``event_id`` of ours.

The API gives an event's id back in the ``error`` it causes, so the id says what the event was for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from voiceproxy_openai.reading import Event

ITEM_PREFIX = "vp_item_"
"""How the ids of items we create begin. The API takes 32 characters at most."""

MARK = "voiceproxy_create"
"""The metadata key that tells, in ``response.created``, which of our creates made a response."""


SAY_EXACTLY = "Say exactly the following, word for word and nothing else:"
"""Before the words of a statement. The form is the vendor's own, with an empty ``input``."""


class SentItem(NamedTuple):
    """What identifies an item we asked the upstream to create."""

    item_id: str
    event_id: str


class ClientEvents:
    """Builds and sends client events for one connection."""

    def __init__(self, send: Callable[[dict[str, Any]], None], *, mark_responses: bool) -> None:
        self._send = send
        self._mark_responses = mark_responses
        self._number = 0

    def _event_id(self, purpose: str) -> str:
        self._number += 1
        return f"{purpose}_{self._number}"

    def update_session(self, session: Event) -> str:
        """``session.update``; returns its event id."""
        event_id = self._event_id("session")
        self._send({"type": "session.update", "event_id": event_id, "session": session})
        return event_id

    def create_user_message(self, text: str) -> SentItem:
        """``conversation.item.create`` for something the user typed (TXT-1)."""
        content = [{"type": "input_text", "text": text}]
        return self._create_item({"type": "message", "role": "user", "content": content})

    def create_agent_message(self, text: str) -> SentItem:
        """``conversation.item.create`` for something the agent says without being asked."""
        content = [{"type": "output_text", "text": text}]
        return self._create_item({"type": "message", "role": "assistant", "content": content})

    def create_function_output(self, call_id: str, output: str) -> SentItem:
        """``conversation.item.create`` for the answer to a function call (FCT-3)."""
        return self._create_item(
            {"type": "function_call_output", "call_id": call_id, "output": output}
        )

    def _create_item(self, item: Event) -> SentItem:
        event_id = self._event_id("item")
        sent = SentItem(f"{ITEM_PREFIX}{self._number}", event_id)
        self._send(
            {
                "type": "conversation.item.create",
                "event_id": event_id,
                "item": {"id": sent.item_id, **item},
            }
        )
        return sent

    def create_response(self) -> str:
        """``response.create``; returns its event id, which its metadata repeats."""
        return self._create_response({})

    def create_statement(self, words: str) -> str:
        """``response.create`` that has the model say these words, whatever was asked before."""
        instructions = f"{SAY_EXACTLY}\n{words}"
        return self._create_response(
            {"input": [], "instructions": instructions, "tool_choice": "none"}
        )

    def _create_response(self, options: Event) -> str:
        event_id = self._event_id("create")
        event: Event = {"type": "response.create", "event_id": event_id}
        if self._mark_responses:
            options = {**options, "metadata": {MARK: event_id}}
        if options:
            event["response"] = options
        self._send(event)
        return event_id

    def cancel_response(self, response_id: str) -> None:
        """``response.cancel``, by id when it is known."""
        event: Event = {"type": "response.cancel", "event_id": self._event_id("cancel")}
        if response_id:
            event["response_id"] = response_id
        self._send(event)

    def truncate_item(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """``conversation.item.truncate``: what the user heard of an item, in whole milliseconds."""
        self._send(
            {
                "type": "conversation.item.truncate",
                "event_id": self._event_id("truncate"),
                "item_id": item_id,
                "content_index": content_index,
                "audio_end_ms": audio_end_ms,
            }
        )

    def commit_audio(self) -> None:
        """``input_audio_buffer.commit``: a manual turn is over."""
        self._send({"type": "input_audio_buffer.commit", "event_id": self._event_id("commit")})


def purpose_of(event_id: str) -> str:
    """What one of our events was for: ``session``, ``item``, ``create``, ``cancel``, ..."""
    return event_id.partition("_")[0]
