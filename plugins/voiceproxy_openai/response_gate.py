"""May ``response.create`` be sent now? Decided here and nowhere else.

The API runs one response of the conversation at a time and refuses a second. Ours is a stricter
rule: a create follows the confirmation of every item it answers (TXT-2), never while a response
is active or another create is in flight (DEF-4, DEF-6, DEF-7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voiceproxy_openai.client_events import MARK
from voiceproxy_openai.reading import Event

if TYPE_CHECKING:
    from voiceproxy import TranslatorSession
    from voiceproxy_openai.timer import Timer


class ResponseGate:
    """Holds the wish for a response until nothing stands in its way."""

    def __init__(
        self, session: TranslatorSession, create: Callable[[], str], timeout: float, *, marked: bool
    ) -> None:
        self._session = session
        self._create = create
        self._timeout = timeout
        self._marked = marked
        self._wanted = False
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

    @property
    def busy(self) -> bool:
        """True while a response is active or asked for."""
        return bool(self._active or self._in_flight or self._unseen)

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

    def _consider(self) -> None:
        if self._wanted and not self._unconfirmed and not self.busy:
            self._wanted = False
            self._in_flight = self._latest = self._create()
            self._wait(self._forget_create)

    # What the upstream says.

    def turn_committed(self) -> None:
        """The server's VAD ended a turn; it answers by itself."""
        self._turn_committed = True

    def response_began(self, response_id: str, response: Event) -> None:
        """``response.created``, or the first sign of a response that came without it."""
        self._active.add(response_id)
        if self._in_flight and self._is_ours(response):
            self._in_flight = ""
            self._stop_waiting()
        else:
            self._turn_committed = False

    def _is_ours(self, response: Event) -> bool:
        """By the mark; where a server shows no metadata, by what else could have caused it."""
        metadata = response.get("metadata")
        if isinstance(metadata, dict) and MARK in metadata:
            return bool(metadata[MARK] == self._in_flight)
        if self._marked and "metadata" in response:
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

        Some servers leave out the event id; then it can only be the latest create.
        """
        if not self._latest or event_id not in ("", self._latest):
            return
        self._in_flight = ""
        self._stop_waiting()
        self._wanted = True
        if not self._active:
            self._unseen = True
            self._wait(self._forget_unseen)

    def failed(self, event_id: str) -> None:
        """A create was refused for another reason; asking again would not help."""
        if self._in_flight and event_id == self._in_flight:
            self._in_flight = ""
            self._stop_waiting()
            self._consider()

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
        self._consider()

    def _forget_unseen(self) -> None:
        self._unseen = False
        self._consider()
