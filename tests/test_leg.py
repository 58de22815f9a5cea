"""voiceproxy/leg.py and voiceproxy/reader.py: one socket's writing, heartbeat and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web
from running import PATIENCE, RawClient, raw_client, until

from voiceproxy.closing import Traffic
from voiceproxy.frames import Binary, Close, Text
from voiceproxy.leg import MAX_PONGS_WHILE_BLOCKED, Leg
from voiceproxy.outbox import Outbox
from voiceproxy.reader import Reader
from voiceproxy.testing import listening

pytestmark = pytest.mark.both_loops

MIB = 1 << 20
HEARTBEAT = 0.2


class End:
    """Our end of a connection, in the test's hands, and the peer's end."""

    def __init__(self, leg: Leg, client: RawClient, rooms: list[int]) -> None:
        self.leg = leg
        self.client = client
        self.rooms = rooms
        self.frames: list[object] = []
        self.may_send = True
        self.stopped: list[Reader] = []
        self.reader = Reader(leg, lambda: self.may_send, self.stopped)

    async def read(self) -> Close | None:
        def take(frame: object) -> bool:
            self.frames.append(frame)
            return self.may_send

        async with asyncio.timeout(PATIENCE):
            return await self.reader.frames(
                lambda data: take(Text(data)), lambda data: take(Binary(data))
            )

    async def block(self) -> None:
        """Queue more than the peer takes, who reads nothing."""
        self.client.stop_reading()
        for _ in range(64):
            self.leg.outbox.put(Binary(bytes(MIB // 4)))
        self.leg.flush()
        await until(lambda: self.leg._writer is not None)


@asynccontextmanager
async def an_end(*, heartbeat: float = 0, close_timeout: float = 0.3) -> AsyncIterator[End]:
    made: asyncio.Future[Leg] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    rooms: list[int] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            autoclose=False, autoping=False, compress=False, decode_text=False, writer_limit=16384
        )
        await socket.prepare(request)
        outbox = Outbox(MIB)
        leg = Leg(
            "test",
            "session",
            socket,
            request.transport,
            outbox,
            close_timeout=close_timeout,
            heartbeat=heartbeat,
            on_room=lambda: rooms.append(outbox.bytes),
        )
        made.set_result(leg)
        await over.wait()
        return socket

    app = web.Application()
    app.router.add_get("/", handle)
    async with listening(app) as url, raw_client(url + "/") as client:
        end = End(await made, client, rooms)
        try:
            yield end
        finally:
            if end.leg.outbox.close is None:
                end.leg.outbox.put_close(Close())
            client.leave()
            async with asyncio.timeout(PATIENCE):
                await end.leg.finish()
            over.set()


async def test_what_the_socket_takes_is_written_without_a_task():
    async with an_end() as end:
        tasks = asyncio.all_tasks()
        end.leg.outbox.put(Text(b"one"))
        end.leg.outbox.put(Binary(b"two"))
        end.leg.flush()
        assert asyncio.all_tasks() == tasks
        assert [await end.client.frame(), await end.client.frame()] == [(1, b"one"), (2, b"two")]


async def test_a_blocked_write_goes_on_in_a_task_and_says_when_there_is_room():
    async with an_end() as end:
        await end.block()
        waiting = end.leg.outbox.bytes
        assert waiting > 8 * MIB
        end.leg.outbox.put(Text(b"last"))
        end.leg.flush()  # the writer has it
        end.client.go_on_reading()
        for _ in range(64):
            assert len((await end.client.frame())[1]) == MIB // 4
        assert await end.client.frame() == (1, b"last")
        await until(lambda: end.leg._writer is None)
        assert end.rooms[0] <= waiting + 4
        assert end.rooms[-1] == 0


async def test_reading_goes_on_while_writing_is_blocked():
    async with an_end() as end:
        await end.block()
        reading = asyncio.ensure_future(end.read())
        end.client.send(1, b"heard")
        await until(lambda: end.frames == [Text(b"heard")])
        end.client.reset()
        await reading


async def test_reading_stops_while_there_is_no_room_and_goes_on_when_there_is(monkeypatch):
    monkeypatch.setattr("voiceproxy.reader.ROOM_CHECK", 3600)
    async with an_end() as end:
        end.may_send = False
        reading = asyncio.ensure_future(end.read())
        for number in range(3):
            end.client.send(1, str(number).encode())
        await until(lambda: end.leg.reading_stopped)
        assert (end.frames, end.stopped) == ([Text(b"0")], [end.reader])
        end.reader.check_room()
        assert end.leg.reading_stopped
        end.may_send = True
        end.reader.check_room()
        end.reader.check_room()
        end.client.send(8, b"\x0f\xa1bye")
        assert await reading == Close(4001, "bye")
        assert end.frames == [Text(b"0"), Text(b"1"), Text(b"2")]
        assert end.stopped == []


async def test_a_reader_without_room_sees_its_peer_leave():
    async with an_end() as end:
        end.may_send = False
        reading = asyncio.ensure_future(end.read())
        end.client.send(1, b"x")
        await until(lambda: end.leg.reading_stopped)
        end.client.reset()
        assert await reading == Close(1006, "connection lost")


async def test_pings_are_answered_and_pongs_are_not():
    async with an_end() as end:
        reading = asyncio.ensure_future(end.read())
        end.client.send(9, b"are you there")
        end.client.send(10, b"so am I")
        assert await end.client.frame() == (10, b"are you there")
        end.client.send(8, b"")
        assert await reading == Close(1005)
        assert end.frames == []


async def test_a_ping_is_answered_while_writing_is_blocked_but_not_for_ever():
    async with an_end() as end:
        await end.block()
        reading = asyncio.ensure_future(end.read())
        for _ in range(10 * MAX_PONGS_WHILE_BLOCKED):
            end.client.send(9, b"!")
        end.client.send(1, b"behind the pings")
        await until(lambda: end.frames)
        end.client.go_on_reading()
        pongs = 0
        for _ in range(64 + MAX_PONGS_WHILE_BLOCKED):
            pongs += (await end.client.frame())[0] == WSMsgType.PONG
        assert pongs == MAX_PONGS_WHILE_BLOCKED
        await until(lambda: end.leg._writer is None)
        end.client.send(9, b"again")
        assert await end.client.frame() == (10, b"again")
        end.client.reset()
        await reading


async def test_pings_cannot_fill_our_memory_while_nothing_else_is_written():
    async with an_end() as end:
        end.client.stop_reading()
        await _nearly_block(end)
        reading = asyncio.ensure_future(end.read())
        for _ in range(5000):
            end.client.send(9, bytes(125))
        end.client.send(1, b"behind the pings")
        await until(lambda: end.frames)
        assert end.leg._transport.get_write_buffer_size() < 200_000
        end.client.reset()
        await reading


async def _nearly_block(end):
    """Fill the kernel's buffers and a little of ours; no write waits."""
    while True:
        await asyncio.sleep(0)
        if end.leg._transport.get_write_buffer_size() > 0:
            break
        end.leg.outbox.put(Binary(bytes(8000)))
        end.leg.flush()
    assert end.leg._writer is None


