"""``stop_sessions(drain=...)`` on real sockets: who may go on, for how long, and who is let in."""

from __future__ import annotations

import asyncio

import pytest
from running import get, hear, hear_one, refused, relaying

from voiceproxy import stop_sessions
from voiceproxy.testing import connected


class Agent:
    """An upstream that speaks until it is told to come to an end."""

    def __init__(self) -> None:
        self.words = asyncio.Event()

    async def __call__(self, ws, request):
        await ws.send_bytes(b"word")
        while not self.words.is_set():
            await asyncio.sleep(0.05)
            await ws.send_bytes(b"word")
        await ws.send_json({"type": "AgentAudioDone"})
        await hear(ws)


async def _silent(ws, request):
    await hear(ws)


def _kinds(heard):
    return [one["type"] for one in heard.frames if isinstance(one, dict)]


async def test_a_session_in_the_middle_of_a_reply_is_closed_at_its_end():
    agent = Agent()
    async with relaying(agent) as proxy, connected(proxy.endpoint) as ws:
        assert await hear_one(ws) == b"word"
        stopping = asyncio.ensure_future(stop_sessions(proxy.app, drain=10))
        heard = await hear(ws, 12)  # longer than half a second
        assert _kinds(heard) == ["Warning"]
        assert not stopping.done()
        agent.words.set()
        rest = await hear(ws)
        await stopping
    assert _kinds(rest) == ["AgentAudioDone"]
    assert (rest.code, rest.reason) == (1001, "the proxy is shutting down")


async def test_idle_sessions_are_closed_at_once():
    async with (
        relaying(_silent) as proxy,
        connected(proxy.endpoint) as one,
        connected(proxy.endpoint) as other,
        asyncio.timeout(3),
    ):
        stopping = asyncio.ensure_future(stop_sessions(proxy.app, drain=60))
        for ws in (one, other):
            heard = await hear(ws)
            assert (_kinds(heard), heard.code) == (["Warning"], 1001)
        await stopping


async def test_at_the_timeout_a_reply_is_cut_off_with_an_error_and_1001():
    async with relaying(Agent()) as proxy, connected(proxy.endpoint) as ws:
        await hear_one(ws)
        stopping = asyncio.ensure_future(stop_sessions(proxy.app, drain=0.2))
        heard = await hear(ws)
        await stopping
    assert _kinds(heard) == ["Warning", "Error"]
    assert (heard.code, heard.errors) == (1001, ["SERVER_GOING_AWAY"])


@pytest.mark.parametrize("protocol", ["listen", "speak"])
async def test_listen_and_speak_are_closed_at_the_timeout(protocol):
    backend = {"protocol": protocol}
    async with relaying(_silent, backend=backend) as proxy, connected(proxy.endpoint) as ws:
        stopping = asyncio.ensure_future(stop_sessions(proxy.app, drain=0.1))
        await asyncio.sleep(0)
        assert (await get(f"{proxy.url}/ready"))[1]["sessions"] == 1
        heard = await hear(ws)
        await stopping
    assert "Warning" not in _kinds(heard)
    assert heard.code == 1001


async def test_while_it_drains_it_is_alive_but_not_ready_and_lets_nobody_in():
    agent = Agent()
    async with relaying(agent) as proxy, connected(proxy.endpoint) as ws:
        await hear_one(ws)
        stopping = asyncio.ensure_future(stop_sessions(proxy.app, drain=10))
        await hear(ws, 2)
        status, body, _ = await get(f"{proxy.url}/ready")
        assert (status, body["status"], body["sessions"]) == (503, "stopping", 1)
        assert (await get(f"{proxy.url}/health"))[0] == 200
        error = await refused(proxy.endpoint)
        assert (error.status, error.headers["Retry-After"]) == (503, "5")
        agent.words.set()
        await hear(ws)
        await stopping


async def test_a_client_that_leaves_ends_the_drain():
    async with relaying(Agent()) as proxy, asyncio.timeout(3):
        async with connected(proxy.endpoint) as ws:
            await hear_one(ws)
            stopping = asyncio.ensure_future(stop_sessions(proxy.app, drain=60))
            await hear(ws, 1)
        await stopping


async def test_without_a_drain_a_reply_is_cut_off():
    async with relaying(Agent()) as proxy, connected(proxy.endpoint) as ws:
        await hear_one(ws)
        stopping = asyncio.ensure_future(stop_sessions(proxy.app))
        heard = await hear(ws)
        await stopping
    assert _kinds(heard) == ["Error"]
    assert heard.code == 1001
