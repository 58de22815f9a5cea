"""The ``Settings`` message: its shape at every depth.

Deepgram's page "Configure the Voice Agent" and its SDKs' types are the source; where the
reference proxy is more lenient (contract MAP-16: ``{"type": "Settings"}`` alone is legal) so is
this. Values are the backend's to judge: it knows which models, encodings and rates it can serve.
"""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields

from voiceproxy.agent.json_fields import (
    NOT_AN_OBJECT,
    AnyObject,
    Bool,
    Items,
    Number,
    OneOrMore,
    Shape,
    Str,
    StringMap,
    StrOr,
    Whole,
    refuse_blank,
    refuse_non_positive,
)

MAX_MESSAGES = 10_000
"""The longest history a client may hand over in ``agent.context.messages``."""


def refuse_context_length(value: Any) -> None:
    """Raise ``ValidationError`` unless it is ``"max"`` or a number of characters above zero."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "max" and not (number and value > 0):
        raise ValidationError('Must be "max" or a number greater than 0.')


class AudioInput(Shape):
    """``audio.input``: what the client's binary frames hold. Mono, always."""

    encoding = Str(required=True, validate=refuse_blank)
    sample_rate = Whole(required=True, validate=refuse_non_positive)
    """Hz."""


class AudioOutput(Shape):
    """``audio.output``: what the client wants in binary frames."""

    encoding = Str(validate=refuse_blank)
    sample_rate = Whole(validate=refuse_non_positive)
    """Hz."""
    bitrate = Whole(validate=refuse_non_positive)
    """Bits per second."""
    container = Str(validate=refuse_blank)


class Audio(Shape):
    """``audio``."""

    input = fields.Nested(AudioInput())
    output = fields.Nested(AudioOutput())


class Endpoint(Shape):
    """A server of the client's own: for a model, a voice or a function."""

    url = Str()
    method = Str()
    headers = StringMap()


class ListenProvider(Shape):
    """``agent.listen.provider``."""

    type = Str()
    version = Str()
    model = Str()
    language = Str()
    language_hints = Items(Str())
    keyterms = Items(Str())
    smart_format = Bool()
    eot_threshold = Number()
    eager_eot_threshold = Number()
    eot_timeout_ms = Number()


class Listen(Shape):
    """``agent.listen``."""

    provider = fields.Nested(ListenProvider())


class ThinkProvider(Shape):
    """``agent.think.provider``."""

    type = Str()
    version = Str()
    model = Str()
    temperature = Number()
    reasoning_mode = Str()
    credentials = AnyObject()


class Function(Shape):
    """One of ``agent.think.functions``. Without ``endpoint`` the client runs it."""

    name = Str(required=True, validate=refuse_blank)
    description = Str()
    parameters = AnyObject()
    """A JSON Schema."""
    endpoint = fields.Nested(Endpoint())
    defer_until_eot = Bool()


class Think(Shape):
    """``agent.think``.

    The fields in camel case are dg_react_agent's. The reference drops what it cannot use of them
    (contract MAP-10 to MAP-13), so any JSON is a valid shape.
    """

    provider = fields.Nested(ThinkProvider())
    endpoint = fields.Nested(Endpoint())
    functions = Items(fields.Nested(Function()))
    prompt = Str()
    context_length = fields.Raw(validate=refuse_context_length)
    toolChoice = fields.Raw()  # noqa: N815 - the message's own word
    outputModalities = fields.Raw()  # noqa: N815
    maxOutputTokens = fields.Raw()  # noqa: N815
    managedPrompt = fields.Raw()  # noqa: N815


class ThinkLive(Shape):
    """``agent.think_live``."""

    provider = AnyObject()


class SpeakProvider(Shape):
    """``agent.speak.provider``."""

    type = Str()
    version = Str()
    model = Str()
    model_id = Str()
    voice = StrOr("a name", Shape())
    """A name, or with some providers ``{mode, id}``."""
    language = Str()
    language_code = Str()
    speed = Number()
    credentials = AnyObject()


class Speak(Shape):
    """``agent.speak``."""

    provider = fields.Nested(SpeakProvider())
    endpoint = fields.Nested(Endpoint())


class PastFunctionCall(Shape):
    """A function call of an earlier conversation, as ``History`` reported it."""

    id = Str()
    name = Str(required=True, validate=refuse_blank)
    client_side = Bool()
    arguments = Str()
    response = Str()


class PastWords(Shape):
    """What somebody said in an earlier conversation."""

    role = Str(required=True)
    """``user`` or ``assistant``; backends take any other word for ``user`` (contract MAP-3)."""
    content = Str(required=True)


class PastCalls(Shape):
    """Function calls of an earlier conversation."""

    function_calls = Items(fields.Nested(PastFunctionCall()), required=True)


class PastMessage(fields.Field[Any]):
    """One of ``agent.context.messages``: a ``History`` message of either shape."""

    words = PastWords()
    calls = PastCalls()

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(NOT_AN_OBJECT)
        of_calls = value.get("function_calls") is not None
        return self.calls.load(value) if of_calls else self.words.load(value)


class Context(Shape):
    """``agent.context``: the conversation this one goes on with."""

    messages = Items(PastMessage(), most=MAX_MESSAGES)


class Agent(Shape):
    """``agent``.

    The fields in camel case are dg_react_agent's; of those, too, any JSON is a valid shape
    (contract MAP-6, MAP-14).
    """

    language = Str()
    context = fields.Nested(Context())
    listen = fields.Nested(Listen())
    think = OneOrMore(Think())
    think_live = fields.Nested(ThinkLive())
    speak = OneOrMore(Speak())
    greeting = Str()
    idleTimeoutMs = fields.Raw()  # noqa: N815 - the message's own word
    sessionAudioOutput = fields.Raw()  # noqa: N815


class Flags(Shape):
    """``flags``."""

    history = Bool()


class Settings(Shape):
    """The first message of every session: what the agent is and what the audio looks like.

    ``agent`` may also be the id of an agent stored at the service; a backend that stores none
    refuses it.
    """

    audio = fields.Nested(Audio())
    agent = StrOr("the id of a stored agent", Agent())
    flags = fields.Nested(Flags())
    tags = Items(Str())
    experimental = Bool()
    mip_opt_out = Bool()
