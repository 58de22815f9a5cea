"""What a client may send as text: one shape for each message type."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from voiceproxy.agent.json_fields import Bool, OneOrMore, Shape, Str
from voiceproxy.agent.settings_message import Listen, Settings, Speak, Think, ThinkLive

if TYPE_CHECKING:
    from collections.abc import Mapping


class InjectUserMessage(Shape):
    """Words of the user's, typed instead of spoken. Answered by a turn of the agent's."""

    content = Str(required=True)


class FunctionCallResponse(Shape):
    """The result of a function the client was asked to run.

    ``content`` is what Deepgram's SDKs send. ``error`` and ``result``, any JSON, are the
    reference's, used in that order where ``content`` is absent or empty; with none of them, as
    when the function returned nothing, the result is empty (contract FCT-4).
    """

    id = Str(required=True)
    """The ``id`` of the ``FunctionCallRequest``."""
    name = Str()
    content = Str()
    error = fields.Raw()
    result = fields.Raw()


class KeepAlive(Shape):
    """Nothing to say, but still here. Never answered."""


class InjectAgentMessage(Shape):
    """Words for the agent to say, in ``message`` or, with older clients, in ``content``.

    With ``is_dynamic`` the agent finds the words itself.
    """

    message = Str()
    content = Str()
    is_dynamic = Bool()
    behavior = Str(validate=validate.OneOf(("default", "queue", "interrupt")))
    """What to do while somebody speaks: be refused, wait, or cut in."""

    @validates_schema
    def _needs_words(self, data: dict[str, Any], **_: Any) -> None:
        spoken = data.get("message") is not None or data.get("content") is not None
        if not spoken and data.get("is_dynamic") is not True:
            raise ValidationError("Missing data for required field.", "message")


class UpdatePrompt(Shape):
    """Another prompt from now on. Answered by ``PromptUpdated``."""

    prompt = Str(required=True)


class UpdateSpeak(Shape):
    """Another voice from now on. Answered by ``SpeakUpdated``. Older clients send ``model``."""

    speak = OneOrMore(Speak())
    model = Str()

    @validates_schema
    def _needs_a_voice(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("speak") is None and data.get("model") is None:
            raise ValidationError("Missing data for required field.", "speak")


class UpdateThink(Shape):
    """Another model or other functions from now on. Answered by ``ThinkUpdated``."""

    think = OneOrMore(Think(), required=True)


class UpdateThinkLive(Shape):
    """Another live-thinking provider from now on. Answered by ``ThinkLiveUpdated``."""

    think_live = fields.Nested(ThinkLive(), required=True)


class UpdateListen(Shape):
    """Another transcription from now on. Answered by ``ListenUpdated``."""

    listen = fields.Nested(Listen(), required=True)


class ForceEndTurn(Shape):
    """The user's turn is over, whatever the microphone says."""


class ToThinkProvider(Shape):
    """Something for the client's own model, handed through."""

    content = fields.Raw(required=True, allow_none=True)


CLIENT_MESSAGES: Mapping[str, Schema] = MappingProxyType(
    {
        "Settings": Settings(),
        "InjectUserMessage": InjectUserMessage(),
        "FunctionCallResponse": FunctionCallResponse(),
        "KeepAlive": KeepAlive(),
        "InjectAgentMessage": InjectAgentMessage(),
        "UpdatePrompt": UpdatePrompt(),
        "UpdateSpeak": UpdateSpeak(),
        "UpdateThink": UpdateThink(),
        "UpdateThink_Live": UpdateThinkLive(),
        "UpdateListen": UpdateListen(),
        "ForceEndTurn": ForceEndTurn(),
        "__customToThinkProvider": ToThinkProvider(),
    }
)
"""Message type -> shape. The order is that of lists of allowed types (contract MSG-1, MSG-3)."""
