"""Words for the agent to say: InjectAgentMessage, in place of what contract MSG-5 refused.

The rule is Deepgram's. While the user speaks, ``default`` and ``queue`` are refused; while it is
the agent's turn, ``default`` is. ``interrupt`` never is: it cuts the agent short. The user speaks
from ``speech_started`` to ``speech_stopped``; in manual turns, while audio comes without a pause.
The agent's turn begins with what it is to answer and ends with its AgentAudioDone.

A session with audio has the model say the words: a ``response.create`` with them in its
instructions, an empty ``input`` so that no open question is answered instead, and no tools. It is
in band, so what was said becomes an item of the conversation and can be interrupted and truncated
like any reply. In a session of text alone there is nobody to say anything: the words become an
assistant item, exactly as they are.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from voiceproxy_openai.parts import Part, Shared
from voiceproxy_openai.reading import Event, text_at
from voiceproxy_openai.response_gate import Statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from voiceproxy_openai.items import Items
    from voiceproxy_openai.playback import Playback
    from voiceproxy_openai.responses import Responses

MAX_WAITING = 16
"""Messages that may wait to be said; one more is refused."""


class AgentMessages(Part):
    """Has the agent say what the client wants, or tells the client why not."""

    def __init__(
        self, shared: Shared, responses: Responses, items: Items, playback: Playback
    ) -> None:
        super().__init__(shared)
        self._responses = responses
        self._items = items
        self._playback = playback
        self.user_speaks: Callable[[], bool]
        self.agent_calls: Callable[[], bool]
        """Whether function calls of the agent's wait for the client."""
        self.text_only: Callable[[], bool]

    def inject(self, message: Event) -> None:
        """``InjectAgentMessage``; older clients have the words in ``content``."""
        words = text_at(message, "message") or text_at(message, "content")
        if not words.strip() and message.get("is_dynamic") is not True:
            self._messages.injection_refused("There are no words to say.")
            return
        behavior = text_at(message, "behavior") or "default"
        refusal = self._refusal(behavior)
        if refusal:
            self._messages.injection_refused(refusal)
            return
        interrupt = behavior == "interrupt"
        if interrupt:
            self._cut_in()
        self._gate.state(Statement(partial(self._say, words), urgent=interrupt))

    def _refusal(self, behavior: str) -> str:
        if self._gate.statements >= MAX_WAITING:
            return f"{MAX_WAITING} messages wait to be said already."
        if behavior != "interrupt" and self.user_speaks():
            return "The user is speaking."
        if behavior == "default" and self._is_agents_turn():
            return "It is the agent's turn; use behavior queue or interrupt."
        return ""

    def _is_agents_turn(self) -> bool:
        return (
            self._responses.running
            or self._gate.occupied
            or self._items.to_be_answered
            or self.agent_calls()
        )

    def patient_may_go(self) -> bool:
        """Whether a message that waits may be said: nobody else is about to speak."""
        return not self.user_speaks() and not self.agent_calls()

    def _cut_in(self) -> None:
        """Stop the agent. What the client has got already it plays; the rest was never heard."""
        self._responses.stop()
        heard = self._playback.cut(self._session.discard_audio())
        if heard is not None:
            self._upstream.truncate_item(*heard)

    def _say(self, words: str) -> str:
        """Returns the event id of the create, or "" when none was needed."""
        self._responses.turn_ended()
        if not words.strip():  # is_dynamic: the agent finds the words
            return self._upstream.create_response()
        if not self.text_only():
            return self._upstream.create_statement(words)
        sent = self._upstream.create_agent_message(words)
        self._items.expect(sent, _nothing_follows, role="assistant", text=words)
        self._messages.started_speaking(0, 0, 0)
        self._dialogue.reply(words)
        self._messages.done()
        return ""


def _nothing_follows() -> None:
    """The item answers itself."""
