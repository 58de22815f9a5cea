"""What is written and not yet sent: little of it, so that it can still be taken back."""

from __future__ import annotations

import asyncio
import socket

UNSENT_BYTES = 8192
"""How much unsent data the kernel may hide from us; without it, seconds of speech."""

TCP = int(socket.IPPROTO_TCP)
NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""The option for that, where the system has it."""

UNWRITTEN_BYTES = 4096
"""How much the event loop may hold that the kernel does not take yet; it would take 64 KiB."""


def keep_little(transport: asyncio.Transport) -> None:
    """Let neither the event loop nor the kernel hide much of what waits to be sent."""
    if transport.is_closing():
        return  # it was lost before its first frame, and uvloop has nothing to set any more
    transport.set_write_buffer_limits(high=UNWRITTEN_BYTES)
    peer = transport.get_extra_info("socket")
    if NOTSENT_LOWAT is None or peer is None:
        return
    try:
        peer.setsockopt(TCP, NOTSENT_LOWAT, UNSENT_BYTES)
    except (OSError, ValueError):
        return  # it is no TCP, or the peer is gone already
