"""The settings of the openai backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from marshmallow import fields, validate

from voiceproxy import SettingsSchema

REALTIME_URL = "wss://api.openai.com/v1/realtime"

# The API's type definitions announce the end of gpt-realtime, gpt-realtime-mini, whisper-1 and
# gpt-4o-transcribe; these have no end date.
MODEL = "gpt-realtime-2.1"
TRANSCRIPTION_MODEL = "gpt-transcribe"

VOICE = "marin"


def _seconds(default: float, purpose: str) -> fields.Float:
    return fields.Float(
        load_default=default,
        validate=validate.Range(min=0, min_inclusive=False),
        metadata={"help": f"{purpose} Seconds."},
    )


@dataclass(frozen=True, slots=True)
class OpenAISettings:
    """How to reach an OpenAI Realtime server, and what to ask of it."""

    api_key: str = field(default="", repr=False)
    url: str = REALTIME_URL
    auth: str = "bearer"
    organization: str = ""
    project: str = ""
    headers: Sequence[str] = field(default=(), repr=False)
    subprotocols: Sequence[str] = ()
    user_header: str = ""
    ca_file: str = ""
    dial: str = "after"
    model: str = MODEL
    provider_model: bool = True
    voice: str = VOICE
    transcription_model: str = TRANSCRIPTION_MODEL
    transcription_language: str = "en"
    transcription_prompt: str = ""
    mark_responses: bool = True
    pass_unknown_messages: bool = False
    session_timeout: float = 10.0
    ack_timeout: float = 5.0
    response_timeout: float = 60.0
    function_call_timeout: float = 20.0
    commit_debounce: float = 0.4
    commit_max_wait: float = 0.6
    commit_first_audio: float = 1.0
    commit_min_audio: float = 0.1


class OpenAISettingsSchema(SettingsSchema):
    """OpenAI Realtime, Azure OpenAI, or any server that speaks the same protocol."""

    section = "openai"
    makes = OpenAISettings

    api_key = fields.String(
        load_default="",
        validate=validate.Regexp(r"[!-~]*\s*$", error="Not a key: it has a blank or worse in it."),
        metadata={
            "help": "API key; not needed when a simulator stands in or the server asks for none.",
            "secret": True,
            "variables": ["OPENAI_API_KEY"],
        },
    )
    url = fields.Url(
        schemes={"ws", "wss"},
        require_tld=False,
        load_default=REALTIME_URL,
        metadata={
            "help": "Realtime endpoint. Without model, call_id, intent or deployment in its "
            "query, ?model= is added.",
            "variables": ["OPENAI_REALTIME_URL"],
            "upstream_url": True,
        },
    )
    auth = fields.String(
        load_default="bearer",
        validate=validate.OneOf(["bearer", "api-key"]),
        metadata={"help": "How the key is sent: Authorization: Bearer, or Azure's api-key header."},
    )
    organization = fields.String(
        load_default="",
        metadata={"help": "OpenAI-Organization header.", "variables": ["OPENAI_ORG_ID"]},
    )
    project = fields.String(
        load_default="",
        metadata={"help": "OpenAI-Project header.", "variables": ["OPENAI_PROJECT_ID"]},
    )
    headers = fields.List(
        fields.String(validate=validate.Regexp(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*$")),
        load_default=list,
        metadata={"help": "Further headers for the upstream, each NAME:VALUE.", "secret": True},
    )
    subprotocols = fields.List(
        fields.String(validate=validate.Regexp(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")),
        load_default=list,
        metadata={"help": "WebSocket subprotocols to offer the upstream. OpenAI needs none."},
    )
    user_header = fields.String(
        load_default="",
        validate=validate.Regexp(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*$"),
        metadata={
            "help": "Header of the client's request that names the end user. Its SHA-256 goes up "
            "as OpenAI-Safety-Identifier. Only for a header that something in front of the proxy "
            "sets: a client could write anything into it.",
        },
    )
    ca_file = fields.String(
        load_default="",
        metadata={"help": "PEM file of the authorities to trust instead of the system's."},
    )
    dial = fields.String(
        load_default="after",
        validate=validate.OneOf(["auto", "before", "after"]),
        metadata={
            "help": "Dial before or after the client's upgrade is answered. The API accepts the "
            "upgrade before it looks at the key, so waiting for it tells a client nothing.",
        },
    )
    model = fields.String(
        load_default=MODEL,
        metadata={"help": "Realtime model, where neither the URL nor the Settings name one."},
    )
    provider_model = fields.Boolean(
        load_default=True,
        metadata={
            "help": "Connect to agent.think.provider.model if it is a realtime model. A model, "
            "deployment or call in the URL stays in any case."
        },
    )
    voice = fields.String(
        load_default=VOICE,
        metadata={"help": "Voice, when the client's Settings name none of OpenAI's."},
    )
    transcription_model = fields.String(
        load_default=TRANSCRIPTION_MODEL,
        metadata={"help": "Model that writes down what the user says; empty: no transcripts."},
    )
    transcription_language = fields.String(
        load_default="en",
        metadata={
            "help": "Language of the speech (ISO 639-1) when the client's Settings name none; "
            "empty: detected.",
        },
    )
    transcription_prompt = fields.String(
        load_default="", metadata={"help": "Hint for the transcription model."}
    )
    mark_responses = fields.Boolean(
        load_default=True,
        metadata={
            "help": "Put a mark into the metadata of each response we ask for, to tell it from "
            "those the server makes by itself. Turn off for servers that refuse metadata.",
        },
    )
    pass_unknown_messages = fields.Boolean(
        load_default=False,
        metadata={
            "help": "For debugging: client messages of a type the Voice Agent protocol does not "
            "have go up as they are, at any time, instead of being refused.",
        },
    )
    session_timeout = _seconds(10.0, "The wait for the answer to session.update.")
    ack_timeout = _seconds(5.0, "The wait for the confirmation of an item or a response.")
    response_timeout = _seconds(
        60.0, "How long a response may send nothing before it is given up: the next one waits."
    )
    function_call_timeout = _seconds(
        20.0,
        "How long a response may stay open after its function calls were answered, and the agent "
        "be reported busy while they are not.",
    )
    commit_debounce = _seconds(0.4, "Manual turns: the pause in the audio that ends a turn.")
    commit_max_wait = _seconds(
        0.6, "Manual turns: the longest wait for such a pause once there is enough audio."
    )
    commit_first_audio = _seconds(1.0, "Manual turns: the least audio of the first turn.")
    commit_min_audio = _seconds(
        0.1, "Manual turns: the least audio of every other turn; the API refuses less than 0.1."
    )
