"""Conversations through the deepgram backend with a strict Deepgram behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from caller import Caller, calling, in_frames, names, of_type, settings, speech
from deepgram_proxy import AGENT, API_KEY, CLIENT_KEY, proxied
from running import PATIENCE, hear

from voiceproxy import hookimpl, stand_in
from voiceproxy.testing import connected, serve
from voiceproxy_simulator import SimulatedDeepgram

PAIR = ["AgentDone", "AgentAudioDone"]

EXTRAS = settings(
    idleTimeoutMs=10000,
    sessionAudioOutput={"voice": "marin"},
    useOpenAIManualAudioCommit=False,
    language="en",
    think={
        "provider": {"type": "open_ai", "model": "gpt-4o-mini"},
        "prompt": "Be brief.",
        "toolChoice": "auto",
        "outputModalities": ["audio"],
        "maxOutputTokens": 100,
        "managedPrompt": {"id": "p"},
        "functions": [{"name": "f", "parameters": {"type": "object"}, "client_side": True}],
    },
)
"""What dg_react_agent may send."""

PLAIN = settings(
    think={"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be brief."}
)


@asynccontextmanager
async def component(
    scenario: str | None = None, pace: str = "burst", **options: float
) -> AsyncIterator[tuple[Caller, SimulatedDeepgram]]:
    """A component that is connected."""
    async with SimulatedDeepgram(key=API_KEY, scenario=scenario, pace=pace) as upstream:
        async with (
            proxied(upstream.url, **options) as proxy,
            calling(proxy.url + "/deepgram") as caller,
        ):
            yield caller, upstream
        assert upstream.violations == []


def is_whole(heard: list) -> bool:
    """Every AgentDone stands directly before an AgentAudioDone, and nowhere else is one."""
    told = names(heard)
    done = [told[at : at + 2] for at, name in enumerate(told) if name == "AgentDone"]
    return done == [PAIR] * told.count("AgentAudioDone")


async def test_a_strict_service_takes_what_the_component_sends_and_ends_every_turn():
    async with component() as (caller, _):
        await caller.inject("hello")  # before the Settings: it waits
        heard = await caller.hello(EXTRAS)
        assert names(heard) == ["Welcome", "SettingsApplied"]
        for said in ("hello", "how are you", "goodbye"):
            if said != "hello":
                await caller.inject(said)
            heard = await caller.until("AgentAudioDone")
            assert names(heard)[0] == f"user: {said}"
            assert names(heard)[-3:] == ["audio", *PAIR]
        await caller.send({"type": "InjectAgentMessage", "content": "One more thing."})
        heard = await caller.until("AgentAudioDone")
        assert "assistant: One more thing." in names(heard)
        assert names(heard)[-2:] == PAIR
        assert caller.history == []
        assert is_whole(caller.heard)


async def test_a_spoken_turn_is_answered_and_ended():
    async with component() as (caller, _):
        await caller.hello(PLAIN)
        await caller.send(*in_frames(speech(trailing_silence=1.5)))
        heard = await caller.until("AgentAudioDone")
        assert names(heard)[0] == "UserStartedSpeaking"
        assert names(heard)[-3:] == ["audio", *PAIR]


@pytest.mark.parametrize(
    "scenario", [None, "text-after-audio", "text-only", "no-thinking", "odd-audio", "slow-think"]
)
async def test_each_turn_has_one_pair_at_its_end_dgm_6(scenario):
    async with component(scenario, audio_done_after=0.2) as (caller, _):
        await caller.hello(PLAIN)
        for _turn in range(3):
            heard = await caller.ask("tell me a story")
            assert names(heard).count("AgentDone") == 1
            assert names(heard)[-2:] == PAIR
            assert [one for one in names(heard) if one.startswith("assistant")]
        await nothing_of("AgentAudioDone", caller, 0.3)  # longer than the silence


async def nothing_of(kind: str, caller: Caller, seconds: float) -> None:
    """Listen that long."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await caller.until(kind)


async def test_a_turn_whose_end_is_never_told_is_ended_by_silence_dgm_6():
    async with component("no-audio-done", turn_done_after=0.3) as (caller, _):
        await caller.hello(PLAIN)
        for _ in range(2):
            heard = await caller.ask("hello")
            assert names(heard)[-3:] == ["audio", *PAIR]


async def test_a_turn_whose_end_is_never_told_is_ended_by_the_users_next_one_dgm_6():
    async with component("no-audio-done", turn_done_after=0) as (caller, _):
        await caller.hello(PLAIN)
        await caller.inject("hello")
        await caller.until("audio", times=2)
        await caller.inject("and now")
        heard = await caller.until("ConversationText")
        assert names(heard)[-3:] == [*PAIR, "user: and now"]


