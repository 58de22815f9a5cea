"""Manual turns: without voice-activity detection, a pause in the audio ends one (AUD-9..16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voiceproxy_openai.audio_formats import AudioFormat

if TYPE_CHECKING:
    from voiceproxy import Timer, TranslatorSession
    from voiceproxy_openai.response_gate import ResponseGate
    from voiceproxy_openai.settings import OpenAISettings


class ManualCommits:
    """Decides when the audio that went up is committed and answered.

    The API refuses to commit less than 100 ms, and a first turn of less than a second is noise
    more often than speech (K-4). A commit follows a pause (K-1), or, under a cadence that never
    pauses, a bounded wait (K-2).
    """

    def __init__(
        self,
        session: TranslatorSession,
        settings: OpenAISettings,
        audio: AudioFormat,
        gate: ResponseGate,
        append: Callable[[bytes], object],
        commit: Callable[[], None],
    ) -> None:
        self._session = session
        self._settings = settings
        self._audio = audio
        self._gate = gate
        self._append = append
        self._commit_audio = commit
        self._pending = 0
        """Bytes in the upstream's buffer that are not committed."""
        self._committed_before = False
        self._pause: Timer | None = None
        self._longest: Timer | None = None

    @property
    def user_speaks(self) -> bool:
        """Whether audio comes without a pause."""
        return self._pause is not None

    @property
    def _least(self) -> int:
        """Bytes a commit needs now."""
        settings = self._settings
        seconds = (
            settings.commit_min_audio if self._committed_before else settings.commit_first_audio
        )
        return self._bytes(seconds)

    def _bytes(self, seconds: float) -> int:
        return round(seconds * self._audio.rate) * self._audio.sample_bytes

    def appended(self, size: int) -> None:
        """That many bytes went up."""
        if not size:
            return
        self._pending += size
        self._await_pause()
        if self._longest is None and self._pending >= self._least:
            self._longest = self._session.later(self._settings.commit_max_wait, self._waited)

    def _await_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._pause = self._session.later(self._settings.commit_debounce, self._paused)

    def _paused(self) -> None:
        self._pause = None
        self._consider()
        self._gate.reconsider()

    def _waited(self) -> None:
        self._longest = None
        self._consider()

    def _consider(self) -> None:
        """The time is over. What is too little waits for more, or for a response's end (AUD-10)."""
        if self._pending >= self._least and not self._gate.busy:
            self._commit()
            self._gate.want()

    def _commit(self) -> None:
        self._pending = 0
        self._committed_before = True
        for timer in (self._pause, self._longest):
            if timer is not None:
                timer.cancel()
        self._pause = self._longest = None
        self._commit_audio()

    def response_over(self) -> None:
        """Audio that came while the agent spoke gets its turn, padded when short (AUD-14)."""
        if self._pending:
            self._pad(self._bytes(self._settings.commit_min_audio))
            self._await_pause()

    def closed(self) -> None:
        """The client is gone: its last words are committed, but nobody would hear an answer."""
        if self._pending and not self._gate.busy:
            self._pad(self._least)
            self._commit()

    def _pad(self, least: int) -> None:
        if self._pending < least:
            self._append(self._audio.silence * (least - self._pending))
            self._pending = least
