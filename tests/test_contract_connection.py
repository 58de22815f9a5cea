"""The way in: paths, upstreams and opcodes, on real sockets (NET)."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from openai_session import (
    PAIR,
    Conversation,
    audio_delta,
    created,
    done,
    function_call,
    output_item,
)

import voiceproxy_openai
from voiceproxy.frames import Binary, Frame
from voiceproxy.guard import answer_to
from voiceproxy.testing import FakeUpstream, connected, serve


async def _wait(socket, request) -> None:
    await socket.receive()


@pytest.fixture
async def house():
    """An upstream that only listens, and a proxy in front of it."""
    async with FakeUpstream(_wait) as upstream:
        named = {"openai.url": upstream.url, "openai.model": "m"}
        async with serve(voiceproxy_openai, settings=named) as url:
            yield upstream, url


async def _until(reached) -> None:
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.sleep(0.01)


async def test_a_query_is_allowed_and_stays_here_net_1(house):
    upstream, url = house
    async with connected(f"{url}/openai?traceId=t-1&secret=s") as client:
        assert (await client.receive_json())["type"] == "Welcome"
        await _until(lambda: upstream.requests)
    assert upstream.requests[0].query_string == "model=m"


async def test_each_client_has_an_upstream_of_its_own_before_it_says_anything_net_4(house):
    upstream, url = house
    for number in (1, 2):
        async with connected(f"{url}/openai"):
            await _until(lambda number=number: len(upstream.requests) == number)
            assert upstream.live == 1
        await _until(lambda: upstream.live == 0)


@pytest.mark.parametrize("path", ["/", "/openai/", "/openai/x", "/elsewhere"])
async def test_plain_http_has_nothing_to_find_but_health_net_2_net_3(house, path):
    upstream, url = house
    async with aiohttp.ClientSession() as session:
        async with session.get(url + path) as answer:
            assert answer.status == 404
        async with session.get(f"{url}/openai") as answer:
            assert answer.status == 426
        async with session.get(f"{url}/health") as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url + path)
    assert refused.value.status == 404
    assert upstream.requests == []


@pytest.mark.parametrize("scheme", ["token", "bearer"])
def test_a_key_offered_before_its_scheme_is_not_answered_net_7(scheme):
    assert answer_to(["KEY", scheme]) == scheme


def _drained(outbox) -> list[Frame]:
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame)
    return frames


def test_only_audio_for_the_client_is_binary_net_8():
    s = Conversation()
    s.inject("hello")
    s.client(bytes(640), {"type": "UpdatePrompt", "prompt": "p"})
    s.upstream(created("r1"), audio_delta("r1"))
    s.upstream(output_item("done", "r1", function_call("c1")))
    s.upstream({"type": "input_audio_buffer.speech_started"}, done("r1"))
    core = s.driver.core
    assert not any(isinstance(frame, Binary) for frame in _drained(core.upstream))
    binary = [isinstance(frame, Binary) for frame in _drained(core.client)]
    assert binary.count(True) == 0, "the user spoke before any of it left"
    s.upstream(created("r2"), audio_delta("r2", b"\1\2\3\4"), done("r2"))
    frames = _drained(core.client)
    assert [frame.data for frame in frames if isinstance(frame, Binary)] == [b"\1\2\3\4"]
    texts = [frame.message()["type"] for frame in frames if not isinstance(frame, Binary)]
    assert texts == ["AgentStartedSpeaking", *PAIR]
