"""Plugins that fail, on real sockets: the outcome is as documented, and another session goes on.

A plugin here misbehaves only in sessions whose query asks for it: ``?fail=PLACE``.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from running import Running, echo, hear, hear_one, raw_client, refused, relaying, until

from voiceproxy import Binary, Session, Text, hookimpl
from voiceproxy.testing import connected

ERRORS = [RuntimeError, SystemExit, asyncio.CancelledError]


@asynccontextmanager
async def neighbour(proxy: Running) -> AsyncIterator[Any]:
    """A session beside the one that fails: it is served before, and still is in the end."""
    async with connected(proxy.endpoint) as other:
        await other.send_str("before")
        assert await hear_one(other) == "before"
        yield other
        await other.send_str("after")
        assert await hear_one(other) == "after"


class Faulty:
    """Does ``fault()`` at the place the query names."""

    name = "faulty"

    def fault(self, session: Session) -> object:
        """What goes wrong there."""
        raise AssertionError("each of these has a fault of its own")

    def at(self, session: Session, place: str) -> object:
        return self.fault(session) if session.query.get("fail") == place else None

    @hookimpl
    def voiceproxy_connect(self, session: Session) -> None:
        self.at(session, "connect")

    @hookimpl
    def voiceproxy_upstream_open(self, session: Session) -> None:
        self.at(session, "upstream_open")

    @hookimpl
    def voiceproxy_client_frame(self, session: Session) -> object:
        if session.query.get("fail") == "timer":
            session.later(0, lambda: self.fault(session))
        if session.query.get("fail") == "task":
            session.start(self.fault_later(session))
        return self.at(session, "client_frame")

    @hookimpl
    def voiceproxy_upstream_frame(self, session: Session) -> object:
        return self.at(session, "upstream_frame")

    @hookimpl
    def voiceproxy_close(self, session: Session) -> None:
        self.at(session, "close")

    async def fault_later(self, session: Session) -> None:
        self.fault(session)


class Raising(Faulty):
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def fault(self, session: Session) -> object:
        raise self.error("boom")


# It raises.


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", ["client_frame", "upstream_frame", "timer", "upstream_open"])
async def test_a_plugin_that_raises_ends_its_session_and_no_other(place, error, caplog):
    async with (
        relaying(echo, Raising(error)) as proxy,
        neighbour(proxy),
        connected(f"{proxy.endpoint}?fail={place}") as ws,
    ):
        await ws.send_str('{"say":"boom"}')
        heard = await hear(ws)
        assert (heard.errors, heard.code) == (["plugin_failed"], 1000)
        assert "'faulty'" in heard.frames[-1]["description"]
        assert "boom" not in heard.frames[-1]["description"]
    assert f"{error.__name__}: boom" in caplog.text


@pytest.mark.parametrize("error", ERRORS)
async def test_a_plugin_that_raises_in_connect_refuses_that_client_with_500(error, caplog):
    async with relaying(echo, Raising(error)) as proxy, neighbour(proxy):
        answer = await refused(f"{proxy.endpoint}?fail=connect")
        assert answer.status == 500
    assert f"{error.__name__}: boom" in caplog.text


@pytest.mark.parametrize("error", ERRORS)
async def test_a_plugin_that_raises_in_close_is_logged(error, caplog):
    async with relaying(echo, Raising(error)) as proxy, neighbour(proxy):
        async with connected(f"{proxy.endpoint}?fail=close") as ws:
            await ws.send_str("hello")
            assert await hear_one(ws) == "hello"
        await until(lambda: f"{error.__name__}: boom" in caplog.text)
    assert "The plugin 'faulty' failed in voiceproxy_close." in caplog.text


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
async def test_a_plugins_task_that_fails_is_logged_and_its_own_session_goes_on(error, caplog):
    async with (
        relaying(echo, Raising(error)) as proxy,
        neighbour(proxy),
        connected(f"{proxy.endpoint}?fail=task") as ws,
    ):
        await ws.send_str("one")
        assert await hear_one(ws) == "one"
        await until(lambda: f"{error.__name__}: boom" in caplog.text)
        await ws.send_str("another")
        assert await hear_one(ws) == "another"
    assert "a task of the plugin 'faulty' failed" in caplog.text


async def test_a_plugins_task_that_is_cancelled_is_nobodys_fault(caplog):
    async with (
        relaying(echo, Raising(asyncio.CancelledError)) as proxy,
        neighbour(proxy),
        connected(f"{proxy.endpoint}?fail=task") as ws,
    ):
        await ws.send_str("one")
        assert await hear_one(ws) == "one"
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


# It never comes back.


class Hanging:
    """Waits for ever in the hook of that name."""

    name = "hanging"

    def __init__(self, place: str) -> None:
        self.place = place

    async def wait(self, session: Session, place: str) -> None:
        if place == self.place and "fail" in session.query:
            await asyncio.Event().wait()

    @hookimpl
    async def voiceproxy_connect(self, session: Session) -> None:
        await self.wait(session, "connect")

    @hookimpl
    async def voiceproxy_close(self, session: Session) -> None:
        await self.wait(session, "close")


@pytest.mark.parametrize("place", ["connect", "close"])
async def test_an_async_hook_that_hangs_is_given_up_after_hook_timeout(place, caplog):
    async with relaying(echo, Hanging(place), hook_timeout=0.1) as proxy, neighbour(proxy):
        url = f"{proxy.endpoint}?fail=yes"
        if place == "connect":
            assert (await refused(url)).status == 500
        else:
            async with connected(url):
                pass
        await until(lambda: "it took over 0.1 seconds (the setting hook_timeout)" in caplog.text)
    assert "'hanging'" in caplog.text


class Blocking(Faulty):
    """Keeps the thread until somebody is told of it."""

    def __init__(self) -> None:
        self.told = threading.Event()

    def fault(self, session: Session) -> object:
        assert self.told.wait(10)
        return None


async def test_a_plugin_that_blocks_is_named_while_everybody_waits_and_then_all_goes_on(caplog):
    plugin = Blocking()
    told = logging.Handler()
    told.emit = lambda record: plugin.told.set()  # type: ignore[method-assign]
    logging.getLogger("voiceproxy.watchdog").addHandler(told)
    try:
        async with (
            relaying(echo, plugin, block_warning=0.05) as proxy,
            neighbour(proxy),
            connected(f"{proxy.endpoint}?fail=client_frame") as ws,
        ):
            await ws.send_str("hello")
            assert await hear_one(ws) == "hello"
    finally:
        logging.getLogger("voiceproxy.watchdog").removeHandler(told)
    assert "the plugin 'faulty' blocks the event loop" in caplog.text
    assert "in fault\n" in caplog.text


# It sends for ever.


class Chattering(Faulty):
    sent = 0

    def fault(self, session: Session) -> object:
        while True:
            session.to_client({"type": "chatter"})
            self.sent += 1


@pytest.mark.parametrize("place", ["client_frame", "upstream_frame", "timer"])
async def test_a_plugin_that_sends_for_ever_in_a_hook_ends_its_session(place, caplog):
    plugin = Chattering()
    async with (
        relaying(echo, plugin) as proxy,
        neighbour(proxy),
        connected(f"{proxy.endpoint}?fail={place}") as ws,
    ):
        await ws.send_str("hello")
        heard = await hear(ws)
        assert (heard.errors[-1], heard.code) == ("plugin_failed", 1000)
    assert "a send (over 1,000 from one input)" in caplog.text
    assert plugin.sent == 1000


class ChatteringTask(Faulty):
    async def fault_later(self, session: Session) -> None:
        while not session.closing:
            session.to_client(Binary(bytes(8192)))
            await asyncio.sleep(0)


async def test_a_task_that_sends_more_than_is_read_ends_its_session(caplog):
    async with (
        relaying(echo, ChatteringTask(), client_buffer=65536) as proxy,
        neighbour(proxy),
        raw_client(f"{proxy.endpoint}?fail=task") as client,
    ):
        client.stop_reading()
        client.send(1, b"hello")
        await until(lambda: proxy.live == 1)
    assert "client_overflow" in caplog.text


class ChatteringTimer(Faulty):
    """A timer that is due at once, again and again."""

    rung = 0

    def fault(self, session: Session) -> object:
        self.rung += 1
        session.later(0, lambda: self.fault(session))
        return None


async def test_a_timer_that_is_always_due_lets_everybody_else_run():
    plugin = ChatteringTimer()
    async with relaying(echo, plugin) as proxy, neighbour(proxy):
        async with connected(f"{proxy.endpoint}?fail=timer") as ws:
            for word in ("one", "two", "three"):
                await ws.send_str(word)
                assert await hear_one(ws) == word
        await until(lambda: proxy.live == 1)
        rung = plugin.rung
        await asyncio.sleep(0)
        assert plugin.rung == rung > 1


# It does what is not its own.


class Meddling:
    """Changes what it was given to look at."""

    name = "meddling"

    @hookimpl
    def voiceproxy_client_frame(self, session: Session, message: dict[str, Any]) -> None:
        message["type"] = "Changed"
        message.clear()


class Looking:
    """Stands behind it."""

    name = "looking"

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl(trylast=True)
    def voiceproxy_client_frame(self, message: dict[str, Any]) -> None:
        self.seen.append(message)


async def test_a_plugin_that_changes_its_message_changes_a_copy():
    behind = Looking()
    async with (
        relaying(echo, Meddling(), behind) as proxy,
        neighbour(proxy),
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_str('{"type": "KeepAlive",  "n": 1}')
        message = await ws.receive()
        assert message.data == '{"type": "KeepAlive",  "n": 1}'
    assert behind.seen == [{"type": "KeepAlive", "n": 1}]


class Threading(Faulty):
    """Uses its session from another thread, in the wrong way and in the right one."""

    def __init__(self) -> None:
        self.raised: list[BaseException] = []

    def fault(self, session: Session) -> object:
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self.send, args=(session, loop))
        thread.start()
        thread.join(10)
        return None

    def send(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        try:
            session.to_client({"type": "wrong"})
        except RuntimeError as error:
            self.raised.append(error)
        loop.call_soon_threadsafe(session.to_client, Text.of({"type": "right"}))


async def test_a_send_from_another_thread_raises_there_and_disturbs_nobody():
    plugin = Threading()
    async with (
        relaying(echo, plugin) as proxy,
        neighbour(proxy),
        connected(f"{proxy.endpoint}?fail=client_frame") as ws,
    ):
        await ws.send_str("hello")
        heard = [await hear_one(ws), await hear_one(ws)]
        assert {"type": "right"} in heard
        assert "hello" in heard
    [error] = plugin.raised
    assert "call_soon_threadsafe(session.to_client, frame)" in str(error)


# It leaves something behind.


class Stubborn(Faulty):
    """A task of its session that does not let itself be cancelled."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def fault_later(self, session: Session) -> None:
        while not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                continue


