"""What to dial for one session."""

from __future__ import annotations

import ssl
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from voiceproxy import Upstream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voiceproxy_openai.settings import OpenAISettings

_MODEL_GIVEN_BY = {"model", "call_id", "intent", "deployment"}
"""Query parameters that take the place of ``model``: the API wants exactly one of them."""


@lru_cache(maxsize=16)  # an application has one, and one more when something stands in
def realtime_url(url: str, model: str) -> str:
    """The URL with ``?model=`` unless its query already says what to connect to."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if model and not _MODEL_GIVEN_BY & {name for name, _ in query}:
        query.append(("model", model))
    return urlunsplit(parts._replace(query=urlencode(query)))


@lru_cache(maxsize=16)
def connected_model(url: str, model: str) -> str:
    """The model a connection to this URL has; it cannot be changed afterwards. ``""``: unknown."""
    query = dict(parse_qsl(urlsplit(realtime_url(url, model)).query))
    return query.get("model", "")


def other_model_url(settings: OpenAISettings, current: str, model: str) -> str | None:
    """The URL of a connection for another model; None where the operator's URL decides."""
    if _MODEL_GIVEN_BY & set(dict(parse_qsl(urlsplit(settings.url).query, keep_blank_values=True))):
        return None
    parts = urlsplit(current)
    query = [one for one in parse_qsl(parts.query, keep_blank_values=True) if one[0] != "model"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("model", model)])))


def make_upstream(
    settings: OpenAISettings,
    tls: ssl.SSLContext | None,
    stand_in: str | None,
    request: Mapping[str, str],
) -> Upstream:
    """The upstream of one session; a stand-in gets no credential.

    ``request`` has the headers of the client's request.
    """
    # What stands in is asked for the model the session.update will name.
    model = connected_model(settings.url, settings.model) or settings.model
    return Upstream(
        url=realtime_url(stand_in or settings.url, model),
        headers={} if stand_in else _headers(settings) | _identity(settings, request),
        protocols=tuple(settings.subprotocols),
        ssl=None if stand_in else tls,
        dial=settings.dial,  # type: ignore[arg-type]  # the schema allows the three modes only
    )


def _headers(settings: OpenAISettings) -> dict[str, str]:
    """Never ``OpenAI-Beta``: the API refuses sessions that ask for the beta shape."""
    headers = dict(_split(header) for header in settings.headers)
    key = settings.api_key.strip()
    if key:
        name, value = (
            ("api-key", key) if settings.auth == "api-key" else ("Authorization", f"Bearer {key}")
        )
        headers[name] = value
    if settings.organization:
        headers["OpenAI-Organization"] = settings.organization
    if settings.project:
        headers["OpenAI-Project"] = settings.project
    return headers


def _identity(settings: OpenAISettings, request: Mapping[str, str]) -> dict[str, str]:
    """Who the end user is, for the API's abuse detection: stable, and nobody's real name.

    A plugin that knows better sets ``upstream.headers["OpenAI-Safety-Identifier"]`` in its
    connect hook.
    """
    user = request.get(settings.user_header, "").strip() if settings.user_header else ""
    return {"OpenAI-Safety-Identifier": sha256(user.encode()).hexdigest()} if user else {}


def _split(header: str) -> tuple[str, str]:
    name, _, value = header.partition(":")
    return name.strip(), value.strip()


def tls_context(settings: OpenAISettings) -> ssl.SSLContext | None:
    """The context for the setting ``ca_file``; None for the system's authorities.

    Raises OSError (the file) or ssl.SSLError (its content).
    """
    return ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else None


def missing_key(settings: OpenAISettings) -> Sequence[str]:
    """What keeps this backend from dialling the real service, one line each."""
    host = urlsplit(settings.url).hostname or ""
    needs_key = host == "api.openai.com" or host.endswith(".openai.azure.com")
    if settings.api_key.strip() or not needs_key:
        return []
    problem = (
        f"{host} needs a key: set OPENAI_API_KEY (or VOICEPROXY_OPENAI_API_KEY). "
        "To try voiceproxy without one, add --plugin simulator."
    )
    return [problem]
