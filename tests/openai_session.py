"""A real session around the OpenAI translator, for tests: no socket, a clock that is told the time.

Everything that crosses is checked: client events against openai's own types and without a key they
do not know; messages to the client against deepgram-sdk's types and the protocol's schemas.
"""

from __future__ import annotations

import base64
from typing import Any

import deepgram.agent.v1.types as deepgram_types
import orjson
from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, TypeAdapter

from voiceproxy.agent import server_problems
from voiceproxy.testing import Driver, drive
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator

CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

FREE_KEYS = {"parameters", "metadata", "variables"}
"""Fields whose keys are the caller's own."""

DEEPGRAM = {
    "Welcome": deepgram_types.AgentV1Welcome,
    "SettingsApplied": deepgram_types.AgentV1SettingsApplied,
    "ConversationText": deepgram_types.AgentV1ConversationText,
    "UserStartedSpeaking": deepgram_types.AgentV1UserStartedSpeaking,
    "AgentThinking": deepgram_types.AgentV1AgentThinking,
    "FunctionCallRequest": deepgram_types.AgentV1FunctionCallRequest,
    "FunctionCallCancelled": deepgram_types.AgentV1FunctionCallCancelled,
    "AgentStartedSpeaking": deepgram_types.AgentV1AgentStartedSpeaking,
    "AgentAudioDone": deepgram_types.AgentV1AgentAudioDone,
    "PromptUpdated": deepgram_types.AgentV1PromptUpdated,
    "InjectionRefused": deepgram_types.AgentV1InjectionRefused,
    "Error": deepgram_types.AgentV1Error,
    "Warning": deepgram_types.AgentV1Warning,
}
"""What a client on /v1/agent/converse knows; History is a union of two shapes."""


def check_client_event(event: dict[str, Any]) -> None:
    """Fail unless the API accepts the event: known type, right shapes, no unknown key anywhere."""
    model = CLIENT_EVENT.validate_python(event)
    assert model.type == event["type"]
    _check_no_extra(model, event["type"])


def _check_no_extra(value: object, path: str) -> None:
    if isinstance(value, BaseModel):
        assert not value.model_extra, f"{path}: unknown {sorted(value.model_extra)}"
        for name in type(value).model_fields:
            if name not in FREE_KEYS:
                _check_no_extra(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for entry in value:
            _check_no_extra(entry, path)


def check_client_message(message: dict[str, Any], dialect: str) -> None:
    """Fail unless a client of this dialect knows the message."""
    assert server_problems(message) == []
    kind = message["type"]
    if dialect == "agent" and kind == "History":
        shape = (
            deepgram_types.AgentV1HistoryFunctionCalls
            if "function_calls" in message
            else deepgram_types.AgentV1HistoryContent
        )
        _check_deepgram(shape, message)
    elif dialect == "agent" or kind in DEEPGRAM:
        _check_deepgram(DEEPGRAM[kind], message)


def _check_deepgram(model: type[BaseModel], message: dict[str, Any]) -> None:
    validated = model.model_validate(message)
    assert not validated.model_extra, f"{message['type']}: unknown {validated.model_extra}"


class Conversation:
    """One client, one translator and whatever the test lets the upstream say."""

    def __init__(
        self,
        dialect: str = "component",
        settings: OpenAISettings | None = None,
        *,
        applied: bool = True,
        **message: Any,
    ) -> None:
        self.dialect = dialect
        self.driver: Driver = drive(
            translator=lambda session: OpenAITranslator(session, settings or OpenAISettings()),
            dialect=dialect,
        )
        if applied:
            self.client({"type": "Settings", **message})
            self.upstream({"type": "session.updated", "session": {}})
            self.got()
            self.sent()

    def client(self, *frames: Any) -> None:
        self.driver.client(*frames)

    def upstream(self, *frames: Any) -> None:
        self.driver.upstream(*frames)

    def inject(self, content: str) -> None:
        self.client({"type": "InjectUserMessage", "content": content})

    def answer(self, call_id: str, content: str = "42") -> None:
        self.client(
            {"type": "FunctionCallResponse", "id": call_id, "name": "f", "content": content}
        )

    def sent(self) -> list[dict[str, Any]]:
        """The client events for the upstream since last asked, every one valid."""
        events = self.driver.to_upstream()
        for event in events:
            check_client_event(event)
        return events

    def sent_types(self) -> list[str]:
        return [event["type"] for event in self.sent()]

    def got(self) -> list[Any]:
        """What the client got since last asked: messages, every one valid, and audio."""
        frames = self.driver.to_client()
        for frame in frames:
            if isinstance(frame, dict):
                check_client_message(frame, self.dialect)
            else:
                assert 0 < len(frame) <= 64 * 1024
        return frames

    def got_types(self) -> list[str]:
        return ["audio" if isinstance(frame, bytes) else frame["type"] for frame in self.got()]

    def advance(self, seconds: float) -> None:
        self.driver.advance(seconds)

    # Whole exchanges.

    def confirm(self, event: dict[str, Any], kind: str = "added", **changes: Any) -> None:
        """The upstream has the item of a conversation.item.create."""
        item = {**event["item"], "status": "completed", **changes}
        self.upstream({"type": f"conversation.item.{kind}", "item": item})

    def create_response(self, text: str = "hi") -> dict[str, Any]:
        """Inject a text and confirm it; returns the response.create that follows."""
        self.inject(text)
        (item,) = self.sent()
        self.confirm(item)
        (create,) = self.sent()
        assert create["type"] == "response.create"
        return create


UPDATED = {"type": "session.updated", "session": {}}
PAIR = ["AgentDone", "AgentAudioDone"]


def created(response_id: str, create: dict[str, Any] | None = None) -> dict[str, Any]:
    """response.created; without a create of ours it is the server's own."""
    metadata = create["response"]["metadata"] if create else None
    return {
        "type": "response.created",
        "response": {"id": response_id, "status": "in_progress", "metadata": metadata},
    }


def done(response_id: str, status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "type": "response.done",
        "response": {"id": response_id, "status": status, "output": [], **more},
    }


def audio_delta(response_id: str, audio: bytes = b"\1\0" * 480, item_id: str = "i1") -> Any:
    return {
        "type": "response.output_audio.delta",
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(audio).decode(),
    }


def assistant(item_id: str, words: str, status: str = "completed") -> dict[str, Any]:
    """An assistant item with a transcript."""
    return {
        "id": item_id,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [{"type": "output_audio", "transcript": words}],
    }


def item_event(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": f"conversation.item.{kind}", "item": item}


def function_call(
    call_id: str, name: str = "f", arguments: str = "{}", status: str = "completed"
) -> dict[str, Any]:
    return {
        "id": f"item_{call_id}",
        "type": "function_call",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": status,
    }


def output_item(kind: str, response_id: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": f"response.output_item.{kind}",
        "response_id": response_id,
        "output_index": 0,
        "item": item,
    }


def error(code: str | None, event_id: str | None = None, **more: Any) -> dict[str, Any]:
    inner = {"type": "invalid_request_error", "code": code, "message": "No.", "param": None}
    return {"type": "error", "error": {**inner, "event_id": event_id, **more}}


def appended(events: list[dict[str, Any]]) -> bytes:
    """The audio of append events."""
    assert {event["type"] for event in events} <= {"input_audio_buffer.append"}
    return b"".join(base64.b64decode(event["audio"]) for event in events)


def as_json(value: Any) -> str:
    return orjson.dumps(value).decode()
