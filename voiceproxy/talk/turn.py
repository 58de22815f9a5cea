"""One turn: what the user puts to the agent, and the reply to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy.talk.reply import SETTLE, Reply

if TYPE_CHECKING:
    from voiceproxy.talk.speech import Speech


class Turn:
    """A typed line, a recording, or (``live``) what a microphone hears; or nothing of the user's.

    A live turn lasts as long as the microphone is open: replies come and go in it.
    """

    def __init__(
        self, *, line: str | None = None, speech: Speech | None = None, live: bool = False
    ) -> None:
        self.reply = Reply()
        self.speech = speech
        self.live = live
        self._line = line
        self._heard: str | None = None
        self._asked_at: float | None = None
        self._latency_due = False

    def start(self, now: float) -> None:
        """The line is sent, or the recording starts."""
        self._latency_due = self._line is not None or self.speech is not None or self.live
        if self._line is not None:
            self._asked_at = now
        if self.speech is not None:
            self.speech.start(now)
            self._asked_at = self.speech.heard_at

    def stop_hearing(self, silence: Speech, now: float) -> None:
        """The microphone ended: silence goes on in its place."""
        self.live = False
        self.speech = silence
        silence.start(now)

    def interrupt(self) -> None:
        """The user speaks: what has come so far is no longer the reply."""
        self.reply.restart()
        self._heard = None
        self._latency_due = True
        if self.live:
            self._asked_at = None

    def end_speech(self, now: float) -> None:
        """The agent heard the user stop; a recording knows it better by itself."""
        if self._asked_at is None:
            self._asked_at = now

    def hear_user(self, content: str) -> str | None:
        """Return the user's words as the agent has them, unless they are known already.

        The echo of a typed line says that what came before it was no answer to it. Spoken words may
        be transcribed while the reply comes or after it, and come twice.
        """
        if self._line is not None:
            typed, self._line = self._line, None
            self.reply.restart()
            self._heard = content
            return content if content.strip() != typed.strip() else None
        if not content.strip() or content == self._heard:
            return None
        self._heard = content
        return content

    def sound(self, size: int, now: float) -> float | None:
        """Note audio of the reply; returns the latency, in seconds, with the first of it."""
        self.reply.sound(size, now)
        if not self._latency_due or self._asked_at is None or now < self._asked_at:
            return None
        self._latency_due = False
        return now - self._asked_at

    @property
    def complete_at(self) -> float | None:
        """When the turn is over if nothing more comes; None while that is not known."""
        complete_at = self.reply.complete_at
        if complete_at is None or self.live:
            return None
        if self.speech is None:
            return complete_at
        # A pause in the recording may bring a reply before the recording is over.
        ended_at = self.speech.ended_at
        return None if ended_at is None else max(complete_at, ended_at + SETTLE)
