"""Reads one peer and stops while what it sends has nowhere to go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import WebSocketError, WSMsgType

from voiceproxy.frames import ABNORMAL, NO_STATUS, Close
from voiceproxy.leg import BINARY, TEXT, Leg

ROOM_CHECK = 1.0
"""How often (seconds) a reader that had to stop looks whether its peer is still there."""

BROKEN = "the peer broke the WebSocket protocol"


Receive = Callable[[bytes], bool]
"""Takes the payload of a frame; False when there is no room for another."""


class Reader:
    """Hands on every frame of one peer."""

    __slots__ = ("_leg", "_may_send", "_room", "_stopped", "broken")

    def __init__(self, leg: Leg, may_send: Callable[[], bool], stopped: list[Reader]) -> None:
        """``stopped``: where to stand while it does not read, to be asked to ``check_room``."""
        self.broken: int | None = None
        """The close code aiohttp answered with when the peer broke the WebSocket protocol."""
        self._leg = leg
        self._may_send = may_send
        self._stopped = stopped
        self._room: asyncio.Future[None] | None = None

    def check_room(self) -> None:
        """Something was written or the session ended: perhaps go on reading."""
        if self._room is not None and not self._room.done() and self._may_send():
            self._room.set_result(None)

    async def frames(self, text: Receive, binary: Receive) -> Close | None:
        """Hand every frame on; returns how the peer closed, None when we did.

        Once our close frame is out, frames are read and dropped until the peer's comes.
        """
        websocket, leg = self._leg.websocket, self._leg
        try:
            while True:
                message = await websocket.receive()
                leg.heard = True
                kind, data = message.type, message.data
                if kind is BINARY:
                    has_room = leg.closing or binary(data)
                elif kind is TEXT:
                    has_room = leg.closing or text(data)
                elif kind is WSMsgType.PING:
                    leg.pong(data)
                    continue
                elif kind is WSMsgType.PONG:
                    continue
                else:
                    return None if leg.closing else self._how_closed(kind, data, message.extra)
                del message, data  # the next may be long in coming
                if not has_room:
                    await self._wait_for_room()
        finally:
            leg.reading_has_ended()

    async def _wait_for_room(self) -> None:
        self._leg.reading_stopped = True
        self._stopped.append(self)
        try:
            while not self._may_send() and not self._leg.lost:
                self._room = asyncio.get_running_loop().create_future()
                await asyncio.wait([self._room], timeout=ROOM_CHECK)
        finally:
            self._room = None
            self._stopped.remove(self)
            self._leg.reading_stopped = False

    def _how_closed(self, kind: WSMsgType, data: Any, extra: Any) -> Close:
        if kind is WSMsgType.CLOSE:
            return Close(data or NO_STATUS, extra or "")
        if kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
            self.broken = int(data.code)
            return Close(self.broken, BROKEN)  # aiohttp's own text may quote the payload
        return Close(ABNORMAL, "connection lost")
