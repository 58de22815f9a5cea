"""Scenarios of servers that speak the protocol in another way, or speak of other things."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.wire import Event, Frame

_FRAMING = frozenset({"response.created", "response.done"})


class ReplacedIds(Scenario):
    """The server makes up the ids of items and ignores event_id and metadata, as StepFun's does."""

    def incoming(self, event: Event) -> Event:
        """What it ignores is not there."""
        if event["type"] == "conversation.item.create":
            return event | {"item": _without(event["item"], "id")}
        if event["type"] == "response.create":
            return event | {"response": _without(event.get("response") or {}, "metadata")}
        return event

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """An error does not say whose it is."""
        if event["type"] == "error":
            return (event | {"error": event["error"] | {"event_id": None}},)
        return (event,)


class CreatedOmitted(Scenario):
    """response.created never comes: a response begins with its first item."""

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """As of some bridges to other models."""
        return () if event["type"] == "response.created" else (event,)


class BetaNames(Scenario):
    """Events, items and settings have the names of the beta, which older servers still use."""

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """One ``.created`` for what is now ``.added`` and ``.done``."""
        if event["type"] == "conversation.item.done":
            return ()
        renamed = event | {"type": _BETA_NAMES.get(event["type"], event["type"])}
        for name, rewrite in (("session", _beta_session), ("response", _beta_response)):
            if name in renamed:
                renamed[name] = rewrite(renamed[name])
        if "item" in renamed:
            renamed["item"] = _beta_item(renamed["item"])
        if event["type"] == "response.function_call_arguments.done":
            del renamed["name"]
        return (renamed,)


_BETA_NAMES = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
_BETA_CONTENT = {"output_text": "text", "output_audio": "audio"}
_BETA_FORMATS = {"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}


def _beta_modalities(modalities: list[str]) -> list[str]:
    return ["text", "audio"] if "audio" in modalities else ["text"]


def _beta_output(output: dict[str, Any]) -> dict[str, Any]:
    voice = {"voice": output["voice"]} if "voice" in output else {}
    return {"output_audio_format": _BETA_FORMATS[output["format"]["type"]], **voice}


def _beta_session(session: dict[str, Any]) -> dict[str, Any]:
    """The flat session, as far as it has words for this one's settings."""
    heard = session["audio"]["input"]
    flat: dict[str, Any] = {
        "id": session["id"],
        "input_audio_format": _BETA_FORMATS[heard["format"]["type"]],
        "input_audio_transcription": heard["transcription"],
        "turn_detection": _without(heard["turn_detection"] or {}, "idle_timeout_ms") or None,
    }
    if "output" in session["audio"]:
        names = ("model", "instructions", "tools", "tool_choice")
        flat |= {name: session[name] for name in names}
        flat |= _beta_output(session["audio"]["output"])
        flat["modalities"] = _beta_modalities(session["output_modalities"])
        flat["max_response_output_tokens"] = session["max_output_tokens"]
    return flat


def _beta_response(response: dict[str, Any]) -> dict[str, Any]:
    flat = _without(response, "audio", "output_modalities")
    flat |= _beta_output(response["audio"]["output"])
    flat["modalities"] = _beta_modalities(response["output_modalities"])
    flat["output"] = [_beta_item(item) for item in response["output"]]
    return flat


def _beta_item(item: dict[str, Any]) -> dict[str, Any]:
    parts = [
        part | {"type": _BETA_CONTENT.get(part["type"], part["type"])}
        for part in item.get("content", ())
    ]
    return item | ({"content": parts} if "content" in item else {})


class MissingIndexes(Scenario):
    """Events come without event_id, indexes, previous_item_id and content parts."""

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """As of servers whose responses have one item with one part."""
        if event["type"].startswith("response.content_part."):
            return ()
        names = ("event_id", "output_index", "content_index", "previous_item_id")
        return (_without(event, *names),)


class StringError(Scenario):
    """The error of an error event is a string, with a code beside it; one precedes each reply."""

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """As of vLLM."""
        if event["type"] == "error":
            error = event["error"]
            flat = {"error": error["message"], "code": error["code"]}
            return (_without(event, "error") | flat,)
        if event["type"] == "response.created":
            flat = {"error": "The server is busy.", "code": "server_busy"}
            return ({"type": "error", **flat}, event)
        return (event,)


class UnknownEvents(Scenario):
    """Events of types and with fields of tomorrow, or of other servers, come between the others."""

    _EVENTS: tuple[Event, ...] = (
        {"type": "ping", "timestamp": 1},
        {"type": "conversation.item.speaker", "item_id": "item_other", "speaker": "A"},
        {"type": "response.output_hologram.delta", "response_id": "resp_other", "delta": "AAAA"},
        {"type": "response.output_text.annotation.added", "annotation": {}},
        {"type": "session.warning", "warning": {"message": "Of tomorrow."}},
    )

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """Deltas are padded, as the API does to hide their length."""
        if "delta" in event:
            return (event | {"obfuscation": "zu8fA2"},)
        return (*self._EVENTS, event) if event["type"] in _FRAMING else (event,)


class Junk(Scenario):
    """Frames nobody understands come before every event of a response's beginning and end."""

    _FRAMES: tuple[Frame, ...] = (
        "this is not JSON",
        '["a", "list"]',
        "null",
        '{"no_type": true}',
        '{"type": 7}',
        orjson.dumps({"type": "simulator.unknown", "event_id": "event_unknown", "x": 1}).decode(),
        '{"type": "response.output_audio.delta"}',
        b"\x00\x01\x02",
    )

    def outgoing(self, event: Event) -> Iterable[Frame]:
        """Junk first."""
        return (*self._FRAMES, event) if event["type"] in _FRAMING else (event,)


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: field for name, field in fields.items() if name not in names}