@pytest.mark.parametrize("scenario", ["barge-in", "late-audio-done"])
async def test_a_turn_that_was_cut_ends_before_the_user_speaks_and_only_once(scenario):
    """One service never tells the end of a turn that was cut, another tells it late."""
    async with component(scenario, pace="realtime") as (caller, _):
        await caller.hello(PLAIN)
        await caller.inject("tell me a long story")
        await caller.until("audio", times=3)
        if scenario == "late-audio-done":
            await caller.send(*in_frames(speech(trailing_silence=1.5)))
        await caller.until("UserStartedSpeaking")
        assert names(caller.heard)[-3:] == [*PAIR, "UserStartedSpeaking"]
        heard = await caller.until("AgentAudioDone")
        assert names(heard)[0] != "AgentDone"
        assert is_whole(caller.heard)


# KeepAlive


async def test_a_silent_client_is_kept_alive_where_the_service_is_impatient():
    async with (
        SimulatedDeepgram(key=API_KEY, scenario="impatient", patience=0.5) as upstream,
        proxied(upstream.url, keep_alive=0.1) as proxy,
        calling(proxy.url + AGENT) as caller,
    ):
        await caller.hello(PLAIN)
        await nothing_of("Error", caller, 1.0)


async def test_a_silent_client_is_timed_out_without():
    async with (
        SimulatedDeepgram(key=API_KEY, scenario="impatient", patience=0.5) as upstream,
        proxied(upstream.url) as proxy,
        calling(proxy.url + AGENT) as caller,
    ):
        await caller.hello(PLAIN)
        [error] = of_type(await caller.until("Error"), "Error")
        assert error["code"] == "CLIENT_MESSAGE_TIMEOUT"
        assert (await caller.until_closed())[0] == 1000  # the service's close has no status


# Refusals


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
async def test_a_refusal_of_the_service_is_the_clients_dgm_10(status):
    async with SimulatedDeepgram(scenario=f"refused-{status}") as upstream:
        refusal = await refused(upstream, AGENT)
    assert refusal.status == status
    assert refusal.headers["dg-request-id"]


async def test_a_query_the_listener_refuses_is_a_400_with_the_reason_in_a_header():
    async with SimulatedDeepgram(key=API_KEY) as upstream:
        refusal = await refused(upstream, "/v1/listen")
    assert refusal.status == 400
    assert "model" in refusal.headers["dg-error"]


async def refused(upstream: SimulatedDeepgram, path: str) -> Any:
    """The error an SDK gets from its WebSocket library."""
    async with proxied(upstream.url) as proxy:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with connected(proxy.url + path):
                pass
    return refusal.value


async def test_the_components_listener_is_the_services():
    asked = "/deepgram-proxy?service=transcription&token=t&model=nova-3&encoding=linear16"
    async with (
        SimulatedDeepgram(key=API_KEY) as upstream,
        proxied(upstream.url) as proxy,
        connected(f"{proxy.url}{asked}&sample_rate=16000") as ws,
    ):
        for frame in in_frames(speech()):
            await ws.send_bytes(frame)
        await ws.send_json({"type": "CloseStream"})
        async with asyncio.timeout(PATIENCE):
            heard = await hear(ws)
    assert heard.types[-1] == "Metadata"
    assert "Results" in heard.types
    assert heard.code == 1000
    assert upstream.violations == []


# The grant

AS_CLIENT = {"Authorization": f"Token {CLIENT_KEY}"}


async def granted(url: str) -> str:
    """A token for a minute."""
    async with (
        aiohttp.ClientSession() as client,
        client.post(url + "/v1/auth/grant", json={"ttl_seconds": 60}, headers=AS_CLIENT) as answer,
    ):
        assert answer.status == 200
        body = await answer.json()
    assert body["expires_in"] == 60
    return str(body["access_token"])


async def test_a_token_of_the_service_is_minted_for_who_has_the_client_key():
    async with SimulatedDeepgram(key=API_KEY) as upstream:
        given = {
            "grant": "upstream",
            "client_key": CLIENT_KEY,
            "rest_url": upstream.url.replace("ws", "http", 1),
        }
        async with proxied(upstream.url, **given) as proxy:
            token = await granted(proxy.url)
            offered = ("bearer", token)
            async with connected(upstream.url + AGENT, protocols=offered) as ws:
                assert ws.protocol == "bearer"


async def test_what_stands_in_is_asked_for_tokens_too_and_gets_no_credential():
    """``--plugin simulator`` beside it; the real service is never asked."""
    async with SimulatedDeepgram() as upstream:

        class StandsIn:
            @hookimpl
            def voiceproxy_setup(self, app: web.Application) -> None:
                stand_in(app, "deepgram", upstream.url)

        settings = {
            "deepgram.grant": "upstream",
            "deepgram.client_key": CLIENT_KEY,
            "deepgram.api_key": API_KEY,
            "deepgram.rest_url": "http://127.0.0.1:9",
        }
        async with serve("deepgram", StandsIn(), settings=settings) as url:
            assert await granted(url)
    [asked] = upstream.dialled
    assert asked.path == "/v1/auth/grant"
    assert "authorization" not in asked.headers
