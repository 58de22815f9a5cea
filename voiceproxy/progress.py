"""Whether bytes cross a connection, as its kernel counts them: also those of a frame in the making.

A frame is seen when it is whole, and a ping behind a big frame is answered when that has arrived.
On a slow line either takes longer than a heartbeat, and the peer is there all the same.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

_COUNTS = struct.Struct("=QQ")
_OFFSET = 120
"""Where ``tcpi_bytes_acked`` and ``tcpi_bytes_received`` stand in Linux's ``struct tcp_info``
(linux/tcp.h, since 4.1)."""


class Progress:
    """Looked at once a beat. Where the kernel does not count there is never any."""

    __slots__ = ("_counts", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._counts = (0, 0)

    def made(self, unwritten: int) -> bool:
        """True when the peer has sent bytes since the last call, or is taking what waits for it.

        ``unwritten``: bytes the event loop holds. What the peer takes counts only while there are
        any: a ping stands behind them. Whatever takes everything at once, and answers no ping, may
        be no peer at all.
        """
        acked, received = self._counts
        self._counts = _counts(self._transport)
        return self._counts[1] > received or (unwritten > 0 and self._counts[0] > acked)


def _counts(transport: asyncio.Transport) -> tuple[int, int]:
    """Bytes the peer has acknowledged, and bytes it has sent; (0, 0) where nobody counts them."""
    # Other systems have an option of that name, with other counts in that place.
    option = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
    peer = transport.get_extra_info("socket")
    if option is None or peer is None:
        return 0, 0
    try:
        counts: tuple[int, int] = _COUNTS.unpack_from(
            peer.getsockopt(socket.IPPROTO_TCP, option, _OFFSET + _COUNTS.size), _OFFSET
        )
    except (OSError, ValueError, struct.error):  # the peer is gone, an old kernel, a Unix socket
        return 0, 0
    return counts
