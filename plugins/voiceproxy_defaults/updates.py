"""What clients ask to change during a session, with the overrides over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voiceproxy_defaults.merge import over

PARTS: Mapping[str, str] = {
    "UpdateSpeak": "speak",
    "UpdateThink": "think",
    "UpdateThink_Live": "think_live",
    "UpdateListen": "listen",
}
"""Message type -> its field, which has the name of the part of ``agent`` it replaces."""

Message = dict[str, Any]


def overridden(message: Message, overrides: Mapping[str, Any]) -> Message | None:
    """The message as it may go on, the same one if it asks for nothing that is overridden.

    None when all it asks for has been taken away by a null.
    """
    agent, kind = overrides.get("agent"), message.get("type")
    if not isinstance(agent, dict) or not isinstance(kind, str):
        return message
    if kind == "UpdatePrompt":
        return _with_prompt(message, agent.get("think"))
    part = PARTS.get(kind)
    if part is None or part not in agent:
        return message
    if agent[part] is None:
        return None
    asked = message.get(part)
    if asked is None and kind == "UpdateSpeak":  # as older clients name a voice
        asked = {"provider": {"model": message.get("model")}}
    merged = over(asked, agent[part])
    return message if merged == asked else {"type": kind, part: merged}


def _with_prompt(message: Message, think: Any) -> Message | None:
    first = think[0] if isinstance(think, list) else think
    if not isinstance(first, dict) or "prompt" not in first:
        return message
    return None if first["prompt"] is None else {**message, "prompt": first["prompt"]}
