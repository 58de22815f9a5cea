"""The hooks around a session: connect in order, close in reverse, both in time."""

import asyncio

import pytest
from aiohttp import web
from session_parts import plugin

from voiceproxy import Binary, PluginFault, Refuse, StateKey, Upstream
from voiceproxy.chains import compile_chains
from voiceproxy.introduction import Introduction
from voiceproxy.lifecycle import Lifecycle
from voiceproxy.plugins import Plugins
from voiceproxy.session import SessionCore
from voiceproxy.testing import FakeClock

TIMEOUT = 0.05
"""Seconds a hook may take here; only those that never return take them."""


class Visit:
    """A session that is being opened and closed, and what its hooks have noted."""

    def __init__(self, *plugins):
        chains = compile_chains(Plugins(plugins))
        app = web.Application()
        introduction = Introduction("0" * 32, "test", "backend", "/", "agent", "component", app)
        self.core = SessionCore(introduction, chains, FakeClock())
        self.lifecycle = Lifecycle(self.core, TIMEOUT)
        self.upstream = Upstream(url="ws://upstream/")

    async def connect(self):
        waiting = self.lifecycle.connect(self.upstream)
        if waiting is not None:
            await waiting

    async def close(self):
        closing = self.core.summary()
        await self.lifecycle.close(closing)
        return closing


def _plugin(name, calls, order=None, *, connect=True):
    """Notes when it is connected and closed."""
    hooks = {"close": lambda session: calls.append(f"close {name}")}
    if connect:
        hooks["connect"] = lambda session: calls.append(f"connect {name}")
    return plugin(name, order, **hooks)


async def test_connect_runs_in_order_and_close_in_reverse():
    calls = []
    visit = Visit(
        *(_plugin(n, calls, o) for n, o in (("c", "trylast"), ("b", None), ("a", "tryfirst")))
    )
    await visit.connect()
    await visit.close()
    assert calls == ["connect a", "connect b", "connect c", "close c", "close b", "close a"]


async def test_hooks_may_be_functions_or_coroutine_functions_and_get_what_they_name():
    got = []

    async def connect(upstream, session):
        await asyncio.sleep(0)
        got.append((session, upstream))

    async def close(close):
        await asyncio.sleep(0)
        got.append(close)

    visit = Visit(plugin("p", connect=connect, close=close), plugin("q", connect=lambda: None))
    await visit.connect()
    closing = await visit.close()
    assert got == [(visit.core.handle(0), visit.upstream), closing]


async def test_connect_may_change_the_upstream():
    def connect(upstream):
        upstream.url = "ws://elsewhere/"
        upstream.headers["x-tenant"] = "1"

    visit = Visit(plugin("p", connect=connect))
    await visit.connect()
    assert (visit.upstream.url, visit.upstream.headers) == ("ws://elsewhere/", {"x-tenant": "1"})


@pytest.mark.parametrize("coroutine", [False, True])
async def test_a_refusal_stops_the_others_and_closes_those_that_were_entered(coroutine):
    calls = []

    def refuse(session):
        raise Refuse(429, "too many")

    async def refuse_later(session):
        await asyncio.sleep(0)
        raise Refuse(429, "too many")

    refuser = plugin(
        "refuser",
        connect=refuse_later if coroutine else refuse,
        close=lambda session: calls.append("close refuser"),
    )
    visit = Visit(_plugin("a", calls), refuser, _plugin("b", calls))
    with pytest.raises(Refuse) as caught:
        await visit.connect()
    assert (caught.value.status, caught.value.by) == (429, "refuser")
    await visit.close()
    assert calls == ["connect a", "close refuser", "close a"]


async def test_a_plugin_without_connect_is_entered_when_its_place_has_been_passed():
    calls = []

    def refuse(session):
        raise Refuse(403, "no")

    visit = Visit(
        _plugin("before", calls, connect=False),
        plugin("refuser", connect=refuse),
        _plugin("behind", calls, connect=False),
    )
    with pytest.raises(Refuse):
        await visit.connect()
    await visit.close()
    assert calls == ["close before"]


async def test_a_plugin_whose_connect_was_not_entered_is_not_closed_though_its_close_comes_first():
    calls = []

    class Late:
        name = "late"

    late = plugin("late", "trylast", connect=lambda: calls.append("connect late"))
    late.voiceproxy_close = _plugin("late", calls).voiceproxy_close

    def refuse():
        raise Refuse(403, "no")

    visit = Visit(late, plugin("refuser", connect=refuse))
    with pytest.raises(Refuse):
        await visit.connect()
    await visit.close()
    assert calls == []


async def test_nobody_is_closed_when_nobody_was_entered():
    calls = []
    visit = Visit(_plugin("a", calls), _plugin("b", calls, connect=False))
    await visit.close()
    assert calls == []


