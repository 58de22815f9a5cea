"""Dialling an upstream: one WebSocket client connection, and what every failure means."""

from __future__ import annotations

import asyncio
import os
import ssl
import urllib.request
from functools import lru_cache
from typing import Any, cast

import aiohttp
from yarl import URL

from voiceproxy.agent import error_codes
from voiceproxy.backend import Upstream
from voiceproxy.connector import connector
from voiceproxy.errors import Answer, UpstreamFault, UsageError
from voiceproxy.frames import INTERNAL_ERROR, NORMAL
from voiceproxy.guard import is_loopback
from voiceproxy.refusals import Refused, masked, refuse_refusals, secrets_of

PROXY_VARIABLES = (
    *("https_proxy", "http_proxy", "all_proxy", "no_proxy"),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"),
)

CONNECT_TIMEOUT = 10.0
"""Seconds an upstream has to answer, where neither it nor the setting says."""


class UpstreamWebSocket(aiohttp.ClientWebSocketResponse[Any]):
    """A client WebSocket that keeps its transport, so that it can be aborted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connection = self._response.connection
        if connection is None or connection.transport is None:
            raise aiohttp.ClientConnectionResetError("the upstream left during the handshake")
        self.transport: asyncio.Transport = connection.transport
        self.headers = self._response.headers

    def abort(self) -> None:
        """Drop the connection, if it is still there, and forget it."""
        self.transport.abort()
        self._response.close()


def client_session(shared: aiohttp.ClientSession | None = None) -> aiohttp.ClientSession:
    """A session for upstream connections: no cookies kept, no limit on connections or time.

    ``shared`` is somebody else's: its connector (resolver, TLS, limits) and trace configurations
    are used and stay theirs; its cookies, headers and redirects are not for upstreams.
    """
    return aiohttp.ClientSession(
        # Nothing is kept for another request: only a refusal leaves a connection that could be.
        connector=shared.connector if shared is not None else connector(),
        connector_owner=shared is None,
        trace_configs=[] if shared is None else shared.trace_configs,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        ws_response_class=UpstreamWebSocket,
        middlewares=(refuse_refusals,),
    )


def usable(shared: aiohttp.ClientSession | None, sessions: int) -> aiohttp.ClientSession | None:
    """The shared client session. Raises UsageError when sessions would wait in it for ever."""
    if shared is None:
        return None
    if shared.closed or shared.connector is None:
        raise UsageError("the client session given to voiceproxy is closed")
    limits = [limit for limit in (shared.connector.limit, shared.connector.limit_per_host) if limit]
    if limits and min(limits) < sessions:
        raise UsageError(
            f"the client session given to voiceproxy allows {min(limits)} connections at a time, "
            f"and the setting max_sessions {sessions}: every session keeps one. Give its "
            "TCPConnector a limit of 0, or lower max_sessions."
        )
    return shared


async def dial(
    client: aiohttp.ClientSession,
    upstream: Upstream,
    max_frame: int,
    connect_timeout: float = CONNECT_TIMEOUT,
) -> UpstreamWebSocket:
    """Connect within ``upstream.timeout``, else ``connect_timeout`` (seconds).

    Raises UpstreamFault, whose text holds no secret.
    """
    timeout = connect_timeout if upstream.timeout is None else upstream.timeout
    url, where = _parse(upstream.url or "")
    try:
        async with asyncio.timeout(timeout):
            websocket = await client.ws_connect(
                url,
                headers=upstream.headers,
                protocols=tuple(upstream.protocols),
                ssl=upstream.ssl if upstream.ssl is not None else True,
                proxy=proxy_for(url),
                autoclose=False,
                autoping=False,
                compress=0,
                decode_text=False,
                max_msg_size=max_frame + 1,  # aiohttp refuses what reaches its limit
            )
    # aiohttp's errors quote the URL with its query, so none of them is chained.
    except TimeoutError:
        raise _timed_out(timeout, where) from None
    except aiohttp.ClientHttpProxyError as error:
        raise _unreachable(f"the HTTP proxy answered {error.status}", where) from None
    except Refused as refused:
        raise _refused(masked(refused.answer, secrets_of(upstream)), where) from None
    except aiohttp.WSServerHandshakeError as error:
        raise _refused(Answer(error.status), where) from None
    except aiohttp.ClientConnectorDNSError:
        raise _unresolved(where) from None
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch, ssl.SSLError) as error:
        raise _distrusted(error, where) from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
        raise _misspelt() from None
    except (aiohttp.ClientError, OSError, AssertionError) as error:
        # An AssertionError: aiohttp expects a connection to outlive its handshake.
        raise _unreachable(_cause(error), where) from None
    return cast("UpstreamWebSocket", websocket)


@lru_cache(maxsize=64)
def _parse(url: str) -> tuple[URL, str]:
    """The URL, and how messages name it: without its query and credentials."""
    try:
        parsed = URL(url)
    except ValueError:
        raise _misspelt() from None
    if parsed.scheme not in ("ws", "wss", "http", "https") or not parsed.host:
        raise _misspelt()
    is_encoded = url.isascii() and url.isprintable() and " " not in url
    where = f"{parsed.scheme}://{parsed.host}:{parsed.port}{parsed.path}"
    return URL(url, encoded=True) if is_encoded else parsed, where


def _timed_out(timeout: float, where: str) -> UpstreamFault:
    return UpstreamFault(
        error_codes.UPSTREAM_TIMEOUT,
        f"The upstream {where} did not answer within {timeout:g} seconds. "
        "Check the address, the network and the connect timeout.",
        INTERNAL_ERROR,
    )


def _refused(answer: Answer, where: str) -> UpstreamFault:
    status, quoted = answer.status, f" ({answer.err_msg.rstrip('.')})" if answer.err_msg else ""
    said = f"The upstream {where} answered HTTP {status}{quoted}"
    if status in (401, 403):
        hint = f"{said}. Check the API key."
        return UpstreamFault(error_codes.UPSTREAM_UNAUTHORIZED, hint, NORMAL, answer)
    if status >= 500:
        hint = f"{said}. It may recover."
        return UpstreamFault(error_codes.UPSTREAM_UNREACHABLE, hint, INTERNAL_ERROR, answer)
    if status == 402:
        hint = f"{said}: the account has no credit."
    elif status == 429:
        hint = f"{said}: too many requests or no quota left."
    elif status == 407:
        hint = f"{said}: the HTTP proxy on the way wants credentials."
    elif status == 101:
        hint = f"{said}, but not as a WebSocket. Check the upstream's URL."
    else:
        hint = f"{said}. Check the upstream's URL."
    return UpstreamFault(error_codes.UPSTREAM_REJECTED, hint, NORMAL, answer)


def _unresolved(where: str) -> UpstreamFault:
    return UpstreamFault(
        error_codes.UPSTREAM_DNS_FAILED,
        f"The name of the upstream {where} does not resolve. Check the URL and the DNS.",
        INTERNAL_ERROR,
    )


def _distrusted(error: Exception, where: str) -> UpstreamFault:
    return UpstreamFault(
        error_codes.UPSTREAM_TLS_FAILED,
        f"No TLS connection to the upstream {where} ({_cause(error)}). "
        "Check the URL and the certificate authorities this machine trusts.",
        NORMAL,
    )


def _misspelt() -> UpstreamFault:
    return UpstreamFault(
        error_codes.UPSTREAM_REJECTED,
        "The URL or a header of the upstream, or the URL of the HTTP proxy, is not valid.",
        NORMAL,
    )


def _unreachable(cause: str, where: str) -> UpstreamFault:
    return UpstreamFault(
        error_codes.UPSTREAM_UNREACHABLE,
        f"No connection to the upstream {where} ({cause}). "
        "Check that it runs and that the address is right.",
        INTERNAL_ERROR,
    )


def _cause(error: Exception) -> str:
    """What went wrong in the words of the system or of OpenSSL: neither knows a secret of ours."""
    root = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    said = getattr(root, "verify_message", None) or getattr(root, "reason", None)
    if isinstance(said, str) and said:
        return said
    if isinstance(root, OSError) and root.errno:
        return os.strerror(root.errno)
    return type(root).__name__


def proxy_for(url: URL) -> URL | None:
    """The HTTP proxy the environment names for this URL (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).

    ``wss`` goes by the ``https`` proxy, ``ws`` by the ``http`` one, either by ALL_PROXY; a
    loopback address by none. Raises ValueError for a proxy that is not ``http`` or ``https``.
    """
    host = url.host or ""
    if is_loopback(host):
        return None
    return _proxy(url.scheme, f"{host}:{url.port}", tuple(map(os.environ.get, PROXY_VARIABLES)))


@lru_cache(maxsize=64)  # urllib goes through the whole environment, twice for each session
def _proxy(scheme: str, server: str, variables: tuple[str | None, ...]) -> URL | None:
    """What urllib says while the variables are these."""
    if urllib.request.proxy_bypass(server):
        return None
    proxies = urllib.request.getproxies()
    named = proxies.get("https" if scheme in ("wss", "https") else "http") or proxies.get("all")
    if not named:
        return None
    proxy = URL(named if "://" in named else f"http://{named}")
    if proxy.scheme not in ("http", "https"):
        raise ValueError("voiceproxy speaks to HTTP proxies only")
    return proxy
