"""The simulator's settings: VOICEPROXY_SIMULATOR_PACE, VOICEPROXY_SIMULATOR_SCENARIO."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from marshmallow import fields, validate

from voiceproxy import SettingsSchema
from voiceproxy_simulator.deepgram.scenarios import DEEPGRAM_SCENARIOS
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenarios import SCENARIOS


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the simulated APIs behave."""

    pace: Pace
    scenario: str
    port: int
    deepgram_port: int

    def scenario_among(self, names: Container[str]) -> str:
        """The scenario, for the API that has it; ``""`` for the other."""
        return self.scenario if self.scenario in names else ""


class SimulatorSettingsSchema(SettingsSchema):
    """The simulated upstreams."""

    section = "simulator"
    makes = SimulatorSettings

    pace = fields.String(
        load_default="realtime",
        validate=validate.OneOf(["realtime", "burst"]),
        metadata={"help": "realtime: replies as fast as they are spoken; burst: at once"},
    )
    scenario = fields.String(
        load_default="",
        validate=validate.OneOf(["", *SCENARIOS, *DEEPGRAM_SCENARIOS]),
        metadata={
            "help": f"the fault to simulate, one of: {', '.join(SCENARIOS)}; "
            f"of Deepgram's APIs: {', '.join(DEEPGRAM_SCENARIOS)}"
        },
    )
    port = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 65535),
        metadata={"help": "the port on 127.0.0.1 OpenAI's API listens on; 0 picks one"},
    )
    deepgram_port = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 65535),
        metadata={"help": "the port on 127.0.0.1 Deepgram's APIs listen on; 0 picks one"},
    )
