"""Upstreams in the box: an OpenAI Realtime API that is strict, scripted and can have bad days.

As a plugin (``--plugin simulator``) it stands in for the real service. In tests it is used by
itself: ``async with SimulatedOpenAI() as upstream``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from voiceproxy import hookimpl, settings_of, stand_in
from voiceproxy_simulator.journal import RULES, Received, Violation
from voiceproxy_simulator.scenario import Cut, Scenario
from voiceproxy_simulator.scenarios import SCENARIOS
from voiceproxy_simulator.server import SimulatedOpenAI
from voiceproxy_simulator.settings import SimulatorSettings, SimulatorSettingsSchema

__all__ = [
    "RULES",
    "SCENARIOS",
    "Cut",
    "Received",
    "Scenario",
    "SimulatedOpenAI",
    "SimulatorSettings",
    "Violation",
    "voiceproxy_settings",
    "voiceproxy_setup",
]

voiceproxy_settings = SimulatorSettingsSchema


@hookimpl
def voiceproxy_setup(app: web.Application) -> None:
    """Run a simulated API beside the application, and have it dialled instead of the real one."""
    settings = settings_of(app, SimulatorSettings)
    upstream = SimulatedOpenAI(
        pace=settings.pace, scenario=settings.scenario, port=settings.port, record=False
    )

    async def run(_app: web.Application) -> AsyncIterator[None]:
        async with upstream:
            yield

    app.cleanup_ctx.append(run)
    stand_in(app, "openai-realtime", lambda: upstream.url)