async def test_what_is_unsent_when_both_have_closed_gets_its_time_and_no_more():
    async with an_end(close_timeout=0.1) as end:
        end.client.stop_reading()
        await _nearly_block(end)
        end.client.send(8, b"\x03\xe8")
        assert await end.read() == Close(1000)
        end.leg.outbox.put_close(Close(1000))
        async with asyncio.timeout(2):
            await end.leg.finish()
        assert end.leg.lost


async def test_the_heartbeat_ends_with_the_connection():
    async with an_end(heartbeat=0.05) as end:
        end.client.reset()
        await until(lambda: end.leg.lost)
        await asyncio.sleep(0.1)  # several beats
        assert end.leg._beat.when() < asyncio.get_running_loop().time()


async def test_a_silent_peer_is_pinged_and_one_that_answers_stays():
    async with an_end(heartbeat=HEARTBEAT) as end:
        reading = asyncio.ensure_future(end.read())
        for _ in range(3):
            assert await end.client.frame() == (9, b"")
            end.client.send(10, b"")
        assert not end.leg.lost
        end.client.reset()
        await reading


@pytest.mark.parametrize("blocked", [False, True])
async def test_a_peer_that_answers_no_ping_is_aborted(blocked):
    async with an_end(heartbeat=HEARTBEAT) as end:
        if blocked:
            await end.block()
        started = asyncio.get_running_loop().time()
        assert await end.read() == Close(1006, "connection lost")
        assert asyncio.get_running_loop().time() - started < 10 * HEARTBEAT
        await until(lambda: end.leg._writer is None)


async def test_a_peer_we_do_not_read_is_not_taken_for_dead():
    async with an_end(heartbeat=0.05) as end:
        end.leg.reading_stopped = True
        await asyncio.sleep(0.3)  # several beats
        assert not end.leg.lost


async def test_a_peer_that_leaves_while_we_do_not_read_it_is_noticed():
    async with an_end(heartbeat=0.05) as end:
        end.leg.reading_stopped = True
        end.leg._transport.pause_reading()
        end.client.reset()
        await until(lambda: end.leg.lost)


