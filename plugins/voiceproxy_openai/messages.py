"""What the client is told, in the Voice Agent protocol's words (the superset of both dialects)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceproxy import TranslatorSession


class Messages:
    """Builds and sends the client's messages of one session."""

    def __init__(self, session: TranslatorSession) -> None:
        self._session = session
        self._send = session.to_client
        self.history = True
        """False when ``Settings.flags.history`` is: no History messages then."""

    def welcome(self) -> None:
        """``Welcome``, the first frame of every session."""
        self._send({"type": "Welcome", "request_id": self._session.id})

    def settings_applied(self) -> None:
        """``SettingsApplied``, without any other field (SES-3)."""
        self._send({"type": "SettingsApplied"})

    def acknowledge(self, kind: str) -> None:
        """``PromptUpdated`` and its like, without any other field."""
        self._send({"type": kind})

    def say(self, role: str, content: str, *, spoken: bool = False) -> None:
        """``ConversationText`` and the ``History`` that mirrors it.

        A ``spoken`` user turn is ConversationText in the agent dialect alone; the component
        dialect has Transcript for it.
        """
        message = {"type": "ConversationText", "role": role, "content": content}
        self._send(message, only="agent" if spoken else None)
        if self.history:
            self._send({"type": "History", "role": role, "content": content})

    def started_speaking(self, total: float, speech: float, text: float) -> None:
        """``AgentStartedSpeaking`` with its latencies in seconds; all three are required."""
        self._send(
            {
                "type": "AgentStartedSpeaking",
                "total_latency": round(total, 3),
                "tts_latency": round(speech, 3),
                "ttt_latency": round(text, 3),
            }
        )

    def done(self) -> None:
        """``AgentDone`` and, always directly behind it, ``AgentAudioDone`` (OUT-12)."""
        self._send({"type": "AgentDone"})
        self._send({"type": "AgentAudioDone"})

    def thinking(self) -> None:
        """``AgentThinking``: an answer went up and the agent has not spoken yet (OUT-16)."""
        self._send({"type": "AgentThinking", "content": ""})

    def user_started_speaking(self) -> None:
        """``UserStartedSpeaking``: the client stops its playback (TRN-1)."""
        self._send({"type": "UserStartedSpeaking"})

    def function_call(self, call_id: str, name: str, arguments: str) -> None:
        """``FunctionCallRequest`` for one call (FCT-2)."""
        call = {"id": call_id, "name": name, "arguments": arguments, "client_side": True}
        self._send({"type": "FunctionCallRequest", "functions": [call]})

    def function_calls_cancelled(self, calls: Sequence[tuple[str, str]]) -> None:
        """``FunctionCallCancelled`` for (id, name) pairs: nobody waits for these any more."""
        functions = [{"id": call_id, "name": name} for call_id, name in calls]
        self._send({"type": "FunctionCallCancelled", "functions": functions}, only="agent")

    def function_call_history(self, call: dict[str, Any]) -> None:
        """``History`` of a function call with its response."""
        if self.history:
            self._send({"type": "History", "function_calls": [call]})

    def transcript(self, message: dict[str, Any]) -> None:
        """``Transcript`` or ``UtteranceEnd``, already whole."""
        self._send(message)

    def injection_refused(self, reason: str) -> None:
        """``InjectionRefused``: the agent will not say the words of an InjectAgentMessage."""
        self._send({"type": "InjectionRefused", "message": reason})

    def error(self, code: str, description: str) -> None:
        """``Error`` the session survives."""
        self._send({"type": "Error", "description": description, "code": code})

    def warning(self, code: str, description: str) -> None:
        """``Warning``: something was done otherwise than asked."""
        self._send({"type": "Warning", "description": description, "code": code})
