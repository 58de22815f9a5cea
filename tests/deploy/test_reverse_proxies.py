"""The configurations in ``deploy/``, run by the real HAProxy and nginx on loopback."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import aiohttp
import pytest
from clients import Service, crowd, heard, reply_to, serving
from daemons import SECONDS, Instance, gone, instance
from fronts import NAME, Front

from voiceproxy.caller import Caller

pytestmark = pytest.mark.deep


async def test_a_conversation_comes_through_whole(service: Service):
    async with crowd(service) as people:
        caller = await people.call()
        await caller.say({"type": "InjectUserMessage", "content": "hello"})
        await caller.until("AgentAudioDone")
        assert heard(caller) == reply_to("hello")
        await caller.socket.close()
        assert caller.socket.close_code == 1000


async def test_plain_requests_come_through(service: Service):
    async with crowd(service) as people, await people.get("/ready") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "ready")


async def test_a_new_session_goes_where_there_are_fewest(service: Service):
    async with crowd(service) as people:
        calls = [await people.placed_call() for _ in range(6)]
        assert [number for _, number in calls].count(0) == 3
        for caller, number in calls:
            if number == 0:
                await caller.socket.close()
        await service.instances[0].until_free(0)
        # Taking turns, as round robin does, would send only half of them there.
        assert [number for _, number in [await people.placed_call() for _ in range(3)]] == [0] * 3


async def test_a_full_instance_sends_the_session_on_to_another(kind: type[Front], tmp_path: Path):
    with (
        instance(tmp_path, "--allow-host", NAME, "--max-sessions", "1") as small,
        instance(tmp_path, "--allow-host", NAME) as large,
        serving(kind, tmp_path, [small, large]) as service,
    ):
        async with crowd(service) as people:
            for _ in range(6):
                await people.call()
            assert await service.placed() == [1, 5]


async def test_without_an_instance_clients_are_told_to_come_back(kind: type[Front], tmp_path: Path):
    with (
        instance(tmp_path) as one,
        instance(tmp_path) as two,
        serving(kind, tmp_path, [one, two]) as service,
    ):
        for stopped in (one, two):
            stopped.signal(signal.SIGTERM)
            assert await stopped.end() == 0
        async with crowd(service) as people:
            status, headers = await people.refused("/openai?token=hush")
            assert (status, headers["Retry-After"]) == (503, "5")
        assert "hush" not in service.front.logs


async def test_a_machine_that_is_gone_turns_nobody_away(kind: type[Front], tmp_path: Path):
    with (
        gone() as one,
        instance(tmp_path, "--allow-host", NAME) as other,
        serving(kind, tmp_path, [one, other]) as service,
    ):
        async with crowd(service) as people:
            for _ in range(2):
                await people.call()
            assert await other.sessions() == 2


async def test_the_instance_sees_host_and_origin_as_the_client_sent_them(service: Service):
    origin = f"https://{service.authority}"
    async with crowd(service) as people:
        lie = {"Origin": origin, "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "gopher"}
        await people.connect(headers=lie)
        said = "".join(one.said for one in service.instances)
        [*_, seen] = [line for line in said.splitlines() if f"{service.front.port}" in line]
    assert json.loads(seen.removeprefix("seen ")) == {
        "Host": service.authority,
        "Origin": origin,
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "https",
    }


async def test_pages_of_another_origin_are_refused_unless_it_is_allowed(service: Service):
    async with crowd(service) as people:
        assert (await people.refused(headers={"Origin": "https://app.example.com"}))[0] == 403
        await people.connect(headers={"Origin": "https://page.example.com"})


async def test_a_listener_on_loopback_needs_the_public_name(kind: type[Front], tmp_path: Path):
    with (
        instance(tmp_path) as one,
        instance(tmp_path) as two,
        serving(kind, tmp_path, [one, two]) as service,
    ):
        async with crowd(service) as people:
            assert (await people.refused())[0] == 421


async def test_no_query_of_a_request_is_logged(service: Service):
    async with crowd(service) as people:
        await (await people.connect("/openai?token=hush")).close()
        async with await people.get("/nowhere?token=hush") as answer:
            assert answer.status == 404
    async with asyncio.timeout(SECONDS):
        while not all(path in service.front.logs for path in ("/openai", "/nowhere")):
            await asyncio.sleep(0.02)
    assert "hush" not in service.front.logs


SHORT = "2s"
"""Less than a test takes; two heartbeats of the instances fit into it."""


async def test_the_heartbeat_of_the_instance_keeps_a_silent_session(
    kind: type[Front], tmp_path: Path, instances: list[Instance]
):
    with serving(kind, tmp_path, instances, _silent_for(kind, SHORT)) as service:
        async with crowd(service) as people:
            caller = await people.call()
            await caller.rest(5)
            await _turn(caller)


async def test_the_timeout_behind_the_upgrade_is_the_one_in_the_file(
    kind: type[Front], tmp_path: Path
):
    """Without heartbeats the shipped hour shortened cuts the session; nothing else does before."""
    with instance(tmp_path, "--allow-host", NAME, "--heartbeat", "0") as one:
        with serving(kind, tmp_path, [one, one], _silent_for(kind, SHORT)) as service:
            async with crowd(service) as people:
                caller = await people.call()
                await caller.rest(10)
                assert caller.socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        with serving(kind, tmp_path, [one, one], kind.shorter) as service:
            async with crowd(service) as people:
                caller = await people.call()
                await caller.rest(5)
                await _turn(caller)


def _silent_for(kind: type[Front], seconds: str) -> dict[str, str]:
    return {kind.idle_timeout: kind.idle_timeout.replace("1h", seconds)}


async def _turn(caller: Caller) -> None:
    before = len(caller.messages("AgentAudioDone"))
    await caller.say({"type": "InjectUserMessage", "content": "hello"})
    await caller.until("AgentAudioDone", times=before + 1)
