"""The translator: the Voice Agent protocol on one side, the Realtime API on the other.

It only wires the parts together and hands each frame to the one that knows about it; the parts
are plain objects without sockets, tasks or clocks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from voiceproxy import Close, Frame, Text
from voiceproxy_openai.agent_messages import AgentMessages
from voiceproxy_openai.audio_output import AudioOutput
from voiceproxy_openai.client_events import ClientEvents, purpose_of
from voiceproxy_openai.dialogue import Dialogue
from voiceproxy_openai.errors import (
    ALREADY_ACTIVE,
    HIDDEN,
    IDLE_TIMEOUT,
    UpstreamError,
    read_error,
)
from voiceproxy_openai.events import ROWS, Handled
from voiceproxy_openai.function_calls import FunctionCalls
from voiceproxy_openai.items import Items
from voiceproxy_openai.memory import Recent, take_apart
from voiceproxy_openai.messages import Messages
from voiceproxy_openai.microphone import Microphone
from voiceproxy_openai.output import Output
from voiceproxy_openai.parts import Shared
from voiceproxy_openai.playback import Playback
from voiceproxy_openai.reading import Event, MalformedEvent, text_at
from voiceproxy_openai.response_gate import ResponseGate
from voiceproxy_openai.responses import Responses
from voiceproxy_openai.session_setup import SessionSetup
from voiceproxy_openai.session_updates import SessionUpdates
from voiceproxy_openai.settings_mapping import SessionPlan
from voiceproxy_openai.speech import Speech
from voiceproxy_openai.transcripts import Transcripts
from voiceproxy_openai.upstream_end import end_session

if TYPE_CHECKING:
    from voiceproxy import TranslatorSession
    from voiceproxy_openai.settings import OpenAISettings

Handler = Callable[[Event], None]

_SERVED: Mapping[str, Callable[[OpenAITranslator], Handler]] = {
    "Settings": attrgetter("apply"),
    "InjectUserMessage": attrgetter("inject"),
    "InjectAgentMessage": attrgetter("statements.inject"),
    "FunctionCallResponse": attrgetter("calls.answered"),
    "UpdatePrompt": attrgetter("updates.prompt"),
    "UpdateThink": attrgetter("updates.think"),
    "UpdateSpeak": attrgetter("updates.speak"),
    "UpdateListen": attrgetter("updates.listen"),
}
"""What serves a client's message, by its type: of one translator, given that. One table for all
sessions, as ``_HANDLERS`` is for the upstream's events."""

MAX_TYPE_LOGGED = 60
"""Characters of an unknown event's type that a log line gets; it could be anything."""


