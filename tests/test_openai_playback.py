"""What the user has heard, reckoned part by part."""

from __future__ import annotations

from voiceproxy_openai.playback import MAX_PARTS, Heard, Playback

SECOND = 48000
"""Bytes of linear16 at 24 kHz."""


def test_the_parts_of_an_item_are_told_apart():
    playback = Playback(lambda: 1.25)
    playback.sent("item_1", 0, SECOND, 0.0)
    playback.sent("item_1", 1, SECOND, 0.0)
    assert playback.interrupted(0) == Heard("item_1", 1, 250)


def test_chunks_of_one_part_are_added_up():
    playback = Playback(lambda: 1.25)
    for _ in range(10):
        playback.sent("item_1", 0, SECOND // 5, 0.0)
    assert playback.interrupted(0) == Heard("item_1", 0, 1250)


def test_audio_after_a_pause_begins_when_it_comes():
    playback = Playback(lambda: 10.25)
    playback.sent("item_1", 0, SECOND, 0.0)
    playback.sent("item_2", 0, SECOND, 10.0)
    assert playback.interrupted(0) == Heard("item_2", 0, 250)


def test_of_many_parts_that_wait_the_latest_are_remembered():
    for parts, heard in ((MAX_PARTS, Heard("item_0", 0, 500)), (MAX_PARTS + 1, None)):
        playback = Playback(lambda: 0.5)
        for part in range(parts):
            playback.sent(f"item_{part}", 0, SECOND, 0.0)
        assert playback.interrupted(0) == heard


def test_what_was_interrupted_is_over():
    playback = Playback(lambda: 0.5)
    playback.sent("item_1", 0, SECOND, 0.0)
    assert playback.interrupted(0) is not None
    assert playback.interrupted(0) is None
