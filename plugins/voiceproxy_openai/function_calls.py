"""Function calls: asked of the client, answered once, then one response for all of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import orjson

from voiceproxy_openai.memory import Recent
from voiceproxy_openai.parts import Part, Shared
from voiceproxy_openai.reading import Event, text_at
from voiceproxy_openai.responses import Response, Responses, ResponseState

if TYPE_CHECKING:
    from voiceproxy import Timer
    from voiceproxy_openai.items import Items

MAX_BATCHES = 32
"""Batches kept for late answers; a call nobody answered for so long is forgotten."""

MAX_NAMES = 128
"""Names kept for calls whose arguments have not come yet."""


class CallState(Enum):
    """Where one function call is."""

    REQUESTED = "requested"
    ANSWERED = "answered"
    CANCELLED = "cancelled"
    """The user spoke over its response; an answer goes up but nothing is asked for it."""
    OVERDUE = "overdue"
    """Nobody waits for it any more; an answer still gets its response."""


@dataclass(slots=True, eq=False)
class Call:
    """One call the client was asked to make."""

    id: str
    name: str
    arguments: str
    batch: Batch
    state: CallState = CallState.REQUESTED


@dataclass(slots=True, eq=False)
class Batch:
    """The calls of one response."""

    response: Response
    calls: list[Call] = field(default_factory=list)
    timer: Timer | None = None
    cancelled: bool = False
    owed: bool = False
    """An output was confirmed that no response has been asked for."""

    def has(self, state: CallState) -> bool:
        """Whether any call is in this state."""
        return any(call.state is state for call in self.calls)


class FunctionCalls(Part):
    """Every call of the session, by response (DEF-4, DEF-5, DEF-27, DEF-29, DEF-30)."""

    def __init__(self, shared: Shared, responses: Responses, timeout: float) -> None:
        super().__init__(shared)
        self._responses = responses
        self._timeout = timeout
        self._batches: dict[str, Batch] = {}
        self._calls: dict[str, Call] = {}
        self._asked = Recent(256)
        self._names: dict[str, str] = {}
        self.items: Items

    # What the upstream asks for.

    def learn(self, item: Event) -> None:
        """A function_call item began: its name, which the arguments may come without (DEF-27)."""
        name = text_at(item, "name")
        for key in (text_at(item, "call_id"), text_at(item, "id")):
            if key and name:
                self._names[key] = name
        while len(self._names) > MAX_NAMES:
            del self._names[next(iter(self._names))]

    def arguments_done(self, event: Event) -> None:
        """``function_call_arguments.done``: asked now when the arguments are a whole object.

        The event also ends a call that was cut off; then ``item_done`` decides.
        """
        name = text_at(event, "name") or self._name_of(event, "item_id")
        arguments = text_at(event, "arguments")
        if not name or not _is_object(arguments):
            return
        response = self._responses.of(event, calls=True)
        if response is not None:
            self._ask(response, self._id_of(event, "item_id"), name, arguments)

    def item_done(self, response: Response, item: Event) -> None:
        """A function_call item is whole, in ``output_item.done`` or ``response.done``."""
        if item.get("status", "completed") == "completed":
            name = text_at(item, "name") or self._name_of(item, "id") or "function"
            self._ask(response, self._id_of(item, "id"), name, text_at(item, "arguments"))

    def _name_of(self, event: Event, item_key: str) -> str:
        by_call = self._names.get(text_at(event, "call_id"))
        return by_call or self._names.get(text_at(event, item_key), "")

    @staticmethod
    def _id_of(event: Event, item_key: str) -> str:
        return text_at(event, "call_id") or text_at(event, item_key)

    def _ask(self, response: Response, call_id: str, name: str, arguments: str) -> None:
        if call_id in self._asked or response.state is not ResponseState.RUNNING:
            return
        self._asked.add(call_id)
        batch = self._batches.get(response.key)
        if batch is None:
            batch = self._batches[response.key] = Batch(response)
            self._forget_old()
        call = Call(call_id, name, arguments, batch)
        batch.calls.append(call)
        self._calls[call_id] = call
        self._responses.start_speaking(response)
        self._messages.function_call(call_id, name, arguments)

    def _forget_old(self) -> None:
        if len(self._batches) > MAX_BATCHES:
            self._forget(next(iter(self._batches.values())))

    def _forget(self, batch: Batch) -> None:
        self._batches.pop(batch.response.key, None)
        self._stop(batch)
        for call in batch.calls:
            self._calls.pop(call.id, None)

    # What the client answers.

    def answered(self, message: Event) -> None:
        """``FunctionCallResponse``: its output goes up at once, the response is asked for later."""
        call = self._calls.get(text_at(message, "id"))
        if call is None or call.state is CallState.ANSWERED:
            self._messages.error(
                "UNKNOWN_FUNCTION_CALL",
                "FunctionCallResponse.id: no function call with this id waits for an answer.",
            )
            return
        cancelled = call.state is CallState.CANCELLED
        call.state = CallState.ANSWERED
        self._send_output(call, output_of(message))
        self._restart(call.batch)
        self._settle(call.batch)
        if not cancelled:
            self._responses.turn_ended()
            self._messages.thinking()

    def _send_output(self, call: Call, output: str) -> None:
        sent = self._upstream.create_function_output(call.id, output)
        self.items.expect(sent, lambda: self._confirmed(call.batch), call_id=call.id)
        self._messages.function_call_history(_history(call, output))

    def _confirmed(self, batch: Batch) -> None:
        """An output is in the conversation, so there is something to answer."""
        batch.owed = not batch.cancelled
        self._settle(batch)

    @property
    def waiting(self) -> bool:
        """Whether the client is to answer a call whose response is over."""
        return any(batch.has(CallState.REQUESTED) for batch in self._batches.values())

    def response_ended(self, response: Response, *, cancelled: bool) -> bool:
        """A response is over upstream. True while calls of it wait for an answer."""
        batch = self._batches.get(response.key)
        if batch is None:
            return False
        if cancelled:
            self._cancel(batch)
        self._settle(batch)
        if batch.has(CallState.REQUESTED):
            self._restart(batch)
            return True
        return False

    def _cancel(self, batch: Batch) -> None:
        """The user spoke over it: the upstream answers the user instead."""
        batch.cancelled = True
        batch.owed = False
        waiting = [call for call in batch.calls if call.state is CallState.REQUESTED]
        for call in waiting:
            call.state = CallState.CANCELLED
        if waiting:
            self._messages.function_calls_cancelled([(call.id, call.name) for call in waiting])

    def _settle(self, batch: Batch) -> None:
        """Ask for one response when the calling one is over and every call has its output."""
        if batch.response.state in (ResponseState.RUNNING, ResponseState.INTERRUPTED):
            return
        if batch.has(CallState.REQUESTED):
            return
        self._stop(batch)
        self._responses.finish(batch.response)
        if batch.owed:
            batch.owed = False
            self._gate.want()
        if all(call.state is CallState.ANSWERED for call in batch.calls):
            self._forget(batch)

    # Every wait ends.

    def _restart(self, batch: Batch) -> None:
        self._stop(batch)
        batch.timer = self._session.later(self._timeout, lambda: self._overdue(batch))

    def _stop(self, batch: Batch) -> None:
        if batch.timer is not None:
            batch.timer.cancel()
            batch.timer = None

    def _overdue(self, batch: Batch) -> None:
        """Nobody answered, or the upstream never ended the response that called (FCT-7)."""
        for call in batch.calls:
            if call.state is CallState.REQUESTED:
                call.state = CallState.OVERDUE
        if batch.response.state in (ResponseState.RUNNING, ResponseState.INTERRUPTED):
            self._session.log.error(
                "Required upstream contract violated: no response.done within %g s of the "
                "answer to its function call; the response is cancelled",
                self._timeout,
            )
            self._responses.give_up(batch.response)
        else:
            self._session.log.warning("a function call was not answered in %g s", self._timeout)
            self._settle(batch)
            self._gate.reconsider()


def output_of(message: Event) -> str:
    """The output for the model: content, else the error, else the result, as JSON (FCT-4)."""
    content = text_at(message, "content")
    if content:
        return content
    if message.get("error") is not None:
        return _compact({"error": message["error"]})
    result = message.get("result")
    if result is None:
        return ""
    return result if isinstance(result, str) else _compact(result)


def _compact(value: Any) -> str:
    return orjson.dumps(value).decode()


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(orjson.loads(arguments), dict)
    except ValueError:
        return False


def _history(call: Call, output: str) -> dict[str, Any]:
    return {
        "id": call.id,
        "name": call.name,
        "client_side": True,
        "arguments": call.arguments,
        "response": output,
    }
