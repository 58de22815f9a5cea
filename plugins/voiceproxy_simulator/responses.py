"""One object per response, from ``response.created`` to its one ``response.done``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from voiceproxy_simulator.conversation import Conversation, Item
from voiceproxy_simulator.formats import FORMATS
from voiceproxy_simulator.outputs import FunctionCall, Output, SpokenMessage, WrittenMessage
from voiceproxy_simulator.scenario import Cut
from voiceproxy_simulator.script import Call, Part, Say
from voiceproxy_simulator.speech import Speech
from voiceproxy_simulator.wire import Emitter, Timer

Status = Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]
Pace = Literal["realtime", "burst"]

_AUDIO_TOKENS_PER_SECOND = 20
_RATE_LIMIT = 250_000


class Response:
    """One response: its settings, its outputs and where it is among them.

    ``conversation`` None makes it out of band: it announces no items and blocks nothing.
    ``cut`` and ``hesitation`` are a scenario's. ``finished`` is called once, after
    ``response.done``.
    """

    def __init__(
        self,
        emitter: Emitter,
        config: dict[str, Any],
        parts: Sequence[Part],
        *,
        conversation: Conversation | None,
        pace: Pace,
        cut: Cut | None,
        hesitation: float | None,
        finished: Callable[[Response], None],
    ) -> None:
        self.id = emitter.new_id("resp")
        self.status: Status = "in_progress"
        self.config = config
        self.spontaneous = False
        self.aside = False
        self.started = emitter.line.now()
        self.ended = math.inf
        self._emitter = emitter
        self._conversation = conversation
        self._pace = pace
        self._finished = finished
        self._details: dict[str, Any] | None = None
        self._limited_words = False
        self._outputs = [self._output(index, part) for index, part in enumerate(parts)]
        self._playing: Output | None = None
        self._done: list[Output] = []
        self._steps = self._play()
        self._timer: Timer | None = None
        self._stalled = False
        self._hesitation = hesitation
        self._cut = cut
        self._pieces = 0
        self._over = False

    @property
    def active(self) -> bool:
        """It has not ended."""
        return self.status == "in_progress"

    @property
    def spoken_seconds(self) -> float:
        """How much audio it has produced."""
        outputs = (*self._done, *([self._playing] if self._playing else []))
        return sum(output.item.spoken_ms for output in outputs) / 1000

    @property
    def tokens(self) -> int:
        """What it has used so far."""
        return int(self._usage()["total_tokens"])

    def begin(self) -> None:
        """Announce it and start producing."""
        self._emitter.emit("response.created", response=self._shown())
        self.advance()

    def advance(self) -> None:
        """Produce what is due. Stops while the line is full; ``resume`` goes on."""
        self._timer = None
        while self.active and not self._is_cut_off():
            self._stalled = self._emitter.line.full
            due = None if self._stalled else next(self._steps, None)
            if due is None:
                return
            self._pieces += 1
            wait = self._wait(due)
            if wait is not None:
                self._timer = self._emitter.line.later(wait, self.advance)
                return

    def resume(self) -> None:
        """The line takes events again."""
        if self._stalled:
            self.advance()

    def cancel(self, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        """End it now; what it was saying is left incomplete."""
        self._interrupt()
        self._end("cancelled", {"type": "cancelled", "reason": reason})

    def fail(self, error: dict[str, Any]) -> None:
        """End it with an error, which is reported in ``response.done`` alone."""
        self._interrupt()
        self._end("failed", {"type": "failed", "error": error})

    def stop_short(self, reason: Literal["max_output_tokens", "content_filter"]) -> None:
        """End it as incomplete."""
        self._interrupt()
        self._end("incomplete", {"type": "incomplete", "reason": reason})

    # What its outputs need of it

    def send(self, kind: str, **fields: Any) -> None:
        """Send an event of this response."""
        self._emitter.emit(kind, response_id=self.id, **fields)

    def begin_item(self, item: Item) -> None:
        """An item enters the conversation, unless this response is out of band."""
        item.aside = self.aside
        if self._conversation is not None:
            self._conversation.begin(item)

    def finish_item(self, item: Item) -> None:
        """The item is final."""
        if self._conversation is not None:
            self._conversation.finish(item)

    # Inside

    def _output(self, index: int, part: Part) -> Output:
        item_id = self._emitter.new_id("item")
        if isinstance(part, Call):
            return FunctionCall(self, index, item_id, self._emitter.new_id("call"), part)
        part = self._limited(part)
        if self.config["output_modalities"] == ["text"]:
            return WrittenMessage(self, index, item_id, part)
        output = self.config["audio"]["output"]
        audio = FORMATS[output["format"]["type"]]
        return SpokenMessage(self, index, item_id, part, audio, output)

    def _limited(self, say: Say) -> Say:
        """What fits ``max_output_tokens``, a word being a token."""
        words = Speech.split(say.text)
        limit = self.config["max_output_tokens"]
        if limit == "inf" or len(words) <= limit:
            return say
        self._limited_words = True
        return Say("".join(words[:limit]))

    def _play(self) -> Iterator[float]:
        for output in self._outputs:
            self._playing = output
            output.open()
            yield from output.play()
            self._close("incomplete" if self._limited_words else "completed")
        if self._hesitation == 0:
            self._complete()
        elif self._hesitation is not None:
            self._timer = self._emitter.line.later(self._hesitation, self._complete)

    def _complete(self) -> None:
        if self._limited_words:
            self._end("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
        else:
            self._end("completed", None)

    def _is_cut_off(self) -> bool:
        """Whether a scenario ends it here; then it is told so, once."""
        if self._cut is None or self._pieces < self._cut.pieces:
            return False
        if not self._over:
            self._over = True
            self._cut.then(self)
        return True

    def _wait(self, due: float) -> float | None:
        """Seconds until a step that is due then; None: it is due. A burst only lets others run."""
        if self._pace == "burst":
            return 0.0
        wait = self.started + due - self._emitter.line.now()
        return wait if wait > 0 else None

    def _interrupt(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._steps.close()  # type: ignore[attr-defined]
        if self._playing is not None:
            self._close("incomplete")

    def _close(self, status: str) -> None:
        output, self._playing = self._playing, None
        if output is not None:
            output.close(status)
            self._done.append(output)

    def _end(self, status: Status, details: dict[str, Any] | None) -> None:
        self.status, self._details = status, details
        self.ended = self._emitter.line.now()
        self._emitter.emit("response.done", response=self._shown())
        self._finished(self)

    def _shown(self) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self._details,
            "output": [done.item.shown() for done in self._done],
            "conversation_id": None if self._conversation is None else self._conversation.id,
            "output_modalities": self.config["output_modalities"],
            "max_output_tokens": self.config["max_output_tokens"],
            "audio": {"output": self._voice()},
            "metadata": self.config.get("metadata"),
            "usage": None if self.active else self._usage(),
        }

    def _voice(self) -> dict[str, Any]:
        """The voice and format of its audio; a custom voice has no place in this object."""
        output = self.config["audio"]["output"]
        named = {"voice": output["voice"]} if isinstance(output["voice"], str) else {}
        return {"format": output["format"], **named}

    def _usage(self) -> dict[str, Any]:
        """Plausible figures: audio by its length, text by its words."""
        audio = round(self.spoken_seconds * _AUDIO_TOKENS_PER_SECOND)
        text = sum(_text_tokens(done.item) for done in self._done)
        read = len(self._conversation or ()) * 8 + len(self.config["instructions"].split())
        return {
            "total_tokens": read + audio + text,
            "input_tokens": read,
            "output_tokens": audio + text,
            "input_token_details": {"text_tokens": read, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": text, "audio_tokens": audio},
        }


def rate_limits(used: int) -> list[dict[str, Any]]:
    """The ``rate_limits`` of ``rate_limits.updated`` after ``used`` tokens."""
    left = max(0, _RATE_LIMIT - used)
    seconds = round(used * 60 / _RATE_LIMIT, 3)
    return [
        {"name": "tokens", "limit": _RATE_LIMIT, "remaining": left, "reset_seconds": seconds},
    ]


def _text_tokens(item: Item) -> int:
    if "arguments" in item.data:
        return len(item.data["arguments"]) // 4 + 1
    content = item.data["content"]
    return sum(len(Speech.split(part.get("text", part.get("transcript", "")))) for part in content)
