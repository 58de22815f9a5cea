"""WebSocket frames as a load driver needs them: made once, counted as they come (RFC 6455, 5.2)."""

from __future__ import annotations

import base64
import hashlib
import os
import socket

TEXT = 1
BINARY = 2
PING = 9
PONG = b"\x8a\x00"
MASKED_PONG = b"\x8a\x80\x00\x00\x00\x00"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASK = b"\x37\xfa\x21\x3d"
"""A peer may not know it, but ours have nothing to hide: frames are made once and sent often."""

PATIENCE = 60.0
"""Seconds any wait may take; a proxy under valgrind is fifty times slower."""


def frame(opcode: int, payload: bytes, *, masked: bool) -> bytes:
    """One frame on the wire; what a client sends is masked."""
    size, bit = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes([0x80 | opcode, bit | size])
    elif size < 65536:
        head = bytes([0x80 | opcode, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, bit | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    key = (_MASK * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + _MASK + mixed.to_bytes(size, "big")


class Counter:
    """Counts the audio in a stream of bytes: frames of one opcode, whatever is in them."""

    __slots__ = ("_of", "_opcode", "_rest", "_skip", "frames", "pinged")

    def __init__(self, opcode: int, rest: bytes = b"") -> None:
        self._opcode = opcode
        self._rest = b""
        self._skip = 0
        self._of = 0
        self.frames = 0
        self.pinged = False
        """A ping wants its answer."""
        if rest:
            self.feed(rest)

    def feed(self, data: bytes) -> int:
        """How many more frames are complete with these bytes."""
        before, at = self.frames, 0
        if self._skip:
            if len(data) < self._skip:
                self._skip -= len(data)
                return 0
            at, self._skip = self._skip, 0
            self._count(self._of)
        elif self._rest:
            data = self._rest + data
        length = len(data)
        while length - at >= 2:
            size, head = data[at + 1] & 0x7F, 2
            if size == 126:
                head = 4
                size = int.from_bytes(data[at + 2 : at + 4], "big")
            elif size == 127:
                head = 10
                size = int.from_bytes(data[at + 2 : at + 10], "big")
            if data[at + 1] & 0x80:
                head += 4
            if length - at < head:
                break
            opcode, at = data[at] & 0x0F, at + head + size
            if at > length:
                self._skip, self._of = at - length, opcode
                break
            self._count(opcode)
        self._rest = data[at:] if at < length else b""
        return self.frames - before

    def _count(self, opcode: int) -> None:
        if opcode == self._opcode:
            self.frames += 1
        elif opcode == PING:
            self.pinged = True


class Peer:
    """A blocking end of a WebSocket, for what happens before the load."""

    def __init__(self, connection: socket.socket, *, masked: bool) -> None:
        self.socket = connection
        self._masked = masked
        self._rest = b""
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def ask(self, path: str) -> None:
        """A client's upgrade request."""
        key = base64.b64encode(os.urandom(16)).decode()
        host, port = self.socket.getpeername()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}"
            "\r\n\r\n".encode()
        )

    def be_answered(self) -> None:
        """Wait for the 101. Raises ConnectionError for anything else."""
        head = self._head()
        if not head.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"the upgrade was answered with {head[:200]!r}")

    def answer(self) -> None:
        """A server's answer to an upgrade request."""
        lines = self._head().split(b"\r\n")
        [key] = [line[18:].strip() for line in lines if line.lower().startswith(b"sec-websocket-k")]
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self.socket.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def _head(self) -> bytes:
        while b"\r\n\r\n" not in self._rest:
            self._read()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        return head

    def send(self, payload: bytes, opcode: int = TEXT) -> None:
        """One frame."""
        self.socket.sendall(frame(opcode, payload, masked=self._masked))

    def until(self, words: bytes) -> bytes:
        """Read frames up to and with the first that has those words in it; its payload."""
        while True:
            payload = self._payload()
            if words in payload:
                return payload

    def _payload(self) -> bytes:
        self._fill(2)
        size, head = self._rest[1] & 0x7F, 2
        if size >= 126:
            head = 4 if size == 126 else 10
            self._fill(head)
            size = int.from_bytes(self._rest[2:head], "big")
        mask = 4 if self._rest[1] & 0x80 else 0
        self._fill(head + mask + size)
        key = self._rest[head : head + mask]
        payload = self._rest[head + mask : head + mask + size]
        self._rest = self._rest[head + mask + size :]
        return bytes(byte ^ key[i % 4] for i, byte in enumerate(payload)) if mask else payload

    def _fill(self, size: int) -> None:
        while len(self._rest) < size:
            self._read()

    def _read(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError(f"the proxy closed; it had said {self._rest[:300]!r}")
        self._rest += data

    def counter(self, opcode: int) -> Counter:
        """From now on frames are only counted, those of this opcode, and nothing waits."""
        self.socket.setblocking(False)
        return Counter(opcode, self._rest)
