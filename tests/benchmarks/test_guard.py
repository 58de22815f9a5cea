"""What a frame of audio costs may not grow unnoticed: counts, which no busy machine changes.

A budget is what was counted and five per cent. Who makes the path shorter lowers it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web
from running import relaying

import voiceproxy_logging
import voiceproxy_redaction
from voiceproxy import Binary, Frame, Text, Translator, TranslatorSession
from voiceproxy.testing import Driver, connected, drive
from voiceproxy_deepgram.component import ComponentTranslator
from voiceproxy_deepgram.settings import DeepgramSettings
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator

from . import instructions
from .contestants import BASELINE, DEEPGRAM, OPENAI
from .dialogues import AUDIO, UP_BYTES, audio_delta, settings_for, tone
from .loads import stay_off
from .proxies import LOAD_CORE
from .steps import steps, steps_meanwhile

pytestmark = pytest.mark.deep

STEPS = {
    "openai, up from 16 kHz": 496,
    "openai, up from 24 kHz": 412,
    "openai, down": 686,
    "passed on, up": 229,
    "passed on, down": 244,
}
"""Bytecode instructions of CPython 3.11 for one frame of audio, between the outboxes."""

RELAYED = {
    "passed on, up": 211,
    "passed on, down": 219,
    "component dialect, up": 211,
    "component dialect, down": 219,
}
"""The same from socket to socket."""

ENCODED = {UP_BYTES: 438, 960: 354}
"""The same up to the Realtime API, by the bytes of 20 ms: from 16 kHz and from 24 kHz."""

INSTRUCTIONS = {
    (OPENAI, "up"): 3.22,
    (OPENAI, "down"): 3.36,
    (DEEPGRAM, "up"): 1.15,
    (DEEPGRAM, "down"): 1.18,
}
"""The processor's instructions for one frame, as a ratio to the baseline's. Deepgram's are three
per cent above what was counted: there is little to be spent up to 1.15."""

SET_UPS = {
    (OPENAI, "handshakes"): 1.35,
    (OPENAI, "to SettingsApplied"): 1.61,
    (DEEPGRAM, "handshakes"): 1.27,
    (DEEPGRAM, "to SettingsApplied"): 1.31,
}
"""The same for setting a session up; two per cent above what was counted."""

OPTIONAL = (voiceproxy_logging, voiceproxy_redaction)


class Way:
    """One direction of a session whose microphone is on while its agent speaks."""

    def __init__(self, name: str, plugins: Sequence[object] = ()) -> None:
        backend, direction = name.split(", ")
        size = 960 if "24" in direction else UP_BYTES
        self.session = _openai(size, plugins) if backend == "openai" else drive(plugins=plugins)
        core = self.session.core
        up = direction.startswith("up")
        translated = backend == "openai" and not up
        self._receive = core.client_frame if up else core.upstream_frame
        self._take = core.upstream.take if up else core.client.take
        self._frame: Callable[[], Frame]
        audio, delta = tone(size) if up else AUDIO, audio_delta()
        self._frame = (lambda: Text(delta)) if translated else (lambda: Binary(audio))
        while core.client.take() is not None or core.upstream.take() is not None:
            continue

    def relay(self, frames: int) -> None:
        """One after the other, 20 ms apart."""
        for _ in range(frames):
            self.session.advance(0.02)
            self.relay_one()

    def relay_one(self) -> None:
        """In, and out where it is written."""
        self._receive(self._frame())
        assert self._take() is not None

    def steps(self) -> int:
        """What one frame takes now; of ten, since a resampler's are not all alike."""
        return round(sum(steps(self.relay_one) for _ in range(10)) / 10)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the budgets are those of 3.11")
