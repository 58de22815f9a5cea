"""Scenarios in which a response says more, less or other things than it should, or ends badly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from voiceproxy_simulator.scenario import Cut, Patient, Scenario
from voiceproxy_simulator.script import Call, Part, Say, call_of
from voiceproxy_simulator.wire import Event, Frame


class Quota(Scenario):
    """Every response fails with insufficient_quota."""

    _ERROR = {  # noqa: RUF012 - never changed
        "type": "insufficient_quota",
        "code": "insufficient_quota",
        "message": "You exceeded your current quota, please check your plan and billing.",
    }

    def cut(self, _parts: Sequence[Part]) -> Cut:
        """As for an account without credit; no ``error`` event comes with it."""
        return Cut(0, lambda response: response.fail(self._ERROR))


class ErrorMidResponse(Scenario):
    """Every response fails with a server_error after three pieces."""

    _ERROR = {  # noqa: RUF012 - never changed
        "type": "server_error",
        "code": "server_error",
        "message": "The server had an error while processing your request.",
    }

    def cut(self, _parts: Sequence[Part]) -> Cut:
        """Reported in ``response.done`` alone."""
        return Cut(3, lambda response: response.fail(self._ERROR))


class Incomplete(Scenario):
    """Every response ends as incomplete (max_output_tokens) after three pieces."""

    def cut(self, _parts: Sequence[Part]) -> Cut:
        """As if the session had a low limit."""
        return Cut(3, lambda response: response.stop_short("max_output_tokens"))


class Stall(Scenario):
    """Every response stops after its first piece and stays active until it is cancelled."""

    def cut(self, _parts: Sequence[Part]) -> Cut:
        """Nothing follows."""
        return Cut(1, lambda _response: None)


class CancelledCall(Scenario):
    """The user speaks while the arguments of a function call come: they are cut in the middle."""

    _SPOKEN = 0.6

    def cut(self, parts: Sequence[Part]) -> Cut | None:
        """Speech nobody sent: speech_started, the end of the response, then a turn of its own."""
        if parts and isinstance(parts[0], Call):
            return Cut(1, lambda _response: self.session.overhear(self._SPOKEN))
        return None


class ParallelCalls(Scenario):
    """A response that calls a function calls all of the session's; one alone is called twice."""

    def parts(self, parts: Sequence[Part], config: dict[str, Any]) -> Sequence[Part]:
        """Each call has an id of its own."""
        called = [part.name for part in parts if isinstance(part, Call)]
        if not called:
            return parts
        tools = [tool for tool in config["tools"] if tool.get("type") == "function"]
        more = [call_of(tool) for tool in tools if tool["name"] not in called]
        calls = (*parts, *more)
        return calls if len(calls) > 1 else calls * 2


class SpokenCall(Scenario):
    """A response that calls a function says something first, in the same response."""

    def parts(self, parts: Sequence[Part], _config: dict[str, Any]) -> Sequence[Part]:
        """The message comes first, as the API's do."""
        called = any(isinstance(part, Call) for part in parts)
        return (Say("One moment."), *parts) if called else parts


class RefusedCreate(Scenario):
    """Every response.create is refused once: the server begins a response just before it comes."""

    _refused = False

    def incoming(self, event: Event) -> Event:
        """As voice-activity detection does when it hears a noise. Asked again, it is granted."""
        if event["type"] == "response.create":
            self._refused = not self._refused
            if self._refused:
                self.session.volunteer("The server began this one.")
        return event


class Burst(Scenario):
    """Every spoken reply is a minute long and its audio comes at once, whatever the pace."""

    pace = "burst"

    def parts(self, parts: Sequence[Part], _config: dict[str, Any]) -> Sequence[Part]:
        """The reply proper comes first."""
        much = " ".join(f"And {number}." for number in range(1, 61))
        return [Say(f"{part.text} {much}") if isinstance(part, Say) else part for part in parts]


class Oversized(Scenario):
    """A sound event of 30 MB, about an item nobody asked for, comes within every response."""

    _BYTES = 30_000_000

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """As ``conversation.item.retrieved`` may be, which carries all audio of its item."""
        if event["type"] != "response.output_item.added":
            return (event,)
        content = [{"type": "input_audio", "audio": "A" * self._BYTES, "transcript": None}]
        item = {"id": "item_oversized", "type": "message", "role": "user", "content": content}
        kind = "conversation.item.retrieved"
        event_id = f"{event['event_id']}_big"
        return (event, {"type": kind, "event_id": event_id, "item": item})


class IdleTimeout(Scenario):
    """After the first reply the user is silent for too long, and the server asks why."""

    _GRACE = 0.2

    def __init__(self, session: Patient) -> None:
        super().__init__(session)
        self._asked = False

    def responded(self) -> None:
        """As with ``idle_timeout_ms``, but soon."""
        if not self._asked:
            self._asked = True
            self.session.line.later(self._GRACE, self.session.time_out)
