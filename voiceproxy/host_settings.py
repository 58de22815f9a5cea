"""The host's own settings, and the ``.env`` file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dotenv import dotenv_values
from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import Length, OneOf, Range

from voiceproxy.errors import SettingsError
from voiceproxy.plugins import installed
from voiceproxy.settings import Configuration, SettingsSchema, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MIB = 1024 * 1024
LEVELS = ("debug", "info", "warning", "error")
ENV_FILE = ".env"
ENV_FILE_VARIABLE = "VOICEPROXY_ENV_FILE"
ENV_FILE_FLAG = "--env-file"

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", re.IGNORECASE)
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[^/?#@:\[\]\s]+", re.IGNORECASE)
_positive = Range(min=0, min_inclusive=False)
_at_least_one = Range(min=1)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What the server itself can be told. Seconds and bytes throughout."""

    host: str
    port: int
    tls_cert: str
    tls_key: str
    tls_self_signed: bool
    allow_origin: list[str]
    allow_host: list[str]
    max_sessions: int
    workers: int
    log_level: Literal["debug", "info", "warning", "error"]
    dialect: Literal["component", "agent"] | None
    connect_timeout: float
    hook_timeout: float
    block_warning: float
    settings_timeout: float
    close_timeout: float
    drain_timeout: float
    heartbeat: float
    client_buffer: int
    upstream_buffer: int
    max_client_frame: int
    max_upstream_frame: int
    env_file: str


