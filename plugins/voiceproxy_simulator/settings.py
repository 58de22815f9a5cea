"""The simulator's settings: VOICEPROXY_SIMULATOR_PACE, VOICEPROXY_SIMULATOR_SCENARIO."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import fields, validate

from voiceproxy import SettingsSchema
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.scenarios import SCENARIOS


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the simulated API behaves."""

    pace: Pace
    scenario: str
    port: int


class SimulatorSettingsSchema(SettingsSchema):
    """The simulated upstream."""

    section = "simulator"
    makes = SimulatorSettings

    pace = fields.String(
        load_default="realtime",
        validate=validate.OneOf(["realtime", "burst"]),
        metadata={"help": "realtime: replies as fast as they are spoken; burst: at once"},
    )
    scenario = fields.String(
        load_default="",
        validate=validate.OneOf(["", *SCENARIOS]),
        metadata={"help": f"the fault to simulate, one of: {', '.join(SCENARIOS)}"},
    )
    port = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 65535),
        metadata={"help": "the port on 127.0.0.1 the simulated API listens on; 0 picks one"},
    )
