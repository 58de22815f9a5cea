"""What the driver sends is WebSocket, and what it counts are frames, however bytes arrive."""

from __future__ import annotations

import pytest

from .wire import BINARY, PING, TEXT, Counter, frame

FRAMES = [(BINARY, 5), (TEXT, 125), (BINARY, 126), (PING, 4), (BINARY, 65535), (BINARY, 70000)]


@pytest.mark.parametrize("step", [1, 3, 1000, 1 << 20])
@pytest.mark.parametrize("masked", [True, False])
def test_frames_are_counted_by_opcode_in_pieces_of_any_size(step: int, masked: bool) -> None:
    stream = b"".join(frame(opcode, bytes(size), masked=masked) for opcode, size in FRAMES)
    counter = Counter(BINARY)
    counted = sum(counter.feed(stream[at : at + step]) for at in range(0, len(stream), step))
    assert (counted, counter.frames, counter.pinged) == (4, 4, True)


def test_what_was_read_before_is_counted_too() -> None:
    one = frame(TEXT, b"words", masked=False)
    assert Counter(TEXT, one + one[:3]).feed(one[3:]) == 1


def test_a_masked_payload_is_the_payload_and_the_key() -> None:
    made = frame(TEXT, b"words", masked=True)
    assert made[:2] == b"\x81\x85"
    assert bytes(byte ^ made[2 + at % 4] for at, byte in enumerate(made[6:])) == b"words"
