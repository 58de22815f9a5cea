"""What happens in each session, as records for people and machines.

A record for each connect, opened upstream, text message and close; audio is counted, never looked
at. With the extra ``otel`` the same as OpenTelemetry logs, a span for each session and one for
each turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from voiceproxy import StateKey, hookimpl, settings_of
from voiceproxy_logging.account import Account
from voiceproxy_logging.office import Office
from voiceproxy_logging.settings import LoggingSettings, LoggingSettingsSchema

if TYPE_CHECKING:
    from voiceproxy import Closing, Session, Text, Upstream

__all__ = [
    "LoggingSettings",
    "voiceproxy_client_frame",
    "voiceproxy_close",
    "voiceproxy_connect",
    "voiceproxy_settings",
    "voiceproxy_setup",
    "voiceproxy_upstream_frame",
    "voiceproxy_upstream_open",
]

voiceproxy_settings = LoggingSettingsSchema

ACCOUNT = StateKey[Account]("logging account")


OFFICE = web.AppKey("logging office", Office)


@hookimpl(tryfirst=True)  # what other setups log is to look the same
def voiceproxy_setup(app: web.Application) -> None:
    """Prepare what the settings ask for."""
    office = app[OFFICE] = Office(settings_of(app, LoggingSettings))
    office.open()
    app.cleanup_ctx.append(office.run)


@hookimpl(tryfirst=True)  # before any guard refuses, so that refused sessions are told of, too
def voiceproxy_connect(session: Session, upstream: Upstream) -> None:
    """Tell that somebody asks for a session."""
    _account(session).connect()


@hookimpl(trylast=True)
def voiceproxy_upstream_open(session: Session, headers: Mapping[str, str]) -> None:
    """Tell that the upstream is there."""
    _account(session).upstream_open(headers)


@hookimpl(trylast=True)
def voiceproxy_client_frame(session: Session, frame: Text, message: dict[str, Any]) -> None:
    """Tell of a message from the client: its type and size."""
    _account(session).message("client", frame, message)


@hookimpl(trylast=True)
def voiceproxy_upstream_frame(session: Session, frame: Text, message: dict[str, Any]) -> None:
    """Tell of a message for the client: its type and size."""
    _account(session).message("upstream", frame, message)


@hookimpl(tryfirst=True)  # close hooks run in reverse: when all others have
def voiceproxy_close(session: Session, close: Closing) -> None:
    """Tell how the session ended, and what crossed it."""
    _account(session).close(close)


def _account(session: Session) -> Account:
    account = session.state.get(ACCOUNT)
    if account is None:
        account = session.state[ACCOUNT] = Account(session, session.app[OFFICE])
    return account
