"""The timers and tasks of a session: all end with it."""

import asyncio
import logging

import pytest
from session_parts import plugin, relaying


@pytest.fixture
def s():
    return relaying(plugin("p", client_frame=lambda session, frame: None))


async def test_a_task_runs_beside_the_session_and_is_named_after_its_plugin(s):
    async def work():
        return asyncio.current_task().get_name()

    assert await s.core.handle(0).start(work()) == "voiceproxy task of p"


async def test_a_task_that_raises_is_logged_with_its_plugin_and_the_session_goes_on(s, caplog):
    async def work():
        raise ZeroDivisionError

    task = s.core.handle(0).start(work())
    await asyncio.wait([task])
    await asyncio.sleep(0)
    [record] = caplog.records
    assert record.getMessage() == "[test] a task of the plugin 'p' failed"
    assert record.exc_info[0] is ZeroDivisionError
    assert s.closed is None


async def test_a_task_that_exits_is_logged_with_its_plugin_and_the_process_lives(s, caplog):
    async def work():
        raise SystemExit(3)

    task = s.core.handle(0).start(work())
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert "a task of the plugin 'p' failed" in caplog.text
    assert "SystemExit: 3" in caplog.text
    assert s.closed is None


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit])
def test_whatever_a_timer_raises_is_its_plugins_fault(s, error):
    def fail():
        raise error

    s.core.handle(0).later(1, fail)
    s.advance(1)
    [told] = s.to_client()
    assert (told["code"], s.core.summary().by) == ("plugin_failed", "p")
    assert told["description"] == "The plugin 'p' failed in a timer."


def test_ctrl_c_goes_through_a_timer(s):
    def stop():
        raise KeyboardInterrupt

    s.core.handle(0).later(1, stop)
    with pytest.raises(KeyboardInterrupt):
        s.advance(1)
    assert s.closed is None


async def test_tasks_are_cancelled_with_the_session(s):
    task = s.core.handle(0).start(asyncio.sleep(60))
    await asyncio.sleep(0)
    s.client_closes()
    await s.core.release(5)
    assert task.cancelled()


async def test_a_task_started_after_the_end_is_cancelled_at_once(s):
    s.client_closes()
    task = s.core.handle(0).start(asyncio.sleep(60))
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_tasks_and_timers_of_a_session_that_never_opened_end_too(s):
    rung = []
    task = s.core.handle(0).start(asyncio.sleep(60))
    s.core.handle(0).later(1, lambda: rung.append(1))
    await s.core.release(5)
    s.advance(10)
    assert (task.cancelled(), rung) == (True, [])


async def test_a_task_that_does_not_let_itself_be_cancelled_is_named_in_the_log(s, caplog):
    done = asyncio.Event()

    async def stubborn():
        while not done.is_set():
            try:
                await done.wait()
            except asyncio.CancelledError:
                continue

    task = s.core.handle(0).start(stubborn())
    await asyncio.sleep(0)
    s.client_closes()
    await s.core.release(0.01)
    assert "voiceproxy task of p goes on after being cancelled" in caplog.text
    done.set()
    await task


async def test_a_task_may_use_its_session_and_the_last_thing_it_does_may_be_to_close_it(s):
    async def work():
        s.core.handle(0).to_client({"type": "A"})
        s.core.handle(0).close(4000, "enough")

    task = s.core.handle(0).start(work())
    await asyncio.wait([task])
    assert s.to_client() == [{"type": "A"}]
    assert s.closed.code == 4000


def test_timers_due_at_the_same_moment_ring_in_the_order_they_were_made(s):
    rung = []
    handle = s.core.handle(0)
    for number in range(3):
        handle.later(1, lambda number=number: rung.append(number))
    s.advance(1)
    assert rung == [0, 1, 2]


def test_a_timer_that_another_one_cancels_at_the_same_moment_does_not_ring(s):
    rung = []
    handle = s.core.handle(0)
    timers = []
    handle.later(1, lambda: timers[0].cancel())
    timers.append(handle.later(1, lambda: rung.append(1)))
    timers[0].timer.cancel = lambda: None  # a loop's timer may have been taken out already
    s.advance(1)
    assert rung == []


def test_a_timer_may_be_cancelled_after_it_has_rung(s):
    rung = []
    timer = s.core.handle(0).later(1, lambda: rung.append(1))
    s.advance(1)
    timer.cancel()
    assert rung == [1]


def test_what_the_session_leaves_behind_is_quiet(s, caplog):
    caplog.set_level(logging.DEBUG)
    s.core.handle(0).later(1, print)
    s.client_closes()
    s.advance(10)
    assert caplog.records == []
