"""What a client may get as text, in either dialect: one closed shape for each message type."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from voiceproxy.agent.json_fields import Bool, ClosedShape, Items, Number, Str, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEAKERS = validate.OneOf(("user", "assistant"))
BEHAVIORS = validate.OneOf(("default", "backchannel", "presence_check", "filler"))


class Message(ClosedShape):
    """Any message: an object with a ``type``. Alone, a message that has nothing more to say."""

    type = Str(required=True)


class Welcome(Message):
    """The first message of every session, before the client has said anything."""

    request_id = Str(required=True)
    """The session's id: also in the ``dg-request-id`` header and in every log line."""


class ConversationText(Message):
    """What somebody said: one sentence, or several."""

    role = Str(required=True, validate=SPEAKERS)
    content = Str(required=True)
    conversational_behavior = Str(validate=BEHAVIORS)
    languages = Items(Str())
    languages_hinted = Items(Str())


class ReportedCall(ClosedShape):
    """A function call of the conversation, with its answer."""

    id = Str(required=True)
    name = Str(required=True)
    client_side = Bool(required=True)
    arguments = Str(required=True)
    response = Str(required=True)
    thought_signature = Str()


class History(Message):
    """What to hand over in ``agent.context.messages`` to go on with this conversation later.

    Either ``role`` and ``content`` or ``function_calls``. Not sent when the Settings say
    ``flags.history: false``.
    """

    role = Str(validate=SPEAKERS)
    content = Str()
    function_calls = Items(fields.Nested(ReportedCall()))

    @validates_schema
    def _is_of_words_or_of_calls(self, data: dict[str, Any], **_: Any) -> None:
        present = data.keys() - {"type"}
        if present not in ({"role", "content"}, {"function_calls"}):
            raise ValidationError("Must have either role and content or function_calls.")


class AgentThinking(Message):
    """The agent is at work and not yet speaking. ``content`` may be empty."""

    content = Str(required=True)


class RequestedCall(ClosedShape):
    """A function to run."""

    id = Str(required=True)
    name = Str(required=True)
    arguments = Str(required=True)
    """JSON in a string; may be empty."""
    client_side = Bool(required=True)
    """True: the client runs it and answers with ``FunctionCallResponse``."""
    thought_signature = Str()


class FunctionCallRequest(Message):
    """The agent wants functions run."""

    functions = Items(fields.Nested(RequestedCall()), required=True)


class FunctionCallResponse(Message):
    """The result of a function that was run at the service's side."""

    id = Str()
    name = Str(required=True)
    content = Str(required=True)


class CancelledCall(ClosedShape):
    """A function call nobody waits for any more."""

    id = Str(required=True)
    name = Str(required=True)


class FunctionCallCancelled(Message):
    """The user went on speaking: these calls are not to be answered."""

    functions = Items(fields.Nested(CancelledCall()), required=True)


class AgentStartedSpeaking(Message):
    """The first audio or text of an answer follows. Latencies in seconds."""

    total_latency = Number(required=True)
    """From the end of the user's turn to the first audio."""
    tts_latency = Number(required=True)
    """From the first word to the first audio."""
    ttt_latency = Number(required=True)
    """From the end of the user's turn to the first word."""


class LatencyReport(Message):
    """Latencies in seconds, as far as known; there may be several reports in one turn."""

    stt_latency = Number()
    ttt_token_latency = Number()
    ttt_text_latency = Number()
    ttt_tool_latency = Number()
    ttt_thinking_latency = Number()
    tts_latency = Number()
    total_latency = Number()


class InjectionRefused(Message):
    """An ``InjectAgentMessage`` came while somebody was speaking."""

    message = Str(required=True)


class FrustrationDetected(Message):
    """The user loses patience."""

    count = Whole(required=True)
    escalated = Bool(required=True)


class Report(Message):
    """``Warning`` (the session goes on) and ``Error``. Branch on ``code``, never on the text."""

    description = Str(required=True)
    code = Str(required=True)


class FromThinkProvider(Message):
    """Something from the client's own model, handed through: any JSON."""

    content = fields.Raw(required=True)

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Let the content be null."""
        field_obj.allow_none = field_name == "content"


class Word(ClosedShape):
    """One word of a transcript. Times in seconds from the start of the audio."""

    word = Str(required=True)
    start = Number(required=True)
    end = Number(required=True)
    confidence = Number()
    punctuated_word = Str()
    speaker = Whole()


class Alternative(ClosedShape):
    """One reading of what was heard."""

    transcript = Str(required=True)
    confidence = Number(required=True)
    words = Items(fields.Nested(Word()), required=True)


class Transcript(Message):
    """What the user is heard to say, so far or in the end (contract TRN-4 to TRN-6)."""

    transcript = Str(required=True)
    is_final = Bool(required=True)
    speech_final = Bool(required=True)
    channel = Whole(required=True)
    channel_index = Items(Whole(), required=True)
    start = Number(required=True)
    duration = Number(required=True)
    alternatives = Items(fields.Nested(Alternative()), required=True)


class UtteranceEnd(Message):
    """The user stopped speaking (contract TRN-2)."""

    channel = Items(Whole(), required=True)
    last_word_end = Number(required=True)


SERVER_MESSAGES: Mapping[str, Schema] = MappingProxyType(
    {
        "Welcome": Welcome(),
        "SettingsApplied": Message(),
        "ConversationText": ConversationText(),
        "History": History(),
        "UserStartedSpeaking": Message(),
        "UtteranceEnd": UtteranceEnd(),
        "Transcript": Transcript(),
        "AgentThinking": AgentThinking(),
        "FunctionCallRequest": FunctionCallRequest(),
        "FunctionCallResponse": FunctionCallResponse(),
        "FunctionCallCancelled": FunctionCallCancelled(),
        "AgentStartedSpeaking": AgentStartedSpeaking(),
        "LatencyReport": LatencyReport(),
        "AgentDone": Message(),
        "AgentAudioDone": Message(),
        "PromptUpdated": Message(),
        "SpeakUpdated": Message(),
        "ThinkUpdated": Message(),
        "ThinkLiveUpdated": Message(),
        "ListenUpdated": Message(),
        "InjectionRefused": InjectionRefused(),
        "FrustrationDetected": FrustrationDetected(),
        "Warning": Report(),
        "Error": Report(),
        "__customFromThinkProvider": FromThinkProvider(),
    }
)
"""Message type -> shape, in the order of a session. Relayed frames are not checked against it."""
