"""The function calls of a turn: asked for together, and the turn goes on when all are answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.wire import Timer

SERVER_SECONDS = 0.02
"""How long the service takes to call a function at its endpoint."""


@dataclass(slots=True, eq=False)
class FunctionCall:
    """One call; ``response`` is None until it is answered."""

    id: str
    name: str
    arguments: str
    client_side: bool
    response: str | None = None

    def request(self) -> dict[str, Any]:
        """As FunctionCallRequest has it."""
        return {
            "id": self.id,
            "name": self.name,
            "arguments": self.arguments,
            "client_side": self.client_side,
        }

    def record(self) -> dict[str, Any]:
        """As History has it."""
        return {**self.request(), "response": self.response or ""}


class CallBatch:
    """The calls a turn makes at once. ``answered`` is called when the last has its response.

    A function with an endpoint is called by the service, which then sends a copy of the response;
    no such request leaves the simulator: the response says what was called.
    """

    def __init__(
        self,
        emitter: AgentEmitter,
        calls: Iterable[FunctionCall],
        answered: Callable[[CallBatch], None],
    ) -> None:
        self.calls = tuple(calls)
        self._emitter = emitter
        self._answered = answered
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Ask for the calls."""
        self._emitter.send("FunctionCallRequest", functions=[one.request() for one in self.calls])
        if any(not one.client_side for one in self.calls):
            self._timer = self._emitter.line.later(SERVER_SECONDS, self._call_endpoints)

    def answer(self, call_id: str, content: str) -> bool:
        """The client's response to a call; whether there is such an open call."""
        call = next((one for one in self._open() if one.id == call_id), None)
        if call is None:
            return False
        self._respond(call, content)
        return True

    def cancel(self) -> list[FunctionCall]:
        """Call off what is open; what the client is to be told of that."""
        if self._timer is not None:
            self._timer.cancel()
        cancelled = self._open()
        if cancelled:
            functions = [{"id": one.id, "name": one.name} for one in cancelled]
            self._emitter.send("FunctionCallCancelled", functions=functions)
        return cancelled

    def _open(self) -> list[FunctionCall]:
        return [one for one in self.calls if one.client_side and one.response is None]

    def _call_endpoints(self) -> None:
        for call in self.calls:
            if not call.client_side:
                content = json.dumps({"called": call.name}, separators=(",", ":"))
                self._emitter.send(
                    "FunctionCallResponse", id=call.id, name=call.name, content=content
                )
                self._respond(call, content)

    def _respond(self, call: FunctionCall, content: str) -> None:
        call.response = content
        if all(one.response is not None for one in self.calls):
            self._answered(self)
