"""voiceproxy/dialled.py: another upstream at any time, whatever the first one is just doing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from dataclasses import replace

import pytest
from aiohttp import web
from running import PATIENCE, QUICK, Heard, hear, running, until

from voiceproxy import Close, Session, Upstream, hookimpl
from voiceproxy.relay import Relay
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, drive, listening

both_loops = pytest.mark.both_loops


class Dialling:
    """A translator that dials what a message of its client names, and says who it is there."""

    accepts = frozenset({"Settings", "InjectUserMessage"})

    def __init__(self, session) -> None:
        self.session = session

    def opened(self) -> None:
        self.session.to_client({"type": "Welcome", "request_id": self.session.id})

    def upstream_opened(self, headers) -> None:
        self.session.to_upstream({"type": "opened"})

    def client_frame(self, frame, message) -> None:
        if message["type"] == "Settings":
            self.session.to_client({"type": "SettingsApplied"})
        else:
            self.session.dial(Upstream(message["content"]))

    def upstream_frame(self, frame) -> None:
        self.session.to_client(frame)

    def upstream_closed(self, close: Close) -> None:
        self.session.dial()

    def closed(self) -> None:
        pass


def _dialling(**more):
    s = drive(translator=Dialling, **more)
    s.client({"type": "Settings"})
    s.to_client()
    return s


def _wish(url):
    return {"type": "InjectUserMessage", "content": url}


def test_what_is_wanted_while_a_closed_upstream_is_dialled_again_replaces_that():
    s = _dialling()
    s.core.dialled.upstream = Upstream("ws://first/")
    s.upstream_closes(1011)
    assert not s.core.dialled.replaced
    assert s.asked_to_dial().url == "ws://first/"
    s.client(_wish("ws://second/"))
    assert s.core.dialled.replaced
    assert s.asked_to_dial().url == "ws://second/"


def test_what_is_wanted_outside_an_input_is_dialled_without_waiting_for_one():
    s = _dialling()
    told = []
    s.core.on_output = lambda: told.append(s.core.dialled.replaced)
    s.core.translator.session.dial(Upstream("ws://second/"))
    assert told == [True]


def test_what_is_wanted_at_the_end_drops_nothing_that_still_goes_up():
    class Parting(Dialling):
        def closed(self) -> None:
            self.session.to_upstream({"type": "bye"})
            self.session.dial()

    s = drive(translator=Parting)
    s.to_upstream()
    s.client_closes()
    assert s.to_upstream() == [{"type": "bye"}]
    assert not s.core.dialled.again


# On real sockets.


class House:
    """Upstreams by path that keep what they hear, and one that never answers its upgrade."""

    def __init__(self) -> None:
        self.url = self.slow = ""
        self.heard: dict[str, Heard] = {}
        self.asked: list[str] = []
        self.over = asyncio.Event()

    async def listen(self, ws, request):
        self.heard[request.path] = got = Heard()
        await hear(ws, into=got)

    async def never(self, request):
        self.asked.append(request.path)
        await self.over.wait()


@contextlib.asynccontextmanager
async def _house():
    house = House()
    app = web.Application()
    app.router.add_get("/{path:.*}", house.never)
    async with FakeUpstream(house.listen) as upstream, listening(app) as slow:
        house.url, house.slow = upstream.url, slow.replace("http", "ws") + "/"
        yield house
        house.over.set()


@both_loops
@pytest.mark.parametrize("dial", ["before", "after"])
async def test_a_translator_may_want_another_upstream_as_its_first_word(dial):
    class Elsewhere(Dialling):
        def opened(self) -> None:
            super().opened()
            self.session.dial(replace(self.session.upstream, url=house.url + "other"))

    async with _house() as house:
        backend = FakeBackend(house.url, translator=Elsewhere, dial=dial)
        async with running(backend) as proxy, connected(proxy.endpoint) as ws:
            await until(lambda: "/other" in house.heard and house.heard["/other"].frames)
            assert "/" not in house.heard or house.heard["/"].types == []
            await ws.close()
    assert house.heard["/other"].types == ["opened"]


@both_loops
async def test_of_two_upstreams_wanted_at_once_only_the_last_is_dialled():
    class Hasty(Dialling):
        def opened(self) -> None:
            super().opened()
            self.session.dial(Upstream(house.url + "one"))

    class Early:
        @hookimpl
        async def voiceproxy_connect(self, session: Session) -> None:
            session.to_upstream({"type": "Settings"})
            session.to_upstream(_wish(house.url + "two"))

    async with _house() as house:
        backend = FakeBackend(house.url, translator=Hasty, dial="after")
        async with running(backend, Early()) as proxy, connected(proxy.endpoint) as ws:
            await until(lambda: "/two" in house.heard and house.heard["/two"].frames)
            await ws.close()
    assert house.heard.keys() == {"/two"}
    assert house.heard["/two"].types == ["opened"]


@both_loops
async def test_a_session_ends_at_once_though_it_dials_what_replaced_something_being_dialled():
    async with _house() as house:
        backend = FakeBackend(house.slow + "a", translator=Dialling, dial="after")
        settings = {**QUICK, "connect_timeout": 10 * PATIENCE}
        async with running(backend, **settings) as proxy, connected(proxy.endpoint) as ws:
            await ws.send_json({"type": "Settings"})
            for path in ("a", "b", "c"):
                await until(lambda path=path: "/" + path in house.asked)
                await ws.send_json(_wish(house.slow + chr(ord(path) + 1)))
            await until(lambda: "/d" in house.asked)
            await ws.close()
            await until(lambda: not proxy.live, 2)
            house.over.set()
    assert house.asked == ["/a", "/b", "/c", "/d"]


def _leaving():
    """What relays still have to do with upstreams that were let go, and what they keep of it."""
    relays = [one for one in gc.get_objects() if isinstance(one, Relay)]
    return [task for relay in relays for task in relay._leaving]


async def test_upstreams_that_were_let_go_are_forgotten():
    async with _house() as house:
        backend = FakeBackend(house.url, translator=Dialling)
        async with running(backend) as proxy, connected(proxy.endpoint) as ws:
            await ws.send_json({"type": "Settings"})
            for number in range(20):
                path = f"/{number}"
                await ws.send_json(_wish(house.url + path[1:]))
                await until(lambda path=path: path in house.heard and house.heard[path].frames)
            await until(lambda: not _leaving())
            await ws.close()
    assert all(house.heard[f"/{number}"].code == 1000 for number in range(19))


@both_loops
async def test_an_upstream_that_reads_nothing_does_not_keep_the_next_one_waiting():
    stuck, over = asyncio.Event(), asyncio.Event()

    async def deaf(ws, request):
        request.transport.pause_reading()
        stuck.set()
        await over.wait()
        request.transport.abort()

    class Flooding(Dialling):
        def upstream_opened(self, headers) -> None:
            super().upstream_opened(headers)
            if self.session.upstream.url.endswith("deaf"):
                for _ in range(64):
                    self.session.to_upstream({"type": "flood", "data": "x" * 60_000})

    async with _house() as house, FakeUpstream(deaf) as upstream:
        backend = FakeBackend(upstream.url + "deaf", translator=Flooding)
        async with running(backend) as proxy, connected(proxy.endpoint) as ws:
            await stuck.wait()
            await ws.send_json({"type": "Settings"})
            await ws.send_json(_wish(house.url + "next"))
            await until(lambda: "/next" in house.heard and house.heard["/next"].frames)
            await ws.close()
            over.set()
    assert house.heard["/next"].types == ["opened"]
