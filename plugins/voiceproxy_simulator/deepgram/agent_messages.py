"""Client messages: parsed as strictly as the service parses them.

Settings and the Update messages may have no key that is not theirs, at any depth. The others are
read for what they need.
"""

from __future__ import annotations

from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from voiceproxy_simulator.deepgram.agent_errors import unparsable
from voiceproxy_simulator.deepgram.agent_fields import (
    Bool,
    Items,
    Nested,
    Shape,
    Str,
    Strings,
    Word,
    first_problem,
)
from voiceproxy_simulator.deepgram.agent_settings import (
    Agent,
    Audio,
    Flags,
    Listen,
    Speak,
    Think,
    ThinkLive,
)
from voiceproxy_simulator.deepgram.scenario import Message


class Lenient(Shape):
    """A message of which only the fields named here are read."""

    class Meta:
        """Do not look at what is not known."""

        unknown = EXCLUDE


class AgentOrId(Nested):
    """``agent``: an object, or the id of an agent stored at the service."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if isinstance(value, str) else super()._deserialize(value, *args, **kwargs)


class Settings(Shape):
    """``Settings``."""

    type = Str()
    audio = Nested(Audio, required=True)
    agent = AgentOrId(Agent, required=True)
    tags = Strings()
    experimental = Bool()
    flags = Nested(Flags)
    mip_opt_out = Bool()


class UpdateListen(Shape):
    """``UpdateListen``."""

    type = Str()
    listen = Nested(Listen, required=True)


class UpdateThink(Shape):
    """``UpdateThink``."""

    type = Str()
    think = Items(Nested(Think), or_one=True, required=True)


class UpdateThinkLive(Shape):
    """``UpdateThink_Live``."""

    type = Str()
    think_live = Nested(ThinkLive, required=True)


class UpdateSpeak(Shape):
    """``UpdateSpeak``."""

    type = Str()
    speak = Items(Nested(Speak), or_one=True, required=True)


class UpdatePrompt(Shape):
    """``UpdatePrompt``."""

    type = Str()
    prompt = Str(required=True)


class InjectUserMessage(Lenient):
    """``InjectUserMessage``."""

    content = Str(required=True)


_BEHAVIORS = ("default", "queue", "interrupt")


class InjectAgentMessage(Lenient):
    """``InjectAgentMessage`` with words of the client's own."""

    message = Str(required=True)
    behavior = Word(*_BEHAVIORS)


class InjectDynamicAgentMessage(Lenient):
    """``InjectAgentMessage`` that leaves the words to Think Live."""

    is_dynamic = Bool(required=True)
    behavior = Word(*_BEHAVIORS)


class FunctionCallResponse(Lenient):
    """``FunctionCallResponse``."""

    name = Str(required=True)
    content = Str(required=True)
    id = Str()


class ToThinkProvider(Lenient):
    """``__customToThinkProvider``: any JSON for a model of the client's own."""

    content = fields.Raw(required=True, allow_none=True)


class Bare(Lenient):
    """A message that is its type alone."""


_MESSAGES: dict[str, Schema] = {
    "Settings": Settings(),
    "UpdateListen": UpdateListen(),
    "UpdateThink": UpdateThink(),
    "UpdateThink_Live": UpdateThinkLive(),
    "UpdateSpeak": UpdateSpeak(),
    "UpdatePrompt": UpdatePrompt(),
    "InjectUserMessage": InjectUserMessage(),
    "InjectAgentMessage": InjectAgentMessage(),
    "FunctionCallResponse": FunctionCallResponse(),
    "__customToThinkProvider": ToThinkProvider(),
    "KeepAlive": Bare(),
    "ForceEndTurn": Bare(),
}
_DYNAMIC = InjectDynamicAgentMessage()

CLIENT_MESSAGES = frozenset(_MESSAGES)
"""Every ``type`` a client may send."""


def read(text: str | bytes) -> Message:
    """A text frame as a message of a type there is. Raises ``Fault`` UNPARSABLE_CLIENT_MESSAGE."""
    try:
        message = orjson.loads(text)
    except ValueError:
        raise unparsable() from None
    if not isinstance(message, dict):
        raise unparsable()
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _MESSAGES:
        raise unparsable("type")
    return message


def check(message: Message) -> None:
    """Raise ``Fault`` UNPARSABLE_CLIENT_MESSAGE unless every field is as it should be."""
    shape = _MESSAGES[message["type"]]
    if message["type"] == "InjectAgentMessage" and message.get("is_dynamic") is True:
        shape = _DYNAMIC
    try:
        shape.load(message)
    except ValidationError as problem:
        raise unparsable(first_problem(problem.messages)) from None
