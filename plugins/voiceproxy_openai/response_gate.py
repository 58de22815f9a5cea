"""May ``response.create`` be sent now? Decided here and nowhere else.

The API runs one response of the conversation at a time and refuses a second. Ours is a stricter
rule: a create follows the confirmation of every item it answers (TXT-2), never while a response
is active or another create is in flight (DEF-4, DEF-6, DEF-7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voiceproxy_openai.client_events import MARK, purpose_of
from voiceproxy_openai.reading import Event

if TYPE_CHECKING:
    from voiceproxy import Timer, TranslatorSession


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """Something the agent is to say without being asked."""

    send: Callable[[], str]
    """Returns the event id of its response.create, or "" when it needs none."""
    urgent: bool
    """Before the answer that is wanted, not after it."""


class ResponseGate:
    """Holds the wish for a response until nothing stands in its way."""

    def __init__(
        self, session: TranslatorSession, create: Callable[[], str], timeout: float, *, marked: bool
    ) -> None:
        self._session = session
        self._create = create
        self._timeout = timeout
        self._marked = marked
        self._shows_marks = False
        """A response has shown our mark, so one without it is not ours."""
        self._wanted = False
        self._urgent: list[Statement] = []
        self._patient: list[Statement] = []
        self._sent: Statement | None = None
        """What the latest create is for; None: an answer."""
        self._unconfirmed: set[str] = set()
        self._active: set[str] = set()
        self._in_flight = ""
        """The event id of a create that no response.created has answered yet."""
        self._latest = ""
        self._unseen = False
        """A create was refused because of a response we know nothing of."""
        self._turn_committed = False
        """The server's VAD committed a turn, so the next response may be its own."""
        self._timer: Timer | None = None
        self._due: Timer | None = None
        """Rings when the server has not answered a committed turn in time."""
        self.patient_may_go: Callable[[], bool]
        """Whether nobody else is about to speak."""
        self.freed: Callable[[], None]
        """Called when a create came to nothing, so that no response will end."""

    @property
    def busy(self) -> bool:
        """True while a response is active or asked for, or may be ours or not."""
        return self._ambiguous or bool(self._active or self._in_flight or self._unseen)

    @property
    def occupied(self) -> bool:
        """True while a response is active, asked for, or to be asked for."""
        return self.busy or self._wanted or self._due is not None or self.statements > 0

    @property
    def statements(self) -> int:
        """How many wait."""
        return len(self._urgent) + len(self._patient)

    @property
    def overruled(self) -> bool:
        """True while a response that begins is in the way of something urgent."""
        return bool(self._urgent)

    # What a response waits for.

    def await_item(self, item_id: str) -> None:
        """An item was sent; nothing is asked before it is settled."""
        self._unconfirmed.add(item_id)

    def settle_item(self, item_id: str) -> None:
        """The item is confirmed, refused or overdue."""
        self._unconfirmed.discard(item_id)
        self._consider()

    def want(self) -> None:
        """Somebody is to be answered."""
        self._wanted = True
        self._consider()

    def state(self, statement: Statement) -> None:
        """The agent is to say something."""
        (self._urgent if statement.urgent else self._patient).append(statement)
        self._consider()

    def reconsider(self) -> None:
        """Somebody who was about to speak is not any more."""
        self._consider()

    def _consider(self) -> None:
        while not self._unconfirmed and not self.busy:
            if self._urgent:
                self._send(self._urgent.pop(0))
            elif self._wanted:
                self._wanted = False
                self._send(None)
            elif self._patient and self._due is None and self.patient_may_go():
                self._send(self._patient.pop(0))
            else:
                return

    @property
    def _ambiguous(self) -> bool:
        """The server is about to answer, and nothing would tell its response from ours."""
        return self._due is not None and not self._marked

    def _send(self, statement: Statement | None) -> None:
        event_id = self._create() if statement is None else statement.send()
        if event_id:
            self._sent = statement
            self._in_flight = self._latest = event_id
            self._wait(self._forget_create)

    # What the upstream says.

    def turn_committed(self) -> None:
        """The server's VAD ended a turn; it answers by itself."""
        self._answered_by_server()
        self._turn_committed = True
        self._due = self._session.later(self._timeout, self._forget_turn)

    def _answered_by_server(self) -> None:
        self._turn_committed = False
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _forget_turn(self) -> None:
        self._answered_by_server()
        self._consider()

    def response_began(self, response_id: str, response: Event) -> None:
        """``response.created``, or the first sign of a response that came without it."""
        self._active.add(response_id)
        if self._in_flight and self._is_ours(response):
            self._in_flight = ""
            self._stop_waiting()
        else:
            self._answered_by_server()

    def _is_ours(self, response: Event) -> bool:
        """By the mark; where a server has shown none yet, by what else could have caused it."""
        metadata = response.get("metadata")
        if isinstance(metadata, dict) and MARK in metadata:
            self._shows_marks = True
            return bool(metadata[MARK] == self._in_flight)
        if self._marked and self._shows_marks and "metadata" in response:
            return False
        return not self._turn_committed

    def response_ended(self, response_id: str) -> None:
        """``response.done``, or what ends a response without it."""
        self._active.discard(response_id)
        if self._unseen:
            self._unseen = False
            self._stop_waiting()
        self._consider()

    def refused(self, event_id: str) -> None:
        """A create was refused because a response is active: it is asked again after that one.

        Some servers leave out the event id, or make one up; then it can only be the latest create,
        or the one the server was to make by itself for a spoken turn.
        """
        if purpose_of(event_id) != "create":
            event_id = ""
        theirs = not event_id and self._turn_committed
        if not theirs and (not self._latest or event_id not in ("", self._latest)):
            return
        if self._sent is None or not (event_id or self._in_flight):
            self._wanted = True  # the second: the server could not answer a spoken turn itself
        else:
            (self._urgent if self._sent.urgent else self._patient).insert(0, self._sent)
        if event_id or self._in_flight:
            self._latest = ""
        else:
            self._answered_by_server()
        self._in_flight = ""
        self._stop_waiting()
        if not self._active:
            self._unseen = True
            self._wait(self._forget_unseen)

    def failed(self, event_id: str) -> None:
        """A create was refused for another reason; asking again would not help."""
        if self._in_flight and event_id == self._in_flight:
            self._in_flight = ""
            self._stop_waiting()
            self._go_on()

    # Every wait ends.

    def _wait(self, overdue: Callable[[], None]) -> None:
        self._stop_waiting()
        self._timer = self._session.later(self._timeout, overdue)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget_create(self) -> None:
        self._session.log.warning("no response.created within %g s of a create", self._timeout)
        # A server that shows metadata but drops ours would cost this wait every time.
        self._marked = False
        self._in_flight = ""
        self._go_on()

    def _forget_unseen(self) -> None:
        self._unseen = False
        self._go_on()

    def _go_on(self) -> None:
        self._consider()
        if not self.busy:
            self.freed()
