"""Answers what begins with one word itself: ``echo hello`` is answered with ``hello``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from voiceproxy import Session, SettingsSchema, hookimpl, settings_of


@dataclass(frozen=True, slots=True)
class EchoWordsSettings:
    """What the plugin can be told."""

    word: str


class EchoWordsSettingsSchema(SettingsSchema):
    """The echo-words plugin."""

    section = "echo_words"
    makes = EchoWordsSettings

    word = fields.String(
        load_default="echo",
        validate=validate.Length(min=1),
        metadata={"help": "what a message begins with that is answered here"},
    )


voiceproxy_settings = EchoWordsSettingsSchema


@hookimpl
def voiceproxy_client_frame(session: Session, message: dict[str, Any]) -> bool | None:
    """Answer the message, and keep it from the backend, if it begins with the word."""
    if message["type"] != "InjectUserMessage":
        return None
    word = settings_of(session.app, EchoWordsSettings).word
    first, _, rest = str(message.get("content", "")).partition(" ")
    if first.lower() != word.lower():
        return None
    session.to_client({"type": "ConversationText", "role": "assistant", "content": rest})
    return True
