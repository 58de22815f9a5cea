"""The settings of the deepgram backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from marshmallow import fields, validate

from voiceproxy import SettingsSchema

AGENT_URL = "wss://agent.deepgram.com"
LISTEN_URL = "wss://api.deepgram.com"
REST_URL = "https://api.deepgram.com"

_KEY = validate.Regexp(r"[!-~]*\s*$", error="Not a key: it has a blank or worse in it.")
_CLIENT_KEY = validate.Regexp(
    r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]{16,})?$",
    error="At least 16 characters that a WebSocket subprotocol may have: letters, digits, -._~ "
    "and a few more.",
)


class _Address(fields.Url):
    """An address whose host may have underscores, as the names of containers do."""

    def _validate(self, value: str) -> None:
        super()._validate(value.replace("_", "-"))


def _base(default: str, schemes: set[str], purpose: str, **metadata: object) -> fields.Url:
    wanted = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
    return _Address(
        schemes=schemes,
        require_tld=False,
        load_default=default,
        error_messages={"invalid": f"Not an address that begins with {wanted}."},
        metadata={"help": purpose, **metadata},
    )


def _seconds(default: float, purpose: str) -> fields.Float:
    return fields.Float(
        load_default=default,
        validate=validate.Range(min=0),
        metadata={"help": f"{purpose} Seconds; 0 turns it off."},
    )


@dataclass(frozen=True, slots=True)
class DeepgramSettings:
    """How to reach Deepgram, and whom to let in."""

    api_key: str = field(default="", repr=False)
    agent_url: str = AGENT_URL
    listen_url: str = LISTEN_URL
    rest_url: str = REST_URL
    auth: str = "token"
    headers: Sequence[str] = field(default=(), repr=False)
    ca_file: str = ""
    dial: str = "auto"
    keep_alive: float = 0.0
    audio_done_after: float = 0.5
    turn_done_after: float = 5.0
    client_key: str = field(default="", repr=False)
    grant: str = "off"
    token_secret: str = field(default="", repr=False)


class DeepgramSettingsSchema(SettingsSchema):
    """Deepgram, one of its regions, or a server of your own that speaks the same protocols."""

    section = "deepgram"
    makes = DeepgramSettings

    api_key = fields.String(
        load_default="",
        validate=_KEY,
        metadata={
            "help": "API key; not needed when a simulator stands in or the server asks for none.",
            "secret": True,
            "variables": ["DEEPGRAM_API_KEY", "VITE_DEEPGRAM_API_KEY"],
        },
    )
    agent_url = _base(
        AGENT_URL,
        {"ws", "wss"},
        "Where the Voice Agent API is; the path of the API is added to it.",
        variables=["DEEPGRAM_AGENT_URL"],
        upstream_url=True,
    )
    listen_url = _base(
        LISTEN_URL,
        {"ws", "wss"},
        "Where the streaming listen and speak APIs are; their paths are added to it.",
        variables=["DEEPGRAM_LISTEN_URL"],
    )
    rest_url = _base(
        REST_URL,
        {"http", "https"},
        "Where the REST API is: asked for tokens when grant is upstream.",
    )
    auth = fields.String(
        load_default="token",
        validate=validate.OneOf(["token", "bearer", "none"]),
        metadata={"help": "How the key is sent: Authorization: Token, or Bearer, or not at all."},
    )
    headers = fields.List(
        fields.String(validate=validate.Regexp(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*$")),
        load_default=list,
        metadata={"help": "Further headers for the upstream, each NAME:VALUE.", "secret": True},
    )
    ca_file = fields.String(
        load_default="",
        metadata={"help": "PEM file of the authorities to trust instead of the system's."},
    )
    dial = fields.String(
        load_default="auto",
        validate=validate.OneOf(["auto", "before", "after"]),
        metadata={
            "help": "Dial before or after the client's upgrade is answered; auto: after for a "
            "browser, before for everybody else.",
        },
    )
    keep_alive = _seconds(
        0.0, "How long a client may be silent before KeepAlive is sent for it (agent, v1 listen)."
    )
    audio_done_after = _seconds(
        0.5,
        "Component dialect: the silence after which words that follow their audio end the agent's "
        "turn, where AgentAudioDone has never come.",
    )
    turn_done_after = _seconds(
        5.0,
        "Component dialect: the silence after which any turn of the agent ends, if AgentAudioDone "
        "has not.",
    )
    client_key = fields.String(
        load_default="",
        validate=_CLIENT_KEY,
        metadata={
            "help": "What clients must present: as Authorization, as a subprotocol or as ?token=. "
            "Empty: nothing.",
            "secret": True,
        },
    )
    grant = fields.String(
        load_default="off",
        validate=validate.OneOf(["off", "own", "upstream"]),
        metadata={
            "help": "POST /v1/auth/grant for who has the client key. own: short-lived tokens that "
            "open sessions here; upstream: Deepgram's own.",
        },
    )
    token_secret = fields.String(
        load_default="",
        metadata={
            "help": "What tokens of grant=own are signed with; empty: the client key.",
            "secret": True,
        },
    )
