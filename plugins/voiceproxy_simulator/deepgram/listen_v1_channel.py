"""One channel of a ``/v1/listen`` stream: the speech in it, as results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voiceproxy_simulator.deepgram.hearing import described, timed_words
from voiceproxy_simulator.deepgram.listen_v1_query import ListenV1Query
from voiceproxy_simulator.formats import Samples
from voiceproxy_simulator.vad import Boundary, Detector

Send = Callable[..., None]

_LEAST_SILENCE_MS = 200
"""Less silence ends nothing: the pauses between words are no ends of speech."""

_INTERIM_MS = 500
_SEGMENT_MS = 5000
"""After so much audio its transcript becomes final, whoever still speaks."""


class Channel:
    """Finds speech in the audio it is fed and sends what was found.

    ``index`` is ``channel_index``: which channel, of how many. Times are milliseconds of audio.
    """

    def __init__(
        self, index: tuple[int, int], rate: int, query: ListenV1Query, metadata: Any, send: Send
    ) -> None:
        self._index = index
        self._query = query
        self._metadata = metadata
        self._send = send
        silence = max(_LEAST_SILENCE_MS, query.endpointing_ms or 0)
        self._detector = Detector(rate, silence_ms=silence)
        self._rate = rate
        self._samples = 0
        self._segment_start = 0.0
        self._reported_until = 0.0
        self._interim_at = 0.0
        self._last_word_end: float | None = None

    @property
    def _now(self) -> float:
        return self._samples * 1000 / self._rate

    @property
    def _pending(self) -> tuple[float, float]:
        """Where the speech begins and ends that no final result tells of."""
        start, end = self._detector.voiced
        return min(end, max(start, self._reported_until)), end

    def feed(self, samples: Samples) -> None:
        """Hear a step of audio."""
        self._samples += len(samples)
        for boundary in self._detector.feed(samples):
            self._turn(boundary)
        if self._now - self._segment_start >= _SEGMENT_MS:
            self.finish()
        elif self._query.interim_results and self._detector.speaking:
            self._interim()
        self._end_utterance()

    def finish(self, *, speech_final: bool = False, from_finalize: bool = False) -> None:
        """Make what was heard so far final."""
        start, end = self._pending
        if end > start:
            self._last_word_end = end
        self._result(is_final=True, speech_final=speech_final, from_finalize=from_finalize)
        self._reported_until = end
        self._segment_start = self._interim_at = self._now

    def close(self) -> None:
        """Make the rest final, if there is any."""
        if self._now > self._segment_start:
            self.finish()

    def _turn(self, boundary: Boundary) -> None:
        if boundary.kind == "started":
            if self._query.vad_events:
                seconds = round(boundary.at_ms / 1000, 3)
                self._send("SpeechStarted", channel=list(self._index), timestamp=seconds)
            return
        self.finish(speech_final=self._query.endpointing_ms is not None)
        self._detector.forget()

    def _interim(self) -> None:
        if self._now - self._interim_at >= _INTERIM_MS:
            self._interim_at = self._now
            self._result(is_final=False, speech_final=False, from_finalize=False)

    def _end_utterance(self) -> None:
        """``UtteranceEnd``: long enough no word after the last final one."""
        gap, last = self._query.utterance_end_ms, self._last_word_end
        if gap is None or last is None or self._detector.speaking or self._now - last < gap:
            return
        self._last_word_end = None
        end = round(last / 1000, 3)
        self._send("UtteranceEnd", channel=list(self._index), last_word_end=end)

    def _result(self, **states: bool) -> None:
        entities: dict[str, Any] = {}
        if self._query.detect_entities and states["is_final"]:
            entities["entities"] = []
        self._send(
            "Results",
            channel_index=list(self._index),
            duration=round((self._now - self._segment_start) / 1000, 3),
            start=round(self._segment_start / 1000, 3),
            **states,
            channel={"alternatives": [self._alternative()]},
            metadata=self._metadata,
            **entities,
        )

    def _alternative(self) -> dict[str, Any]:
        start, end = self._pending
        transcript = described(end - start)
        words = timed_words(transcript, start, end)
        confidence = 0.99 if words else 0.0
        for word in words:
            word.update(self._extras(word["word"]))
        found: dict[str, Any] = {"transcript": transcript, "confidence": confidence, "words": words}
        if self._query.language == "multi":
            found["languages"] = ["en"] if words else []
        return found

    def _extras(self, word: str) -> dict[str, Any]:
        extras: dict[str, Any] = {}
        if self._query.punctuate:
            extras["punctuated_word"] = word
        if self._query.diarize:
            extras["speaker"] = 0
        if self._query.language == "multi":
            extras["language"] = "en"
        return extras
