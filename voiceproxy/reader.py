"""Reads one peer and stops while what it sends has nowhere to go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import WebSocketError, WSMsgType

from voiceproxy.frames import ABNORMAL, NO_STATUS, Binary, Close, Frame, Text
from voiceproxy.leg import Leg

ROOM_CHECK = 1.0
"""How often (seconds) a reader that had to stop looks whether its peer is still there."""

BROKEN = "the peer broke the WebSocket protocol"


class Reader:
    """Hands on every frame of one peer."""

    def __init__(self, leg: Leg, may_send: Callable[[], bool]) -> None:
        self.broken: int | None = None
        """The close code aiohttp answered with when the peer broke the WebSocket protocol."""
        self._leg = leg
        self._may_send = may_send
        self._room: asyncio.Future[None] | None = None

    def check_room(self) -> None:
        """Something was written or the session ended: perhaps go on reading."""
        if self._room is not None and not self._room.done() and self._may_send():
            self._room.set_result(None)

    async def frames(self, receive: Callable[[Frame], None]) -> Close | None:
        """Hand every frame on; returns how the peer closed, None when we did.

        Once our close frame is out, frames are read and dropped until the peer's comes.
        """
        try:
            return await self._read(receive)
        finally:
            self._leg.reading_has_ended()

    async def _read(self, receive: Callable[[Frame], None]) -> Close | None:
        websocket, leg = self._leg.websocket, self._leg
        while True:
            message = await websocket.receive()
            leg.heard = True
            kind = message.type
            if kind is WSMsgType.BINARY:
                if not leg.closing:
                    receive(Binary(message.data))
            elif kind is WSMsgType.TEXT:
                if not leg.closing:
                    receive(Text(message.data))
            elif kind is WSMsgType.PING:
                leg.pong(message.data)
            elif kind is not WSMsgType.PONG:
                return None if leg.closing else self._how_closed(kind, message.data, message.extra)
            if not self._may_send():
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        self._leg.reading_stopped = True
        while not self._may_send() and not self._leg.lost:
            self._room = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._room], timeout=ROOM_CHECK)
        self._room = None
        self._leg.reading_stopped = False

    def _how_closed(self, kind: WSMsgType, data: Any, extra: Any) -> Close:
        if kind is WSMsgType.CLOSE:
            return Close(data or NO_STATUS, extra or "")
        if kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
            self.broken = int(data.code)
            return Close(self.broken, BROKEN)  # aiohttp's own text may quote the payload
        return Close(ABNORMAL, "connection lost")
