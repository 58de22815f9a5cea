"""Voice Agent Settings to the session of a ``session.update`` (MAP-1 to MAP-16)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from voiceproxy_openai.audio_formats import AudioFormat, UnsupportedAudio, declared
from voiceproxy_openai.reading import (
    Event,
    first_object_at,
    integer_at,
    number_at,
    object_at,
    objects_at,
    strings_at,
    text_at,
)
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.voices import output_audio

TOOL_SENTENCE = "When you receive results from tool calls, use them in your reply to the user."
"""Appended to the instructions when there are functions (MAP-4)."""

MAX_OUTPUT_TOKENS = 4096
"""The most the API takes as a number; more than that is no limit at all: ``"inf"``."""

IDLE_TIMEOUT_MS = (5000, 30000)
"""The band the API allows for ``idle_timeout_ms`` (K-6)."""

_TAKE_NO_PROMPT = ("realtime-whisper", "diarize")
"""In the names of transcription models."""

_CONVERSES = re.compile(r"realtime(?!.*(?:whisper|transcri|translat))", re.IGNORECASE)
"""Names of models one can talk with; others of that family only write down or translate."""

_VAD = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200}


class UnsupportedSettings(ValueError):
    """Settings this backend cannot serve. The text names the path."""


class SessionPlan(NamedTuple):
    """One client's Settings, understood."""

    session: Event
    """What ``session.update`` carries."""
    agent: Event
    """``Settings.agent``, for the updates that follow."""
    input: AudioFormat
    """What the client sends."""
    upstream_output: AudioFormat
    """What the upstream sends."""
    output: AudioFormat
    """What the client gets."""
    wav: bool = False
    """Whether each reply begins with a WAV header."""
    greeting: str = ""
    history: bool = True
    manual_commit: bool = False
    warnings: Sequence[tuple[str, str]] = ()
    """(code, description) of what is done otherwise than asked."""


def plan_session(message: Event, settings: OpenAISettings, model: str, rate: int) -> SessionPlan:
    """Understand a Settings message.

    ``model`` is the one the connection was made for (``""``: unknown, then none is named) and
    ``rate`` what linear16 input without a declared rate has. Raises UnsupportedSettings.
    """
    if isinstance(message.get("agent"), str):
        raise UnsupportedSettings("agent: stored agents are not served here; send the settings.")
    agent = object_at(message, "agent")
    think = first_object_at(agent, "think")
    audio = object_at(message, "audio")
    warnings: list[tuple[str, str]] = []
    try:
        source = _format_at(audio, "input", rate)
        voice = output_audio(audio, agent, settings.voice, warnings)
    except UnsupportedAudio as error:
        raise UnsupportedSettings(str(error)) from error
    manual = agent.get("useOpenAIManualAudioCommit") is True
    session: Event = {"type": "realtime", **think_options(agent, think)}
    _choose_model(session, think, model, warnings)
    session["audio"] = {
        "input": {
            "format": source.native.described(),
            "transcription": transcription(agent, settings),
            "turn_detection": None if manual else turn_detection(agent),
        },
        "output": voice.described,
    }
    return SessionPlan(
        session=session,
        agent=agent,
        input=source,
        upstream_output=voice.upstream,
        output=voice.client,
        wav=voice.wav,
        greeting=_greeting(agent),
        history=object_at(message, "flags").get("history") is not False,
        manual_commit=manual,
        warnings=warnings,
    )


def _format_at(audio: Event, key: str, default_rate: int) -> AudioFormat:
    given = object_at(audio, key)
    return declared(f"audio.{key}", given, default_rate)


def asked_model(think: Event) -> str:
    """The provider's model if it is one for conversations over the Realtime API, else ``""``."""
    model = text_at(object_at(think, "provider"), "model").strip()
    return model if _CONVERSES.search(model) else ""


def _choose_model(
    session: Event, think: Event, model: str, warnings: list[tuple[str, str]]
) -> None:
    """The connection's own model, which cannot change after it was made (MAP-2, DEF-23)."""
    asked = asked_model(think)
    if asked and asked != model:
        description = (
            f"agent.think.provider.model: this connection was made for {model or 'another'}; "
            "the proxy's settings decide."
        )
        warnings.append(("MODEL_NOT_APPLIED", description))
    if model:
        session["model"] = model


def instructions(agent: Event, think: Event) -> str:
    """The prompt, the conversation so far, and a sentence about tools (MAP-3, MAP-4, SES-12)."""
    prompt = text_at(think, "prompt")
    blocks = [prompt] if prompt else []
    lines = [line for entry in _context(agent) for line in _context_lines(entry)]
    if lines:
        blocks.append("\n".join(["Previous conversation:", *lines]))
    if objects_at(think, "functions"):
        blocks.append(TOOL_SENTENCE)
    return "\n\n".join(blocks)


def _context(agent: Event) -> list[Event]:
    return objects_at(object_at(agent, "context"), "messages")


