"""What a Voice Agent client may rely on whichever backend is behind, as a class of tests.

Subclass it, say where the backend answers, and run pytest::

    class TestMyBackend(BackendContract):
        @pytest_asyncio.fixture
        async def endpoint(self):
            async with serve("my-backend", settings={...}) as url:
                yield url + "/my-backend"

Needs pytest and pytest-asyncio, or pytest-aiohttp. Everything happens on real sockets, and every
wait is bounded by ``patience``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

import aiohttp
import pytest

from voiceproxy.agent import ONLY
from voiceproxy.caller import Caller, Message, tone

MAX_AUDIO_FRAME = 64 * 1024
"""Bytes of one binary frame to a client: some SDKs refuse messages above 1 MiB."""


class BackendContract:
    """Subclasses give the fixture ``endpoint``: the URL of a running proxy with the backend."""

    dialect: ClassVar[Literal["component", "agent"]] = "component"
    """The dialect of the endpoint."""
    patience: ClassVar[float] = 10.0
    """Seconds any answer may take."""
    greets: ClassVar[bool] = False
    """The backend speaks first though the Settings have no greeting."""
    asks: ClassVar[str | None] = None
    """What a user says to make the agent call ``function``; None leaves function calls out."""
    function: ClassVar[Mapping[str, Any]] = {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    hears: ClassVar[bool] = True
    """The backend takes a second of ``tone`` and a second of silence for a spoken turn."""

    def settings(self, **agent: Any) -> Message:
        """The Settings every test sends: linear16, 16 kHz in and 24 kHz out."""
        think = {"provider": {"type": "open_ai", "model": "gpt-4o-mini"}, "prompt": "Be brief."}
        return {
            "type": "Settings",
            "audio": {
                "input": {"encoding": "linear16", "sample_rate": 16000},
                "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
            },
            "agent": {"think": think, **agent},
        }

    @asynccontextmanager
    async def call(self, endpoint: str) -> AsyncIterator[Caller]:
        """A client whose socket is open."""
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(endpoint, max_msg_size=0) as socket,
        ):
            yield Caller(socket, self.patience)

    @asynccontextmanager
    async def conversation(self, endpoint: str, **agent: Any) -> AsyncIterator[Caller]:
        """A client whose Settings are applied."""
        async with self.call(endpoint) as caller:
            await caller.say(self.settings(**agent))
            await caller.until("SettingsApplied")
            yield caller

    # The beginning.

    async def test_welcome_comes_first_and_names_the_request(self, endpoint: str) -> None:
        async with self.call(endpoint) as caller:
            welcome = await caller.first()
        assert isinstance(welcome, dict)
        assert welcome["type"] == "Welcome"
        assert isinstance(welcome["request_id"], str)
        assert welcome["request_id"]

    async def test_two_sessions_have_two_names(self, endpoint: str) -> None:
        async with self.call(endpoint) as one, self.call(endpoint) as other:
            names = {json.dumps(await caller.first()) for caller in (one, other)}
        assert len(names) == 2

    async def test_settings_are_applied_once_before_anything_else(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            assert caller.types() == ["Welcome", "SettingsApplied"]
            await caller.rest()
        assert len(caller.messages("SettingsApplied")) == 1
        if not self.greets:
            assert caller.types() == ["Welcome", "SettingsApplied"]

    async def test_a_second_settings_is_answered_as_the_dialect_has_it(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            await caller.say(self.settings())
            if self.dialect == "component":
                await caller.until("SettingsApplied", times=2)
            else:
                await caller.until("Error", code="SETTINGS_ALREADY_APPLIED")

    async def test_what_comes_before_settings_is_kept_or_refused_by_name(
        self, endpoint: str
    ) -> None:
        early = {"type": "InjectUserMessage", "content": "early"}
        async with self.call(endpoint) as caller:
            await caller.first()
            await caller.say(early)
            if self.dialect == "component":
                await caller.say(self.settings())
                await caller.until("ConversationText", role="user", content="early")
                assert caller.types()[:2] == ["Welcome", "SettingsApplied"]
            else:
                await caller.until("Error", code="NON_SETTINGS_MESSAGE_BEFORE_SETTINGS")

    async def test_settings_that_cannot_be_served_are_an_error(self, endpoint: str) -> None:
        settings = self.settings()
        settings["audio"]["input"]["encoding"] = "morse"
        async with self.call(endpoint) as caller:
            await caller.say(settings)
            error = await caller.until("Error")
            assert error["code"] in {"INVALID_SETTINGS", "UNPARSABLE_CLIENT_MESSAGE"}
            assert caller.messages("SettingsApplied") == []

    async def test_a_greeting_is_the_agents_first_words(self, endpoint: str) -> None:
        async with self.conversation(endpoint, greeting="Good morning.") as caller:
            await caller.until("AgentAudioDone")
        said = [(one["role"], one["content"]) for one in caller.messages("ConversationText")]
        assert said == [("assistant", "Good morning.")]
        self._check_agent_done(caller.types())

    # A turn.

    async def test_what_is_typed_is_echoed_once_and_answered(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            await caller.say({"type": "InjectUserMessage", "content": "hello"})
            await caller.until("AgentAudioDone")
            await caller.rest()
        said = [(one["role"], one["content"]) for one in caller.messages("ConversationText")]
        assert said[0] == ("user", "hello")
        assert [role for role, _ in said[1:]] == ["assistant"] * (len(said) - 1)
        assert len(said) > 1
        assert all(words.strip() for _, words in said)

    async def test_a_turn_ends_once_behind_its_audio(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            for number, words in enumerate(("hello", "and again"), start=1):
                await caller.say({"type": "InjectUserMessage", "content": words})
                await caller.until("AgentAudioDone", times=number)
            await caller.rest()
        types = caller.types()
        assert types.count("AgentAudioDone") == 2
        for end in (n for n, kind in enumerate(types) if kind == "AgentAudioDone"):
            assert "audio" in types[:end]
        assert "audio" not in types[len(types) - types[::-1].index("AgentAudioDone") :]
        self._check_agent_done(types)

    def _check_agent_done(self, types: list[str]) -> None:
        """OUT-12: AgentDone directly before AgentAudioDone, for the component alone."""
        if self.dialect == "component":
            ends = [n for n, kind in enumerate(types) if kind == "AgentAudioDone"]
            assert [types[end - 1] for end in ends] == ["AgentDone"] * len(ends)
            assert types.count("AgentDone") == len(ends)
        else:
            assert "AgentDone" not in types

    async def test_audio_is_whole_samples_in_frames_a_client_can_take(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            await caller.say({"type": "InjectUserMessage", "content": "hello"})
            await caller.until("AgentAudioDone")
        frames = [one for one in caller.heard if isinstance(one, bytes)]
        assert frames
        assert all(0 < len(frame) <= MAX_AUDIO_FRAME for frame in frames)
        assert all(len(frame) % 2 == 0 for frame in frames)

    async def test_no_message_is_one_the_dialect_lacks(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            await caller.say({"type": "InjectUserMessage", "content": "hello"})
            await caller.until("AgentAudioDone")
            await caller.rest()
        strange = {kind for kind, dialect in ONLY.items() if dialect != self.dialect}
        assert not strange & set(caller.types())

    async def test_a_spoken_turn_is_heard_and_answered(self, endpoint: str) -> None:
        if not self.hears:
            pytest.skip("this backend does not take a tone for speech")
        async with self.conversation(endpoint) as caller:
            spoken = tone(1000) + bytes(2 * 16000 * 2)
            for start in range(0, len(spoken), 3200):
                await caller.say(spoken[start : start + 3200])
                await asyncio.sleep(0.01)
            await caller.until("AgentAudioDone")
        types = caller.types()
        assert types.index("UserStartedSpeaking") < types.index("audio")
        self._check_agent_done(types)

    async def test_keep_alive_is_never_answered(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            before = len(caller.heard)
            await caller.say({"type": "KeepAlive"}, {"type": "KeepAlive"})
            await caller.rest()
            assert not caller.socket.closed
        if not self.greets:
            assert len(caller.heard) == before

    # Functions.

    async def test_a_function_is_asked_for_once_and_its_answer_spoken(self, endpoint: str) -> None:
        if self.asks is None:
            pytest.skip("this backend is not told how to make the agent call a function")
        async with self.conversation(endpoint, **self._with_function()) as caller:
            await caller.say({"type": "InjectUserMessage", "content": self.asks})
            request = await caller.until("FunctionCallRequest")
            [call] = request["functions"]
            assert call["name"] == self.function["name"]
            assert call["client_side"] is True
            assert isinstance(json.loads(call["arguments"]), dict)
            answer = {"id": call["id"], "name": call["name"], "content": '{"degrees": 21}'}
            await caller.say({"type": "FunctionCallResponse", **answer})
            await caller.until("AgentAudioDone")
            await caller.rest()
        types = caller.types()
        assert types.count("FunctionCallRequest") == 1
        assert "audio" in types[types.index("FunctionCallRequest") :]

    def _with_function(self) -> Message:
        think = self.settings()["agent"]["think"]
        return {"think": {**think, "functions": [dict(self.function)]}}

    # What goes wrong, and the end.

    @pytest.mark.parametrize("text", ["{", "[]", '{"no": "type"}'])
    async def test_text_that_is_no_message_is_an_error_of_that_session_alone(
        self, endpoint: str, text: str
    ) -> None:
        async with self.conversation(endpoint) as other, self.conversation(endpoint) as caller:
            await caller.say(text)
            error = await caller.until("Error", code="UNPARSABLE_CLIENT_MESSAGE")
            assert isinstance(error["description"], str)
            await other.say({"type": "InjectUserMessage", "content": "hello"})
            await other.until("AgentAudioDone")

    async def test_a_client_that_closes_is_answered_with_its_code(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as caller:
            async with asyncio.timeout(self.patience):
                await caller.socket.close(code=1000, message=b"bye")
            assert caller.socket.close_code == 1000

    async def test_an_end_in_the_middle_of_a_turn_disturbs_nobody(self, endpoint: str) -> None:
        async with self.conversation(endpoint) as other:
            async with self.conversation(endpoint) as caller:
                await caller.say({"type": "InjectUserMessage", "content": "hello"})
                await caller.until("ConversationText", role="user")
            await other.say({"type": "InjectUserMessage", "content": "hello"})
            await other.until("AgentAudioDone")
