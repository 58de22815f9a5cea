"""voiceproxy/faults.py: what a faulty line does to what crosses it, and that it leaves nothing."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from running import PATIENCE, answer_nothing, echo, hear_one, raw_server, until

from voiceproxy.faults import FAULTLESS
from voiceproxy.testing import FakeUpstream, Fault, FaultyLine, connected

both_loops = pytest.mark.both_loops


class End:
    """The dialler's end of a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, size: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(size)

    async def hear_end(self) -> bytes:
        """Everything until the other end has ended. Raises ConnectionResetError for a reset."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()


async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that says what it hears, to the end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
    await reader.read()


@asynccontextmanager
async def dialled(
    up: Fault = FAULTLESS, down: Fault = FAULTLESS, server=repeat
) -> AsyncIterator[tuple[FaultyLine, End]]:
    """A line to a server, dialled once."""
    before = _sockets()
    async with raw_server(server) as port:
        async with FaultyLine(f"tcp://127.0.0.1:{port}", up=up, down=down, seed=1) as line:
            host, _, given = line.url.removeprefix("tcp://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(given.rstrip("/")))
            yield line, End(reader, writer)
            writer.transport.abort()
        assert line.connections == 0
    await until(lambda: _sockets() <= before)


def _sockets() -> int:
    """How many this process has, listening ones and those without a peer included."""
    links = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
    return sum("socket:" in link for link in links)


def _now() -> float:
    return asyncio.get_running_loop().time()


@both_loops
async def test_a_line_without_a_fault_changes_nothing_and_ends_as_its_ends_do():
    data = os.urandom(3_000_000)
    async with dialled() as (line, end):
        sending = asyncio.ensure_future(end.say(data))
        assert await end.hear(len(data)) == data
        await sending
        end.writer.write_eof()
        assert await end.hear_end() == b""
        await until(lambda: not line.connections)


async def test_a_websocket_works_through_a_line_that_keeps_the_path():
    async with FakeUpstream(echo) as upstream, FaultyLine(upstream.url + "some/path?a=b") as line:
        async with connected(line.url) as ws:
            await ws.send_str("hello")
            assert await hear_one(ws) == "hello"
        assert str(upstream.requests[0].rel_url) == "/some/path?a=b"


async def test_latency_and_jitter_make_pieces_late_and_keep_their_order():
    late = Fault(latency=0.05, jitter=0.05)
    async with dialled(up=late) as (_, end):
        began = _now()
        for number in range(50):
            await end.say(struct.pack(">I", number))
            await asyncio.sleep(0)
        got = await end.hear(200)
        assert struct.unpack(">50I", got) == tuple(range(50))
        assert _now() - began >= 0.05


async def test_many_pieces_are_late_at_the_same_time():
    async with dialled(up=Fault(latency=0.2)) as (_, end):
        began = _now()
        for _ in range(10):
            await end.say(b"x" * 10)
            await asyncio.sleep(0.01)
        await end.hear(100)
        assert 0.2 <= _now() - began < 1.5  # one after the other they take two seconds


async def test_a_piece_is_never_bigger_than_the_fault_says():
    got: list[int] = []

    async def measure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            got.append(len(data))

    async with dialled(up=Fault(piece=1, pause=0.002), server=measure) as (_, end):
        await end.say(b"byte by byte")
        await until(lambda: sum(got) == 12)
    assert len(got) > 6


PLENTY = os.urandom(1 << 20) * 24
"""More than the kernel takes from a sender whose peer reads nothing."""


async def test_a_slow_reader_makes_the_sender_wait():
    slow = Fault(piece=1000, pause=0.01)
    async with dialled(up=slow, server=answer_nothing) as (_, end):
        sending = asyncio.ensure_future(end.say(PLENTY))
        await asyncio.wait([sending], timeout=0.3)
        assert not sending.done()
        sending.cancel()


@both_loops
async def test_a_stalled_reader_takes_a_bounded_amount_and_goes_on_when_it_may():
    async with dialled() as (line, end):
        line.becomes(up=Fault(stalled=True))
        sending = asyncio.ensure_future(end.say(PLENTY))
        await asyncio.wait([sending], timeout=0.3)
        assert not sending.done()
        line.becomes()
        assert await end.hear(len(PLENTY)) == PLENTY
        await sending


async def test_a_blackhole_takes_everything_and_says_nothing_not_even_that_an_end_is_gone():
    gone = asyncio.Event()

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.transport.abort()
        gone.set()

    async with dialled(server=leave) as (line, end):
        hole = Fault(blackhole=True)
        line.becomes(down=hole)
        await end.say(b"x")
        await asyncio.wait_for(gone.wait(), PATIENCE)
        line.becomes(up=hole, down=hole)
        await end.say(bytes(5_000_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(end.reader.read(1), 0.1)


async def test_a_lost_end_is_told_once_the_blackhole_has_gone():
    hole = Fault(blackhole=True)
    async with dialled(up=hole, down=hole) as (line, end):
        end.writer.write_eof()
        await asyncio.sleep(0.05)
        assert line.connections == 1
        line.becomes()
        assert await end.hear_end() == b""


@both_loops
async def test_a_cut_ends_the_connection_after_exactly_so_many_bytes():
    async with dialled(down=Fault(cut_after=1000)) as (line, end):
        await end.say(bytes(5000))
        got = b""
        try:
            while data := await asyncio.wait_for(end.reader.read(65536), PATIENCE):
                got += data
        except ConnectionResetError:
            pass
        assert len(got) == 1000
        await until(lambda: not line.connections)


async def test_a_cut_counts_from_when_it_began():
    async with dialled() as (line, end):
        await end.say(b"before")
        await end.hear(6)
        line.becomes(down=Fault(cut_after=3))
        await end.say(b"after")
        assert await end.hear(3) == b"aft"
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await end.hear(1)


@both_loops
async def test_a_reset_reaches_both_ends_and_the_line_takes_new_connections():
    lost: list[type[BaseException]] = []

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        try:
            await reader.read()
        except ConnectionResetError as error:
            lost.append(type(error))

    async with dialled(server=wait) as (line, end):
        await end.hear(1)
        await line.reset()
        with pytest.raises(ConnectionResetError):
            await end.hear_end()
        await until(lambda: lost == [ConnectionResetError])
        host, port = line.url.removeprefix("tcp://").rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        assert await asyncio.wait_for(reader.read(1), PATIENCE) == b"!"
        writer.transport.abort()


async def test_where_nobody_listens_the_dialler_is_reset():
    async with raw_server(repeat) as port:
        pass
    async with FaultyLine(f"tcp://127.0.0.1:{port}") as line:
        host, given = line.url.removeprefix("tcp://").rstrip("/").split(":")
        reader, writer = await asyncio.open_connection(host, int(given))
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), PATIENCE)
        writer.transport.abort()


@both_loops
async def test_a_line_without_a_free_descriptor_lets_its_diallers_wait_or_resets_them():
    loop = asyncio.get_running_loop()
    async with raw_server(repeat) as port, FaultyLine(f"tcp://127.0.0.1:{port}") as line:
        host, given = line.url.removeprefix("tcp://").rstrip("/").split(":")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as first, socket.socket() as second:
            for end in (first, second):
                end.setblocking(False)
            highest = max(int(one.name) for one in Path("/proc/self/fd").iterdir())
            try:
                # Of those below, none is free for the line.
                spare = [os.dup(0) for _ in range(highest)]
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(spare) + 1, limits[1]))
                await loop.sock_connect(first, (host, int(given)))
                await asyncio.sleep(0.1)
                assert line.connections == 0
                os.close(spare.pop())  # enough to accept, not to dial
                async with asyncio.timeout(PATIENCE):
                    with pytest.raises(ConnectionResetError):
                        await loop.sock_recv(first, 1)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                for one in spare:
                    os.close(one)
            await loop.sock_connect(second, (host, int(given)))
            await loop.sock_sendall(second, b"there again")
            async with asyncio.timeout(PATIENCE):
                assert await loop.sock_recv(second, 100) == b"there again"


async def test_a_line_that_ends_ends_its_connections_whatever_is_wrong_with_them():
    for fault in (Fault(stalled=True), Fault(blackhole=True), Fault(latency=60), Fault(pause=60)):
        async with dialled(up=fault, down=fault) as (line, end):
            await end.say(b"xx")
            await until(lambda: line.connections)
