"""The example under each hook of the reference does what its heading says."""

from __future__ import annotations

import logging
import runpy
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from running import hear_one, until

from voiceproxy import __version__, hookimpl
from voiceproxy.plugin_checks import hook_names
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, drive, serve

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


def _example(hook: str) -> ModuleType:
    module = ModuleType(f"example of {hook}")
    module.__dict__.update(runpy.run_path(str(EXAMPLES / f"{hook}.py")))
    return module


async def _echo(socket, request):
    async for message in socket:
        await socket.send_str(message.data)


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_has_an_example_that_implements_it(hook: str):
    assert callable(getattr(_example(hook), hook))


async def test_setup_adds_a_route():
    plugins = FakeBackend("ws://127.0.0.1:1/"), _example("voiceproxy_setup")
    async with serve(*plugins) as url, aiohttp.ClientSession() as session:
        answer = await session.get(url + "/version")
        assert await answer.json() == {"voiceproxy": __version__}


async def test_connect_refuses_and_tells_the_backend():
    async with (
        FakeUpstream(_echo) as upstream,
        serve(FakeBackend(upstream.url), _example("voiceproxy_connect")) as url,
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(url + "/fake"):
                pass
        async with connected(url + "/fake", headers={"X-Door-Code": "sesame"}):
            pass
    assert refused.value.status == 401
    assert len(upstream.requests[0].headers["X-Caller"]) == 32


async def test_upstream_open_tells_how_long_the_dial_took(caplog):
    caplog.set_level(logging.INFO)
    async with (
        FakeUpstream(_echo) as upstream,
        serve(FakeBackend(upstream.url), _example("voiceproxy_upstream_open")) as url,
        connected(url + "/fake") as client,
    ):
        await client.send_str("{}")
        await hear_one(client)
    assert "the upstream answered after 0." in caplog.text


def test_a_client_frame_is_replaced_in_its_place():
    s = drive(plugins=[_example("voiceproxy_client_frame")])
    s.client({"type": "InjectUserMessage", "content": "sing"}, b"audio")
    assert s.to_upstream() == [{"type": "InjectUserMessage", "content": "sing, please"}, b"audio"]


def test_an_upstream_frame_is_dropped_or_shown_otherwise():
    seen = []

    class Observer:
        @hookimpl(trylast=True)
        def voiceproxy_upstream_frame(self, message):
            seen.append(message["content"])

    s = drive(plugins=[_example("voiceproxy_upstream_frame"), Observer()])
    said = {"type": "ConversationText", "role": "assistant", "content": "a secret"}
    s.upstream({"type": "AgentThinking", "content": "hm"}, said)
    assert s.to_client() == [said]
    assert seen == ["..."]


async def test_close_is_told_who_and_how_much(caplog):
    caplog.set_level(logging.INFO)
    async with (
        FakeUpstream(_echo) as upstream,
        serve(FakeBackend(upstream.url), _example("voiceproxy_close")) as url,
        connected(url + "/fake") as client,
    ):
        await client.send_str("{}")
        await hear_one(client)
        await client.close()
        await until(lambda: "closed by" in caplog.text)
    assert "closed by client after 0." in caplog.text
    assert "1 frames of the client" in caplog.text
