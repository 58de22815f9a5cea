"""What clients may rely on holds for both backends, in both dialects."""

from __future__ import annotations

from typing import ClassVar

import pytest
import pytest_asyncio

from voiceproxy.backend_contract import BackendContract
from voiceproxy.testing import serve

SIMULATED = {"simulator.pace": "burst", "close_timeout": 1.0}


class Simulated(BackendContract):
    """A backend with the simulator behind it."""

    backend: ClassVar[str]
    path: ClassVar[str]
    asks = "call get_weather"

    @pytest_asyncio.fixture
    async def endpoint(self):
        async with serve(self.backend, "simulator", settings=SIMULATED) as url:
            yield url + self.path


class TestOpenAIForTheComponent(Simulated):
    backend, path = "openai", "/openai"


class TestOpenAIForAgents(Simulated):
    backend, path, dialect = "openai", "/v1/agent/converse", "agent"


class TestDeepgramForTheComponent(Simulated):
    backend, path = "deepgram", "/deepgram"


class TestDeepgramForAgents(Simulated):
    backend, path, dialect = "deepgram", "/v1/agent/converse", "agent"


@pytest.mark.parametrize("path", ["/deepgram-proxy", "/deepgram-proxy?service=agent"])
async def test_the_other_path_of_the_component_serves_the_same(path):
    contract = TestDeepgramForTheComponent()
    async with serve("deepgram", "simulator", settings=SIMULATED) as url:
        await contract.test_a_turn_ends_once_behind_its_audio(url + path)
