"""A session with the redaction plugin, and what observers get to see of it."""

from __future__ import annotations

from typing import Any

import voiceproxy_redaction
from voiceproxy import Session, Text, hookimpl
from voiceproxy.testing import Driver, drive


class Observer:
    """Keeps every text frame as an observer gets it."""

    def __init__(self) -> None:
        self.frames: list[Text] = []

    @hookimpl(trylast=True)
    def voiceproxy_client_frame(self, session: Session, text: Text) -> None:
        self.frames.append(text)

    @hookimpl(trylast=True)
    def voiceproxy_upstream_frame(self, session: Session, text: Text) -> None:
        self.frames.append(text)

    def take(self) -> list[Any]:
        frames, self.frames = self.frames, []
        return [frame.message() for frame in frames]


class Redacted:
    """``say`` and ``hear`` give what observers see of one frame from either side."""

    def __init__(self, *filters: object, protocol: str = "agent", **settings: object) -> None:
        self.observer = Observer()
        self.session: Driver = drive(
            plugins=[voiceproxy_redaction, *filters, self.observer],
            protocol=protocol,
            dialect="agent",
            settings={f"redaction.{name}": value for name, value in settings.items()},
        )

    def say(self, frame: Text | dict[str, Any]) -> Any:
        self.session.client(frame)
        return self._seen()

    def hear(self, frame: Text | dict[str, Any]) -> Any:
        self.session.upstream(frame)
        return self._seen()

    def _seen(self) -> Any:
        seen = self.observer.take()
        return seen[0] if len(seen) == 1 else seen


def conversation_text(content: str, role: str = "user") -> dict[str, Any]:
    return {"type": "ConversationText", "role": role, "content": content}


def transcript(
    text: str, *, final: bool, words: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "type": "Transcript",
        "transcript": text,
        "is_final": final,
        "speech_final": final,
        "channel": 0,
        "channel_index": [0],
        "start": 0,
        "duration": 1.5,
        "alternatives": [{"transcript": text, "confidence": 1, "words": words or []}],
    }


def spelt(*words: str, field: str = "word") -> list[dict[str, Any]]:
    return [{field: word, "start": n, "end": n + 1} for n, word in enumerate(words)]
