"""One ``/v1/listen`` connection: audio in, results of what was measured in it out.

Sources: Deepgram's pages on live streaming audio, endpointing, utterance end, interim results,
finalize, close stream, keep-alive and stream errors; the types of its Python SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from voiceproxy_simulator.deepgram.hearing import Hearing, UndecodableError
from voiceproxy_simulator.deepgram.listen_v1_channel import Channel
from voiceproxy_simulator.deepgram.listen_v1_query import ListenV1Query, too_many_keyterms
from voiceproxy_simulator.deepgram.messages import (
    Message,
    Shape,
    UnparsableError,
    absent_or,
    flags,
    texts,
    whole,
)
from voiceproxy_simulator.deepgram.stream import Stream
from voiceproxy_simulator.formats import Samples
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.wire import Line

IDLE_SECONDS = 10.0
"""How long the client may send neither audio nor text."""

MODEL_UUID = "5b2c4f1e-9f50-4a52-8d4c-1f0c0de51a7e"

_NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. "
    "See https://dpgr.am/net0001"
)
_DATA_0000 = "DATA-0000: The payload cannot be decoded as audio. See https://dpgr.am/data0000"


class ListenV1(Stream):
    """A stream with a query, which ends with 1011 when nothing comes for ``idle_seconds``."""

    shapes: ClassVar[Mapping[str, Shape]] = {
        "KeepAlive": Shape(),
        "Finalize": Shape(optional={"channel": whole}),
        "CloseStream": Shape(),
        "Configure": Shape(optional={"keyterms": absent_or(texts), "features": absent_or(flags)}),
    }

    def __init__(
        self,
        line: Line,
        journal: Journal,
        request_id: str,
        query: ListenV1Query,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        super().__init__(line, journal, request_id)
        self._query = query
        self._idle_seconds = idle_seconds
        self._heard_at = line.now()
        self._hearing = Hearing(
            query.encoding, query.sample_rate, query.channels, together=not query.multichannel
        )
        self._channels: list[Channel] = []

    def handlers(self) -> Mapping[str, Callable[[Message], None]]:
        """Of each message."""
        return {
            "KeepAlive": lambda _message: None,
            "Finalize": self._finalize,
            "CloseStream": lambda _message: self._finish(),
            "Configure": self._configure,
        }

    def open(self) -> None:
        """Nothing is said first; the silence is timed."""
        self.line.later(self._idle_seconds, self._watch)

    def receive(self, text: str) -> None:
        """Any text keeps the stream alive."""
        self._heard_at = self.line.now()
        super().receive(text)

    def drained(self) -> None:
        """Nothing waits for the client to read."""

    def hear(self, data: bytes) -> None:
        """Audio. An empty frame closes the stream."""
        self._heard_at = self.line.now()
        if not data:
            self._finish()
            return
        try:
            for step in self._hearing.feed(data):
                self._hear_step(step)
        except UndecodableError:
            self.violate("", "DATA-0000")
            self.end(1008, _DATA_0000)

    def refuse(self, error: UnparsableError, text: str) -> None:
        """An ``Error``; the stream goes on."""
        description = f"Could not deserialize last text message: {error}"
        self.send("Error", variant="SchemaError", description=description, message=text)

    def _hear_step(self, step: list[Samples]) -> None:
        if not self._channels:
            count, rate = len(step), self._hearing.rate
            self._channels = [
                Channel((place, count), rate, self._query, self._metadata, self.send)
                for place in range(count)
            ]
        for channel, samples in zip(self._channels, step, strict=True):
            channel.feed(samples)

    def _watch(self) -> None:
        """NET-0001: neither audio nor text for too long."""
        left = self._heard_at + self._idle_seconds - self.line.now()
        if self._over:
            return
        if left > 0:
            self.line.later(left, self._watch)
        else:
            self.end(1011, _NET_0001)

    def _finalize(self, message: Message) -> None:
        wanted = message.get("channel")
        for place, channel in enumerate(self._channels):
            if wanted in {None, place}:
                channel.finish(from_finalize=True)

    def _configure(self, message: Message) -> None:
        keyterms = message.get("keyterms")
        if keyterms is not None and not self._query.nova_3:
            self._fail("KEYTERMS_NOT_SUPPORTED", "Only Nova-3 models take keyterms mid-stream.")
        elif too_many_keyterms(keyterms or ()):
            self._fail("KEYTERM_LIMIT_EXCEEDED", "The keyterms exceed 500 tokens.")
        else:
            replaced = {} if keyterms is None else {"keyterms": keyterms}
            self.send("ConfigureSuccess", request_id=self.id, **replaced)

    def _fail(self, code: str, description: str) -> None:
        fields = {"code": f"CONFIGURE_{code}", "description": description}
        self.send("ConfigureFailure", request_id=self.id, **fields)

    def _finish(self) -> None:
        """The rest of the results, what the stream was, and the end."""
        for channel in self._channels:
            channel.close()
        self.send("Metadata", **self._summary())
        self.end(1000)

    def _summary(self) -> dict[str, Any]:
        return {
            "transaction_key": "deprecated",
            "request_id": self.id,
            "sha256": self._hearing.sha256,
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "duration": round(self._hearing.received_ms / 1000, 3),
            "channels": len(self._channels) or self._query.channels,
        }

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        """What every result says of the model."""
        info = {"name": self._query.model, "version": "2026-01-01.0", "arch": "simulator"}
        diarizer = {"diarize_info": {"model_uuid": MODEL_UUID, "arch": "v1"}}
        return {
            "request_id": self.id,
            "model_info": info,
            "model_uuid": MODEL_UUID,
            **(diarizer if self._query.diarize else {}),
        }
