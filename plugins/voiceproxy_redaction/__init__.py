"""Takes personal data out of the text that crosses the proxy. Audio is left alone.

Observers (logs, recordings) get to see redacted text; client and backend do on request. A frame
is encoded anew from what was read, so nothing passes that was not looked at; whatever goes wrong
here raises, and that ends the session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from voiceproxy import Session, StateKey, Text, hookimpl, settings_of
from voiceproxy_redaction.conversation import Conversation
from voiceproxy_redaction.finder import Finder
from voiceproxy_redaction.marks import Marks
from voiceproxy_redaction.reading import Reading
from voiceproxy_redaction.settings import (
    RedactionSettings,
    RedactionSettingsSchema,
    read_pattern,
)

if TYPE_CHECKING:
    from voiceproxy_redaction.marks import Mode

voiceproxy_settings = RedactionSettingsSchema


@dataclass(frozen=True, slots=True)
class Policy:
    """What one application looks for, and who gets what instead; None: the text itself."""

    finder: Finder
    observers: Marks | None
    client: Marks | None
    backend: Marks | None
    max_message: int


POLICY = web.AppKey("redaction policy", Policy)
CONVERSATION = StateKey[Conversation]("redaction conversation")


@hookimpl
def voiceproxy_setup(app: web.Application) -> None:
    """Compile what to look for."""
    settings = settings_of(app, RedactionSettings)

    def marks(mode: Mode) -> Marks | None:
        return None if mode == "off" else Marks(mode, settings.hash_key)

    app[POLICY] = Policy(
        Finder(settings.kinds, map(read_pattern, settings.patterns)),
        marks(settings.observers),
        marks(settings.client),
        marks(settings.backend),
        settings.max_message,
    )


@hookimpl
def voiceproxy_client_frame(session: Session, text: Text) -> bool | None:
    """Redact what the client sends."""
    policy = session.app[POLICY]
    return _redact(session, text, policy, policy.backend, session.to_upstream)


@hookimpl
def voiceproxy_upstream_frame(session: Session, text: Text) -> bool | None:
    """Redact what the client gets."""
    policy = session.app[POLICY]
    return _redact(session, text, policy, policy.client, session.to_client)


def _redact(
    session: Session, text: Text, policy: Policy, wire: Marks | None, send: Callable[[Text], None]
) -> bool | None:
    reading = Reading(text, _conversation(session, policy), policy.max_message)
    if policy.observers is not None:
        session.observe_as(reading.redacted(policy.observers, for_wire=False))
    if wire is not None:
        if reading.too_large:
            session.fail("message_too_large", "The message is too large to be redacted.")
            return True
        send(reading.redacted(wire, for_wire=True))
    reading.remember()
    return None if wire is None else True


def _conversation(session: Session, policy: Policy) -> Conversation:
    conversation = session.state.get(CONVERSATION)
    if conversation is None:
        conversation = session.state[CONVERSATION] = Conversation(policy.finder)
    return conversation