class LogLevel(fields.String):
    """A level's name in any case; ``warn`` means ``warning``."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        name = str(super()._deserialize(value, attr, data, **kwargs)).lower()
        return "warning" if name == "warn" else name


def _origin(value: str) -> None:
    if value not in ("*", "null") and not _ORIGIN.fullmatch(value):
        raise ValidationError("Not an origin: write https://example.com, or * for all.")


def _host(value: str) -> None:
    if not _HOST.fullmatch(value):
        raise ValidationError("Not a host name: write voice.example.com, or * for all.")


class HostSettingsSchema(SettingsSchema):
    """Where the server listens, whom it admits, its bounds and deadlines."""

    makes = HostSettings

    host = fields.String(
        load_default="127.0.0.1",
        validate=Length(min=1),
        metadata={"help": "Address to listen on."},
    )
    port = fields.Integer(
        load_default=8080,
        validate=Range(min=0, max=65535),
        metadata={"help": "Port to listen on; 0 picks a free one.", "variables": ["PORT"]},
    )
    tls_cert = fields.String(
        load_default="",
        metadata={
            "help": "PEM file of the listener's certificate, with its chain; then it speaks https "
            "and wss. SIGHUP reads it and the key anew."
        },
    )
    tls_key = fields.String(
        load_default="", metadata={"help": "PEM file of that certificate's private key."}
    )
    tls_self_signed = fields.Boolean(
        load_default=False,
        metadata={
            "help": "For development: https and wss with a certificate made at the start, which no "
            "client trusts by itself."
        },
    )
    allow_origin = fields.List(
        fields.String(validate=_origin),
        load_default=list,
        metadata={
            "help": "Origin of web pages that may connect, beside loopback and the server's own; "
            "* allows all."
        },
    )
    allow_host = fields.List(
        fields.String(validate=_host),
        load_default=list,
        metadata={"help": "Name accepted in the Host header beside loopback names; * allows all."},
    )
    max_sessions = fields.Integer(
        load_default=1000,
        validate=_at_least_one,
        metadata={"help": "Cap on live sessions, of each worker."},
    )
    workers = fields.Integer(
        load_default=1,
        validate=_at_least_one,
        metadata={"help": "Processes that serve the port, under gunicorn when there are several."},
    )
    log_level = LogLevel(
        load_default="info",
        validate=OneOf(LEVELS),
        metadata={
            "help": "What is logged to stderr: debug, info, warning or error.",
            "variables": ["LOG_LEVEL"],
        },
    )
    dialect = fields.String(
        load_default=None,
        allow_none=True,
        validate=OneOf(["component", "agent"]),
        metadata={"help": "Dialect of every endpoint, instead of each one's own."},
    )
    connect_timeout = fields.Float(
        load_default=10.0, validate=_positive, metadata={"help": "Seconds to reach the upstream."}
    )
    hook_timeout = fields.Float(
        load_default=10.0,
        validate=_positive,
        metadata={"help": "Seconds for a plugin's connect or close."},
    )
    block_warning = fields.Float(
        load_default=1.0,
        validate=Range(min=0),
        metadata={
            "help": "Seconds the event loop may be blocked before an error names the plugin and "
            "its stack; 0 turns that off."
        },
    )
    settings_timeout = fields.Float(
        load_default=15.0,
        validate=_positive,
        metadata={"help": "Seconds a client may take to send Settings."},
    )
    close_timeout = fields.Float(
        load_default=5.0,
        validate=_positive,
        metadata={"help": "Seconds a peer may take to answer a close."},
    )
    drain_timeout = fields.Float(
        load_default=30.0,
        validate=Range(min=0),
        metadata={
            "help": "Seconds sessions may go on after SIGTERM, each to the end of its agent's "
            "turn; 0 closes them at once."
        },
    )
    heartbeat = fields.Float(
        load_default=20.0,
        validate=Range(min=0),
        metadata={"help": "Seconds between pings to a silent peer; 0 turns them off."},
    )
    client_buffer = fields.Integer(
        load_default=4 * MIB,
        validate=_at_least_one,
        metadata={"help": "Bytes queued for a client before the upstream is no longer read."},
    )
    upstream_buffer = fields.Integer(
        load_default=4 * MIB,
        validate=_at_least_one,
        metadata={"help": "Bytes queued for the upstream before the client is no longer read."},
    )
    max_client_frame = fields.Integer(
        load_default=16 * MIB,
        validate=_at_least_one,
        metadata={"help": "Bytes a frame from a client may have."},
    )
    max_upstream_frame = fields.Integer(
        load_default=64 * MIB,
        validate=_at_least_one,
        metadata={"help": "Bytes a frame from an upstream may have."},
    )
    env_file = fields.String(
        load_default=ENV_FILE,
        metadata={"help": "File of variables read beneath the environment; empty reads none."},
    )

    @validates_schema
    def _has_both_files(self, data: dict[str, Any], **_: Any) -> None:
        if bool(data["tls_cert"]) != bool(data["tls_key"]):
            given, missing = ("cert", "key") if data["tls_cert"] else ("key", "cert")
            text = f"Both files are needed: tls_{given} is given, tls_{missing} is not."
            raise ValidationError(text, field_name=f"tls_{missing}")


def read_env_file(given: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str | None]:
    """Read the file ``given["env_file"]`` or ``VOICEPROXY_ENV_FILE`` names, ``.env`` otherwise.

    Values are taken as written: nothing is substituted and ``os.environ`` stays as it is. The
    default may be missing. Raises SettingsError when a named file cannot be read.
    """
    named = given.get("env_file", environ.get(ENV_FILE_VARIABLE, "").strip() or None)
    path = Path(ENV_FILE if named is None else str(named))
    if named == "" or (named is None and not path.is_file()):
        return {}
    try:
        with path.open(encoding="utf-8") as lines:
            found = dotenv_values(stream=lines, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        label = f"{ENV_FILE_VARIABLE} ({ENV_FILE_FLAG})"
        raise SettingsError([f"{label}: cannot read {path}: {cause}"]) from error
    found.pop(ENV_FILE_VARIABLE, None)  # the file cannot name itself
    return found


def configure(
    schemas: Iterable[type[SettingsSchema]],
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    dotenv: Mapping[str, str | None] | None = None,
) -> Configuration:
    """Load the host's settings and those of the plugins' schemas.

    ``dotenv`` is what ``read_env_file`` returned; without it the ``.env`` file is read here.

    The variables of plugins installed but not loaded are left alone. Raises SettingsError with
    every problem found.
    """
    if dotenv is None:
        dotenv = read_env_file({**(flags or {}), **(overrides or {})}, environ)
    return load(
        (HostSettingsSchema, *schemas),
        flags=flags,
        environ=environ,
        dotenv=dotenv,
        overrides=overrides,
        elsewhere={one.name for one in installed()},
    )
