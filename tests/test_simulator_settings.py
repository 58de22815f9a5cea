"""The simulator as a plugin: its settings, and the stand-in it registers."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpClient

import voiceproxy
import voiceproxy_simulator
from voiceproxy import create_app
from voiceproxy_simulator import SCENARIOS, SimulatorSettingsSchema


def test_the_settings_have_defaults_fit_for_a_person() -> None:
    settings = SimulatorSettingsSchema().load({})
    assert (settings.pace, settings.scenario, settings.port) == ("realtime", "", 0)


def test_the_scenario_setting_lists_every_scenario() -> None:
    help_text = SimulatorSettingsSchema().fields["scenario"].metadata["help"]
    assert all(name in help_text for name in SCENARIOS)


class Relay:
    """A backend that only relays, so that a client of it talks to the stand-in itself."""

    @voiceproxy.hookimpl
    def voiceproxy_setup(self, app: web.Application) -> None:
        def upstream(_session: voiceproxy.Session, stand_in: str | None) -> voiceproxy.Upstream:
            return voiceproxy.Upstream(f"{stand_in}?model=gpt-realtime")

        endpoint = voiceproxy.Endpoint("relay", "/relay", upstream, "openai-realtime")
        voiceproxy.add_endpoint(app, endpoint)


async def test_as_a_plugin_it_is_dialled_instead_of_the_real_service(
    aiohttp_client: AiohttpClient,
) -> None:
    settings = {"simulator.pace": "burst", "simulator.scenario": "junk"}
    app = create_app([Relay(), voiceproxy_simulator], settings=settings, environ={})
    client = await aiohttp_client(app)
    async with asyncio.timeout(10), client.ws_connect("/relay") as ws:
        created = await ws.receive_json()
        assert created["type"] == "session.created"
        await ws.send_json({"type": "response.create"})
        assert await ws.receive_str() == "this is not JSON"


@pytest.mark.parametrize(
    ("name", "value"), [("scenario", "unknown"), ("pace", "slow"), ("port", 70000)]
)
def test_a_wrong_setting_is_reported_by_its_variable(name: str, value: object) -> None:
    with pytest.raises(voiceproxy.SettingsError, match=f"VOICEPROXY_SIMULATOR_{name.upper()}"):
        create_app([voiceproxy_simulator], settings={f"simulator.{name}": value}, environ={})