@pytest.mark.parametrize("coroutine", [False, True])
@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError,
        ConnectionResetError,
        TimeoutError,
        asyncio.CancelledError,
        SystemExit,
        GeneratorExit,
    ],
)
async def test_any_other_error_in_connect_is_the_plugins_fault(error, coroutine):
    def fail():
        raise error("why")

    async def fail_later():
        await asyncio.sleep(0)
        raise error("why")

    fail = fail_later if coroutine else fail
    visit = Visit(plugin("p", connect=fail))
    with pytest.raises(PluginFault) as caught:
        await visit.connect()
    assert (caught.value.by, type(caught.value.__cause__)) == ("p", error)
    assert caught.value.description == "The plugin 'p' failed in voiceproxy_connect."


async def test_ctrl_c_goes_through_connect():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Visit(plugin("p", connect=stop)).connect()


async def test_a_connect_that_takes_too_long_is_the_plugins_fault():
    visit = Visit(plugin("p", connect=lambda: asyncio.Event().wait()))
    async with asyncio.timeout(5):
        with pytest.raises(PluginFault) as caught:
            await visit.connect()
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert caught.value.description == (
        "The plugin 'p' failed in voiceproxy_connect: "
        "it took over 0.05 seconds (the setting hook_timeout)."
    )


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, Refuse(403, "no"), asyncio.CancelledError, SystemExit]
)
async def test_a_close_that_fails_or_takes_too_long_is_logged_and_the_others_run(error, caplog):
    calls = []

    def fail():
        raise error

    visit = Visit(
        _plugin("first", calls),
        plugin("broken", connect=lambda: None, close=fail),
        plugin("slow", connect=lambda: None, close=lambda: asyncio.Event().wait()),
        _plugin("last", calls),
    )
    await visit.connect()
    async with asyncio.timeout(5):
        await visit.close()
    assert calls == ["connect first", "connect last", "close last", "close first"]
    late = "it took over 0.05 seconds (the setting hook_timeout)"
    kind = error if isinstance(error, type) else type(error)
    assert [(record.getMessage(), record.exc_info[0]) for record in caplog.records] == [
        (f"[test] The plugin 'slow' failed in voiceproxy_close: {late}.", TimeoutError),
        ("[test] The plugin 'broken' failed in voiceproxy_close.", kind),
    ]


async def test_a_close_that_is_cancelled_stays_cancelled():
    visit = Visit(plugin("p", connect=lambda: None, close=lambda: asyncio.Event().wait()))
    visit.lifecycle = Lifecycle(visit.core, 60)
    await visit.connect()
    task = asyncio.create_task(visit.close())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_connect_that_is_cancelled_stays_cancelled_and_its_plugin_is_closed():
    calls = []
    waits = plugin(
        "p", connect=lambda: asyncio.Event().wait(), close=lambda: calls.append("close p")
    )
    visit = Visit(waits)
    visit.lifecycle = Lifecycle(visit.core, 60)
    task = asyncio.create_task(visit.connect())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await visit.close()
    assert calls == ["close p"]


async def test_state_lasts_until_after_the_close_hooks():
    key = StateKey[str]("tenant")
    seen = []

    def connect(session):
        session.state[key] = "acme"

    visit = Visit(
        plugin("p", connect=connect, close=lambda session: seen.append(session.state[key]))
    )
    await visit.connect()
    await visit.close()
    await visit.core.release(1)
    assert seen == ["acme"]
    assert key not in visit.core.state


async def test_nothing_else_of_a_session_runs_once_its_close_hooks_do():
    tasks, seen = [], []

    def connect(session):
        tasks.append(session.start(asyncio.sleep(60)))
        session.later(1, lambda: seen.append("rung"))

    def close(session):
        seen.append(session.closing)
        session.to_client(Binary(b"late"))

    visit = Visit(plugin("p", connect=connect, close=close))
    await visit.connect()
    await visit.close()
    await visit.core.release(5)
    visit.core.runtime.advance(10)
    assert (tasks[0].cancelled(), seen, len(visit.core.client)) == (True, [True], 0)


def test_hooks_that_decide_at_once_leave_nothing_to_wait_for():
    calls = []
    visit = Visit(_plugin("a", calls), _plugin("b", calls))
    assert visit.lifecycle.connect(visit.upstream) is None
    assert calls == ["connect a", "connect b"]


async def test_hooks_behind_one_that_waits_come_after_it():
    calls = []

    def waiting(name):
        async def connect():
            await asyncio.sleep(0)
            calls.append(f"connect {name}")

        return plugin(name, connect=connect)

    visit = Visit(_plugin("a", calls), waiting("b"), _plugin("c", calls), waiting("d"))
    waits = visit.lifecycle.connect(visit.upstream)
    assert calls == ["connect a"]
    await waits
    assert calls == ["connect a", "connect b", "connect c", "connect d"]