class OpenAITranslator:
    """One client's conversation with one OpenAI Realtime session."""

    accepts: ClassVar[frozenset[str]] = frozenset(_SERVED)

    def __init__(self, session: TranslatorSession, settings: OpenAISettings) -> None:
        self._session = session
        self.passes_unknown = settings.pass_unknown_messages
        self._messages = messages = Messages(session)
        self._dialogue = dialogue = Dialogue(session, messages, settings.ack_timeout)
        marked = settings.mark_responses
        self._upstream = upstream = ClientEvents(session.to_upstream, mark_responses=marked)
        self.gate = gate = ResponseGate(
            session, upstream.create_response, settings.ack_timeout, marked=marked
        )
        shared = Shared(session, messages, dialogue, upstream, gate)
        self.responses = responses = Responses(
            shared, settings.response_timeout, settings.ack_timeout
        )
        self.calls = calls = FunctionCalls(shared, responses, settings.function_call_timeout)
        self._playback = playback = Playback(session.now)
        self.output = output = Output(session, dialogue, responses, calls, playback)
        self.items = items = Items(session, gate, output, calls, settings.ack_timeout)
        responses.output, responses.calls, calls.items = output, calls, items
        self.transcripts = Transcripts(messages, dialogue)
        self.speech = Speech(shared, responses, self.transcripts, playback)
        self.updates = SessionUpdates(settings, messages, upstream)
        self.setup = SessionSetup(
            session, settings, messages, upstream, self.updates, self._configure
        )
        self.microphone = Microphone(session, settings, messages, gate, self._commit)
        self.statements = statements = AgentMessages(shared, responses, items, playback)
        statements.user_speaks = self._user_speaks
        statements.agent_calls = lambda: calls.waiting
        statements.text_only = lambda: self.updates.text_only
        gate.patient_may_go = statements.patient_may_go
        gate.freed = self.microphone.response_over
        responses.idle = self._after_responses
        self._warned = Recent()
        self._junk_reported = False
        self._held_idle_timeout: UpstreamError | None = None

    # The session's calls.

    def opened(self) -> None:
        """The client gets its Welcome."""
        self._messages.welcome()

    def upstream_opened(self, headers: Mapping[str, str]) -> None:
        """The upstream says nothing we wait for until it has its session.update."""

    def client_frame(self, frame: Frame, message: dict[str, Any] | None) -> None:
        """A legal message in a legal order, or audio."""
        if message is None:
            self.microphone.feed(frame.data)
            return
        serve = _SERVED.get(message["type"])
        if serve is not None:
            serve(self)(message)
        else:  # the host lets it in only where ``passes_unknown`` says so
            self._session.to_upstream(frame)

    def apply(self, message: Event) -> None:
        """``Settings``."""
        self.setup.settings(message, postpone=self.responses.running)

    def inject(self, message: Event) -> None:
        """``InjectUserMessage``: the item, then the echo; the response when the item is there.

        (TXT-1, TXT-2)
        """
        text = text_at(message, "content")
        sent = self._upstream.create_user_message(text)
        self._dialogue.typed(text)
        self.responses.turn_ended()
        self.items.expect(sent, self.gate.want, text=text)

    def upstream_frame(self, frame: Frame) -> None:
        """An event; what is none is reported once and skipped (EVT-3)."""
        try:
            event: Any = orjson.loads(frame.data) if isinstance(frame, Text) else None
            kind = event["type"]
            handler = _HANDLERS[kind]
        except (ValueError, TypeError, KeyError):
            self._unknown(frame)
            return
        try:
            handler(self)(event)
        except MalformedEvent as error:
            self._warn_once(kind, f"an event {kind} was dropped: {error}")

    def _unknown(self, frame: Frame) -> None:
        """Off the usual path: an event of a type nobody knows, or junk."""
        try:
            event = orjson.loads(frame.data) if isinstance(frame, Text) else None
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._report_junk(frame)
            return
        kind = text_at(event, "type")
        self._warn_once(
            kind,
            f"an event of unknown type {kind[:MAX_TYPE_LOGGED]!r} ({len(frame)} bytes) was dropped",
        )

    def _warn_once(self, kind: str, warning: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            self._session.log.warning("%s", warning)

    def _report_junk(self, frame: Frame) -> None:
        if not self._junk_reported:
            self._junk_reported = True
            self._session.log.warning("the upstream sent what is no event (%r)", frame)
            self._messages.error(
                "unmapped_upstream_event",
                "The upstream sent a message that could not be parsed as a JSON object.",
            )

    def _after_responses(self) -> None:
        """What had to wait until no response was running."""
        self.setup.proceed()
        self.microphone.response_over()
        if self._held_idle_timeout is not None:
            error, self._held_idle_timeout = self._held_idle_timeout, None
            self._messages.error(error.code, error.description)

    def error(self, event: Event) -> None:
        """An ``error`` event: settled where it belongs, and shown unless it is a race of ours."""
        error = read_error(event)
        if error.fatal:
            self._session.fail(error.fatal, error.description)
        elif self.setup.refused(error):
            return
        elif error.code == ALREADY_ACTIVE:
            self.gate.refused(error.event_id)
        elif error.code in HIDDEN or purpose_of(error.event_id) in ("cancel", "truncate"):
            self._session.log.info("the upstream refused what is moot: %s", error.code)
        elif error.code == IDLE_TIMEOUT and self.responses.running:
            self._held_idle_timeout = error  # the turn's text goes first (ERR-3)
        else:
            self.items.refused(error)
            self.updates.refused(error)
            self.gate.failed(error.event_id)
            self._session.log.error("the upstream reports an error: %s", error.code)
            self._messages.error(error.code, error.description)

    def upstream_closed(self, close: Close) -> None:
        """The session ends with the upstream's connection."""
        self._dialogue.flush()
        if self._held_idle_timeout is not None:
            self._messages.error(self._held_idle_timeout.code, self._held_idle_timeout.description)
        end_session(self._session, close, ready=self.setup.applied)

    def closed(self) -> None:
        """The end: what the client has said so far goes up before the close frame."""
        self.microphone.closed()
        take_apart(self)

    # Wiring.

    def _configure(self, plan: SessionPlan) -> None:
        """The upstream has taken the plan."""
        self._messages.history = plan.history
        self._dialogue.transcribed = plan.session["audio"]["input"]["transcription"] is not None
        self.speech.automatic = not plan.manual_commit
        self.microphone.configure(plan)
        self._playback.upstream = plan.upstream_output
        self._playback.client = plan.output
        # Without the plan itself: its session.update is as big as the Settings, and was sent.
        formats = plan.upstream_output, plan.output
        self.output.new_audio = partial(AudioOutput, *formats, wav=plan.wav)

    def _user_speaks(self) -> bool:
        return self.speech.speaking or self.microphone.user_speaks

    def _commit(self) -> None:
        """A manual turn is over."""
        self._upstream.commit_audio()
        self.responses.turn_ended()


def _ignore(_: Event) -> None:
    """The table says why."""


_HANDLERS: Mapping[str, Callable[[OpenAITranslator], Handler]] = {
    kind: attrgetter(row.method) if isinstance(row, Handled) else lambda _: _ignore
    for kind, row in ROWS.items()
}
