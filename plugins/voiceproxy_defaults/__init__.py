"""Settings that live on the server, under or over those that clients send.

So an app's instructions, voice and functions need not be in the app, and cannot be changed there.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web

from voiceproxy import (
    Refuse,
    SettingsError,
    StateKey,
    Text,
    endpoints,
    hookimpl,
    settings_of,
)
from voiceproxy_defaults.document import Document, Layer, read_document, unknown_in
from voiceproxy_defaults.settings import DefaultsSettings, DefaultsSettingsSchema
from voiceproxy_defaults.updates import overridden

if TYPE_CHECKING:
    from voiceproxy import Session, Upstream

__all__ = [
    "DefaultsSettings",
    "voiceproxy_client_frame",
    "voiceproxy_connect",
    "voiceproxy_settings",
    "voiceproxy_setup",
]

voiceproxy_settings = DefaultsSettingsSchema

DOCUMENT = web.AppKey("defaults document", Document)
LAYER = StateKey[Layer]("defaults layer")

NOTHING = Layer()

SET_BY_SERVER = {"type": "Warning", "code": "SET_BY_SERVER"}
UNREADABLE = {
    "type": "Error",
    "code": "UNPARSABLE_CLIENT_MESSAGE",
    "description": "The text frame is not a JSON object in UTF-8.",
}
KEPT = "the server has set what this asks to change; that stays."

logger = logging.getLogger("voiceproxy.defaults")


@hookimpl(trylast=True)  # the endpoints are there by then
def voiceproxy_setup(app: web.Application) -> None:
    """Read the file. Raises SettingsError with everything that is wrong with it."""
    file = settings_of(app, DefaultsSettings).file
    served = {name for one in endpoints(app) for name in (one.name, one.path)}
    try:
        document = app[DOCUMENT] = read_document(file, served)
    except ValueError as error:
        label = "VOICEPROXY_DEFAULTS_FILE (--defaults-file)"
        raise SettingsError([f"{label}: {line}" for line in str(error).splitlines()]) from error
    for name in unknown_in(document):
        logger.warning("%s: %s is no field of Settings known here; it is sent as it is", file, name)


@hookimpl
def voiceproxy_connect(session: Session, upstream: Upstream) -> None:
    """Find the session's layer. Refuses a profile there is not with 400."""
    try:
        _layer(session)
    except KeyError as error:
        raise Refuse(400, f"There is no profile {error.args[0][:60]!r}.") from None


@hookimpl
def voiceproxy_client_frame(session: Session, text: Text) -> bool | None:
    """Complete and override Settings, and what is to be updated later.

    Where there are overrides, every message goes on as it was read here, encoded anew: what one
    parser overlooks, such as a key that comes twice, another might take for Settings.
    """
    layer = _layer(session)
    if layer == NOTHING:
        return None
    message = _read(text)
    if message is None:
        return _refuse(session) if layer.overrides else None
    allowed = _allowed(session, layer, message)
    if allowed == message and not layer.overrides:
        return None
    if allowed is not None:
        session.to_upstream(allowed)
    if allowed != message and message.get("type") != "Settings":
        session.to_client({**SET_BY_SERVER, "description": f"{message['type']}: {KEPT}"})
    return True


def _read(text: Text) -> dict[str, Any] | None:
    """The message, if it is a JSON object that can be encoded again: not nested too deeply."""
    try:
        message = text.message()
        if isinstance(message, dict):
            Text.of(message)
            return message
    except (ValueError, TypeError):
        pass  # the caller says so
    return None


def _refuse(session: Session) -> bool:
    session.to_client(UNREADABLE)
    return True


def _allowed(session: Session, layer: Layer, message: dict[str, Any]) -> dict[str, Any] | None:
    """What may go on of a message; None: nothing."""
    if message.get("type") == "Settings":
        return layer.apply(message)
    if settings_of(session.app, DefaultsSettings).allow_updates:
        return message
    return overridden(message, layer.overrides)


def _layer(session: Session) -> Layer:
    """The session's layer. Raises KeyError for a profile there is not."""
    if session.protocol != "agent":
        return NOTHING
    layer = session.state.get(LAYER)
    if layer is None:
        profile = session.query.get("profile") or None
        layer = session.app[DOCUMENT].layer(session.endpoint, session.path, profile)
        session.state[LAYER] = layer
    return layer
