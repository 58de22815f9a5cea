"""voiceproxy/progress.py: whether bytes cross a connection, as its kernel counts them."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from running import raw_server, until

from voiceproxy.progress import Progress
from voiceproxy.testing import Fault, FaultyLine

both_loops = pytest.mark.both_loops


@asynccontextmanager
async def connection(
    said: asyncio.Queue[bytes],
) -> AsyncIterator[tuple[asyncio.Transport, FaultyLine]]:
    """To a server that says what is put into the queue; through a line."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(await said.get())

    async with raw_server(say) as port, FaultyLine(f"tcp://127.0.0.1:{port}") as line:
        where = line.url.removeprefix("tcp://").rstrip("/").split(":")
        _, writer = await asyncio.open_connection(where[0], int(where[1]))
        yield writer.transport, line
        writer.transport.abort()


@both_loops
async def test_every_byte_the_peer_sends_is_progress_once():
    said: asyncio.Queue[bytes] = asyncio.Queue()
    async with connection(said) as (transport, _):
        progress = Progress(transport)
        assert not progress.made(0)
        said.put_nowait(b"\x82")  # the first byte of a frame
        await until(lambda: progress.made(0))
        assert not progress.made(0)


@both_loops
async def test_what_the_peer_takes_is_progress_while_something_waits_for_it():
    async with connection(asyncio.Queue()) as (transport, line):
        progress = Progress(transport)
        line.becomes(up=Fault(stalled=True))
        transport.write(bytes(20_000_000))
        await until(lambda: not progress.made(transport.get_write_buffer_size()))
        await asyncio.sleep(0.05)  # the kernels have taken what they could
        progress.made(0)
        assert transport.get_write_buffer_size() > 0
        assert not progress.made(transport.get_write_buffer_size())
        line.becomes()
        await until(lambda: progress.made(1))
        await asyncio.sleep(0.05)
        assert not progress.made(0)  # it was taken, but nothing of ours stands behind it


async def test_where_nobody_counts_there_is_no_progress(monkeypatch: pytest.MonkeyPatch):
    said: asyncio.Queue[bytes] = asyncio.Queue()
    async with connection(said) as (transport, _):
        said.put_nowait(b"hello")
        await until(lambda: Progress(transport).made(0))
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(sys, "platform", "freebsd14")  # its TCP_INFO has other counts there
            assert not Progress(transport).made(0)
        assert Progress(transport).made(0)
        monkeypatch.delattr(socket, "TCP_INFO")
        assert not Progress(transport).made(0)


async def test_a_connection_that_is_gone_makes_no_progress():
    async with connection(asyncio.Queue()) as (transport, _):
        transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not Progress(transport).made(1)


async def test_a_unix_socket_has_no_such_counts():
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=ours
        )
        theirs.send(b"hello")
        assert not Progress(transport).made(0)
        transport.abort()
        await asyncio.sleep(0)
