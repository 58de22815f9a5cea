"""What the command line asks for, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from voiceproxy.talk.conversation import Conversation
from voiceproxy.talk.settings import INPUT_RATE, make_settings
from voiceproxy.talk.speech import Speech

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from voiceproxy.talk.wav import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One conversation, as it was asked for.

    ``keyboard`` is the descriptor of the terminal that lines are read from, ``recorder`` the
    command line of the program that records the microphone, ``timeout`` in seconds.
    """

    url: str
    headers: Sequence[tuple[str, str]] = ()
    lines: Sequence[str] = ()
    keyboard: int | None = None
    recording: Recording | None = None
    recorder: Sequence[str] | None = None
    prompt: str | None = None
    greeting: str | None = None
    functions: Sequence[dict[str, Any]] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    save: Path | None = None
    play: bool = True
    json_lines: bool = False
    timeout: float = 20.0

    def make_conversation(self) -> Conversation:
        """Make the conversation asked for."""
        recording = self.recording
        settings = make_settings(
            sample_rate=recording.sample_rate if recording else INPUT_RATE,
            prompt=self.prompt,
            greeting=self.greeting,
            functions=self.functions,
        )
        return Conversation(
            settings,
            lines=self.lines,
            interactive=self.keyboard is not None,
            speech=Speech(recording.data, recording.sample_rate) if recording else None,
            microphone=INPUT_RATE if self.recorder else None,
            answers=self.answers,
            timeout=self.timeout,
        )
