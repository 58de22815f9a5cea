"""Frames that are almost right: the messages of both sides, and what may be wrong with one.

``Mutator`` knows the structure: it changes fields, types, ids and shapes of JSON before it touches
bytes. A seeded ``random.Random`` repeats a run; Hypothesis' own random makes it shrink.
"""

from __future__ import annotations

import base64
import copy
from random import Random
from typing import Any

import orjson

from voiceproxy import Binary, Frame, Text

Message = dict[str, Any]

FUNCTION = {
    "name": "get_weather",
    "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}

SETTINGS: Message = {
    "type": "Settings",
    "tags": ["a"],
    "flags": {"history": True},
    "audio": {
        "input": {"encoding": "linear16", "sample_rate": 16000},
        "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
    },
    "agent": {
        "language": "en",
        "greeting": "Hello.",
        "context": {"messages": [{"type": "History", "role": "user", "content": "Hi."}]},
        "listen": {"provider": {"type": "deepgram", "model": "nova-3", "keyterms": ["a"]}},
        "think": {
            "provider": {"type": "open_ai", "model": "gpt-4o-mini", "temperature": 0.5},
            "prompt": "Be brief.",
            "functions": [FUNCTION],
        },
        "speak": {"provider": {"type": "deepgram", "model": "aura-2-thalia-en"}},
    },
}


def client_messages(words: str) -> list[Message]:
    """What a client says after its Settings; ``words`` are in everything that is spoken."""
    return [
        {"type": "InjectUserMessage", "content": words},
        {"type": "InjectUserMessage", "content": f"get_weather for {words}"},
        {"type": "InjectUserMessage", "content": f"count to 3 {words}"},
        {"type": "InjectAgentMessage", "message": words, "behavior": "queue"},
        {"type": "InjectAgentMessage", "content": words, "behavior": "interrupt"},
        {"type": "FunctionCallResponse", "id": "call_1", "name": "get_weather", "content": words},
        {"type": "FunctionCallResponse", "id": "call_2", "result": {"said": [words]}},
        {"type": "UpdatePrompt", "prompt": words},
        {"type": "UpdateThink", "think": SETTINGS["agent"]["think"]},
        {"type": "UpdateSpeak", "speak": SETTINGS["agent"]["speak"]},
        {"type": "UpdateListen", "listen": SETTINGS["agent"]["listen"]},
        {"type": "KeepAlive"},
        {"type": "CloseStream"},
        {"type": "Finalize"},
        SETTINGS,
        {**SETTINGS, "agent": {**SETTINGS["agent"], "useOpenAIManualAudioCommit": True}},
    ]


def realtime_events(words: str) -> list[Message]:
    """What an upstream of the Realtime API may say at any time."""
    audio = base64.b64encode(b"\1\2" * 480).decode()
    place = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    call = {"id": "item_2", "type": "function_call", "call_id": "call_1", "name": "get_weather"}
    said = {"id": "item_1", "type": "message", "role": "assistant", "status": "completed"}
    said["content"] = [{"type": "output_audio", "transcript": words}]  # type: ignore[assignment]
    response = {"id": "resp_1", "status": "completed", "output": [said, call], "metadata": {}}
    heard = {"item_id": "item_3", "content_index": 0}
    transcription = "conversation.item.input_audio_transcription"
    error = {"type": "invalid_request_error", "code": "x", "message": words, "param": None}
    return [
        {"type": "session.created", "session": {"id": "sess_1", "type": "realtime"}},
        {"type": "session.updated", "session": {"id": "sess_1", "type": "realtime"}},
        {"type": "conversation.item.added", "previous_item_id": None, "item": said},
        {"type": "conversation.item.done", "previous_item_id": "item_0", "item": said},
        {"type": "conversation.item.created", "item": {**call, "status": "completed"}},
        {"type": f"{transcription}.delta", "delta": words, **heard},
        {"type": f"{transcription}.completed", "transcript": words, **heard},
        {"type": f"{transcription}.failed", "error": error, **heard},
        {"type": "input_audio_buffer.committed", "item_id": "item_3", "previous_item_id": None},
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 10, "item_id": "item_3"},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "item_id": "item_3"},
        {"type": "input_audio_buffer.timeout_triggered", "item_id": "item_3"},
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.done", "response": response},
        {"type": "response.done", "response": {**response, "status": "failed"}},
        {"type": "response.output_item.added", "item": call, **place},
        {"type": "response.output_item.done", "item": {**call, "arguments": "{}"}, **place},
        {"type": "response.output_text.delta", "delta": words, **place},
        {"type": "response.output_text.done", "text": words, **place},
        {"type": "response.output_audio.delta", "delta": audio, **place},
        {"type": "response.audio.delta", "delta": audio, **place},
        {"type": "response.output_audio.done", **place},
        {"type": "response.output_audio_transcript.delta", "delta": words, **place},
        {"type": "response.output_audio_transcript.done", "transcript": words, **place},
        {"type": "response.function_call_arguments.delta", "delta": "{", **place},
        {
            "type": "response.function_call_arguments.done",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": '{"city":"Rome"}',
            **place,
        },
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": "error", "event_id": "e1", "error": error},
        {"type": "no.such.event"},
    ]


