"""The effective configuration of a session: its defaults, what may change, and when."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from voiceproxy_simulator import refusals
from voiceproxy_simulator.formats import FORMATS, PCM, AudioFormat
from voiceproxy_simulator.refusals import Refusal

Config = dict[str, Any]

_SERVER_VAD: Config = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
    "idle_timeout_ms": None,
}
_SEMANTIC_VAD: Config = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TURN_DETECTION = {one["type"]: one for one in (_SERVER_VAD, _SEMANTIC_VAD)}
_SEMANTIC_SILENCE_MS = {"low": 1200, "medium": 600, "auto": 600, "high": 300}
"""Energy knows no meaning: an eager listener waits for less silence."""

_INSTRUCTIONS = "You are the simulator: say what you were told, and never claim to understand it."
_KEYWORD_MODELS = frozenset({"gpt-transcribe", "gpt-live-transcribe"})
_WHISPER = "gpt-realtime-whisper"


class Configuration:
    """One session's settings as ``session.created`` and ``session.updated`` show them."""

    def __init__(self, kind: str, model: str, session_id: str, expires_at: int) -> None:
        make = _realtime if kind == "realtime" else _transcription
        identity = {"type": kind, "id": session_id, "expires_at": expires_at}
        self._config: Config = identity | make(model)

    def echo(self) -> Config:
        """A copy of everything, for the wire."""
        return copy.deepcopy(self._config)

    def update(self, changes: Config, *, spoken: bool, responding: bool) -> None:
        """Take over a ``session.update`` as a whole, or raise ``Refusal`` and change nothing.

        ``spoken``: the model has produced audio. ``responding``: a response is active.
        """
        for refusal in self._problems(changes, spoken=spoken, responding=responding):
            raise refusal
        changes = copy.deepcopy(changes)
        audio = changes.pop("audio", None) or {}
        self._config.update(changes)
        for side, settings in audio.items():
            self._config["audio"][side].update(_completed(settings))

    @property
    def kind(self) -> str:
        """``realtime`` or ``transcription``."""
        return str(self._config["type"])

    @property
    def input_format(self) -> AudioFormat:
        """The format audio is appended in."""
        return FORMATS[self._config["audio"]["input"]["format"]["type"]]

    @property
    def transcription(self) -> Config | None:
        """How input audio is transcribed; None: not at all."""
        found: Config | None = self._config["audio"]["input"]["transcription"]
        return found

    @property
    def wants_log_probabilities(self) -> bool:
        """``include`` asks for them in transcriptions."""
        return bool(self._config.get("include"))

    @property
    def turn_detection(self) -> Config | None:
        """The voice-activity detection in force; None: the client commits."""
        found: Config | None = self._config["audio"]["input"]["turn_detection"]
        return found

    @property
    def silence_ms(self) -> int:
        """How much quiet ends an utterance."""
        detection = self.turn_detection or _SERVER_VAD
        if detection["type"] == "semantic_vad":
            return _SEMANTIC_SILENCE_MS[detection["eagerness"]]
        return int(detection["silence_duration_ms"])

    def for_response(self, overrides: Config) -> Config:
        """The settings of one response: the session's, and what ``response.create`` overrides."""
        config = self.echo()
        overrides = copy.deepcopy(overrides)
        output = (overrides.pop("audio", None) or {}).get("output") or {}
        config.update(overrides)
        config["audio"]["output"].update(_completed(output))
        return config

    def _problems(self, changes: Config, *, spoken: bool, responding: bool) -> Iterator[Refusal]:
        output = (changes.get("audio") or {}).get("output") or {}
        yield from self._fixed(changes)
        if spoken and "voice" in output:
            yield refusals.voice_locked()
        if responding and "speed" in output:
            path = "session.audio.output.speed"
            yield refusals.invalid_value(path, "The speed can only be changed between turns.")
        yield from _transcription_problems((changes.get("audio") or {}).get("input") or {})

    def _fixed(self, changes: Config) -> Iterator[Refusal]:
        """What cannot change once it is there."""
        if changes["type"] != self.kind:
            message = f"Cannot change the type of this session from '{self.kind}'."
            yield refusals.invalid_value("session.type", message)
        if changes.get("model", self._config.get("model")) != self._config.get("model"):
            message = "The model of a session cannot be changed once it is connected."
            yield refusals.invalid_value("session.model", message)
        if self._config.get("tracing") is not None and "tracing" in changes:
            message = "Tracing cannot be modified once it is enabled."
            yield refusals.invalid_value("session.tracing", message)
        if "reasoning" in changes and not _reasons(self._config["model"]):
            message = "Unsupported parameter: 'reasoning' is not supported with this model."
            yield Refusal("unsupported_parameter", message, "session.reasoning")


def _reasons(model: str) -> bool:
    return model.startswith("gpt-realtime-2") and not model.startswith("gpt-realtime-2025")


def _completed(settings: Config) -> Config:
    """One side of the audio with the defaults of what it names."""
    detection = settings.get("turn_detection")
    if detection is not None:
        settings["turn_detection"] = _TURN_DETECTION[detection["type"]] | detection
    form = settings.get("format")
    if form is not None:
        settings["format"] = FORMATS[form["type"]].described()
    return settings


def _transcription_problems(audio_input: Config) -> Iterator[Refusal]:
    """What a transcription model does not take."""
    transcription = audio_input.get("transcription") or {}
    path = "session.audio.input.transcription"
    model = transcription.get("model")
    for name in ("languages", "keywords"):
        if name in transcription and model not in _KEYWORD_MODELS:
            yield _unsupported(f"{path}.{name}", model)
    if transcription.get("languages") == []:
        message = f"Invalid '{path}.languages': expected at least 1 language."
        yield refusals.invalid_value(f"{path}.languages", message)
    if "delay" in transcription and model != _WHISPER:
        yield _unsupported(f"{path}.delay", model)
    if model == _WHISPER and "prompt" in transcription:
        yield _unsupported(f"{path}.prompt", model)
    if model == _WHISPER and audio_input.get("turn_detection") is not None:
        yield _unsupported("session.audio.input.turn_detection", model)


def _unsupported(path: str, model: str | None) -> Refusal:
    message = f"Unsupported parameter: '{path}' is not supported with this transcription model."
    return refusals.invalid_value(path, message if model else f"'{path}' needs a model.")


def _audio_input() -> Config:
    return {
        "format": PCM.described(),
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(_SERVER_VAD),
    }


def _realtime(model: str) -> Config:
    return {
        "object": "realtime.session",
        "model": model,
        "output_modalities": ["audio"],
        "instructions": _INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "audio": {
            "input": _audio_input(),
            "output": {"format": PCM.described(), "voice": "alloy", "speed": 1.0},
        },
    }


def _transcription(_model: str) -> Config:
    return {
        "object": "realtime.transcription_session",
        "include": None,
        "audio": {"input": _audio_input()},
    }
