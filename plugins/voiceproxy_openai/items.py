"""Conversation items: those we create, until the upstream confirms them, and the agent's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voiceproxy_openai.client_events import ITEM_PREFIX, SentItem
from voiceproxy_openai.errors import UpstreamError
from voiceproxy_openai.memory import Recent
from voiceproxy_openai.reading import Event, object_at, objects_at, text_at

if TYPE_CHECKING:
    from voiceproxy import Timer, TranslatorSession
    from voiceproxy_openai.function_calls import FunctionCalls
    from voiceproxy_openai.output import Output
    from voiceproxy_openai.response_gate import ResponseGate


@dataclass(slots=True)
class PendingItem:
    """An item we sent that the upstream has not confirmed yet."""

    sent: SentItem
    call_id: str
    """Of a function's output; ``""`` for a message."""
    role: str
    """Of a message."""
    text: str
    """Of a message."""
    confirmed: Callable[[], None]
    timer: Timer

    def is_meant_by(self, item: Event) -> bool:
        """Whether an item with an id of the server's own making can only be this one."""
        if self.call_id:
            return text_at(item, "call_id") == self.call_id
        if item.get("type", "message") != "message" or item.get("role") != self.role:
            return False
        parts = objects_at(item, "content")
        if any(part.get("type") == "input_audio" for part in parts):
            return False
        said = "".join(text_at(part, "text") for part in parts)
        return said in ("", self.text)


class Items:
    """Confirms the items we create, in whichever way the server does (TXT-2, DEF-7, DEF-8)."""

    def __init__(
        self,
        session: TranslatorSession,
        gate: ResponseGate,
        output: Output,
        calls: FunctionCalls,
        timeout: float,
    ) -> None:
        self._session = session
        self._gate = gate
        self._output = output
        self._calls = calls
        self._timeout = timeout
        self._pending: dict[str, PendingItem] = {}
        self._adopted = Recent()
        """Ids the server gave to items of ours."""
        self._keeps_ids = False
        """The server has used an id we chose, so an unknown id is never ours."""

    def expect(
        self,
        sent: SentItem,
        confirmed: Callable[[], None],
        *,
        call_id: str = "",
        role: str = "user",
        text: str = "",
    ) -> None:
        """An item was sent: ``confirmed`` is called once, when it is there or overdue.

        An item the upstream refuses is never confirmed; ``refused`` says so.
        """
        item_id = sent.item_id
        timer = self._session.later(self._timeout, lambda: self._overdue(item_id))
        self._pending[item_id] = PendingItem(sent, call_id, role, text, confirmed, timer)
        self._gate.await_item(item_id)

    @property
    def to_be_answered(self) -> bool:
        """Whether an item that asks for a response is not confirmed yet."""
        return any(pending.role == "user" for pending in self._pending.values())

    def added(self, event: Event) -> None:
        """``conversation.item.created``, ``added`` or ``done``: the first of them confirms."""
        item = object_at(event, "item")
        item_id = text_at(item, "id")
        if item_id in self._pending:
            self._keeps_ids = True
            self._confirm(item_id)
        elif not self._is_ours(item_id, item):
            if item.get("role") == "assistant":
                self._output.conversation_item(item)
            elif item.get("type") == "function_call":
                self._calls.learn(item)

    def _is_ours(self, item_id: str, item: Event) -> bool:
        """Whether it is one of ours that was confirmed before, or is so by this.

        Where a server replaces ids, the oldest item it can mean is confirmed.
        """
        if item_id.startswith(ITEM_PREFIX) or item_id in self._adopted:
            return True
        if self._keeps_ids:
            return False
        for pending in self._pending.values():
            if pending.is_meant_by(item):
                if item_id:
                    self._adopted.add(item_id)
                self._confirm(pending.sent.item_id)
                return True
        return False

    def _confirm(self, item_id: str) -> None:
        pending = self._pending.pop(item_id)
        pending.timer.cancel()
        pending.confirmed()
        self._gate.settle_item(item_id)

    def _overdue(self, item_id: str) -> None:
        # The API handles events in order, so what follows an item finds it there.
        self._session.log.warning("an item was not confirmed within %g s", self._timeout)
        self._confirm(item_id)

    def refused(self, error: UpstreamError) -> bool:
        """Drop the item an error is about; False when it is about none.

        The API names no event when an output's call id is unknown to it.
        """
        for item_id, pending in self._pending.items():
            unknown_call = error.code == "invalid_tool_call_id" and pending.call_id
            if error.event_id == pending.sent.event_id or (not error.event_id and unknown_call):
                del self._pending[item_id]
                pending.timer.cancel()
                self._gate.settle_item(item_id)
                return True
        return False
