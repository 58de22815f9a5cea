"""What Settings, and the Update messages after them, made of a session."""

from __future__ import annotations

import uuid
from typing import Any

from voiceproxy_simulator.deepgram.agent_errors import Fault, unparsable
from voiceproxy_simulator.deepgram.agent_limits import (
    FLUX_VOICE,
    MOST_PROMPT,
    check_functions,
    check_input,
    check_listen,
    check_output,
    check_speak,
    check_think,
    one_or_more,
)
from voiceproxy_simulator.deepgram.agent_providers import listen_version
from voiceproxy_simulator.deepgram.audio import RAW, audio_format
from voiceproxy_simulator.deepgram.scenario import Message
from voiceproxy_simulator.formats import AudioFormat

_INPUT = {"encoding": "linear16", "sample_rate": 24_000}


class Configuration:
    """The settings in force. Made from a ``Settings`` message; raises ``Fault`` for what cannot be
    served."""

    def __init__(self, settings: Message, *, think_live: bool) -> None:
        self.think_live = think_live
        agent = _agent(settings["agent"])
        self.experimental = bool(settings.get("experimental"))
        self.history = (settings.get("flags") or {}).get("history") is not False
        self.greeting: str = agent.get("greeting") or ""
        self.flux_listener = False
        self.managed = True
        self.prompt = ""
        self.voice = FLUX_VOICE
        self.functions: list[dict[str, Any]] = []
        if agent.get("think_live") is not None:
            self.update_think_live()
        self.update_listen(agent.get("listen"))
        self.update_think(agent.get("think"))
        self.update_speak(agent.get("speak"))
        audio = settings["audio"]
        self.input = _input(audio.get("input") or _INPUT)
        self.output = _output(audio.get("output") or {}, self.voice)

    def update_listen(self, listen: dict[str, Any] | None) -> None:
        """``agent.listen``, or ``listen`` of UpdateListen."""
        check_listen(listen)
        provider = (listen or {}).get("provider") or {}
        self.flux_listener = listen_version(provider) == "v2"

    def update_think(self, think: Any) -> None:
        """``agent.think``, or ``think`` of UpdateThink; the first of a chain counts."""
        chain = one_or_more(think)
        check_think(chain)
        first = chain[0] if chain else {}
        check_functions(first.get("functions") or [])
        self.managed = not first.get("endpoint")
        self.functions = first.get("functions") or []
        self.prompt = first.get("prompt") or ""

    def update_think_live(self) -> None:
        """``agent.think_live``. Raises ``Fault`` unless the project is invited."""
        if not self.think_live:
            raise unparsable("agent.think_live")

    def update_speak(self, speak: Any) -> None:
        """``agent.speak``, or ``speak`` of UpdateSpeak; the first of a chain counts."""
        chain = one_or_more(speak)
        check_speak(chain)
        self.voice = _voice(chain[0]["provider"]) if chain else FLUX_VOICE

    def add_to_prompt(self, prompt: str) -> None:
        """``UpdatePrompt``: it goes behind the prompt there is."""
        self.prompt = f"{self.prompt}\n{prompt}" if self.prompt else prompt

    def shorten_prompt(self) -> bool:
        """Cut the prompt to what a managed model reads; whether that was necessary."""
        too_long = self.managed and len(self.prompt) > MOST_PROMPT
        if too_long:
            self.prompt = self.prompt[:MOST_PROMPT]
        return too_long

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The functions as the script has them."""
        return [{"type": "function", **one} for one in self.functions]

    def is_client_side(self, name: str) -> bool:
        """Whether the client is to call the function of this name: it has no endpoint."""
        named = (one for one in self.functions if one["name"] == name)
        return not any(one.get("endpoint") for one in named)


def _agent(agent: Any) -> dict[str, Any]:
    """The agent, or an empty one in the place of a stored agent, of which only the id is known."""
    if isinstance(agent, dict):
        return agent
    try:
        uuid.UUID(agent)
    except ValueError:
        raise Fault("INVALID_AGENT_ID", "The agent id is not a UUID.") from None
    return {}


def _input(audio: dict[str, Any]) -> AudioFormat | None:
    """None for what is encoded: it is heard as nothing."""
    check_input(audio)
    encoding = audio["encoding"]
    return audio_format(encoding, audio["sample_rate"]) if encoding in RAW else None


def _output(audio: dict[str, Any], voice: str) -> AudioFormat:
    encoding = audio.get("encoding") or "linear16"
    rate = audio.get("sample_rate") or (24_000 if encoding == "linear16" else 8_000)
    check_output(encoding, rate, audio.get("container") or "none", voice)
    return audio_format(encoding, rate)


def _voice(provider: dict[str, Any]) -> str:
    """What the voice is called, whoever provides it."""
    voice = provider.get("voice")
    if isinstance(voice, dict):
        return str(voice["id"])
    return str(voice or provider.get("model") or provider["model_id"])
