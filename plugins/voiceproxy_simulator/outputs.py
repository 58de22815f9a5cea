"""The items a response produces, each announced, played out piece by piece, and closed."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

from voiceproxy_simulator.conversation import Item
from voiceproxy_simulator.formats import AudioFormat
from voiceproxy_simulator.script import Call, Say
from voiceproxy_simulator.speech import DELTA_SECONDS, Speech

HEAD_START = 0.3
"""Seconds of audio that go out before anyone could have heard them, as the API is ahead too."""

_TRANSCRIPT_LEAD = 0.5
"""Seconds by which the transcript runs ahead of the audio."""

_WRITTEN_WORD = 0.04
"""Seconds a written word takes at the pace of real time."""

_ARGUMENT_PIECE = 12


class Stage(Protocol):
    """What an output needs of its response."""

    def send(self, kind: str, **fields: Any) -> None:
        """Send an event of the response; its id goes in."""

    def begin_item(self, item: Item) -> None:
        """The item enters the conversation, if the response is in it."""

    def finish_item(self, item: Item) -> None:
        """The item is final."""


class Output(ABC):
    """One item of a response's ``output``."""

    part: dict[str, Any] | None = None
    """The content part a message opens with; None for items without content."""

    def __init__(self, stage: Stage, index: int, item: Item) -> None:
        self.item = item
        self._stage = stage
        self._index = index

    def open(self) -> None:
        """The item is there, empty and in progress."""
        self._send("response.output_item.added", item=self.item.shown())
        self._stage.begin_item(self.item)
        if self.part is not None:
            self._send_part("response.content_part.added", part=dict(self.part))

    @abstractmethod
    def play(self) -> Iterator[float]:
        """Send the pieces; after each, yield when the next is due, in seconds of the response."""

    def close(self, status: str) -> None:
        """The item is ``completed``, or cut short and ``incomplete``."""
        self._close_content()
        self.item.data["status"] = status
        self._stage.finish_item(self.item)
        self._send("response.output_item.done", item=self.item.shown())

    @abstractmethod
    def _close_content(self) -> None:
        """Send what ends the content, and put it into the item."""

    def _send(self, kind: str, **fields: Any) -> None:
        self._stage.send(kind, output_index=self._index, **fields)

    def _send_piece(self, kind: str, **fields: Any) -> None:
        self._send(kind, item_id=self.item.id, **fields)

    def _send_part(self, kind: str, **fields: Any) -> None:
        self._send_piece(kind, content_index=0, **fields)


def _message(item_id: str) -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }


class SpokenMessage(Output):
    """A message in audio, with its transcript running ahead."""

    part = {"type": "audio", "transcript": ""}  # noqa: RUF012 - copied wherever it is used

    def __init__(
        self, stage: Stage, index: int, item_id: str, say: Say, audio: AudioFormat, output: Any
    ) -> None:
        voice = output["voice"]
        name = voice["id"] if isinstance(voice, dict) else voice
        self._speech = Speech(say.text, audio, name, output["speed"])
        self._audio = audio
        self._said = ""
        item = Item(_message(item_id), speech=self._speech)
        super().__init__(stage, index, item)

    def play(self) -> Iterator[float]:
        """Audio in tenths of a second, each word shortly before it is heard."""
        words = deque(self._speech.words)
        position = 0.0
        for delta in self._speech.deltas():
            while words and words[0].start <= position + _TRANSCRIPT_LEAD:
                self._say(words.popleft().text)
            encoded = base64.b64encode(delta).decode()
            self._send_part("response.output_audio.delta", delta=encoded)
            self.item.spoken_ms += self._audio.milliseconds(len(delta))
            position += DELTA_SECONDS
            yield position - HEAD_START

    def _say(self, word: str) -> None:
        self._said += word
        self._send_part("response.output_audio_transcript.delta", delta=word)

    def _close_content(self) -> None:
        self._send_part("response.output_audio.done")
        self._send_part("response.output_audio_transcript.done", transcript=self._said)
        part = {"type": "audio", "transcript": self._said}
        self._send_part("response.content_part.done", part=part)
        self.item.data["content"] = [{"type": "output_audio", "transcript": self._said}]


class WrittenMessage(Output):
    """A message in text."""

    part = {"type": "text", "text": ""}  # noqa: RUF012 - copied wherever it is used

    def __init__(self, stage: Stage, index: int, item_id: str, say: Say) -> None:
        self._words = Speech.split(say.text)
        self._written = ""
        super().__init__(stage, index, Item(_message(item_id)))

    def play(self) -> Iterator[float]:
        """Text, word by word."""
        for place, word in enumerate(self._words, 1):
            self._written += word
            self._send_part("response.output_text.delta", delta=word)
            yield place * _WRITTEN_WORD

    def _close_content(self) -> None:
        self._send_part("response.output_text.done", text=self._written)
        part = {"type": "text", "text": self._written}
        self._send_part("response.content_part.done", part=part)
        self.item.data["content"] = [{"type": "output_text", "text": self._written}]


class FunctionCall(Output):
    """A function call, its arguments in pieces."""

    def __init__(self, stage: Stage, index: int, item_id: str, call_id: str, call: Call) -> None:
        self._call = call
        data = {"id": item_id, "type": "function_call", "status": "in_progress"}
        data |= {"name": call.name, "call_id": call_id, "arguments": ""}
        super().__init__(stage, index, Item(data))

    def play(self) -> Iterator[float]:
        """Arguments, a few characters at a time."""
        arguments = self._call.arguments
        for start in range(0, len(arguments), _ARGUMENT_PIECE):
            piece = arguments[start : start + _ARGUMENT_PIECE]
            self.item.data["arguments"] += piece
            self._send_call("response.function_call_arguments.delta", delta=piece)
            yield 0.0

    def _close_content(self) -> None:
        arguments = self.item.data["arguments"]
        kind = "response.function_call_arguments.done"
        self._send_call(kind, name=self._call.name, arguments=arguments)

    def _send_call(self, kind: str, **fields: Any) -> None:
        self._send_piece(kind, call_id=self.item.data["call_id"], **fields)
