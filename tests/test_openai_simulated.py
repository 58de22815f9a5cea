"""The backend over real sockets, against the strict simulator: nothing refused, no rule broken."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import orjson
import pytest

import voiceproxy_openai
from voiceproxy.testing import connected, serve
from voiceproxy_simulator import SimulatedOpenAI

SPEECH = Path(__file__).parent / "data" / "speech.wav"

FUNCTIONS = [
    {"name": "get_time", "parameters": {"type": "object"}},
    {"name": "get_weather", "parameters": {"type": "object"}},
]


class Client:
    """A Voice Agent client that reads with a deadline."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.messages: list[dict] = []
        self.audio = bytearray()

    async def send(self, kind: str, **fields) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def until(self, *kinds: str) -> dict:
        """Read up to the first message of these types."""
        async with asyncio.timeout(10):
            while True:
                frame = await self.socket.receive()
                if frame.type is aiohttp.WSMsgType.BINARY:
                    self.audio += frame.data
                    continue
                assert frame.type is aiohttp.WSMsgType.TEXT, frame
                self.messages.append(orjson.loads(frame.data))
                if self.messages[-1]["type"] in kinds:
                    return self.messages[-1]

    async def closed(self) -> int:
        """Read to the end; returns the close code."""
        async with asyncio.timeout(10):
            while True:
                frame = await self.socket.receive()
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self.messages.append(orjson.loads(frame.data))
                elif frame.type is not aiohttp.WSMsgType.BINARY:
                    assert self.socket.close_code is not None
                    return self.socket.close_code

    def said(self, role: str) -> list[str]:
        return [
            message["content"]
            for message in self.messages
            if message["type"] == "ConversationText" and message["role"] == role
        ]

    def codes(self) -> list[str]:
        return [message["code"] for message in self.messages if message["type"] == "Error"]


@asynccontextmanager
async def conversation(
    path: str = "/openai", scenario: str | None = None, key: str | None = None, **settings
) -> AsyncIterator[tuple[Client, SimulatedOpenAI]]:
    named = {f"openai.{name}": value for name, value in settings.items()}
    async with SimulatedOpenAI(scenario=scenario, key=key) as upstream:
        named["openai.url"] = upstream.url
        async with (
            serve(voiceproxy_openai, settings=named) as url,
            connected(url + path) as socket,
        ):
            yield Client(socket), upstream


def settings_message(**agent) -> dict:
    return {
        "audio": {"input": {"encoding": "linear16", "sample_rate": 16000}},
        "agent": {"think": {"functions": FUNCTIONS}, "greeting": "Hello!", **agent},
    }


@pytest.mark.parametrize("path", ["/openai", "/v1/agent/converse"])
@pytest.mark.parametrize("scenario", [None, "late-acks"])
async def test_text_function_and_spoken_turns_break_no_rule(path, scenario):
    async with conversation(path, scenario) as (client, upstream):
        await client.send("Settings", **settings_message())
        await client.until("AgentAudioDone")
        await client.send("InjectUserMessage", content="hi there")
        await client.until("AgentAudioDone")
        assert client.said("assistant") == ["Hello!", 'You said "hi there".']
        assert len(client.audio) > 10_000

        await client.send("InjectUserMessage", content="get_time and get_weather")
        calls = [await client.until("FunctionCallRequest") for _ in range(2)]
        for call in calls:
            function = call["functions"][0]
            await client.send("FunctionCallResponse", id=function["id"], name="f", content="42")
        await client.until("AgentAudioDone")
        await client.until("AgentAudioDone")
        assert "returned 42." in client.said("assistant")[-1]

        await speak(client)
        await client.until("AgentAudioDone")
        assert client.said("assistant")[-1].startswith("I heard ")
        assert client.codes() == []
        assert upstream.violations == []


async def speak(client: Client) -> None:
    with wave.open(str(SPEECH)) as recording:
        assert (recording.getframerate(), recording.getnchannels()) == (16000, 1)
        audio = recording.readframes(recording.getnframes()) + bytes(32000)
    for start in range(0, len(audio), 640):
        await client.socket.send_bytes(audio[start : start + 640])


async def test_a_manual_turn_breaks_no_rule_aud_9():
    async with conversation(commit_debounce=0.1) as (client, upstream):
        await client.send("Settings", **settings_message(useOpenAIManualAudioCommit=True))
        await client.until("AgentAudioDone")
        await speak(client)
        await client.until("AgentAudioDone")
        assert client.said("assistant")[-1].startswith("I heard ")
        assert upstream.violations == []


