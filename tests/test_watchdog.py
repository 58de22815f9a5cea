"""voiceproxy/watchdog.py: who blocks the event loop is named while it does."""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import sys
import threading

import pytest
from running import hear_one, until
from session_parts import plugin

from voiceproxy.testing import FakeBackend, FakeUpstream, connected, serve
from voiceproxy.watchdog import Stopwatch, blocker, watching

SECRET = "what-was-said"


class Told(logging.Handler):
    """Lets whoever blocks wait for exactly as long as it takes to be named."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.event.set()

    def block(self, *_: object) -> None:
        assert self.event.wait(10)


@pytest.fixture
def told():
    handler = Told()
    logger = logging.getLogger("voiceproxy.watchdog")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


async def _echo(socket, request):
    async for message in socket:
        await socket.send_str(message.data)


def _blocking(where, told):
    def in_frame(session, message):
        secret = message["content"]
        told.block(secret)

    def in_connect(session):
        told.block()

    def in_timer(session, message):
        session.later(0, told.block)

    def in_task(session, message):
        async def ask():
            told.block()

        session.start(ask())

    async def after_a_while(session):
        await asyncio.sleep(0)
        told.block()

    hooks = {
        "frame": {"client_frame": in_frame},
        "connect": {"connect": in_connect},
        "connect, later": {"connect": after_a_while},
        "upstream_open": {"upstream_open": in_connect},
        "timer": {"client_frame": in_timer},
        "task": {"client_frame": in_task},
    }
    return plugin("sleeper", **hooks[where])


@pytest.mark.parametrize(
    "where", ["frame", "connect", "connect, later", "upstream_open", "timer", "task"]
)
async def test_a_plugin_that_blocks_is_named_with_its_stack_and_nothing_said(where, told):
    async with (
        FakeUpstream(_echo) as upstream,
        serve(
            FakeBackend(upstream.url), _blocking(where, told), settings={"block_warning": 0.05}
        ) as proxy,
        connected(proxy + "/fake") as client,
    ):
        await client.send_json({"type": "A", "content": SECRET})
        await hear_one(client)
        await until(lambda: len(told.lines) > 1)
    named, over = told.lines
    assert named.startswith("the plugin 'sleeper' blocks the event loop")
    assert "in block" in named
    assert "test_watchdog.py" in named
    assert SECRET not in named
    assert over.startswith("the event loop goes on after")


ASTRAY = re.compile(r"(a+)+$")


async def test_an_expression_that_goes_astray_stops_the_watchdog_too_and_is_named_afterwards(told):
    def in_frame(session, message):
        ASTRAY.match("a" * 23 + message["type"])

    async with (
        FakeUpstream(_echo) as upstream,
        serve(
            FakeBackend(upstream.url),
            plugin("sleeper", client_frame=in_frame),
            settings={"block_warning": 0.05},
        ) as proxy,
        connected(proxy + "/fake") as client,
    ):
        await client.send_json({"type": "A"})
        await hear_one(client)
        await until(lambda: len(told.lines) > 1)
    named, over = told.lines
    assert named.startswith("the plugin 'sleeper' blocks the event loop")
    assert "holding Python's lock" in named
    assert "in in_frame" in named
    assert over.startswith("the event loop goes on after")


async def test_the_thread_the_loop_waits_for_is_shown_beside_it(told):
    lock = threading.Lock()
    held = threading.Event()

    def hold_the_lock():
        with lock:
            held.set()
            told.block()

    holder = threading.Thread(target=hold_the_lock, name="holder")
    with watching(0.05):
        holder.start()
        held.wait(10)
        with lock:
            holder.join()
        await until(lambda: told.lines)
    assert told.lines[0].startswith("something blocks the event loop")
    assert "thread 'holder':" in told.lines[0]
    assert "in hold_the_lock" in told.lines[0]
    assert "voiceproxy watchdog" not in told.lines[0]


def test_time_in_which_the_process_did_not_compute_blocks_nobody():
    readings = iter([(0.0, 0.0), (0.25, 0.01), (60.0, 0.02), (63.0, 3.02), (63.1, 3.1)])
    now = [0.0, 0.0]

    def read():
        now[:] = next(readings)
        return now[0]

    stopwatch = Stopwatch(0.25, read, lambda: now[1])
    assert stopwatch.lap() == pytest.approx(0.25)  # on time
    assert stopwatch.lap() == pytest.approx(0.26)  # stopped or suspended for a minute
    assert stopwatch.lap() == pytest.approx(3.0)  # it computed, and the watchdog could not look
    assert stopwatch.lap() == pytest.approx(0.25)  # early: it is looked no oftener than that


def test_code_of_a_plugin_that_the_host_did_not_call_as_a_hook_is_known_by_its_module():
    place: dict[str, object] = {"__name__": "voiceproxy_openai.translator", "sys": sys}
    exec("def upstream_frame(): return sys._getframe()", place)
    assert blocker(place["upstream_frame"]()) == "openai"


async def test_a_block_is_told_though_no_descriptor_is_left_to_look_for_plugins(told, monkeypatch):
    def exhausted():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("voiceproxy.watchdog.installed", exhausted)
    with watching(0.02):
        await asyncio.sleep(0)
        told.block()
    assert told.lines[0].startswith("something blocks the event loop")


async def test_what_blocks_outside_every_plugin_is_told_without_a_name(told):
    with watching(0.05):
        told.block()
        await until(lambda: len(told.lines) > 1)
    assert told.lines[0].startswith("something blocks the event loop")


async def test_each_block_is_told_once_and_the_next_one_again(told):
    with watching(0.05):
        for expected in (2, 4):
            told.event.clear()
            told.block()
            await until(lambda expected=expected: len(told.lines) == expected)
    assert [line.split()[0] for line in told.lines] == ["something", "the"] * 2


async def test_a_loop_that_is_free_is_left_alone(told):
    with watching(0.05):
        await asyncio.sleep(0.3)
    assert told.lines == []


async def test_zero_watches_nothing_and_applications_of_one_loop_share_a_thread():
    def watchdogs():
        return [one for one in threading.enumerate() if one.name == "voiceproxy watchdog"]

    before = len(watchdogs())
    with watching(0):
        assert len(watchdogs()) == before
    with watching(1):
        with watching(2):
            assert len(watchdogs()) == before + 1
        assert len(watchdogs()) == before + 1
    assert len(watchdogs()) == before


def test_a_watchdog_whose_loop_has_been_closed_ends():
    loop = asyncio.new_event_loop()

    async def leave_running():
        context = watching(0.01)
        context.__enter__()
        return context

    context = loop.run_until_complete(leave_running())
    loop.close()
    [thread] = [one for one in threading.enumerate() if one.name == "voiceproxy watchdog"]
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(StopIteration):
        next(context.gen)


def test_nobody_is_blamed_for_a_stack_without_a_plugin():
    assert blocker(sys._getframe()) is None
