"""The agent's voice and the audio it comes in, from the Settings (MAP-14)."""

from __future__ import annotations

from typing import NamedTuple

from voiceproxy_openai.audio_formats import (
    NATIVE_TYPES,
    AudioFormat,
    UnsupportedAudio,
    declared,
)
from voiceproxy_openai.reading import Event, number_at, object_at, objects_at, text_at

VOICES = frozenset(
    ["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"]
)
"""The API's built-in voices."""

SPEED = (0.25, 1.5)


class Voice(NamedTuple):
    """What comes out, and where it is converted."""

    described: Event
    """As ``session.audio.output`` says it."""
    upstream: AudioFormat
    client: AudioFormat
    wav: bool


def output_audio(
    audio: Event, agent: Event, default_voice: str, warnings: list[tuple[str, str]]
) -> Voice:
    """Understand ``audio.output``, ``agent.speak`` and ``agent.sessionAudioOutput``.

    Raises UnsupportedAudio for an encoding, rate or container that cannot be served.
    """
    asked = object_at(audio, "output")
    extras = object_at(agent, "sessionAudioOutput")
    upstream = NATIVE_TYPES.get(text_at(object_at(extras, "format"), "type"))
    client = _client_format(asked, upstream)
    upstream = upstream or client.native
    described: Event = {"format": upstream.described()}
    speed = number_at(extras, "speed")
    if speed is not None and SPEED[0] <= speed <= SPEED[1]:
        described["speed"] = speed
    voice = _named_voice(extras) or spoken_voice(agent, warnings) or default_voice
    if voice:
        described["voice"] = voice
    return Voice(described, upstream, client, wav=text_at(asked, "container") == "wav")


def _client_format(asked: Event, upstream: AudioFormat | None) -> AudioFormat:
    named = asked.get("encoding") or asked.get("sample_rate")
    client = declared("audio.output", asked, 24000) if named or upstream is None else upstream
    container = text_at(asked, "container")
    if container not in ("", "none", "wav"):
        raise UnsupportedAudio(
            f"audio.output.container: {container[:40]!r} is not served; use none or wav."
        )
    return client


def _named_voice(extras: Event) -> str | Event:
    """``sessionAudioOutput.voice``: a name, or ``{id}`` of a custom voice."""
    custom = text_at(object_at(extras, "voice"), "id").strip()
    return {"id": custom} if custom else text_at(extras, "voice").strip()


def spoken_voice(agent: Event, warnings: list[tuple[str, str]]) -> str | Event:
    """The first of ``agent.speak`` (a fallback chain) that names one of OpenAI's voices."""
    asked = False
    for provider in (object_at(speak, "provider") for speak in objects_at(agent, "speak")):
        own = text_at(object_at(provider, "voice"), "id")  # ``{mode, id}``
        names = [own, *(text_at(provider, key) for key in ("voice", "model", "model_id"))]
        asked = asked or any(names)
        for name in names:
            if name.lower() in VOICES:
                return name.lower()
            if name.startswith("voice_"):
                return {"id": name}
    if asked:
        description = (
            "agent.speak: the voice is not one of OpenAI's; the default voice speaks. "
            f"OpenAI has {', '.join(sorted(VOICES))}."
        )
        warnings.append(("VOICE_NOT_AVAILABLE", description))
    return ""