def _context_lines(entry: Event) -> list[str]:
    calls = objects_at(entry, "function_calls")
    if calls:
        return [
            f"function {text_at(call, 'name')}({text_at(call, 'arguments')}): "
            f"{text_at(call, 'response')}"
            for call in calls
        ]
    role = "assistant" if entry.get("role") == "assistant" else "user"
    content = text_at(entry, "content").strip()
    return [f"{role}: {content}"]


def _greeting(agent: Event) -> str:
    """None when the Settings carry a conversation: it has been said already (SES-10)."""
    greeting = text_at(agent, "greeting")
    return "" if _context(agent) or not greeting.strip() else greeting


def turn_detection(agent: Event) -> Event:
    """Server VAD that answers and interrupts by itself (MAP-5)."""
    return {
        "type": "server_vad",
        **_VAD,
        "idle_timeout_ms": idle_timeout(agent),
        "create_response": True,
        "interrupt_response": True,
    }


def idle_timeout(agent: Event) -> int | None:
    """``idleTimeoutMs`` inside the API's band; None when absent or negative (MAP-6)."""
    given = number_at(agent, "idleTimeoutMs")
    if given is None or given < 0:
        return None
    low, high = IDLE_TIMEOUT_MS
    return min(max(int(given + 0.5), low), high)


def transcription(agent: Event, settings: OpenAISettings) -> Event | None:
    """What the user says is written down in the language the Settings name (DEF-22).

    Key terms are keywords where the model has such, and part of the prompt where it has not.
    """
    model = settings.transcription_model
    if not model:
        return None
    provider = object_at(object_at(agent, "listen"), "provider")
    takes_lists = model in ("gpt-transcribe", "gpt-live-transcribe")
    given: Event = {"model": model, **_languages(agent, provider, settings, several=takes_lists)}
    keyterms = [term for term in strings_at(provider, "keyterms") if term.strip()]
    prompt = [settings.transcription_prompt]
    if keyterms and takes_lists:
        given["keywords"] = keyterms
    else:
        prompt.append(", ".join(keyterms))
    if not any(name in model for name in _TAKE_NO_PROMPT):
        given["prompt"] = " ".join(part for part in prompt if part)
    return given


def _languages(agent: Event, provider: Event, settings: OpenAISettings, *, several: bool) -> Event:
    """ISO 639-1 of ``en-US``; ``multi``, or more hints than the model takes, leave it to it."""
    language = text_at(provider, "language")
    hints = [] if language else strings_at(provider, "language_hints")
    asked = hints or [language or text_at(agent, "language") or settings.transcription_language]
    codes = [tag.replace("_", "-").partition("-")[0].lower() for tag in asked if tag]
    if "multi" in codes or not codes:
        return {}
    if len(codes) == 1:
        return {"language": codes[0]}
    return {"languages": codes} if several else {}


def think_options(agent: Event, think: Event) -> Event:
    """What ``agent.think`` asks of the model, as fields of the session."""
    options: Event = {"instructions": instructions(agent, think)}
    tools = [_tool(function) for function in objects_at(think, "functions")]
    if tools:
        options["tools"] = tools
    if think.get("toolChoice") is not None:  # MAP-10: as given; the upstream judges it
        options["tool_choice"] = think["toolChoice"]
    modalities = strings_at(think, "outputModalities")
    if modalities:
        options.update(_modalities(modalities))
    tokens = _max_output_tokens(think)
    if tokens is not None:
        options["max_output_tokens"] = tokens
    prompt = _managed_prompt(object_at(think, "managedPrompt"))
    if prompt is not None:
        options["prompt"] = prompt
    return options


def _tool(function: Event) -> Event:
    """MAP-9. Where the function runs is none of the model's business."""
    tool: Event = {"type": "function", "name": text_at(function, "name")}
    if text_at(function, "description"):
        tool["description"] = function["description"]
    tool["parameters"] = object_at(function, "parameters")
    return tool


def writes_only(think: Event) -> bool:
    """Whether ``agent.think`` asks for text without audio."""
    return _modalities(strings_at(think, "outputModalities")) == {"output_modalities": ["text"]}


def _modalities(asked: list[str]) -> Event:
    """The API takes one of the two; audio always brings its transcript (MAP-11)."""
    for modality in ("audio", "text"):
        if modality in asked:
            return {"output_modalities": [modality]}
    return {}


def _max_output_tokens(think: Event) -> int | str | None:
    """MAP-12."""
    tokens = integer_at(think, "maxOutputTokens")
    if not 0 < tokens <= 2**53 - 1:
        return None
    return tokens if tokens <= MAX_OUTPUT_TOKENS else "inf"


def _managed_prompt(given: Event) -> Event | None:
    """MAP-13: an id is needed, the rest is dropped when it has the wrong shape."""
    prompt: dict[str, Any] = {"id": text_at(given, "id").strip()}
    if not prompt["id"]:
        return None
    version = text_at(given, "version").strip()
    if version:
        prompt["version"] = version
    if isinstance(given.get("variables"), dict):
        prompt["variables"] = given["variables"]
    return prompt
