"""The user's voice: what the upstream's voice-activity detection says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy_openai.parts import Part, Shared
from voiceproxy_openai.reading import Event, integers_at, number_at, text_at

if TYPE_CHECKING:
    from voiceproxy_openai.playback import Playback
    from voiceproxy_openai.responses import Responses
    from voiceproxy_openai.transcripts import Transcripts


class Speech(Part):
    """Barge-in and the end of spoken turns."""

    def __init__(
        self,
        shared: Shared,
        responses: Responses,
        transcripts: Transcripts,
        playback: Playback,
    ) -> None:
        super().__init__(shared)
        self._responses = responses
        self._transcripts = transcripts
        self._playback = playback
        self.automatic = True
        """False in manual mode, where a commit is ours and no response follows by itself."""
        self.speaking = False
        """The user is, as far as the upstream has told."""

    def started(self, _: Event) -> None:
        """``speech_started``: the client is told first, then the upstream what was heard."""
        self.speaking = True
        discarded = self._session.discard_audio()
        self._messages.user_started_speaking()
        self._responses.interrupt()
        heard = self._playback.interrupted(discarded)
        if heard is not None:
            self._upstream.truncate_item(*heard)

    def stopped(self, event: Event) -> None:
        """``speech_stopped``: UtteranceEnd with its defaults (TRN-2)."""
        self._end_turn()
        self._responses.turn_ended()
        last_word_end = number_at(event, "last_word_end")
        self._messages.transcript(
            {
                "type": "UtteranceEnd",
                "channel": integers_at(event, "channel") or [0, 1],
                "last_word_end": 0 if last_word_end is None else last_word_end,
            }
        )

    def committed(self, event: Event) -> None:
        """``committed``: no response yet, but the server may make one by itself."""
        self._transcripts.expect(text_at(event, "item_id"))
        self._end_turn()

    def _end_turn(self) -> None:
        self.speaking = False
        if self.automatic:
            self._gate.turn_committed()
        else:
            self._gate.reconsider()

    def timed_out(self, event: Event) -> None:
        """``timeout_triggered``: the silence becomes an item; its transcript is made up."""
        self._transcripts.ignore(text_at(event, "item_id"))
