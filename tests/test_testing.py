"""The kit plugin authors test with: a real session without sockets, and a clock that is told."""

import asyncio

import pytest
from session_parts import APPLIED, SETTINGS, Plain, plugin, say

from voiceproxy import Binary, Close, Text, UpstreamFault
from voiceproxy.session import Limits
from voiceproxy.testing import FakeClock, drive


def test_a_session_is_driven_with_dicts_bytes_and_frames():
    s = drive()
    s.client(say("1"), b"2", Text(b'{"n":3}'), Binary(b"4"))
    assert s.to_upstream() == [say("1"), b"2", {"n": 3}, b"4"]
    s.upstream(say("5"))
    assert s.to_client() == [say("5")]


def test_what_was_asked_for_once_is_not_told_again():
    s = drive()
    s.client(b"1")
    assert (s.to_upstream(), s.to_upstream()) == ([b"1"], [])


def test_a_driven_session_has_the_dialect_protocol_query_limits_and_plugins_it_is_given():
    limits = Limits(client_buffer=1)
    seen = []
    s = drive(
        plugins=[plugin("p", client_frame=lambda session: seen.append(session))],
        dialect="agent",
        protocol="listen",
        limits=limits,
        query={"model": "m"},
        error=lambda description, code: Text.of({"type": "Fehler", "code": code}),
    )
    s.client(b"x")
    assert (seen[0].dialect, seen[0].protocol) == ("agent", "listen")
    assert (seen[0].query["model"], s.core.limits) == ("m", limits)
    s.upstream_fails(UpstreamFault("upstream_timeout", "No answer."))
    assert s.to_client() == [{"type": "Fehler", "code": "upstream_timeout"}]


def test_the_upstream_may_open_later():
    s = drive(translator=Plain, upstream_opens=False)
    assert s.core.translator.calls == []
    s.upstream_opens({"x-id": "1"})
    assert s.core.translator.calls == ["upstream_opened"]


def test_both_close_frames_can_be_looked_at():
    s = drive()
    assert (s.closed, s.upstream_closed) == (None, None)
    s.client_closes(1001, "away")
    assert (s.closed, s.upstream_closed) == (Close(1001, "away"), Close(1001, "away"))
    s = drive()
    s.upstream_closes()
    assert s.closed == Close(1000)


def test_no_message_of_the_drive_is_lost_between_settings_and_their_answer():
    s = drive(translator=Plain)
    s.client(b"1", SETTINGS)
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS, b"1"]


def test_the_clock_rings_what_is_due_in_order_and_says_the_time_it_was_due():
    clock = FakeClock()
    rung = []
    clock.later(2, lambda: rung.append(("b", clock.now())))
    clock.later(1, lambda: rung.append(("a", clock.now())))
    clock.later(9, lambda: rung.append(("never", clock.now())))
    clock.advance(5)
    assert rung == [("a", 1), ("b", 2)]
    assert clock.now() == 5


def test_a_timer_made_by_a_timer_rings_in_the_same_advance_if_it_is_due():
    clock = FakeClock()
    rung = []
    clock.later(1, lambda: clock.later(1, lambda: rung.append(clock.now())))
    clock.advance(2)
    assert rung == [2]


def test_a_cancelled_timer_does_not_ring():
    clock = FakeClock()
    rung = []
    clock.later(1, lambda: rung.append(1)).cancel()
    clock.advance(2)
    assert rung == []


def test_a_timer_of_the_past_does_not_turn_back_the_clock():
    clock = FakeClock()
    clock.advance(5)
    rung = []
    clock.later(-3, lambda: rung.append(clock.now()))
    clock.advance(1)
    assert (rung, clock.now()) == ([5.0], 6.0)


async def test_the_clock_starts_tasks_on_the_running_loop():
    task = FakeClock().start(asyncio.sleep(0, "done"), "a name")
    assert (await task, task.get_name()) == ("done", "a name")


def test_without_a_loop_there_are_no_tasks():
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        FakeClock().start(coroutine, "a name")
    coroutine.close()
