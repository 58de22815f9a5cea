"""Instances are stopped, restarted and taken out, and nobody is cut off in mid-reply."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from clients import Crowd, Service, crowd, heard, reply_to, serving
from daemons import SECONDS, Instance, instance
from fronts import NAME, Front, HAProxy
from load_driver import SETTINGS

from voiceproxy.caller import Caller

pytestmark = pytest.mark.deep

LONG = "one two three four five six seven eight nine ten, " * 2
"""What takes the agent some six seconds to repeat."""

GOING_AWAY = aiohttp.WSCloseCode.GOING_AWAY


@contextmanager
def two_instances(kind: type[Front], directory: Path) -> Iterator[Service]:
    """Instances of one test, which may stop them."""
    with ExitStack() as running:
        pair = [running.enter_context(instance(directory, "--allow-host", NAME)) for _ in range(2)]
        with serving(kind, directory, pair) as service:
            yield service


async def test_an_instance_taken_out_by_its_operator_loses_no_session(
    kind: type[Front], tmp_path: Path
):
    with two_instances(kind, tmp_path) as service:
        async with crowd(service) as people:
            caller, number = await people.placed_call()
            other = 1 - number
            await service.front.take_out(number)
            assert [(await people.placed_call())[1] for _ in range(4)] == [other] * 4
            await _turn(caller)
            await caller.socket.close()
            assert caller.socket.close_code == 1000
            await _stops(service.instances[number])
            assert (await service.instances[other].sessions()) == 4


async def test_an_instance_that_is_stopped_finishes_its_replies(kind: type[Front], tmp_path: Path):
    with two_instances(kind, tmp_path) as service:
        async with crowd(service) as people:
            caller, number = await people.placed_call()
            await _hears_the_beginning(caller)
            service.instances[number].signal(signal.SIGTERM)
            for _ in range(4):  # also before anybody has asked whether it is ready
                assert (await people.placed_call())[1] == 1 - number
            await caller.until("AgentAudioDone")
            assert heard(caller) == reply_to(LONG)
            await caller.rest(SECONDS)
            assert caller.socket.close_code == GOING_AWAY
            assert caller.messages("Error") == []
            assert await service.instances[number].end() == 0


async def test_haproxy_gives_no_session_to_an_instance_that_is_not_ready(tmp_path: Path):
    with two_instances(HAProxy, tmp_path) as service:
        assert isinstance(service.front, HAProxy)
        async with crowd(service) as people:
            caller, number = await people.placed_call()
            await _hears_the_beginning(caller)
            service.instances[number].signal(signal.SIGTERM)
            await _is(service.front, number, "DOWN")
            assert (await service.instances[number].ready())[0] == 503
            await caller.until("AgentAudioDone")
            assert heard(caller) == reply_to(LONG)


async def test_a_reloaded_reverse_proxy_keeps_its_sessions(kind: type[Front], tmp_path: Path):
    with two_instances(kind, tmp_path) as service:
        async with crowd(service) as people:
            caller = await people.call()
            await _hears_the_beginning(caller)
            await service.front.reload()
            newcomer = await people.call()
            await _turn(newcomer)
            await caller.until("AgentAudioDone")
            assert heard(caller) == reply_to(LONG)
            await _turn(caller)


@dataclass
class Calls:
    """What came of a crowd that calls again whenever it is told to go away."""

    replies: int = 0
    ends: list[str] = field(default_factory=list)
    """How sessions ended that the clients did not end."""


async def test_a_rolling_restart_cuts_nobody_off_in_the_middle_of_a_reply(
    kind: type[Front], tmp_path: Path
):
    with ExitStack() as running:
        flags = ("--allow-host", NAME)
        pair = [running.enter_context(instance(tmp_path, *flags)) for _ in range(2)]
        service = running.enter_context(serving(kind, tmp_path, pair))
        calls, over = Calls(), asyncio.Event()
        async with crowd(service) as people, asyncio.timeout(4 * SECONDS):
            talking = [asyncio.create_task(_talk(people, calls, over)) for _ in range(8)]
            for number, old in enumerate(pair):
                await _replies(calls, talking, calls.replies + 8)
                await _stops(old)
                new = running.enter_context(instance(tmp_path, *flags, port=old.port))
                service.instances[number] = new
                if isinstance(service.front, HAProxy):
                    await _is(service.front, number, "UP")
            await _replies(calls, talking, calls.replies + 8)
            over.set()
            await asyncio.gather(*talking)
        assert len(calls.ends) >= 8
        assert set(calls.ends) == {f"closed with {GOING_AWAY:d} between replies"}


async def _talk(people: Crowd, calls: Calls, over: asyncio.Event) -> None:
    """Turn after turn; call again when told to go away."""
    while not over.is_set():
        caller = await people.answered()
        try:
            await caller.say(SETTINGS)
            while not over.is_set():
                await _turn(caller)
                calls.replies += 1
        except (AssertionError, ConnectionError):
            if not caller.socket.closed:
                raise
            calls.ends.append(_ending(caller))


def _ending(caller: Caller) -> str:
    """Every reply is the same: what is cut off shows in the length of the audio."""
    _, audio = heard(caller)
    is_whole = len(audio) % len(reply_to("hello")[1]) == 0
    place = "between replies" if is_whole else "in the middle of a reply"
    return f"closed with {caller.socket.close_code} {place}"


async def _replies(calls: Calls, talking: list[asyncio.Task[None]], number: int) -> None:
    """Wait until there have been so many replies in all."""
    while calls.replies < number:
        for one in talking:
            if one.done():
                one.result()
        await asyncio.sleep(0.02)


async def _turn(caller: Caller) -> None:
    before = len(caller.messages("AgentAudioDone"))
    await caller.say({"type": "InjectUserMessage", "content": "hello"})
    await caller.until("AgentAudioDone", times=before + 1)


async def _hears_the_beginning(caller: Caller) -> None:
    """Of a long reply."""
    await caller.say({"type": "InjectUserMessage", "content": LONG})
    await caller.until("AgentStartedSpeaking")


async def _stops(stopped: Instance) -> None:
    """As a service manager stops it."""
    stopped.signal(signal.SIGTERM)
    assert await stopped.end() == 0


async def _is(front: HAProxy, number: int, status: str) -> None:
    async with asyncio.timeout(SECONDS):
        while front.status(number) != status:
            await asyncio.sleep(0.02)
