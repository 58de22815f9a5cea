"""The settings of the defaults plugin: VOICEPROXY_DEFAULTS_FILE and its neighbour."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import fields

from voiceproxy import SettingsSchema


@dataclass(frozen=True, slots=True)
class DefaultsSettings:
    """Where the Settings on the server are, and who may change them."""

    file: str = ""
    allow_updates: bool = False


class DefaultsSettingsSchema(SettingsSchema):
    """Settings messages of clients, completed and overridden by a file."""

    section = "defaults"
    makes = DefaultsSettings

    file = fields.String(
        load_default="",
        metadata={"help": "TOML or JSON file of defaults and overrides; read once, at the start."},
    )
    allow_updates = fields.Boolean(
        load_default=False,
        metadata={
            "help": "Let clients change during a session what the overrides set: by UpdatePrompt, "
            "UpdateSpeak, UpdateThink, UpdateThink_Live and UpdateListen."
        },
    )
