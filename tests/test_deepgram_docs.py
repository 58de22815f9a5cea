"""The how-to names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from voiceproxy_deepgram.backend import Backend
from voiceproxy_deepgram.query import OURS
from voiceproxy_deepgram.settings import DeepgramSettings, DeepgramSettingsSchema
from voiceproxy_deepgram.settings_message import OF_AGENT, OF_FUNCTION, OF_THINK

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "deepgram.md").read_text()
SETTINGS = set(DeepgramSettingsSchema().fields)


def test_every_setting_it_names_exists():
    flags = {name.replace("-", "_") for name in re.findall(r"--deepgram-([a-z-]+)", PAGE)}
    variables = {name.lower() for name in re.findall(r"VOICEPROXY_DEEPGRAM_([A-Z_]+)", PAGE)}
    assert flags | variables <= SETTINGS
    secrets = {
        name for name, it in DeepgramSettingsSchema().fields.items() if "secret" in it.metadata
    }
    assert not flags & secrets


def test_every_path_and_every_parameter_of_ours_is_named():
    named = [one.path for one in Backend(DeepgramSettings()).endpoints()] + sorted(OURS)
    assert [name for name in named if f"`{name}`" not in PAGE] == []


def test_everything_left_out_of_settings_is_named():
    names = [name for group in (OF_AGENT, OF_THINK, OF_FUNCTION) for name in group]
    assert [name for name in names if name not in PAGE] == []


def test_the_silences_are_the_defaults():
    assert "half a second of silence" in PAGE
    assert "5 seconds of any silence" in PAGE
    defaults = DeepgramSettings()
    assert (defaults.audio_done_after, defaults.turn_done_after) == (0.5, 5.0)
