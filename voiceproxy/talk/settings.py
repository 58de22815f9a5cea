"""The Settings message this client sends.

``settings.json`` is fit for every backend: it names the provider and model of what the strictest
parser of the protocol wants named (Deepgram's: a ``think`` is refused without them), and no voice,
which every backend has a default for and none has another's.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

INPUT_RATE = 16_000
"""Samples per second of the user's audio, unless a WAV file's own rate can be declared."""

OUTPUT_RATE = 24_000
"""Samples per second of the agent's audio: 16-bit mono without a container."""


def make_settings(
    *,
    sample_rate: int = INPUT_RATE,
    prompt: str | None = None,
    greeting: str | None = None,
    functions: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Make a Settings message; what is not given is as in ``settings.json`` or left out."""
    settings: dict[str, Any] = orjson.loads((files(__package__) / "settings.json").read_bytes())
    settings["audio"]["input"]["sample_rate"] = sample_rate
    agent = settings["agent"]
    if prompt is not None:
        agent["think"]["prompt"] = prompt
    if functions:
        agent["think"]["functions"] = list(functions)
    if greeting:
        agent["greeting"] = greeting
    return settings
