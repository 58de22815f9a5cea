"""voiceproxy inside somebody else's aiohttp application, on real sockets."""

from __future__ import annotations

import asyncio
import signal
import threading

import aiohttp
import pytest
from aiohttp import web
from programs import running as running_program
from running import PATIENCE, QUICK, RawClient, echo, get, hear, hear_one, raw_client, until

from voiceproxy import Session, StateKey, Text, UsageError, create_app, hookimpl, setup
from voiceproxy.app import RECEPTION
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening

SEEN: StateKey[int] = StateKey("seen")
CLIENT = web.AppKey("client", aiohttp.ClientSession)


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


# A client session of the embedding application.


async def test_upstreams_are_dialled_through_the_connector_of_a_shared_client_session():
    dialled = []

    class Connector(aiohttp.TCPConnector):
        async def connect(self, request, traces, timeout):
            dialled.append(str(request.url))
            return await super().connect(request, traces, timeout)

    secret = {"Authorization": "Bearer theirs", "Cookie": "theirs=1"}
    async with FakeUpstream(echo) as upstream:
        parent = web.Application()

        async def shared_client(app):
            async with aiohttp.ClientSession(connector=Connector(limit=0), headers=secret) as one:
                app[CLIENT] = one
                yield
                assert not one.closed  # it stays the parent's

        parent.cleanup_ctx.append(shared_client)
        voice = create_app(
            [FakeBackend(upstream.url)],
            settings=QUICK,
            environ={},
            client=lambda: parent[CLIENT],
        )
        parent.add_subapp("/voice", voice)
        async with listening(parent) as url, connected(url + "/voice/fake") as ws:
            await ws.send_str("x")
            assert await hear_one(ws) == "x"
        [request] = upstream.requests
    assert dialled == [upstream.url]
    assert not {"Authorization", "Cookie"} & set(request.headers)


async def test_a_client_session_may_be_given_as_it_is():
    async with (
        FakeUpstream(echo) as upstream,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client,
    ):
        app = web.Application()
        setup(app, "", [FakeBackend(upstream.url)], settings=QUICK, environ={}, client=client)
        async with listening(app) as url, connected(url + "/fake") as ws:
            await ws.send_str("x")
            assert await hear_one(ws) == "x"
        assert not client.closed


async def test_the_function_that_gives_a_client_session_is_asked_once():
    made = []

    def make():
        made.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        return made[-1]

    async with FakeUpstream(echo) as upstream:
        app = create_app([FakeBackend(upstream.url)], settings=QUICK, environ={}, client=make)
        async with listening(app) as url:
            for _ in range(2):
                async with connected(url + "/fake") as ws:
                    await ws.send_str("x")
                    assert await hear_one(ws) == "x"
    for client in made:
        await client.close()
    assert len(made) == 1


async def test_a_shared_client_session_with_too_few_connections_fails_the_start():
    async with aiohttp.ClientSession() as client:
        app = create_app([FakeBackend("ws://127.0.0.1:1/")], environ={}, client=client)
        with pytest.raises(UsageError, match=r"allows 100 connections .* max_sessions 1000"):
            async with listening(app):
                pass


async def test_a_shared_client_session_that_is_closed_fails_the_start():
    async with aiohttp.ClientSession() as client:
        pass
    app = create_app([FakeBackend("ws://127.0.0.1:1/")], environ={}, client=client)
    with pytest.raises(UsageError, match="is closed"):
        async with listening(app):
            pass


# The parent's life.


async def test_contexts_of_the_parent_are_there_before_sessions_and_end_after_them():
    order = []

    class Tell:
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            order.append("session")

        @hookimpl
        def voiceproxy_close(self, session: Session) -> None:
            order.append("session closed")

    async def context(app):
        order.append("context")
        yield
        order.append("context ended")

    async with FakeUpstream(echo) as upstream:
        parent = web.Application()
        parent.add_subapp("/voice", _voice(upstream.url, Tell()))
        parent.cleanup_ctx.append(context)
        async with listening(parent) as url, raw_client(url + "/voice/fake"):
            assert order == ["context", "session"]
    assert order == ["context", "session", "session closed", "context ended"]


async def test_a_parent_whose_start_fails_leaves_nothing_of_ours_running():
    async def fail(app):
        raise RuntimeError("no database")

    before = {one.name for one in threading.enumerate()}
    parent = web.Application()
    parent.add_subapp("/voice", _voice("ws://127.0.0.1:1/"))
    parent.on_startup.append(fail)
    runner = web.AppRunner(parent)
    with pytest.raises(RuntimeError, match="no database"):
        await runner.setup()
    await runner.cleanup()
    assert {one.name for one in threading.enumerate()} == before


# Under gunicorn.

SERVED = """
import voiceproxy

app = voiceproxy.create_app(
    ["openai", "simulator"], environ={}, settings={"simulator.pace": "burst"}
)
"""


async def test_two_workers_of_gunicorn_hold_conversations_and_end_them_with_1001(tmp_path):
    (tmp_path / "served.py").write_text(SERVED)
    program = running_program(
        tmp_path,
        "-m",
        "gunicorn",
        "served:app",
        "--worker-class=aiohttp.GunicornUVLoopWebWorker",
        "--workers=2",
        "--bind=127.0.0.1:0",
        "--graceful-timeout=5",
        HOME=str(tmp_path),
    )
    async with program as gunicorn:
        url = (await gunicorn.until("Listening at")).split()[-2]
        clients = [await asyncio.wait_for(_talk(url), PATIENCE) for _ in range(4)]
        gunicorn.signal(signal.SIGTERM)
        ends = await asyncio.gather(*(hear(client) for _, client in clients))
        for session, _ in clients:
            await session.close()
        status = await gunicorn.end()
    assert {end.code for end in ends} == {1001}
    assert {end.errors[-1] for end in ends} == {"SERVER_GOING_AWAY"}
    assert status == 0


async def _talk(url):
    """A client that has had an answer; gunicorn's workers take a moment to listen."""
    session = aiohttp.ClientSession()
    client = await session.ws_connect(url + "/openai")
    await client.send_json({"type": "Settings"})
    await client.send_json({"type": "InjectUserMessage", "content": "hello"})
    async for message in client:
        if message.type is aiohttp.WSMsgType.TEXT and message.json()["type"] == "AgentAudioDone":
            break
    return session, client
