"""The simulator as a plugin: its settings, and the stand-ins it registers."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpClient

import voiceproxy
import voiceproxy_simulator
from voiceproxy import create_app
from voiceproxy_simulator import DEEPGRAM_SCENARIOS, SCENARIOS, SimulatorSettingsSchema


def test_the_settings_have_defaults_fit_for_a_person() -> None:
    settings = SimulatorSettingsSchema().load({})
    assert (settings.pace, settings.scenario) == ("realtime", "")
    assert (settings.port, settings.deepgram_port) == (0, 0)


def test_the_scenario_setting_lists_every_scenario() -> None:
    help_text = SimulatorSettingsSchema().fields["scenario"].metadata["help"]
    assert all(name in help_text for name in [*SCENARIOS, *DEEPGRAM_SCENARIOS])


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


class Relay:
    """A backend that only relays, so that a client of it talks to the stand-ins themselves."""

    @voiceproxy.hookimpl
    def voiceproxy_setup(self, app: web.Application) -> None:
        self._relay(app, "openai-realtime", "?model=gpt-realtime")
        self._relay(app, "deepgram", "/v1/agent/converse")

    def _relay(self, app: web.Application, protocol: str, rest: str) -> None:
        def upstream(_session: voiceproxy.Session, stand_in: str | None) -> voiceproxy.Upstream:
            return voiceproxy.Upstream(f"{stand_in}{rest}")

        endpoint = voiceproxy.Endpoint(protocol, f"/{protocol}", upstream, protocol)
        voiceproxy.add_endpoint(app, endpoint)


async def test_as_a_plugin_it_is_dialled_instead_of_the_real_service(
    aiohttp_client: AiohttpClient,
) -> None:
    settings = {"simulator.pace": "burst", "simulator.scenario": "junk"}
    app = create_app([Relay(), voiceproxy_simulator], settings=settings, environ={})
    client = await aiohttp_client(app)
    async with asyncio.timeout(10), client.ws_connect("/openai-realtime") as ws:
        created = await ws.receive_json()
        assert created["type"] == "session.created"
        await ws.send_json({"type": "response.create"})
        assert await ws.receive_str() == "this is not JSON"
    async with asyncio.timeout(10), client.ws_connect("/deepgram") as ws:
        assert (await ws.receive_json())["type"] == "Welcome"


async def test_a_scenario_of_one_api_leaves_the_other_as_it_should_be(
    aiohttp_client: AiohttpClient,
) -> None:
    settings = {"simulator.scenario": "refused-402"}
    app = create_app([Relay(), voiceproxy_simulator], settings=settings, environ={})
    client = await aiohttp_client(app)
    async with asyncio.timeout(10), client.ws_connect("/openai-realtime") as ws:
        assert (await ws.receive_json())["type"] == "session.created"
    async with asyncio.timeout(10), client.get("/deepgram", headers=UPGRADE) as refused:
        assert refused.status == 402


@pytest.mark.parametrize(
    ("name", "value"),
    [("scenario", "unknown"), ("pace", "slow"), ("port", 70000), ("deepgram_port", -1)],
)
def test_a_wrong_setting_is_reported_by_its_variable(name: str, value: object) -> None:
    with pytest.raises(voiceproxy.SettingsError, match=f"VOICEPROXY_SIMULATOR_{name.upper()}"):
        create_app([voiceproxy_simulator], settings={f"simulator.{name}": value}, environ={})
