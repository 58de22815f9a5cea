"""From the client's Settings to a configured session (SES-1 to SES-14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from voiceproxy_openai.client_events import ClientEvents
from voiceproxy_openai.errors import UpstreamError
from voiceproxy_openai.reading import Event, first_object_at, object_at
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.settings_mapping import (
    SessionPlan,
    UnsupportedSettings,
    asked_model,
    plan_session,
)
from voiceproxy_openai.upstream import connected_model, other_model_url

if TYPE_CHECKING:
    from voiceproxy import Timer, TranslatorSession
    from voiceproxy_openai.messages import Messages
    from voiceproxy_openai.session_updates import SessionUpdates

COMPONENT_RATE, AGENT_RATE = 16000, 24000
"""What linear16 without ``audio.input`` has, in Hz, by dialect."""


def _think(message: Event) -> Event:
    return first_object_at(object_at(message, "agent"), "think")


class SetupState(Enum):
    """How far the Settings have come."""

    AWAITED = "awaited"
    POSTPONED = "postponed"
    """A response is running; the update follows it (SES-8 without its loss, DEF-13)."""
    SENT = "sent"
    APPLIED = "applied"


class SessionSetup:
    """Sends ``session.update`` and tells the client what came of it."""

    def __init__(
        self,
        session: TranslatorSession,
        settings: OpenAISettings,
        messages: Messages,
        upstream: ClientEvents,
        updates: SessionUpdates,
        configure: Callable[[SessionPlan], None],
    ) -> None:
        self._session = session
        self._settings = settings
        self._messages = messages
        self._upstream = upstream
        self._updates = updates
        self._configure = configure
        self._model = connected_model(settings.url, settings.model)
        self._state = SetupState.AWAITED
        self._plan: SessionPlan | None = None
        self._event_id = ""
        self._timer: Timer | None = None

    @property
    def applied(self) -> bool:
        """True once the upstream has taken the Settings."""
        return self._state is SetupState.APPLIED

    def settings(self, message: Event, *, postpone: bool) -> None:
        """The client's Settings: refused by name, or sent up, after the running response."""
        rate = COMPONENT_RATE if self._session.dialect == "component" else AGENT_RATE
        url = None if postpone else self._other_url(message)
        model = asked_model(_think(message)) if url else self._model
        try:
            self._plan = plan_session(message, self._settings, model, rate)
        except UnsupportedSettings as error:
            self._session.settings_refused(str(error))
            return
        if url:
            self._dial(url, model)
        self._state = SetupState.POSTPONED
        if not postpone:
            self.proceed()

    def _other_url(self, message: Event) -> str | None:
        """Where to connect instead, if the Settings name a realtime model that is not connected."""
        model, current = asked_model(_think(message)), self._session.upstream
        if not self._settings.provider_model or model in ("", self._model):
            return None
        if current is None or current.url is None:
            return None
        return other_model_url(self._settings, current.url, model)

    def _dial(self, url: str, model: str) -> None:
        """The model belongs to the connection, so it takes another one (MAP-2)."""
        current = self._session.upstream
        if current is not None:
            self._model = model
            self._session.dial(replace(current, url=url))

    def proceed(self) -> None:
        """No response is running (any more): send the update that waited for that."""
        if self._state is not SetupState.POSTPONED or self._plan is None:
            return
        self._state = SetupState.SENT
        self._event_id = self._upstream.update_session(self._plan.session)
        self._timer = self._session.later(self._settings.session_timeout, self._overdue)

    def updated(self, _: Event) -> None:
        """``session.updated``; one we did not ask for says nothing about our Settings."""
        if self._state is not SetupState.SENT or self._plan is None:
            self._updates.updated()
            return
        self._stop()
        self._state = SetupState.APPLIED
        plan, self._plan = self._plan, None
        self._configure(plan)
        self._updates.begin(plan.agent)
        self._messages.settings_applied()
        for code, description in plan.warnings:
            self._messages.warning(code, description)
        if plan.greeting:  # said to the client alone; the upstream never hears of it (SES-9)
            self._messages.say("assistant", plan.greeting)
            self._messages.done()

    def refused(self, error: UpstreamError) -> bool:
        """Whether an error was about our session.update; then others may be sent (DEF-13)."""
        if self._state is not SetupState.SENT or not self._is_about_update(error):
            return False
        self._stop()
        self._state = SetupState.AWAITED
        where = f"{error.param}: " if error.param else ""
        self._session.settings_refused(f"The upstream refused {where}{error.description}")
        return True

    def _is_about_update(self, error: UpstreamError) -> bool:
        """By its event id. Without one, what else could it be: nothing else has been sent."""
        if error.event_id:
            return error.event_id == self._event_id
        return error.param.startswith("session") or error.kind == "invalid_request_error"

    def _overdue(self) -> None:
        self._session.fail(
            "upstream_timeout",
            f"The upstream did not answer session.update in {self._settings.session_timeout:g} s.",
            1011,
        )

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
