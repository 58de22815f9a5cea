"""Upstreams in the box: OpenAI's Realtime API and Deepgram's streaming APIs, strict and scripted.

As a plugin (``--plugin simulator``) they stand in for the real services. In tests they are used by
themselves: ``async with SimulatedOpenAI() as upstream``, ``async with SimulatedDeepgram()``. Both
can have bad days.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from voiceproxy import hookimpl, settings_of, stand_in
from voiceproxy_simulator.deepgram.rules import DEEPGRAM_RULES
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario
from voiceproxy_simulator.deepgram.scenarios import DEEPGRAM_SCENARIOS
from voiceproxy_simulator.deepgram.server import SimulatedDeepgram
from voiceproxy_simulator.journal import RULES, Received, Violation
from voiceproxy_simulator.scenario import Cut, Scenario
from voiceproxy_simulator.scenarios import SCENARIOS
from voiceproxy_simulator.server import SimulatedOpenAI
from voiceproxy_simulator.settings import SimulatorSettings, SimulatorSettingsSchema

__all__ = [
    "DEEPGRAM_RULES",
    "DEEPGRAM_SCENARIOS",
    "RULES",
    "SCENARIOS",
    "Cut",
    "DeepgramScenario",
    "Received",
    "Scenario",
    "SimulatedDeepgram",
    "SimulatedOpenAI",
    "SimulatorSettings",
    "Violation",
    "voiceproxy_settings",
    "voiceproxy_setup",
]

voiceproxy_settings = SimulatorSettingsSchema


@hookimpl
def voiceproxy_setup(app: web.Application) -> None:
    """Run the simulated APIs beside the application, and have them dialled instead of the real."""
    settings = settings_of(app, SimulatorSettings)
    openai = SimulatedOpenAI(
        pace=settings.pace,
        scenario=settings.scenario_among(SCENARIOS),
        port=settings.port,
        record=False,
    )
    deepgram = SimulatedDeepgram(
        pace=settings.pace,
        scenario=settings.scenario_among(DEEPGRAM_SCENARIOS),
        port=settings.deepgram_port,
        record=False,
    )

    async def run(_app: web.Application) -> AsyncIterator[None]:
        async with openai, deepgram:
            yield

    app.cleanup_ctx.append(run)
    stand_in(app, "openai-realtime", lambda: openai.url)
    stand_in(app, "deepgram", lambda: deepgram.url)
