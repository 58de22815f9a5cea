"""One Realtime session: client events in, server events out. No socket, no asyncio, no clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from voiceproxy_simulator import limits, refusals
from voiceproxy_simulator.acknowledgements import Acknowledgements
from voiceproxy_simulator.configuration import Configuration
from voiceproxy_simulator.conversation import Conversation
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.listening import Listening
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.responder import Responder
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.validation import client_events
from voiceproxy_simulator.wire import Emitter, Event, Frame, Line

SESSION_SECONDS = 60 * 60
DEFAULT_MODEL = "gpt-realtime"

_APPEND = "input_audio_buffer.append"
_INPUT = frozenset({_APPEND, "conversation.item.create"})


class Session:
    """A session of ``kind`` realtime or transcription, on a line.

    Call ``open`` once, then ``receive`` for every text frame, ``receive_binary`` for every binary
    one, ``drained`` whenever the line takes events again after it was full, and ``closed`` last.
    """

    def __init__(
        self,
        line: Line,
        journal: Journal,
        *,
        kind: str = "realtime",
        model: str = DEFAULT_MODEL,
        pace: Pace = "burst",
        scenario: type[Scenario] = Scenario,
    ) -> None:
        self.line = line
        self._journal = journal
        self._scenario = scenario(self)
        self._emitter = Emitter(line, self._outgoing)
        self.id = self._emitter.new_id("sess")
        self._configuration = Configuration(kind, model, self.id, _expiry())
        self._additions = Acknowledgements(line, self._scenario.item_delay)
        self._updates = Acknowledgements(line, self._scenario.settings_delay)
        self._configured = False
        self._conversation = Conversation(self._emitter, self._additions)
        self._responder = Responder(
            self._emitter,
            self._configuration,
            self._conversation,
            self._scenario,
            self._scenario.pace or pace,
        )
        self._listening = Listening(
            self._emitter, self._configuration, self._conversation, self._responder
        )
        self._responder.begun = self._listening.rest
        self._responder.ended = self._listening.wait
        self._handlers = self._table()

    def _table(self) -> dict[str, Callable[[Event], None]]:
        """Who handles which client event."""
        return {
            "session.update": self._update,
            _APPEND: self._listening.append,
            "input_audio_buffer.commit": self._listening.commit,
            "input_audio_buffer.clear": self._listening.clear,
            "conversation.item.create": self._create_item,
            "conversation.item.retrieve": self._conversation.retrieve,
            "conversation.item.truncate": self._conversation.truncate,
            "conversation.item.delete": self._conversation.delete,
            "response.create": self._responder.create,
            "response.cancel": self._responder.cancel,
            "output_audio_buffer.clear": _refuse_webrtc,
        }

    def open(self) -> None:
        """The connection is there: greet it with ``session.created``, or turn it away."""
        rejection = self._scenario.rejection()
        if rejection is not None:
            self.refuse(rejection)
            return
        self._emitter.emit("session.created", session=self._configuration.echo())
        self.line.later(SESSION_SECONDS, lambda: self.refuse(refusals.expired()))

    def receive(self, text: str | bytes) -> None:
        """A text frame from the client."""
        event: Any = None
        try:
            event = _parse(text)
            self._journal.receive(self.id, event)
            self._handle(event)
        except Refusal as refusal:
            event = event if isinstance(event, dict) else {}
            self._note(refusal, event)
            self._flush()
            self._emitter.refuse(refusal, _text(event.get("event_id")))

    def receive_binary(self, _data: bytes = b"") -> None:
        """A binary frame, which this protocol does not have. The API ignores it."""
        self._journal.violate(self.id, "binary-frame", "")

    def drained(self) -> None:
        """The line takes events again."""
        self._responder.resume()

    def closed(self) -> None:
        """The connection is over. Its timers ended with it."""

    def refuse(self, refusal: Refusal) -> None:
        """Send an error nobody asked for."""
        self._emitter.refuse(refusal)

    # What scenarios do

    def volunteer(self, text: str) -> None:
        """Begin a response by itself, to nothing that was said, unless one is active."""
        if not self._responder.busy:
            self._responder.volunteer(text)

    def overhear(self, seconds: float) -> None:
        """Hear the user speak for so long, from now on, without any audio."""
        self._listening.overhear(seconds)

    def time_out(self) -> None:
        """Find that the user has been silent for too long, unless a response is active."""
        if not self._responder.busy:
            self._listening.time_out()

    # Inside

    def _handle(self, event: Event) -> None:
        client_events().check(event)
        limits.check(event)
        kind = event["type"]
        self._watch(kind)
        if kind != _APPEND:
            self._flush()
        self._handlers[kind](self._incoming(event))

    def _incoming(self, event: Event) -> Event:
        try:
            return self._scenario.incoming(event)
        except Refusal as refusal:
            refusal.excused = True
            raise

    def _watch(self, kind: str) -> None:
        """Our own contract, of which the API knows nothing."""
        if kind in _INPUT and not self._configured:
            self._journal.violate(self.id, "input-before-settings", kind)
        if kind == "response.create" and self._additions.outstanding:
            self._journal.violate(self.id, "response-before-item-added", kind)

    def _note(self, refusal: Refusal, event: Event) -> None:
        if not refusal.excused:
            kind = _text(event.get("type")) or ""
            detail = " ".join(filter(None, (refusal.code, refusal.param)))
            self._journal.violate(self.id, "refused", kind[:64], detail[:200])

    def _flush(self) -> None:
        """Confirm what came before, so that the order of answers is that of the events."""
        self._updates.flush()
        self._additions.flush()

    def _update(self, event: Event) -> None:
        self._configuration.update(
            event["session"], spoken=self._responder.spoken, responding=self._responder.busy
        )
        self._listening.configure()
        self._updates.defer(self._confirm_update)

    def _confirm_update(self) -> None:
        self._configured = True
        self._emitter.emit("session.updated", session=self._configuration.echo())

    def _create_item(self, event: Event) -> None:
        self._conversation.create(event, self._configuration.input_format)

    def _outgoing(self, event: Event) -> Iterable[Frame]:
        return self._scenario.outgoing(event)


def _parse(text: str | bytes) -> Event:
    try:
        event = orjson.loads(text)
    except ValueError:
        raise refusals.invalid_event("The frame is not valid JSON.") from None
    if not isinstance(event, dict):
        raise refusals.invalid_event("The frame is not a JSON object.")
    return event


def _refuse_webrtc(_event: Event) -> None:
    message = "'output_audio_buffer.clear' is only available on WebRTC and SIP connections."
    raise refusals.invalid_event(message, "type")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _expiry() -> int:
    """Wall-clock seconds, as ``expires_at`` counts them."""
    return int(time.time()) + SESSION_SECONDS