async def test_a_write_to_a_lost_connection_drops_the_queue():
    async with an_end() as end:
        end.client.reset()
        await until(lambda: end.leg.lost)
        end.leg.outbox.put(Text(b"too late"))
        end.leg.flush()
        assert len(end.leg.outbox) == 0
        end.leg.pong(b"")


async def test_a_blocked_writer_notices_that_the_connection_is_lost():
    async with an_end() as end:
        await end.block()
        end.leg.abort()
        await until(lambda: end.leg._writer is None)
        assert end.leg.outbox.bytes == 0


async def test_the_close_frame_goes_behind_everything_queued():
    async with an_end() as end:
        reading = asyncio.ensure_future(end.read())
        await end.block()
        end.leg.outbox.put_close(Close(4002, "é"))
        finishing = asyncio.ensure_future(end.leg.finish())
        end.client.go_on_reading()
        frames, code, reason = await end.client.frames_until_close()
        assert (len(frames), code, reason) == (64, 4002, "é".encode())
        end.client.send(8, b"\x0f\xa2")
        async with asyncio.timeout(PATIENCE):
            await finishing
        assert await reading is None


async def test_a_peer_that_still_talks_gets_everything_and_the_close_frame():
    """Closing a connection with unread data resets it, and what is under way is lost."""
    async with an_end(close_timeout=PATIENCE) as end:
        reading = asyncio.ensure_future(end.read())
        end.client.stop_reading()
        for _ in range(16):
            end.leg.outbox.put(Binary(bytes(MIB // 16)))
        end.leg.outbox.put_close(Close(4002))
        finishing = asyncio.ensure_future(end.leg.finish())
        talking = asyncio.ensure_future(_talk(end.client))
        await until(lambda: len(end.frames) > 5)
        end.client.go_on_reading()
        frames, code, _ = await end.client.frames_until_close()
        assert (len(frames), code) == (16, 4002)
        heard = len(end.frames)
        await asyncio.sleep(0.05)  # the microphone is still on
        talking.cancel()
        assert len(end.frames) == heard
        assert not finishing.done()
        end.client.send(8, b"\x0f\xa2")
        async with asyncio.timeout(PATIENCE):
            await finishing
        assert await reading is None


async def _talk(client):
    while True:
        client.send(2, bytes(640))
        await asyncio.sleep(0.005)


async def test_nothing_follows_our_close_frame():
    async with an_end(heartbeat=HEARTBEAT, close_timeout=1) as end:
        reading = asyncio.ensure_future(end.read())
        end.leg.outbox.put_close(Close(4002))
        end.leg.flush()
        end.client.send(9, b"ping")
        assert await end.client.frame() == (8, b"\x0f\xa2")
        await asyncio.sleep(3 * HEARTBEAT)  # neither a pong nor a ping of ours
        end.client.send(8, b"\x0f\xa2")
        await end.leg.finish()
        assert await reading is None
        with pytest.raises(asyncio.IncompleteReadError):
            await end.client.frame()


async def test_a_peer_that_takes_nothing_is_aborted_after_the_close_timeout():
    async with an_end(close_timeout=0.1) as end:
        await end.block()
        end.leg.outbox.put_close(Close(4002))
        async with asyncio.timeout(2):
            await end.leg.finish()
        assert end.leg.lost


async def test_a_peer_that_reads_for_ever_is_aborted_in_the_end():
    async with an_end(close_timeout=0.1) as end:
        await end.block()
        frame = Binary(bytes(MIB // 4))
        for _ in range(4000):
            end.leg.outbox.put(frame)
        end.leg.outbox.put_close(Close(4002))
        slow = asyncio.ensure_future(_read_slowly(end.client))
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(PATIENCE):
            await end.leg.finish()
        assert 0.9 < asyncio.get_running_loop().time() - started < 3
        slow.cancel()


async def _read_slowly(client):
    while True:
        client.go_on_reading()
        await until(lambda: client.reader._buffer)
        client.stop_reading()
        client.reader._buffer.clear()
        await asyncio.sleep(0.02)


async def test_a_peer_that_does_not_answer_the_close_is_left_after_the_close_timeout():
    async with an_end(close_timeout=0.1) as end:
        end.leg.outbox.put_close(Close(4002))
        async with asyncio.timeout(2):
            await end.leg.finish()
        assert end.leg.lost
        assert await end.client.frame() == (8, b"\x0f\xa2")


async def test_a_peer_that_waits_for_us_to_close_first_sees_our_end_soon():
    async with an_end(close_timeout=PATIENCE) as end:
        reading = asyncio.ensure_future(end.read())
        end.leg.outbox.put_close(Close(4002))
        finishing = asyncio.ensure_future(end.leg.finish())
        assert await end.client.frame() == (8, b"\x0f\xa2")
        with pytest.raises(asyncio.IncompleteReadError):
            await end.client.frame()
        assert not finishing.done()
        end.client.leave()
        async with asyncio.timeout(1):
            await finishing
        assert await reading is None


async def test_a_detached_leg_answers_the_close_and_leaves_the_outbox_alone():
    async with an_end() as end:
        outbox = end.leg.outbox
        end.client.send(8, b"\x0f\xa1why")
        close = await end.read()
        outbox.put(Text(b"for the next connection"))
        end.leg.detach(close)
        await end.leg.finish()
        assert await end.client.frames_until_close() == ([], 4001, b"why")
        assert len(outbox) == 1


async def test_broken_rules_are_told_without_quoting_the_payload():
    async with an_end() as end:
        end.client.send(8, b"\x00\x05secret")
        assert await end.read() == Close(1002, "the peer broke the WebSocket protocol")
        assert end.reader.broken == 1002


# Written past the outbox.


async def test_a_frame_written_at_once_needs_no_queue_and_no_task_and_is_counted():
    async with an_end() as end:
        tasks = asyncio.all_tasks()
        assert end.leg.write_now(b"speech")
        assert asyncio.all_tasks() == tasks
        assert await end.client.frame() == (2, b"speech")
        assert end.leg.outbox.total == Traffic(1, 6)


async def test_a_frame_is_not_written_before_one_that_is_queued():
    async with an_end() as end:
        end.leg.outbox.put(Text(b""))
        assert not end.leg.write_now(b"speech")
        end.leg.flush()
        assert end.leg.write_now(b"speech")
        assert [await end.client.frame(), await end.client.frame()] == [(1, b""), (2, b"speech")]


async def test_a_blocked_frame_goes_on_in_a_task_and_the_next_one_has_to_wait():
    async with an_end() as end:
        end.client.stop_reading()
        written = 0
        while end.leg.write_now(written.to_bytes(4, "big") * 16_000):
            written += 1
        assert end.leg._writer is not None
        end.leg.outbox.put(Text(b"behind"))
        end.leg.flush()
        assert (end.leg.outbox.total.frames, len(end.leg.outbox)) == (written, 1)
        end.client.go_on_reading()
        for number in range(written):
            assert await end.client.frame() == (2, number.to_bytes(4, "big") * 16_000)
        assert await end.client.frame() == (1, b"behind")
        await until(lambda: end.leg._writer is None)
        assert end.rooms  # whoever waits for room was told
        assert end.leg.write_now(b"again")


async def test_while_the_writer_is_busy_nothing_is_written_past_it_though_its_queue_is_empty():
    async with an_end() as end:
        end.client.stop_reading()
        while end.leg.write_now(bytes(64_000)):
            pass
        assert (len(end.leg.outbox), end.leg._writer is not None) == (0, True)
        assert not end.leg.write_now(b"more")
        end.client.reset()
        await until(lambda: end.leg._writer is None)


async def test_nothing_is_written_behind_the_close():
    async with an_end() as end:
        end.leg.outbox.put_close(Close(4000))
        assert not end.leg.write_now(b"queued already")
        end.leg.flush()
        assert not end.leg.write_now(b"about to go out")
        assert await end.client.frames_until_close() == ([], 4000, b"")


async def test_nothing_is_written_while_the_close_of_another_connection_goes_out():
    async with an_end() as end:
        end.leg.detach(Close(4001))
        end.leg.outbox.close = None
        assert not end.leg.write_now(b"for the next connection")


async def test_a_frame_for_a_peer_that_is_gone_is_let_go():
    async with an_end() as end:
        end.client.reset()
        await until(lambda: end.leg.lost)
        tasks = asyncio.all_tasks()
        assert end.leg.write_now(b"too late")
        assert asyncio.all_tasks() == tasks
        assert end.leg.outbox.total.frames == 1


async def test_what_a_peer_says_once_our_close_goes_out_is_dropped():
    async with an_end() as end:
        end.leg.outbox.put_close(Close(1000))
        end.leg.flush()
        assert end.leg.closing
        for kind in (1, 2):
            end.client.send(kind, b"late")
        end.client.send(8, b"\x03\xe8")
        assert await end.read() is None
        assert end.frames == []


async def test_what_a_peer_says_that_was_left_while_its_writing_is_blocked_is_dropped():
    async with an_end() as end:
        await end.block()
        reading = asyncio.ensure_future(end.read())
        end.leg.detach(Close(4001))
        end.client.send(1, b"late")
        end.client.send(8, b"\x03\xe8")
        assert await reading is None
        assert end.frames == []
        end.client.reset()
