"""What a session keeps of the last frames while nothing more is said: nothing."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from running import echo, relaying, until
from session_parts import plugin
from session_parts import relaying as passing

from voiceproxy import Session, Text, hookimpl
from voiceproxy.frames import Frame
from voiceproxy.testing import connected


def observe(session, frame):
    session.observe_as({"type": "Observed"})


@pytest.mark.parametrize(
    ("way", "lane", "outbox"),
    [("client_frame", "to_upstream", "upstream"), ("upstream_frame", "to_client", "client")],
)
def test_a_frame_that_has_passed_the_plugins_is_not_kept_for_their_sake(way, lane, outbox):
    s = passing(plugin("a", **{way: observe}), plugin("b", "trylast", **{way: observe}))
    frame = Text(b'{"type":"X"}')
    users = sys.getrefcount(frame)
    getattr(s.core, way)(frame)
    getattr(s.core, outbox).clear()
    assert sys.getrefcount(frame) == users
    assert getattr(s.core, lane).observed is None


async def test_the_last_frame_of_either_peer_is_not_kept_while_the_next_is_waited_for():
    kept: list[bytes] = []

    class Keeper:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, frame: Frame) -> None:
            kept.append(frame.data)

        @hookimpl
        def voiceproxy_upstream_frame(self, session: Session, frame: Frame) -> None:
            kept.append(frame.data)

    async with relaying(echo, Keeper()) as proxy, connected(proxy.endpoint) as client:
        await client.send_bytes(b"there and back")
        await client.receive()
        # The list knows it, and the one who counts.
        await until(lambda: [sys.getrefcount(kept[place]) for place in (0, 1)] == [2, 2], 5)


def test_a_message_that_waits_takes_no_more_than_it_weighs():
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        waiting = [Text.of({"type": "AgentDone", "number": number}) for number in range(100)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(waiting) < 500