async def test_quick_injects_and_one_during_a_reply_are_all_answered_def_6_def_7():
    async with conversation() as (client, upstream):
        await client.send("Settings", **settings_message(greeting=""))
        for text in ("one", "two", "three"):
            await client.send("InjectUserMessage", content=text)
        await client.until("AgentStartedSpeaking")
        await client.send("InjectUserMessage", content="four")
        while "four" not in client.said("assistant")[-1:]:
            await client.until("AgentAudioDone")
            if any("four" in words for words in client.said("assistant")):
                break
        assert upstream.violations == []
        assert client.codes() == []


async def test_barge_in_truncates_what_was_not_heard():
    async with conversation() as (client, upstream):
        await client.send("Settings", **settings_message(greeting=""))
        await client.send("InjectUserMessage", content="count to 50")
        await client.until("AgentAudioDone")
        await asyncio.wait_for(speak(client), 10)
        await client.until("UserStartedSpeaking")
        await client.until("AgentAudioDone")
        kinds = [received.event["type"] for received in upstream.received]
        assert "conversation.item.truncate" in kinds
        assert upstream.violations == []


async def test_a_wrong_key_ends_the_session_with_its_code_and_1000():
    async with conversation(key="sk-right", api_key="sk-wrong-000000") as (client, _):
        await client.send("Settings", **settings_message())
        assert await client.closed() == 1000
        assert client.codes() == ["invalid_api_key"]
        assert "sk-wrong" not in str(client.messages)


@pytest.mark.parametrize(
    ("scenario", "code", "close_code"),
    [("quota", "insufficient_quota", 1000), ("expired", "session_max_duration", 1001)],
)
async def test_the_end_of_the_service_is_told_with_its_code(scenario, code, close_code):
    async with conversation(scenario=scenario) as (client, upstream):
        await client.send("Settings", **settings_message(greeting=""))
        await client.send("InjectUserMessage", content="hi")
        assert await client.closed() == close_code
        assert client.codes()[:1] == [code]
        assert upstream.violations == []


async def test_an_upstream_that_never_answers_the_settings_ends_the_session():
    async with conversation(scenario="silent", session_timeout=0.2) as (client, _):
        await client.send("Settings", **settings_message())
        assert await client.closed() == 1011
        assert client.codes() == ["upstream_timeout"]


async def test_missing_acknowledgements_delay_the_turn_and_no_more_txt_8():
    async with conversation(scenario="missing-acks", ack_timeout=0.2) as (client, _):
        await client.send("Settings", **settings_message(greeting=""))
        await client.send("InjectUserMessage", content="hi")
        await client.until("AgentAudioDone")
        assert client.said("assistant") == ['You said "hi".']


async def test_junk_is_told_once_and_the_conversation_goes_on():
    async with conversation(scenario="junk") as (client, _):
        await client.send("Settings", **settings_message(greeting=""))
        for text in ("hi", "ho"):
            await client.send("InjectUserMessage", content=text)
            await client.until("AgentAudioDone")
        assert client.codes() == ["unmapped_upstream_event"]


async def test_a_server_that_replaces_ids_and_ignores_marks_answers_as_fast_def_8():
    async with conversation(scenario="replaced-ids") as (client, _):
        await client.send("Settings", **settings_message(greeting=""))
        for text in ("one", "two", "three"):
            async with asyncio.timeout(3):  # less than the wait for a response.created
                await client.send("InjectUserMessage", content=text)
                await client.until("AgentAudioDone")
        assert client.said("assistant") == [
            f'You said "{text}".' for text in ("one", "two", "three")
        ]


async def test_of_a_stalled_reply_nothing_is_told_behind_its_end_fct_7():
    async with conversation(scenario="stall", response_timeout=0.3) as (client, upstream):
        await client.send("Settings", **settings_message(greeting=""))
        await client.send("InjectUserMessage", content="hello")
        await client.until("AgentAudioDone")
        told = len(client.said("assistant"))
        await client.send("InjectUserMessage", content="again")
        await client.until("AgentStartedSpeaking")
        assert len(client.said("assistant")) == told
        assert upstream.violations == []


async def test_the_agent_says_what_it_is_given_in_a_session_of_text_and_of_speech():
    for modalities in (["text"], ["audio"]):
        think = {"functions": FUNCTIONS, "outputModalities": modalities}
        async with conversation() as (client, upstream):
            await client.send("Settings", **settings_message(greeting="", think=think))
            for behavior in ("default", "queue", "interrupt"):
                await client.send("InjectAgentMessage", message="Hold on.", behavior=behavior)
                await client.until("AgentAudioDone")
            assert client.codes() == []
            assert upstream.violations == []
