"""Responses: one object each, from ``response.created`` to the AgentDone pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from voiceproxy_openai.errors import response_error
from voiceproxy_openai.memory import Recent
from voiceproxy_openai.parts import Part, Shared
from voiceproxy_openai.reading import Event, object_at, objects_at, text_at

if TYPE_CHECKING:
    from voiceproxy import Timer
    from voiceproxy_openai.audio_output import AudioOutput
    from voiceproxy_openai.function_calls import FunctionCalls
    from voiceproxy_openai.output import Output


TICK = 0.001
"""Seconds a timer may be early: the clock's figures are rounded."""


class ResponseState(Enum):
    """Where a response is in its life."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    """The user spoke, or we gave it up: what still arrives of it is dropped."""
    DONE = "done"
    """Over upstream; function calls of it still wait for an answer."""
    FINISHED = "finished"
    """The client has been told."""


@dataclass(slots=True, eq=False)
class Response:
    """One response of the upstream."""

    key: str
    """Ours, because the upstream may not name it."""
    id: str
    turn_ended: float
    """When the turn it answers was over, in seconds of the session's clock."""
    state: ResponseState = ResponseState.RUNNING
    created: bool = False
    """``response.created`` was seen; then only ``response.done`` ends it."""
    first_token: float | None = None
    speaking: bool = False
    """AgentStartedSpeaking has been sent."""
    latest: float = 0.0
    """When the last of it came."""
    timer: Timer | None = None
    audio: AudioOutput | None = None
    items: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """Text by item and content index, for servers that send no whole items."""
    said: set[str] = field(default_factory=set)
    """The texts the client has got of it."""
    after: frozenset[str] = frozenset()
    """The spoken turns it answers that were not written down when it began."""


