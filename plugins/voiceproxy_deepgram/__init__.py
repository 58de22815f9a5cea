"""The deepgram backend: the Voice Agent API, streaming listen and speak, passed through.

The key stays here; what crosses is what Deepgram's own clients and servers say.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voiceproxy import (
    SettingsError,
    add_endpoint,
    add_route,
    hookimpl,
    settings_of,
    stand_in_of,
)
from voiceproxy_deepgram import grant
from voiceproxy_deepgram.admission import ADMISSION, Admission
from voiceproxy_deepgram.backend import UPSTREAM_PROTOCOL, Backend
from voiceproxy_deepgram.settings import DeepgramSettings, DeepgramSettingsSchema
from voiceproxy_deepgram.upstream import is_deepgram, looks_cut, tls_context
from voiceproxy_deepgram.upstream_tokens import Service, UpstreamTokens, token_service

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

    from voiceproxy import Session, Upstream
    from voiceproxy_deepgram.tokens import Tokens

logger = logging.getLogger("voiceproxy.deepgram")

voiceproxy_settings = DeepgramSettingsSchema


@hookimpl
def voiceproxy_setup(app: web.Application) -> None:
    """Register the component's paths, those of the SDKs, and the route that grants tokens."""
    settings = settings_of(app, DeepgramSettings)
    _warn(settings)
    tls = _tls(settings)
    tokens = _tokens(settings)
    admission = Admission(settings.client_key, tokens) if settings.client_key else None
    for endpoint in Backend(settings, tls, admission).endpoints():
        add_endpoint(app, endpoint)
    if admission is not None and settings.grant != "off":

        def service() -> Service:
            return token_service(settings, tls, stand_in_of(app, UPSTREAM_PROTOCOL))

        mint = grant.OwnTokens(tokens).mint if tokens else UpstreamTokens(service).mint
        add_route(app, "POST", grant.PATH, grant.Grant(admission, mint).answer)


@hookimpl(tryfirst=True)
def voiceproxy_connect(session: Session, upstream: Upstream) -> None:
    """Refuse who presents neither the client key nor a token, on endpoints of ours."""
    admission = session.state.get(ADMISSION)
    if admission is not None:
        admission.check(session.headers, session.query)


def _warn(settings: DeepgramSettings) -> None:
    if is_deepgram(urlsplit(settings.agent_url).hostname or "") and looks_cut(settings.api_key):
        logger.warning("the Deepgram API key is shorter than keys are; is it whole?")


def _tls(settings: DeepgramSettings) -> ssl.SSLContext | None:
    try:
        return tls_context(settings)
    except OSError as error:
        raise SettingsError(
            [f"VOICEPROXY_DEEPGRAM_CA_FILE (--deepgram-ca-file): cannot be used: {error}"]
        ) from error


def _tokens(settings: DeepgramSettings) -> Tokens | None:
    """What issues tokens of our own, when they are wanted."""
    grants = f"VOICEPROXY_DEEPGRAM_GRANT (--deepgram-grant): {settings.grant}"
    if settings.grant != "off" and not settings.client_key:
        raise SettingsError(
            [f"{grants} hands out credentials, so set VOICEPROXY_DEEPGRAM_CLIENT_KEY as well"]
        )
    if settings.grant != "own":
        return None
    try:
        from voiceproxy_deepgram.tokens import Tokens
    except ImportError as error:
        problem = f"{grants} needs PyJWT: pip install 'voiceproxy[auth]'"
        raise SettingsError([problem]) from error
    return Tokens(settings.token_secret or settings.client_key)
