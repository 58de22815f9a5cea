"""What an ended session leaves behind: nothing, at once, without a garbage collection."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from contextlib import contextmanager, suppress

import psutil
import pytest
from running import echo, hear, relaying, until
from session_parts import Plain

from voiceproxy import Binary, Refuse, hookimpl
from voiceproxy.leg import Leg
from voiceproxy.lifecycle import Lifecycle
from voiceproxy.reader import Reader
from voiceproxy.relay import Relay
from voiceproxy.session import SessionCore
from voiceproxy.testing import connected

OURS = (SessionCore, Relay, Leg, Reader, Lifecycle, Plain)

both_loops = pytest.mark.both_loops


@contextmanager
def counting_references_only():
    """Log records that pytest keeps hold tracebacks, and so sessions: there are none here."""
    gc.collect()
    gc.disable()
    logging.disable()
    _known.extend(_ours())
    try:
        yield
    finally:
        _known.clear()
        logging.disable(logging.NOTSET)
        gc.enable()


_known: list[object] = []
"""What the tests before have left to pytest."""


def _ours() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, OURS)]


def _left() -> list[str]:
    return [type(one).__name__ for one in _ours() if not any(one is old for old in _known)]


async def _sessions_go_by_themselves(proxy) -> None:
    await until(lambda: proxy.live == 0)
    with suppress(TimeoutError):
        await until(lambda: _left() == [], 2)
    assert _left() == []


class Tangled(Plain):
    """A translator with a cycle of its own."""

    def __init__(self, session) -> None:
        super().__init__(session)
        self.itself = self


async def sends_30_mb(ws, request):
    await ws.send_bytes(bytes(30_000_000))


async def closes_at_once(ws, request):
    await ws.close(code=4001)


class Busy:
    """Uses everything a session offers, in every hook."""

    @hookimpl
    async def voiceproxy_connect(self, session, upstream):
        session.later(0, lambda: session.to_client({"type": "Rung"}))
        session.later(60, session.close)
        session.start(asyncio.sleep(60))

    @hookimpl
    def voiceproxy_upstream_frame(self, session, frame):
        session.hold(frame, 60)
        return True


class Failing:
    @hookimpl
    def voiceproxy_upstream_frame(self, session, frame):
        raise ValueError("no")


class Unable(Plain):
    def upstream_frame(self, frame):
        raise ValueError("no")


class Refusing:
    @hookimpl
    async def voiceproxy_connect(self, session, upstream):
        session.to_client({"type": "Early"})
        raise Refuse(403, "no")


@both_loops
@pytest.mark.parametrize("script", [echo, closes_at_once, sends_30_mb])
@pytest.mark.parametrize("translator", [None, Plain])
async def test_an_ended_session_is_freed_without_a_garbage_collection(script, translator):
    async with relaying(script, backend={"translator": translator}) as proxy:
        with counting_references_only():
            for _ in range(3):
                async with connected(proxy.endpoint) as ws:
                    await ws.send_bytes(b"x")
                    await ws.receive()
            await _sessions_go_by_themselves(proxy)


@pytest.mark.parametrize("plugin", [Busy, Failing])
@pytest.mark.parametrize("translator", [None, Plain, Unable])
async def test_a_session_with_busy_or_failing_plugins_is_freed_too(plugin, translator):
    backend = {"translator": translator}
    async with relaying(sends_30_mb, plugin(), backend=backend) as proxy:
        with counting_references_only():
            for _ in range(3):
                async with connected(proxy.endpoint) as ws:
                    await ws.receive()
            await _sessions_go_by_themselves(proxy)


async def test_a_translator_that_holds_itself_holds_nothing_of_the_session():
    async with relaying(echo, backend={"translator": Tangled}) as proxy:
        with counting_references_only():
            async with connected(proxy.endpoint) as ws:
                await ws.receive()
            await until(lambda: proxy.live == 0)
            with suppress(TimeoutError):
                await until(lambda: _left() == ["Tangled"], 2)
            assert _left() == ["Tangled"]


async def test_a_refused_session_is_freed_too():
    async with relaying(echo, Refusing()) as proxy:
        with counting_references_only():
            for _ in range(3):
                with pytest.raises(Exception, match="403"):
                    async with connected(proxy.endpoint):
                        pass
            await _sessions_go_by_themselves(proxy)


async def test_sessions_of_30_mb_frames_leave_the_memory_as_it_was():
    async with relaying(sends_30_mb) as proxy:
        async with connected(proxy.endpoint) as ws:
            await hear(ws)
        await until(lambda: proxy.live == 0)
        with counting_references_only():
            before = psutil.Process(os.getpid()).memory_info().rss
            for _ in range(5):
                async with connected(proxy.endpoint) as ws:
                    await hear(ws)
                    await ws.close()
                del ws
            await _sessions_go_by_themselves(proxy)
            grown = psutil.Process(os.getpid()).memory_info().rss - before
    assert grown < 10_000_000


async def test_what_a_plugin_keeps_of_an_ended_session_does_nothing_and_does_not_fail():
    kept = []

    class Keeper:
        @hookimpl
        def voiceproxy_upstream_frame(self, session, frame):
            timer = session.later(60, session.close)
            kept.extend([session, session.hold(frame, 60), timer])
            return True

    async with relaying(echo, Keeper()) as proxy:
        with counting_references_only():
            async with connected(proxy.endpoint) as ws:
                await ws.send_bytes(b"x")
                await until(lambda: kept)
            await _sessions_go_by_themselves(proxy)
        session, hold, timer = kept
        assert session.closing
        assert len(session.id) == 32
        assert session.trace_id == session.id
        assert (session.endpoint, session.path, session.protocol) == ("fake", "/fake", "agent")
        session.to_client({"type": "Late"})
        session.to_upstream(Binary(b"late"))
        session.fail("LATE", "late")
        session.close()
        session.log.debug("late")
        session.later(0, session.close).cancel()
        assert session.discard_audio() == 0
        assert session.now() > 0
        assert list(session.state._values) == []
        task = session.start(asyncio.sleep(60))
        await asyncio.wait([task])
        assert task.cancelled()
        with pytest.raises(RuntimeError):
            session.hold(Binary(b"x"), 1)
        with pytest.raises(RuntimeError):
            session.observe_as(Binary(b"x"))
        hold.release(None)
        hold.release(Binary(b"x"))
        timer.cancel()


async def test_what_a_translator_keeps_of_an_ended_session_does_nothing_and_does_not_fail():
    kept = []

    class Keeper(Plain):
        def opened(self):
            super().opened()
            kept.append(self.session)

    async with relaying(echo, backend={"translator": Keeper}) as proxy:
        with counting_references_only():
            async with connected(proxy.endpoint) as ws:
                await ws.receive()
            await _sessions_go_by_themselves(proxy)
        [session] = kept
        session.to_client({"type": "Late"}, only="agent")
        session.to_upstream(Binary(b"late"))
        session.settings_refused("late")
        session.dial()
        session.later(0, session.close).cancel()
        assert session.closing
