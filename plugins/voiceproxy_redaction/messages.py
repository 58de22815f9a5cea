"""Where in each message somebody's words are: the Voice Agent protocol, listen and speak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from voiceproxy_redaction.conversation import Voice

Message = dict[str, Any]


MAX_READINGS = 20
"""Alternatives of one transcript; each is looked at behind all that was said before. What more
there are is told to nobody who gets redacted text."""


class Words(NamedTuple):
    """Words somebody says: a string of a message, and what goes with it."""

    parent: Message
    key: str
    voice: Voice
    final: bool = True
    """False for an interim transcript: it will be said again, longer."""
    counts: bool = True
    """Whether what the same voice says next may go on with it; False for another reading of it."""


def _said(role: str, channel: str, *keys: str) -> Callable[[Message], Iterator[Words]]:
    """Messages whose words always come from the same role."""
    voice = Voice(role, channel)

    def words(message: Message) -> Iterator[Words]:
        for key in keys:
            yield Words(message, key, voice)

    return words


def _by_role(message: Message) -> Iterator[Words]:
    """``ConversationText`` and ``History``: ``role`` and ``content``."""
    yield Words(message, "content", Voice(str(message.get("role")), str(message.get("type"))))


def _settings(message: Message) -> Iterator[Words]:
    """``agent.context.messages``, the conversation so far. All else in Settings is no speech."""
    agent = message.get("agent")
    context = agent.get("context") if isinstance(agent, dict) else None
    messages = context.get("messages") if isinstance(context, dict) else None
    for past in messages if isinstance(messages, list) else ():
        if isinstance(past, dict):
            yield Words(past, "content", Voice(str(past.get("role")), "context"))


def _transcript(message: Message) -> Iterator[Words]:
    """``Transcript``: the text, and the readings it was chosen from."""
    final = message.get("is_final") is True
    voice = Voice("user", "Transcript")
    yield Words(message, "transcript", voice, final)
    yield from _readings(message, voice, final, counts=False)


def _results(message: Message) -> Iterator[Words]:
    """``Results`` of ``/v1/listen``: the first alternative is what was said on that channel."""
    channel = message.get("channel")
    if isinstance(channel, dict):
        voice = Voice(str(message.get("channel_index")), "Results")
        yield from _readings(channel, voice, message.get("is_final") is True, counts=True)


def _turn(message: Message) -> Iterator[Words]:
    """``TurnInfo`` of ``/v2/listen``: the whole turn each time, final when it has ended."""
    voice = Voice("user", "TurnInfo")
    yield Words(message, "transcript", voice, message.get("event") == "EndOfTurn")


def _readings(parent: Message, voice: Voice, final: bool, *, counts: bool) -> Iterator[Words]:
    alternatives = parent.get("alternatives")
    if isinstance(alternatives, list):
        del alternatives[MAX_READINGS:]
    for reading in alternatives if isinstance(alternatives, list) else ():
        if isinstance(reading, dict):
            yield Words(reading, "transcript", voice, final, counts)
            counts = False


def _no_words(message: Message) -> Iterator[Words]:
    """Messages without words of a conversation; their strings are looked at one by one."""
    yield from ()


SPOKEN: Mapping[str, Callable[[Message], Iterator[Words]]] = MappingProxyType(
    {
        "Settings": _settings,
        "InjectUserMessage": _said("user", "InjectUserMessage", "content"),
        "InjectAgentMessage": _said("assistant", "InjectAgentMessage", "message", "content"),
        "ConversationText": _by_role,
        "History": _by_role,
        "Transcript": _transcript,
        "Results": _results,
        "TurnInfo": _turn,
        "Speak": _said("assistant", "Speak", "text"),
        **dict.fromkeys(
            (
                *("Welcome", "SettingsApplied", "UserStartedSpeaking", "UtteranceEnd"),
                *("AgentThinking", "AgentStartedSpeaking", "AgentDone", "AgentAudioDone"),
                *("FunctionCallRequest", "FunctionCallResponse", "FunctionCallCancelled"),
                *("UpdatePrompt", "UpdateSpeak", "UpdateThink", "UpdateThink_Live"),
                *("UpdateListen", "ForceEndTurn", "KeepAlive", "LatencyReport"),
                *("PromptUpdated", "SpeakUpdated", "ThinkUpdated", "ThinkLiveUpdated"),
                *("ListenUpdated", "InjectionRefused", "FrustrationDetected", "Warning", "Error"),
                # Listen and speak.
                *("Metadata", "SpeechStarted", "Connected", "Configure", "ConfigureSuccess"),
                *("ConfigureFailure", "Finalize", "CloseStream", "Flush", "Flushed", "Clear"),
                *("Cleared", "Close", "Interrupt", "SpeechInterrupted", "SpeechMetadata"),
                *("SessionMetadata",),
            ),
            _no_words,
        ),
    }
)
"""Message type -> its words. What is not named here is redacted throughout, ids and all."""
