"""The client's audio: up to the upstream, measured, and committed where turns are manual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy_openai.audio_input import AudioInput
from voiceproxy_openai.audio_pace import AudioPace
from voiceproxy_openai.manual_commits import ManualCommits

if TYPE_CHECKING:
    from collections.abc import Callable

    from voiceproxy import TranslatorSession
    from voiceproxy_openai.messages import Messages
    from voiceproxy_openai.response_gate import ResponseGate
    from voiceproxy_openai.settings import OpenAISettings
    from voiceproxy_openai.settings_mapping import SessionPlan


class Microphone:
    """Takes binary frames from the client; until the Settings are applied there are none."""

    __slots__ = (
        "_commit",
        "_commits",
        "_gate",
        "_input",
        "_messages",
        "_pace",
        "_session",
        "_settings",
    )

    def __init__(
        self,
        session: TranslatorSession,
        settings: OpenAISettings,
        messages: Messages,
        gate: ResponseGate,
        commit: Callable[[], None],
    ) -> None:
        self._session = session
        self._settings = settings
        self._messages = messages
        self._gate = gate
        self._commit = commit
        self._input: AudioInput | None = None
        self._pace: AudioPace | None = None
        self._commits: ManualCommits | None = None

    @property
    def user_speaks(self) -> bool:
        """Where turns are manual: whether the user is in the middle of one."""
        return self._commits is not None and self._commits.user_speaks

    def configure(self, plan: SessionPlan) -> None:
        """The upstream expects audio of this plan."""
        session = self._session
        audio = self._input = AudioInput(plan.input, session.to_upstream)
        self._pace = AudioPace(plan.input, session.now, self._warn)
        if not plan.manual_commit:
            session.encode_audio(self._encode)
        else:
            self._commits = ManualCommits(
                session, self._settings, plan.input.native, self._gate, audio.append, self._commit
            )

    def _warn(self, description: str) -> None:
        # By a timer: nothing may be sent while a frame is encoded.
        self._session.later(0, lambda: self._messages.warning("AUDIO_RATE_MISMATCH", description))

    def feed(self, data: bytes) -> None:
        """A binary frame, fifty times a second where turns are manual."""
        if self._input is None:
            return
        size = self._input.feed(data)
        if self._commits is not None:
            self._commits.appended(size)
        self._measure(len(data))

    def _encode(self, data: bytes) -> bytes:
        """The same where nothing else follows from it; the host sends what it becomes."""
        self._measure(len(data))
        return self._input.encode(data) if self._input is not None else b""

    def _measure(self, size: int) -> None:
        if self._pace is None:
            return
        self._pace.received(size)
        if self._pace.known:
            self._pace = None
            if self._commits is None and self._input is not None:
                self._session.encode_audio(self._input.encode)

    def response_over(self) -> None:
        """No response is running any more."""
        if self._commits is not None:
            self._commits.response_over()

    def closed(self) -> None:
        """The end: what the client has said so far goes up before the close frame."""
        self._pace = None
        self._session.encode_audio(None)
        if self._input is None:
            return
        size = self._input.flush()
        if self._commits is not None:
            self._commits.appended(size)
            self._commits.closed()
