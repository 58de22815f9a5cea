"""What the parts of a conversation have in common: whom they hear and whom they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from voiceproxy import TranslatorSession
    from voiceproxy_openai.client_events import ClientEvents
    from voiceproxy_openai.dialogue import Dialogue
    from voiceproxy_openai.messages import Messages
    from voiceproxy_openai.response_gate import ResponseGate


class Shared(NamedTuple):
    """One of each in a conversation."""

    session: TranslatorSession
    messages: Messages
    dialogue: Dialogue
    upstream: ClientEvents
    gate: ResponseGate


class Part:
    """A part of the conversation that speaks to both sides."""

    def __init__(self, shared: Shared) -> None:
        self._session = shared.session
        self._messages = shared.messages
        self._dialogue = shared.dialogue
        self._upstream = shared.upstream
        self._gate = shared.gate
