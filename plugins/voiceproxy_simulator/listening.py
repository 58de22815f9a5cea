"""The user's side of a spoken turn: audio in, speech found or committed by hand, transcription."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from voiceproxy_simulator.configuration import Configuration
from voiceproxy_simulator.conversation import Conversation, Item
from voiceproxy_simulator.input_audio import InputAudio, Recording, decode
from voiceproxy_simulator.script import heard
from voiceproxy_simulator.speech import Speech
from voiceproxy_simulator.vad import Boundary
from voiceproxy_simulator.wire import Emitter, Event, Timer

_TRANSCRIPTION_SECONDS = 0.02
"""How long a transcription takes: long enough to come after what follows the commit at once."""


class Turns(Protocol):
    """What listening sets off."""

    def interrupt(self) -> None:
        """The user spoke: cancel the active response, if there is one."""

    def answer(self) -> None:
        """The user's turn is over: make a response."""

    def ask_whether_still_there(self) -> None:
        """The user said nothing for long: make a response."""


class Listening:
    """Hears the appended audio and turns it into items of the conversation."""

    def __init__(
        self,
        emitter: Emitter,
        configuration: Configuration,
        conversation: Conversation,
        turns: Turns,
    ) -> None:
        self._emitter = emitter
        self._configuration = configuration
        self._conversation = conversation
        self._turns = turns
        self._audio = InputAudio(configuration.input_format)
        self._utterance: str | None = None
        self._idle: Timer | None = None
        self._heard_with: tuple[Any, ...] = ()
        self.configure()

    @property
    def _detection(self) -> dict[str, Any] | None:
        return self._configuration.turn_detection

    def configure(self) -> None:
        """The settings may have changed. An utterance is not finished under other ones."""
        threshold = (self._detection or {}).get("threshold", 0.5)
        hear_with = (self._configuration.input_format, threshold, self._configuration.silence_ms)
        if hear_with != self._heard_with:
            self._heard_with = hear_with
            self._audio.configure(*hear_with)
            self._utterance = None

    # What clients send

    def append(self, event: Event) -> None:
        """``input_audio_buffer.append``."""
        for boundary in self._audio.append(decode(event["audio"], "audio")):
            if self._detection is not None:
                self._turn(boundary)
        if self._detection is not None and not self._audio.speaking:
            padding = self._detection.get("prefix_padding_ms", 300)
            self._audio.forget_before(self._audio.received_ms - padding - 100)

    def commit(self, _event: Event) -> None:
        """``input_audio_buffer.commit``: an item, but no response."""
        self._audio.check_commit(only_speech=self._detection is not None)
        self._commit(self._audio.take())

    def clear(self, _event: Event) -> None:
        """``input_audio_buffer.clear``."""
        self._audio.clear()
        self._utterance = None
        self._emitter.emit("input_audio_buffer.cleared")

    # What the audio holds

    def _turn(self, boundary: Boundary) -> None:
        if boundary.kind == "started":
            self._start(boundary.at_ms)
        else:
            self._stop(boundary.at_ms)

    def _start(self, at_ms: float) -> None:
        detection = self._detection or {}
        start = max(self._audio.start_ms, at_ms - detection.get("prefix_padding_ms", 300))
        self._audio.forget_before(start)
        self._utterance = self._emitter.new_id("item")
        self._send("speech_started", audio_start_ms=round(start), item_id=self._utterance)
        self.rest()
        if detection.get("interrupt_response"):
            self._turns.interrupt()

    def overhear(self, seconds: float) -> None:
        """An utterance without audio, from now on: only its length is known."""
        self._start(self._audio.received_ms)
        self._emitter.line.later(seconds, partial(self._stop_overhearing, seconds))

    def _stop_overhearing(self, seconds: float) -> None:
        at_ms = self._audio.received_ms
        heard_ms = seconds * 1000
        self._stop(
            at_ms, replace(self._audio.take(at_ms), milliseconds=heard_ms, voiced_ms=heard_ms)
        )

    def _stop(self, at_ms: float, recording: Recording | None = None) -> None:
        item_id = self._utterance or self._emitter.new_id("item")
        self._utterance = item_id
        self._send("speech_stopped", audio_end_ms=round(at_ms), item_id=item_id)
        self._commit(recording or self._audio.take(at_ms))
        if (self._detection or {}).get("create_response"):
            self._turns.answer()

    def _commit(self, recording: Recording) -> None:
        item_id, self._utterance = self._utterance or self._emitter.new_id("item"), None
        self._send("committed", item_id=item_id, previous_item_id=self._conversation.last_id)
        item = self._conversation.hear(item_id, recording)
        if self._configuration.transcription is not None:
            transcribe = partial(self._transcribe, item, recording)
            self._emitter.line.later(_TRANSCRIPTION_SECONDS, transcribe)

    def _send(self, name: str, **fields: Any) -> None:
        self._emitter.emit(f"input_audio_buffer.{name}", **fields)

    # Transcription: not of words, but of what was measured

    def _transcribe(self, item: Item, recording: Recording) -> None:
        transcript = heard(recording)
        item.data["content"][0]["transcript"] = transcript
        for word in Speech.split(transcript):
            self._send_transcription("delta", item, word, delta=word)
        usage = self._usage(recording, transcript)
        self._send_transcription("completed", item, transcript, transcript=transcript, usage=usage)

    def _send_transcription(self, stage: str, item: Item, text: str, **fields: Any) -> None:
        kind = f"conversation.item.input_audio_transcription.{stage}"
        if self._configuration.wants_log_probabilities:
            token = {"token": text, "bytes": list(text.encode()), "logprob": -0.1}
            fields["logprobs"] = [token]
        self._emitter.emit(kind, item_id=item.id, content_index=0, **fields)

    def _usage(self, recording: Recording, transcript: str) -> dict[str, Any]:
        seconds = round(recording.milliseconds / 1000, 2)
        model = (self._configuration.transcription or {}).get("model") or ""
        if not model.startswith("gpt-4o"):
            return {"type": "duration", "seconds": seconds}
        heard_tokens, said_tokens = round(seconds * 10), len(transcript.split())
        return {
            "type": "tokens",
            "total_tokens": heard_tokens + said_tokens,
            "input_tokens": heard_tokens,
            "output_tokens": said_tokens,
            "input_token_details": {"text_tokens": 0, "audio_tokens": heard_tokens},
        }

    # Silence that lasts too long

    def rest(self) -> None:
        """Something is being said: the silence is over."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def wait(self, playback_seconds: float) -> None:
        """A response is done; its audio plays for so long still. The silence begins after it."""
        self.rest()
        timeout = (self._detection or {}).get("idle_timeout_ms")
        if timeout is not None and not self._audio.speaking:
            seconds = playback_seconds + timeout / 1000
            self._idle = self._emitter.line.later(seconds, self.time_out)

    def time_out(self) -> None:
        """The user has said nothing for too long: the silence is a turn, and is answered."""
        self.rest()
        self._utterance = self._emitter.new_id("item")
        start, end = round(self._audio.start_ms), round(self._audio.received_ms)
        fields = {"audio_start_ms": start, "audio_end_ms": end, "item_id": self._utterance}
        self._send("timeout_triggered", **fields)
        self._commit(self._audio.take())
        self._turns.ask_whether_still_there()
