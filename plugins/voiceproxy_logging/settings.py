"""The settings of the logging plugin: VOICEPROXY_LOGGING_FORMAT and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from marshmallow import fields, validate

from voiceproxy import SettingsSchema


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """What is told of a session, and how."""

    format: Literal["text", "json"] = "text"
    messages: bool = True
    content: bool = False
    otel: bool = False
    otel_endpoint: str = ""


class LoggingSettingsSchema(SettingsSchema):
    """Records of what happens in each session. How much is logged: the server's log_level."""

    section = "logging"
    makes = LoggingSettings

    format = fields.String(
        load_default="text",
        validate=validate.OneOf(["text", "json"]),
        metadata={"help": "text: lines for a terminal; json: one JSON object a line on stderr."},
    )
    messages = fields.Boolean(
        load_default=True,
        metadata={"help": "A record for each text message: direction, type, size."},
    )
    content = fields.Boolean(
        load_default=False,
        metadata={
            "help": "For debugging: what the messages say is in their records, as filters such as "
            "redaction left it."
        },
    )
    otel = fields.Boolean(
        load_default=False,
        metadata={
            "help": "Send the records, a span for each session and one for each turn by OTLP over "
            "HTTP. Needs voiceproxy[otel]; the OTEL_* variables of the environment count."
        },
    )
    otel_endpoint = fields.Url(
        schemes={"http", "https"},
        require_tld=False,
        load_default="",
        metadata={
            "help": "Base URL of the OTLP receiver, instead of OTEL_EXPORTER_OTLP_ENDPOINT "
            "(http://localhost:4318)."
        },
    )
