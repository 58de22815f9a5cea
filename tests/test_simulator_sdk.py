"""The real ``openai`` client holds conversations with the simulator."""

from __future__ import annotations

import asyncio
import base64
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from scipy.signal import resample_poly
from test_simulator_events import TOOLS

from voiceproxy_simulator import SimulatedOpenAI

SPEECH = Path(__file__).parent / "data" / "speech.wav"
SECONDS = 20


@asynccontextmanager
async def connected(
    upstream: SimulatedOpenAI, **session: Any
) -> AsyncIterator[AsyncRealtimeConnection]:
    url = upstream.url.removesuffix("/realtime").replace("ws:", "http:")
    async with (
        asyncio.timeout(SECONDS),
        AsyncOpenAI(api_key="x", base_url=url) as client,
        client.realtime.connect(model="gpt-realtime") as real,
    ):
        await real.session.update(session={"type": "realtime", **session})
        await until(real, "session.updated")
        yield real


async def until(real: AsyncRealtimeConnection, kind: str) -> list[Any]:
    """The events up to the first of a type."""
    events = []
    async for event in real:
        events.append(event)
        if event.type == kind:
            break
    return events


async def ask(real: AsyncRealtimeConnection, text: str) -> None:
    content: Any = [{"type": "input_text", "text": text}]
    await real.conversation.item.create(
        item={"type": "message", "role": "user", "content": content}
    )
    await until(real, "conversation.item.done")
    await real.response.create()


def speech_at_24_khz() -> bytes:
    with wave.open(str(SPEECH)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        rate = file.getframerate()
    up, down = 24000 // 8000, rate // 8000
    return bytes(resample_poly(samples.astype(float), up, down).astype("<i2").tobytes())


async def test_a_text_turn() -> None:
    async with SimulatedOpenAI() as upstream, connected(upstream) as real:
        await ask(real, "hello")
        *events, done = await until(real, "response.done")
        audio = [event.delta for event in events if event.type == "response.output_audio.delta"]
        assert sum(len(base64.b64decode(delta)) for delta in audio) > 24000
        assert done.response.output[0].content[0].transcript == 'You said "hello".'
    assert upstream.violations == []


async def test_a_spoken_turn_with_a_real_recording() -> None:
    transcription: Any = {"input": {"transcription": {"model": "whisper-1"}}}
    async with SimulatedOpenAI() as upstream, connected(upstream, audio=transcription) as real:
        audio = speech_at_24_khz() + bytes(24000)
        for start in range(0, len(audio), 4800):
            chunk = base64.b64encode(audio[start : start + 4800]).decode()
            await real.input_audio_buffer.append(audio=chunk)
        events = {event.type: event for event in await until(real, "response.done")}
        spoken = events["response.done"].response.output[0].content[0].transcript
        started = events["input_audio_buffer.speech_started"].audio_start_ms
        stopped = events["input_audio_buffer.speech_stopped"].audio_end_ms
        assert started < 500
        assert 1000 < stopped < len(audio) / 48
        assert spoken.startswith("I heard ")
        assert 1 < float(spoken.split()[2]) < 3.5
        kind = "conversation.item.input_audio_transcription.completed"
        transcript = (events.get(kind) or (await until(real, kind))[-1]).transcript
        assert spoken == f"I heard {transcript}."
    assert upstream.violations == []


async def test_a_function_turn() -> None:
    tools: Any = TOOLS
    async with SimulatedOpenAI() as upstream, connected(upstream, tools=tools) as real:
        await ask(real, 'call get_weather {"city": "Oslo"}')
        (call,) = (await until(real, "response.done"))[-1].response.output
        assert (call.name, call.arguments) == ("get_weather", '{"city":"Oslo"}')
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        await real.conversation.item.create(item=output)
        await until(real, "conversation.item.done")
        await real.response.create()
        (message,) = (await until(real, "response.done"))[-1].response.output
        assert message.content[0].transcript == "get_weather returned rain."
    assert upstream.violations == []


async def test_a_reply_is_cancelled_and_truncated() -> None:
    async with SimulatedOpenAI(pace="realtime") as upstream, connected(upstream) as real:
        await ask(real, "count to 100")
        delta = (await until(real, "response.output_audio.delta"))[-1]
        await real.response.cancel()
        done = (await until(real, "response.done"))[-1].response
        assert (done.status, done.status_details.reason) == ("cancelled", "client_cancelled")
        await real.conversation.item.truncate(
            item_id=delta.item_id, content_index=0, audio_end_ms=100
        )
        assert (await until(real, "conversation.item.truncated"))[-1].audio_end_ms == 100
    assert upstream.violations == []


@pytest.mark.parametrize("scenario", ["quota", "late-acks"])
async def test_a_fault_is_seen_by_the_real_client(scenario: str) -> None:
    async with SimulatedOpenAI(scenario=scenario) as upstream, connected(upstream) as real:
        await ask(real, "hello")
        done = (await until(real, "response.done"))[-1].response
        assert done.status == {"quota": "failed", "late-acks": "completed"}[scenario]
    assert upstream.violations == []
