"""Dialling an upstream: one WebSocket client connection, and what every failure means."""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.request
from typing import Any

import aiohttp
from yarl import URL

from voiceproxy.backend import Upstream
from voiceproxy.errors import UpstreamFault
from voiceproxy.frames import NORMAL, TRY_AGAIN_LATER


class UpstreamWebSocket(aiohttp.ClientWebSocketResponse[Any]):
    """A client WebSocket that keeps its transport, so that it can be aborted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connection = self._response.connection
        if connection is None or connection.transport is None:
            raise aiohttp.ClientConnectionResetError("the upstream left during the handshake")
        self.transport: asyncio.Transport = connection.transport
        self.headers = self._response.headers


def client_session() -> aiohttp.ClientSession:
    """A session for upstream connections: no cookies kept, no limit on connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        ws_response_class=UpstreamWebSocket,
    )


async def dial(
    client: aiohttp.ClientSession, upstream: Upstream, max_frame: int
) -> UpstreamWebSocket:
    """Connect within ``upstream.timeout``. Raises UpstreamFault, whose text holds no secret."""
    url = URL(upstream.url or "")
    where = f"{url.scheme}://{url.host}:{url.port}{url.path}"
    try:
        async with asyncio.timeout(upstream.timeout):
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
                max_msg_size=max_frame,
            )
    except TimeoutError as error:
        raise UpstreamFault(
            "upstream_timeout",
            f"The upstream {where} did not answer within {upstream.timeout:g} seconds. "
            "Check the address, the network and the connect timeout.",
            TRY_AGAIN_LATER,
        ) from error
    except aiohttp.WSServerHandshakeError as error:
        raise _refused(error.status, where) from None  # its text shows the request's headers
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _unreachable(error, where) from error
    if not isinstance(websocket, UpstreamWebSocket):
        await websocket.close()
        raise TypeError("the client session needs ws_response_class=UpstreamWebSocket")
    return websocket


def _refused(status: int, where: str) -> UpstreamFault:
    said = f"The upstream {where} answered HTTP {status}"
    if status in (401, 403):
        return UpstreamFault("upstream_unauthorized", f"{said}. Check the API key.", NORMAL)
    if status == 429:
        return UpstreamFault("upstream_rejected", f"{said}: too many requests or no quota.", NORMAL)
    if status >= 500:
        return UpstreamFault("upstream_rejected", f"{said}. It may recover.", TRY_AGAIN_LATER)
    return UpstreamFault("upstream_rejected", f"{said}. Check the upstream's URL.", NORMAL)


def _unreachable(error: Exception, where: str) -> UpstreamFault:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UpstreamFault(
            "upstream_dns_failed",
            f"The name of the upstream {where} does not resolve. Check the URL and the DNS.",
            TRY_AGAIN_LATER,
        )
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
        return UpstreamFault(
            "upstream_tls_failed",
            f"No TLS connection to the upstream {where}: its certificate or protocol is not "
            "accepted. Check the URL and the certificate authorities of this machine.",
            NORMAL,
        )
    if isinstance(error, (aiohttp.InvalidURL, ValueError)):
        return UpstreamFault(
            "upstream_rejected", "The upstream's URL is not valid. Check the URL.", NORMAL
        )
    return UpstreamFault(
        "upstream_unreachable",
        f"No connection to the upstream {where} ({type(error).__name__}). "
        "Check that it runs and that the address is right.",
        TRY_AGAIN_LATER,
    )


def proxy_for(url: URL) -> str | None:
    """The HTTP proxy the environment names for this URL (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).

    ``wss`` goes by the ``https`` proxy, ``ws`` by the ``http`` one; loopback by none.
    """
    host = url.host or ""
    if _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    scheme = "https" if url.scheme in ("wss", "https") else "http"
    return proxies.get(scheme) or proxies.get("all")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