@pytest.mark.parametrize("name", RELAYED)
async def test_a_frame_from_socket_to_socket_takes_no_more_steps_than_its_budget(name: str) -> None:
    dialect, direction = name.split(", ")
    there: asyncio.Future[web.WebSocketResponse[bool]] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def be_an_agent(socket: web.WebSocketResponse[bool], request: web.Request) -> None:
        await socket.receive()
        await socket.send_json({"type": "SettingsApplied"})
        there.set_result(socket)
        await over.wait()
        await socket.receive()

    async with (
        relaying(be_an_agent, backend=_backend(dialect), heartbeat=0) as proxy,
        connected(proxy.endpoint) as client,
    ):
        await client.send_json({"type": "Settings"})
        assert (await client.receive()).type is WSMsgType.TEXT
        ends = client, await there
        begin, end = ends if direction == "up" else reversed(ends)

        async def cross() -> None:
            await begin.send_bytes(AUDIO)
            assert (await end.receive()).data == AUDIO

        for _ in range(20):
            await cross()
        taken = [await steps_meanwhile(cross) for _ in range(10)]
        over.set()
    assert max(taken) <= RELAYED[name], taken


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the budgets are those of 3.11")
@pytest.mark.parametrize("size", ENCODED)
async def test_a_frame_that_is_encoded_takes_no_more_steps_than_its_budget(size: int) -> None:
    there: asyncio.Future[web.WebSocketResponse[bool]] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def be_realtime(socket: web.WebSocketResponse[bool], request: web.Request) -> None:
        await socket.receive()
        await socket.send_json({"type": "session.updated", "session": {}})
        there.set_result(socket)
        await over.wait()
        await socket.receive()

    async with (
        relaying(be_realtime, backend={"translator": _translator}, heartbeat=0) as proxy,
        connected(proxy.endpoint) as client,
    ):
        await client.send_str(settings_for(size).decode())
        upstream = await there
        while "SettingsApplied" not in (await client.receive()).data:
            continue

        async def cross() -> None:
            await client.send_bytes(tone(size))
            assert (await upstream.receive()).type is WSMsgType.TEXT

        for _ in range(20):
            await cross()
        taken = [await steps_meanwhile(cross) for _ in range(10)]
        over.set()
    assert max(taken) <= ENCODED[size], taken


def _backend(dialect: str) -> dict[str, object]:
    if dialect == "passed on":
        return {}
    settings = DeepgramSettings()
    return {"translator": lambda session: ComponentTranslator(session, settings, None)}


def _translator(session: TranslatorSession) -> Translator:
    return OpenAITranslator(session, OpenAISettings(response_timeout=86400))


def _openai(size: int, plugins: Sequence[object]) -> Driver:
    session = drive(translator=_translator, plugins=plugins)
    session.client(Text(settings_for(size)))
    session.upstream({"type": "session.updated", "session": {}})
    session.upstream({"type": "response.created", "response": {"id": "resp_1"}})
    session.upstream(Text(audio_delta()))
    return session


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the budgets are those of 3.11")
@pytest.mark.parametrize("name", STEPS)
def test_a_frame_of_audio_takes_no_more_steps_than_its_budget(name: str) -> None:
    way = Way(name)
    way.relay(500)
    assert way.steps() <= STEPS[name]


@pytest.mark.parametrize("name", STEPS)
def test_a_frame_takes_as_many_steps_after_minutes_as_at_first_and_leaves_nothing(
    name: str,
) -> None:
    way = Way(name)
    way.relay(500)
    at_first = way.steps()
    gc.collect()
    blocks = sys.getallocatedblocks()
    way.relay(20_000)
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 100
    assert way.steps() == at_first


@pytest.mark.parametrize("name", STEPS)
def test_logging_and_redaction_take_few_steps_of_an_audio_frame(name: str) -> None:
    plain, watched = Way(name), Way(name, OPTIONAL)
    plain.relay(500)
    watched.relay(500)
    assert watched.steps() <= 1.05 * plain.steps()


MISSING = "valgrind is missing; as root: apt-get install --no-install-recommends valgrind"


@pytest.fixture
def load_core() -> Iterator[None]:
    """The driver on its own core for as long as the test runs."""
    before = os.sched_getaffinity(0)
    stay_off(LOAD_CORE)
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("load_core")
def test_the_processor_takes_no_more_instructions_for_a_frame_than_its_budget(
    tmp_path: Path,
) -> None:
    assert instructions.available(), MISSING
    counts = {kind: instructions.count(tmp_path, kind) for kind in (BASELINE, OPENAI, DEEPGRAM)}
    assert ratios(counts, INSTRUCTIONS) == {}


@pytest.mark.usefixtures("load_core")
def test_the_processor_takes_no_more_instructions_for_a_set_up_than_its_budget(
    tmp_path: Path,
) -> None:
    assert instructions.available(), MISSING
    kinds = BASELINE, OPENAI, DEEPGRAM
    counts = {kind: instructions.count_set_ups(tmp_path, kind) for kind in kinds}
    assert ratios(counts, SET_UPS) == {}


def ratios(
    counts: dict[str, instructions.Counts], budgets: dict[tuple[str, str], float]
) -> dict[tuple[str, str], float]:
    """What is above its budget, and by what it is the baseline's."""
    found = {
        (kind, what): round(counts[kind][what] / counts[BASELINE][what], 3)
        for kind, what in budgets
    }
    return {key: ratio for key, ratio in found.items() if ratio > budgets[key]}
