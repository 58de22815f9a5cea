"""The openai backend: Voice Agent clients talk to OpenAI Realtime, or to a server like it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from voiceproxy import Endpoint, SettingsError, add_endpoint, hookimpl, settings_of
from voiceproxy_openai.settings import OpenAISettings, OpenAISettingsSchema
from voiceproxy_openai.translator import OpenAITranslator
from voiceproxy_openai.upstream import make_upstream, missing_key, tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp import web

    from voiceproxy import Session, TranslatorSession, Upstream

voiceproxy_settings = OpenAISettingsSchema

UPSTREAM_PROTOCOL = "openai-realtime"

REQUEST_ID = "dg-request-id"
"""The header in which clients of the Voice Agent API look for the request's id."""


@hookimpl
def voiceproxy_setup(app: web.Application) -> None:
    """Register ``/openai`` and, when no other backend has it, the path of Deepgram's SDKs."""
    settings = settings_of(app, OpenAISettings)
    upstream = partial(_upstream, settings, _tls(settings), partial(_translator, settings))
    problems = partial(missing_key, settings)
    add_endpoint(
        app,
        Endpoint(
            "openai",
            "/openai",
            upstream,
            UPSTREAM_PROTOCOL,
            problems=problems,
            request_id_header=REQUEST_ID,
        ),
    )
    add_endpoint(
        app,
        Endpoint(
            "openai",
            "/v1/agent/converse",
            upstream,
            UPSTREAM_PROTOCOL,
            dialect="agent",
            shared=True,
            problems=problems,
            request_id_header=REQUEST_ID,
        ),
    )


def _tls(settings: OpenAISettings) -> ssl.SSLContext | None:
    try:
        return tls_context(settings)
    except OSError as error:
        raise SettingsError(
            [f"VOICEPROXY_OPENAI_CA_FILE (--openai-ca-file): cannot be used: {error}"]
        ) from error


def _upstream(
    settings: OpenAISettings,
    tls: ssl.SSLContext | None,
    translator: Callable[[TranslatorSession], OpenAITranslator],
    session: Session,
    stand_in: str | None,
) -> Upstream:
    upstream = make_upstream(settings, tls, stand_in, session.headers)
    upstream.translator = translator
    return upstream


def _translator(settings: OpenAISettings, session: TranslatorSession) -> OpenAITranslator:
    return OpenAITranslator(session, settings)