async def test_a_task_that_ignores_its_cancellation_is_named_and_keeps_nobody(caplog):
    plugin = Stubborn()
    async with relaying(echo, plugin, close_timeout=0.1) as proxy, neighbour(proxy):
        async with connected(f"{proxy.endpoint}?fail=task") as ws:
            await ws.send_str("hello")
            assert await hear_one(ws) == "hello"
        await until(lambda: "goes on after being cancelled" in caplog.text)
        await until(lambda: proxy.live == 1)
        plugin.may_end.set()
    assert "voiceproxy task of faulty goes on after being cancelled" in caplog.text


class Leaking(Faulty):
    """A task the session knows nothing of, which uses it when it is long over."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def fault(self, session: Session) -> object:
        self.tasks.append(asyncio.create_task(self.linger(session)))
        return None

    async def linger(self, session: Session) -> None:
        await self.may_end.wait()
        assert session.closing
        session.to_client({"type": "late"})
        session.to_upstream({"type": "late"})
        session.close(4000)


async def test_a_task_the_session_does_not_know_outlives_it_and_reaches_nobody():
    plugin = Leaking()
    async with relaying(echo, plugin) as proxy, neighbour(proxy) as other:
        async with connected(f"{proxy.endpoint}?fail=client_frame") as ws:
            await ws.send_str("hello")
            assert await hear_one(ws) == "hello"
        await until(lambda: proxy.live == 1)
        [task] = plugin.tasks
        assert not task.done()
        plugin.may_end.set()
        await task
        await other.send_str("nothing before this")
        assert await hear_one(other) == "nothing before this"


class Holding:
    """Holds the word and never decides."""

    name = "holding"

    def __init__(self, seconds: float, on_timeout: Any = "drop") -> None:
        self.seconds = seconds
        self.on_timeout = on_timeout

    @hookimpl
    def voiceproxy_client_frame(self, session: Session, text: Text) -> object:
        if text.data != b"hold":
            return None
        self.hold = session.hold(text, self.seconds, self.on_timeout)
        return True


@pytest.mark.parametrize(
    ("on_timeout", "out"), [("drop", ["behind"]), ("pass", ["hold", "behind"]), ("close", [])]
)
async def test_a_hold_nobody_releases_ends_as_it_said(on_timeout, out):
    async with (
        relaying(echo, Holding(0.05, on_timeout)) as proxy,
        neighbour(proxy),
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_str("hold")
        await ws.send_str("behind")
        if out:
            assert (await hear(ws, len(out))).frames == out
        else:
            heard = await hear(ws)
            assert (heard.errors, heard.code) == (["plugin_timeout"], 1000)


async def test_a_hold_without_end_keeps_neither_the_other_direction_nor_the_session():
    async with relaying(echo, Holding(3600)) as proxy, neighbour(proxy):
        async with connected(proxy.endpoint) as ws:
            await ws.send_str("hold")
            await ws.send_str("behind")
            await until(lambda: any(one.to_upstream.held_bytes for one in _cores(proxy)))
        await until(lambda: proxy.live == 1)


async def test_what_waits_behind_a_hold_stops_the_reading_of_that_client_alone():
    plugin = Holding(3600)
    async with (
        relaying(echo, plugin, upstream_buffer=65536) as proxy,
        neighbour(proxy),
        raw_client(proxy.endpoint) as client,
    ):
        client.send(1, b"hold")
        for _ in range(100):
            client.send(2, bytes(8192))
        await until(lambda: any(not one.client_may_send for one in _cores(proxy)))
        held = max(one.to_upstream.held_bytes for one in _cores(proxy))
        assert 65536 <= held < 2 * 65536
        plugin.hold.release(None)
        await until(lambda: not any(one.to_upstream.held_bytes for one in _cores(proxy)))


def _cores(proxy: Running) -> list[Any]:
    return [core for one in proxy._cores if (core := one()) is not None]


# It works beside its hooks.


async def test_a_task_may_send_outside_any_hook():
    class Late:
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            session.start(self._speak(session))

        async def _speak(self, session: Session) -> None:
            await asyncio.sleep(0.01)
            session.to_client({"type": "late"})

    async with relaying(echo, Late()) as proxy, connected(proxy.endpoint) as ws:
        assert await hear_one(ws) == {"type": "late"}