def agent_messages(words: str) -> list[Message]:
    """What an upstream that speaks the Voice Agent protocol, or listen, may say at any time."""
    function = {"id": "call_1", "name": "f", "arguments": "{}", "client_side": True}
    heard = {"transcript": words, "confidence": 0.9, "words": [{"word": words, "start": 0.1}]}
    return [
        {"type": "Welcome", "request_id": "r"},
        {"type": "SettingsApplied"},
        {"type": "ConversationText", "role": "user", "content": words},
        {"type": "ConversationText", "role": "assistant", "content": words},
        {"type": "History", "role": "user", "content": words},
        {"type": "UserStartedSpeaking"},
        {"type": "AgentThinking", "content": words},
        {"type": "AgentStartedSpeaking", "total_latency": 0.1},
        {"type": "AgentAudioDone"},
        {"type": "AgentDone"},
        {"type": "FunctionCallRequest", "functions": [function]},
        {"type": "PromptUpdated"},
        {"type": "InjectionRefused", "message": words},
        {"type": "Warning", "code": "W", "description": words},
        {"type": "Error", "code": "E", "description": words},
        {"type": "Results", "is_final": True, "channel": {"alternatives": [heard]}},
        {"type": "TurnInfo", "event": "Update", "turn_index": 0, **heard},
    ]


ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63), 1e308, 10**40, "", "x", " ", "\0",
    "\ud83d\ude00", "é", "\u202e", "a" * 3000, [], {}, [[]], [None], {"": None}, {"type": "x"},
    [[[[[[]]]]]], {"a": {"a": {"a": {}}}}, "null", "16000", "NaN", 16000, 7, 1 << 20,
]  # fmt: skip
"""What a field may have instead of what belongs there."""

RAW = [
    b"", b"{", b"}", b"[]", b"null", b"0", b'""', b"\xff\xfe", b"\xef\xbb\xbf{}", b"\0" * 9,
    b'{"type":"Settings"', b'{"type":1e999}', b'{"type":NaN}', b'{"type":"\xc3\x28"}',
    b'{"type":"\\ud800"}', b'{"type":"Settings","type":"KeepAlive"}', b"[" * 5000,
    b'{"a":' * 2000, b'{"type":"InjectUserMessage","content":"\\u0000"}', b" " * 4096, b'{"":""}',
]  # fmt: skip
"""Text that is no message."""

MAX_TEXT = 20_000
"""Bytes: mutations of mutations do not grow for ever."""


class Mutator:
    """Makes frames out of messages, most of them a little wrong."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.wrong = 0
        """How many of the frames so far were not as they should be."""
        self._seen: list[Any] = ["item_1", "resp_1", "call_1"]
        """Values of earlier messages, so that ids, names and texts turn up where others belong."""

    def audio(self) -> Binary:
        """Of any length, odd ones and none included."""
        size = self._random.choice([0, 1, 2, 3, 160, 320, 639, 640, 641, 4800, 9601])
        return Binary(self._random.choice([b"\0", b"\x7f\x20", b"\xff"])[:1] * size)

    def junk(self) -> Frame:
        """No message at all."""
        self.wrong += 1
        text = Text(self._random.choice(RAW))
        return Binary(text.data) if self._random.random() < 0.1 else text

    def frame(self, message: Message) -> Frame:
        """The message as it is, or with something wrong."""
        chance = self._random.random()
        if chance < 0.25:
            return Text(orjson.dumps(message))
        self.wrong += 1
        changed = copy.deepcopy(message)
        for _ in range(self._random.choice([1, 1, 1, 2, 3])):
            self._change(changed)
        data = _dumped(changed)
        if chance > 0.9:
            data = self._bytes(data)
        return Binary(data) if chance > 0.985 else Text(data[:MAX_TEXT] or b"{}")

    def _change(self, message: Message) -> None:
        places = _places(message)
        if not places:
            message["type"] = copy.deepcopy(self._random.choice(ODD))
            return
        inner, key = self._random.choice(places)
        self._remember(inner[key])
        self._alter(inner, key)

    def _remember(self, value: Any) -> None:
        if isinstance(value, str | int | float) and len(str(value)) < 100:
            self._seen = [*self._seen[-30:], value]

    def _alter(self, inner: Any, key: Any) -> None:
        how = self._random.randrange(8)
        if how < 3:
            inner[key] = copy.deepcopy(self._random.choice(ODD))
        elif how == 3:
            del inner[key]
        elif how == 4:
            inner[key] = self._random.choice(self._seen)
        elif how == 5 and isinstance(inner, dict):
            inner[self._random.choice(["type", "x", "", "id", f"{key}s"])] = inner[key]
        elif how == 6:
            inner[key] = [inner[key]] * self._random.choice([1, 2, 20])
        else:
            inner[key] = {key if isinstance(key, str) else "x": copy.deepcopy(inner[key])}

    def _bytes(self, data: bytes) -> bytes:
        where = self._random.randrange(len(data) + 1)
        how = self._random.randrange(4)
        if how == 0:
            return data[:where]
        if how == 1:
            return data[:where] + bytes([self._random.randrange(256)]) + data[where + 1 :]
        if how == 2:
            return data[:where] + data
        return data[:where] + self._random.choice(RAW) + data[where:]


def _dumped(message: Message) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError:  # an integer JSON has, and orjson has not; a lone surrogate
        return repr(message).replace("'", '"').encode("utf-8", "replace")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a message: what holds it, and where in it."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 300:
        inner = waiting.pop()
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        for key in keys:
            found.append((inner, key))
            if isinstance(inner[key], dict | list):
                waiting.append(inner[key])
    return found
