"""voiceproxy inside somebody else's aiohttp application, on real sockets."""

from __future__ import annotations

import asyncio

from aiohttp import web
from running import PATIENCE, QUICK, RawClient, echo, get, hear, hear_one, raw_client, until

from voiceproxy import Session, StateKey, Text, create_app, hookimpl, setup
from voiceproxy.app import RECEPTION
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening

SEEN: StateKey[int] = StateKey("seen")


class Count:
    """A plugin that would notice another application's sessions."""

    def __init__(self) -> None:
        self.frames = 0

    @hookimpl
    def voiceproxy_client_frame(self, session: Session, frame: Text) -> None:
        self.frames += 1
        session.state[SEEN] = session.state.get(SEEN, 0) + 1


def _voice(url, *plugins, **settings):
    return create_app([FakeBackend(url), *plugins], settings={**QUICK, **settings}, environ={})


async def test_two_applications_in_one_process_share_nothing():
    counts = Count(), Count()
    async with FakeUpstream(echo) as first, FakeUpstream(echo) as second:
        parent = web.Application()
        parent.add_subapp("/one", _voice(first.url, counts[0], max_sessions=1))
        parent.add_subapp("/two", _voice(second.url, counts[1]))
        async with (
            listening(parent) as url,
            connected(url + "/one/fake") as one,
            connected(url + "/two/fake") as two,
        ):
            await one.send_str("a")
            assert await hear_one(one) == "a"
            for text in "bc":
                await two.send_str(text)
                assert await hear_one(two) == text
            assert (await get(url + "/one/ready"))[1]["sessions"] == 1
            async with connected(url + "/two/fake"):
                assert (await get(url + "/two/ready"))[1]["sessions"] == 2
    assert (counts[0].frames, counts[1].frames) == (1, 2)
    assert (len(first.requests), len(second.requests)) == (1, 2)


async def test_a_mounted_application_and_one_set_up_beside_it_do_not_meet():
    async with FakeUpstream(echo) as upstream:
        parent = web.Application()
        parent.add_subapp("/mounted", _voice(upstream.url))
        setup(parent, "/own", [FakeBackend(upstream.url)], settings=QUICK, environ={})
        async with (
            listening(parent) as url,
            connected(url + "/own/fake"),
            connected(url + "/mounted/fake"),
        ):
            assert parent[RECEPTION].live == 1
            assert (await get(url + "/mounted/ready"))[1]["sessions"] == 1


async def test_the_shutdown_of_the_parent_closes_the_sessions_with_1001():
    async with FakeUpstream(echo) as upstream:
        parent = web.Application()
        parent.add_subapp("/voice", _voice(upstream.url))
        runner = web.AppRunner(parent, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with connected(f"http://127.0.0.1:{site.port}/voice/fake") as ws:
            await ws.send_str("x")
            assert await hear_one(ws) == "x"
            async with asyncio.timeout(PATIENCE):
                cleaning = asyncio.ensure_future(runner.cleanup())
                heard = await hear(ws)
                await cleaning
        await until(lambda: not upstream.live)
    assert (heard.code, heard.reason) == (1001, "the proxy is shutting down")


async def test_the_parents_middleware_may_refuse_an_upgrade():
    @web.middleware
    async def closed(request, handler):
        raise web.HTTPUnauthorized(text="not today")

    async with FakeUpstream(echo) as upstream:
        parent = web.Application(middlewares=[closed])
        voice = _voice(upstream.url)
        parent.add_subapp("/voice", voice)
        async with listening(parent) as url:
            client = await _knock(url + "/voice/fake")
            assert client == 401
        assert upstream.requests == []


async def _knock(url):
    client = await RawClient.connect(url)
    try:
        return await client.answer()
    finally:
        client.leave()


async def test_a_mounted_application_keeps_its_guard():
    async with FakeUpstream(echo) as upstream:
        parent = web.Application()
        parent.add_subapp("/voice", _voice(upstream.url, allow_host=["voice.example"]))
        async with listening(parent) as url:
            async with raw_client(url + "/voice/fake", "Host: voice.example"):
                pass
            client = await RawClient.connect(url + "/voice/fake", "Host: other.example")
            assert await client.answer() == 421
            client.leave()
