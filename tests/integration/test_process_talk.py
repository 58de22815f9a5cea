"""The real ``talk`` against the real proxy, each a process of its own; both wires are recorded."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest
from caller import PATHS, SPEECH, WEATHER
from house import KEY, House
from programs import serving, talk
from wire_tap import tapped

from voiceproxy_simulator import SimulatedOpenAI

HEARD = "I heard 2.7 s of speech."


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A proxy in its own process between ``talk`` and an upstream that keeps a record."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(SimulatedOpenAI(pace="realtime", key=KEY))
        flags = ("--plugin", "openai", "--upstream-url", upstream.url)
        proxy = await stack.enter_async_context(serving(tmp_path, *flags, OPENAI_API_KEY=KEY))
        tap = await stack.enter_async_context(tapped(proxy.url.port or 0))
        house = House(upstream, proxy.url.origin(), tap, AsyncExitStack())
        yield house
        await house.settle()
        house.check()
        assert await proxy.stop() == 0
        assert not [line for line in proxy.errors if " ERROR " in line or "Traceback" in line]


def check_wav(path: Path, seconds: tuple[float, float]) -> None:
    """Fail unless a player would play it and somebody would hear something."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24000)
        frames = file.getnframes()
        audio = np.frombuffer(file.readframes(frames), "<i2").astype(float)
    assert len(audio) == frames  # the header does not promise more than there is
    assert seconds[0] < frames / 24000 < seconds[1]
    assert np.sqrt(np.mean(audio**2)) > 300  # about -40 dBFS
    assert np.abs(audio).max() < 32000


async def test_recordings_and_typed_lines_at_once_each_hear_their_own_answer(
    house: House, tmp_path: Path
) -> None:
    async def say_recording(dialect: str) -> None:
        saved = tmp_path / f"{dialect}.wav"
        flags = ("--audio", str(SPEECH), "--save", str(saved))
        program = await talk(tmp_path, house.url(dialect), *flags)
        assert sorted(program.output) == [f"agent: {HEARD}", "you: 2.7 s of speech"]
        check_wav(saved, (1.0, 4.0))

    async def type_lines(dialect: str) -> None:
        saved = tmp_path / f"{dialect}-lines.wav"
        flags = ("--text", f"hello {dialect}", "--text", "bye", "--save", str(saved))
        program = await talk(tmp_path, house.url(dialect), *flags)
        assert program.output == [
            f"you: hello {dialect}",
            f'agent: You said "hello {dialect}".',
            "you: bye",
            'agent: You said "bye".',
        ]
        check_wav(saved, (1.0, 6.0))

    both = (say_recording, type_lines)
    await asyncio.gather(*(each(dialect) for each in both for dialect in PATHS))


async def test_functions_answered_from_a_file_and_messages_as_lines_of_json(
    house: House, tmp_path: Path
) -> None:
    functions = tmp_path / "functions.json"
    functions.write_text(json.dumps([WEATHER | {"answer": "21 degrees"}]))
    flags = ("--functions", str(functions), "--text", "call get_weather")
    plain, as_json = await asyncio.gather(
        talk(tmp_path, house.url(), *flags), talk(tmp_path, house.url(), *flags, "--json")
    )
    assert plain.output[-1] == "agent: get_weather returned 21 degrees."
    kinds = [json.loads(line)["type"] for line in as_json.output]
    assert kinds[:2] == ["Welcome", "SettingsApplied"]
    assert kinds.index("FunctionCallRequest") < kinds.index("AgentThinking")
    assert kinds[-1] in ("AgentDone", "AgentAudioDone")
