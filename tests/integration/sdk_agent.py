"""What the tests say to an agent and how they read its answers, in the types of Deepgram's SDK."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from deepgram.agent.v1 import types as sdk
from deepgram.types import ThinkSettingsV1
from deepgram_line import Heard, Line

HEARD = "2.7 s of speech"
"""What either simulator hears in the recording."""


def settings(
    *, functions: Sequence[dict[str, Any]] = (), greeting: str | None = None, **audio: Any
) -> sdk.AgentV1Settings:
    """Settings as users of the SDK write them; ``audio`` is for ``audio.input``."""
    return sdk.AgentV1Settings(
        audio=sdk.AgentV1SettingsAudio(
            input=sdk.AgentV1SettingsAudioInput.model_validate(
                {"encoding": "linear16", "sample_rate": 16000} | audio
            ),
            output=sdk.AgentV1SettingsAudioOutput(
                encoding="linear16", sample_rate=24000, container="none"
            ),
        ),
        agent=sdk.AgentV1SettingsAgent(
            greeting=greeting,
            think=ThinkSettingsV1.model_validate(
                {
                    "provider": {"type": "open_ai", "model": "gpt-4o-mini", "temperature": 1.0},
                    "prompt": "Be brief.",
                    "functions": list(functions) or None,
                }
            ),
        ),
    )


async def greet(line: Line, message: sdk.AgentV1Settings | None = None) -> None:
    """Welcome, Settings, SettingsApplied."""
    await line.one(sdk.AgentV1Welcome)
    await line.settings(message or settings())
    await line.one(sdk.AgentV1SettingsApplied)
    kinds = [type(one) for one in line.heard]
    assert kinds == [sdk.AgentV1Welcome, sdk.AgentV1SettingsApplied]


def names(heard: Sequence[Heard]) -> list[str]:
    """What was heard, in words; audio once for any run of it, without History."""
    shown = [one for one in heard if getattr(one, "type", "") != "History"]
    return [name for name, _ in groupby(map(_name, shown))]


def _name(one: Heard) -> str:
    if isinstance(one, bytes):
        return "audio"
    if isinstance(one, sdk.AgentV1ConversationText):
        return f"{one.role}: {one.content}"
    return type(one).__name__.removeprefix("AgentV1")


def said(heard: Sequence[Heard], role: str = "assistant") -> str:
    """The words of one side."""
    texts = [one for one in heard if isinstance(one, sdk.AgentV1ConversationText)]
    return " ".join(one.content for one in texts if one.role == role)


def sound(heard: Sequence[Heard]) -> bytes:
    """All audio, joined."""
    return b"".join(one for one in heard if isinstance(one, bytes))
