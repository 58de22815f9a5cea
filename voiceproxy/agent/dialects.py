"""The two dialects of the protocol: what each has of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Dialect = Literal["component", "agent"]
"""``component``: what dg_react_agent expects. ``agent``: the messages Deepgram publishes."""

ONLY: Mapping[str, Dialect] = MappingProxyType(
    {
        "AgentDone": "component",
        "Transcript": "component",
        "UtteranceEnd": "component",
        "History": "agent",
    }
)
"""Message type -> the one dialect that has it. Every other message to the client is in both."""

_INPUT_RATES: Mapping[Dialect, int] = MappingProxyType({"component": 16_000, "agent": 24_000})


def default_input_rate(dialect: Dialect) -> int:
    """Return the rate in Hz of the client's audio, linear16, when its Settings give no input.

    16000 for a component, whose microphone path is fixed (contract AUD-4); 24000 as Deepgram has
    it for everybody else.
    """
    return _INPUT_RATES[dialect]
