"""The queue in front of a socket."""

from voiceproxy import Binary, Close, Text
from voiceproxy.closing import Traffic
from voiceproxy.outbox import Outbox


def _drain(outbox: Outbox) -> list:
    return list(iter(outbox.take, None))


def test_frames_come_out_in_the_order_they_went_in():
    outbox = Outbox(100)
    frames = [Text(b"a"), Binary(b"b"), Text(b"c")]
    for frame in frames:
        outbox.put(frame)
    assert len(outbox) == 3
    assert _drain(outbox) == frames


def test_it_is_full_from_its_limit_on_and_has_room_again_when_something_is_taken():
    outbox = Outbox(10)
    outbox.put(Binary(b"x" * 9))
    assert not outbox.full
    outbox.put(Binary(b"x"))
    assert outbox.full
    outbox.take()
    assert (outbox.bytes, outbox.full) == (1, False)


def test_only_what_cannot_be_stopped_overflows_it():
    outbox = Outbox(10)
    outbox.put(Binary(b"x" * 50))
    assert not outbox.overflowing
    outbox.put(Binary(b"x" * 10), paced=False)
    assert not outbox.overflowing
    outbox.put(Binary(b"x"), paced=False)
    assert outbox.overflowing


def test_what_cannot_be_stopped_counts_since_the_queue_was_last_empty():
    outbox = Outbox(10)
    for _ in range(2):
        outbox.put(Binary(b"first"), paced=False)
        outbox.put(Binary(b"x" * 8), paced=False)
        assert (outbox.unpaced, outbox.overflowing) == (8, False)
        assert outbox.take() is not None
        assert outbox.take() is not None


def test_a_frame_that_finds_it_empty_is_no_overflow_however_big():
    outbox = Outbox(10)
    outbox.put(Binary(b"x" * 1000), paced=False)
    assert not outbox.overflowing
    outbox.put(Binary(b"x" * 10), paced=False)
    assert not outbox.overflowing
    outbox.put(Binary(b"x"), paced=False)
    assert outbox.overflowing


def test_nothing_goes_behind_a_close_frame_and_the_first_one_counts():
    outbox = Outbox(10)
    outbox.put(Text(b"a"))
    outbox.put_close(Close(1006, "gone"))
    outbox.put_close(Close(1000))
    outbox.put(Text(b"b"))
    assert _drain(outbox) == [Text(b"a")]
    assert outbox.close == Close(1011, "gone")


def test_clearing_leaves_the_close_frame_only():
    outbox = Outbox(10)
    outbox.put(Text(b"abc"), paced=False)
    outbox.put_close(Close(1001))
    outbox.clear()
    assert (len(outbox), outbox.bytes, outbox.unpaced, outbox.close) == (0, 0, 0, Close(1001))


def test_discarding_audio_keeps_every_message_and_says_how_much_it_dropped():
    outbox = Outbox(10)
    outbox.put(Text(b"a"))
    outbox.put(Binary(b"xx"), paced=False)
    outbox.put(Text(b"b"))
    outbox.put(Binary(b"yyy"), paced=False)
    assert outbox.discard_audio() == 5
    assert (outbox.bytes, outbox.unpaced) == (2, 2)
    assert _drain(outbox) == [Text(b"a"), Text(b"b")]
    assert outbox.discard_audio() == 0


def test_only_what_is_taken_to_be_written_counts_as_traffic():
    outbox = Outbox(10)
    for frame in (Text(b"abc"), Binary(b"xx"), Text(b"d")):
        outbox.put(frame)
    outbox.discard_audio()
    _drain(outbox)
    outbox.put(Text(b"never written"))
    outbox.clear()
    assert outbox.total == Traffic(frames=2, bytes=4)