class Responses(Part):
    """The responses that are not over, and the memory of a few that are."""

    def __init__(self, shared: Shared, timeout: float, ack_timeout: float) -> None:
        super().__init__(shared)
        self._timeout = timeout
        self._ack_timeout = ack_timeout
        self._open: dict[str, Response] = {}
        self._over = Recent()
        self._over_items = Recent()
        """What the responses that are over consisted of."""
        self._early = Recent()
        """Those of them that ended with their text."""
        self._ended_early = False
        """The end of a response without an id is still to come, though it is over."""
        self._count = 0
        self._turn_ended: float | None = None
        self.output: Output
        self.calls: FunctionCalls
        self.idle: Callable[[], None]
        """Called when the last response is over and the client has been told."""

    @property
    def running(self) -> bool:
        """True while a response is not over upstream."""
        return bool(self._open)

    def turn_ended(self) -> None:
        """The user has spoken, typed or answered: the next response's latency counts from now."""
        self._turn_ended = self._session.now()

    # Finding them.

    def of(
        self, event: Event, given: Event | None = None, *, calls: bool = False
    ) -> Response | None:
        """The response an event with content belongs to; None when it is over.

        A response that was never announced begins here: some servers send no response.created.
        ``given`` is what the event tells of it. One whose text was taken for its end begins again
        when it ``calls`` a function.
        """
        response_id = text_at(event, "response_id")
        found = self._open.get(response_id) or self._find(response_id)
        if found is None:
            if response_id in self._over and not (calls and response_id in self._early):
                return None
            found = self._begin(response_id, given or {})
        found.latest = self._session.now()
        return found

    def find(self, event: Event) -> Response | None:
        """The response an event belongs to, if it is known and not over."""
        response_id = text_at(event, "response_id")
        return self._open.get(response_id) or self._find(response_id)

    def _find(self, response_id: str) -> Response | None:
        """The response an event means that does not name it, or names what had no id so far."""
        if response_id in self._over:
            return None
        if not response_id and self._open:
            return next(reversed(self._open.values()))
        response = self._open.pop("", None)
        if response is not None:
            response.id = response_id
            self._open[response_id] = response
        return response

    def owner_of(self, item_id: str) -> Response | None:
        """The response an item belongs to, or the only one there is."""
        for response in self._open.values():
            if item_id in response.items:
                return response
        if item_id in self._over_items:
            return None
        return next(iter(self._open.values())) if len(self._open) == 1 else None

    def goes_on(self, event: Event) -> None:
        """An event whose content is told of elsewhere; its response is not silent."""
        response = self.find(event)
        if response is not None:
            response.latest = self._session.now()

    # Their lives.

    def created(self, event: Event) -> None:
        """``response.created``."""
        given = object_at(event, "response")
        response_id = text_at(given, "id")
        if response_id in self._over:
            return
        response = self._open.get(response_id)
        if response is None:
            response = self._begin(response_id, given)
        response.created = True

    def _begin(self, response_id: str, given: Event) -> Response:
        self._count += 1
        began = self._session.now()
        turn_ended, self._turn_ended = self._turn_ended, None
        response = Response(
            f"response_{self._count}", response_id, began if turn_ended is None else turn_ended
        )
        response.latest = began
        response.after = self._dialogue.unwritten
        self._open[response_id] = response
        self._ended_early = False
        self._watch(response, self._timeout)
        self._gate.response_began(response.key, given)
        if self._gate.overruled:
            self._stop(response)
        return response

    def _watch(self, response: Response, seconds: float) -> None:
        response.timer = self._session.later(seconds, lambda: self._check(response))

    def _check(self, response: Response) -> None:
        """A server that drops a response without its end would silence the agent for good."""
        left = self._timeout - (self._session.now() - response.latest)
        if left > TICK:
            self._watch(response, left)
            return
        self._session.log.error("a response sent nothing for %g s; it is given up", self._timeout)
        self._messages.warning(
            "RESPONSE_TIMED_OUT",
            f"The upstream sent nothing of the reply for {self._timeout:g} s; it ends here.",
        )
        self.give_up(response)

    def give_up(self, response: Response) -> None:
        """Cancel a response that does not end; what still comes of it is dropped by its id."""
        self._upstream.cancel_response(response.id)
        self._abandon(response)

    def _abandon(self, response: Response) -> None:
        """What was heard of it is told before its end; its items will not be told of again."""
        self.output.abandon(response)
        self.end(response)

    def start_speaking(self, response: Response) -> None:
        """AgentStartedSpeaking, once a response, before the first thing the client gets of it."""
        if response.speaking:
            return
        response.speaking = True
        now = self._session.now()
        first = now if response.first_token is None else response.first_token
        self._messages.started_speaking(
            now - response.turn_ended, now - first, first - response.turn_ended
        )

    def interrupt(self) -> None:
        """The user speaks; the upstream cancels what is running (OUT-15)."""
        self._early = Recent()  # what may not have ended with its text has ended now
        for response in self._open.values():
            if response.state is ResponseState.RUNNING:
                response.state = ResponseState.INTERRUPTED

    def stop(self) -> None:
        """Cancel what is running, for something else the agent is to say."""
        for response in self._open.values():
            if response.state is ResponseState.RUNNING:
                self._stop(response)

    def _stop(self, response: Response) -> None:
        """Its end is awaited no longer than any other answer: somebody waits to speak."""
        response.state = ResponseState.INTERRUPTED
        self._upstream.cancel_response(response.id)
        if response.timer is not None:
            response.timer.cancel()
        response.timer = self._session.later(self._ack_timeout, lambda: self._abandon(response))

    def done(self, event: Event) -> None:
        """``response.done``: the one end of a response, whatever its status."""
        given = object_at(event, "response")
        response_id = text_at(given, "id")
        early = self._ended_early and not response_id
        calls = any(item.get("type") == "function_call" for item in objects_at(given, "output"))
        named = {"response_id": response_id}
        response = None if early else self.of(named, given, calls=calls)
        if response is None:  # over before: a create refused because of it may be asked now
            self._ended_early = False
            self._early.discard(response_id)
            self._gate.response_ended("")
            return
        status = text_at(given, "status")
        self.output.complete(response, given, cancelled=status == "cancelled")
        self._report(status, given)
        self.end(response, cancelled=status == "cancelled")

    def _report(self, status: str, given: Event) -> None:
        """A failed response is reported here and nowhere else (DEF-14)."""
        if status not in ("failed", "incomplete"):
            return
        error = response_error(given)
        if error.fatal:
            self._session.fail(error.fatal, error.description)
        elif status == "failed":
            self._messages.error(error.code, error.description)
        else:
            self._messages.warning(error.code, "The agent's reply was cut short.")

    def end_early(self, response: Response) -> None:
        """It was never announced, so its text was its end; ``response.done`` may still come."""
        self.end(response)
        self._early.add(response.id)
        self._ended_early = not response.id

    def end(self, response: Response, *, cancelled: bool = False) -> None:
        """It is over upstream; the client is told unless function calls of it are open (DEF-30)."""
        self._open.pop(response.id, None)
        if response.id:
            self._over.add(response.id)
            self._early.discard(response.id)
        for item_id in filter(None, response.items):
            self._over_items.add(item_id)
        if response.timer is not None:
            response.timer.cancel()
        response.state = ResponseState.DONE
        self._dialogue.over(response.after)
        # The calls first: what they want is then asked for once, with everything else.
        if not self.calls.response_ended(response, cancelled=cancelled):
            self.finish(response)
        self._gate.response_ended(response.key)
        if not self._open:
            self.idle()

    def finish(self, response: Response) -> None:
        """AgentDone and AgentAudioDone, exactly once a response (DEF-10, DEF-11)."""
        if response.state is ResponseState.DONE:
            response.state = ResponseState.FINISHED
            response.audio = None
            self._messages.done()
