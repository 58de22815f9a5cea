"""The shapes inside ``Settings`` and the Update messages, each with all the keys it may have.

Source: the types of deepgram-sdk 7.17 (``agent/v1/types``) and Deepgram's pages
"Configure the Voice Agent". The service refuses every other key.
"""

from __future__ import annotations

from typing import Any

from voiceproxy_simulator.deepgram.agent_fields import (
    Bool,
    Items,
    Nested,
    Number,
    Object,
    Shape,
    Str,
    StringMap,
    Strings,
    Tagged,
    Whole,
    Word,
)
from voiceproxy_simulator.deepgram.agent_providers import (
    LISTEN_PROVIDERS,
    SPEAK_PROVIDERS,
    THINK_PROVIDERS,
    by_type,
    listen_version,
)

INPUT_ENCODINGS = (
    *("linear16", "linear32", "flac", "alaw", "mulaw", "amr-nb", "amr-wb"),
    *("opus", "ogg-opus", "speex", "g729"),
)
OUTPUT_ENCODINGS = ("linear16", "mulaw", "alaw", "mp3", "opus", "flac", "aac")


class AudioInput(Shape):
    """``audio.input``."""

    encoding = Word(*INPUT_ENCODINGS, required=True)
    sample_rate = Whole(required=True)


class AudioOutput(Shape):
    """``audio.output``."""

    encoding = Word(*OUTPUT_ENCODINGS)
    sample_rate = Whole()
    bitrate = Whole()
    container = Word("none", "wav", "ogg")


class Audio(Shape):
    """``audio``."""

    input = Nested(AudioInput)
    output = Nested(AudioOutput)


class Flags(Shape):
    """``flags``."""

    history = Bool()


class PastCall(Shape):
    """A function call of an earlier conversation."""

    id = Str(required=True)
    name = Str(required=True)
    client_side = Bool(required=True)
    arguments = Str(required=True)
    response = Str(required=True)
    thought_signature = Str()


class PastWords(Shape):
    """What somebody said in an earlier conversation, as History has it."""

    type = Word("History")
    role = Word("user", "assistant", required=True)
    content = Str(required=True)


class PastCalls(Shape):
    """The function calls of an earlier conversation, as History has them."""

    type = Word("History")
    function_calls = Items(Nested(PastCall), required=True)


def _past(message: Any) -> str:
    return "calls" if "function_calls" in message else "words"


class Context(Shape):
    """``agent.context``."""

    messages = Items(Tagged(_past, {"calls": PastCalls, "words": PastWords}))


class Listen(Shape):
    """``agent.listen``."""

    provider = Tagged(listen_version, LISTEN_PROVIDERS)


class Endpoint(Shape):
    """A server of the client's own, for a model or a voice."""

    url = Str()
    headers = StringMap()


class FunctionEndpoint(Endpoint):
    """Where the service calls a function itself."""

    method = Str()


class Function(Shape):
    """One of ``think.functions``."""

    name = Str()
    description = Str()
    parameters = Object()
    endpoint = Nested(FunctionEndpoint)
    defer_until_eot = Bool()
    initial_agent_filler = Bool()
    agent_filler_max_count = Whole()
    agent_filler_interval_ms = Whole()


class ContextLength(Number):
    """``"max"`` or a number of characters."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value if value == "max" else super()._deserialize(value, *args, **kwargs)


class Think(Shape):
    """``agent.think``."""

    provider = Tagged(by_type, THINK_PROVIDERS, required=True)
    endpoint = Nested(Endpoint)
    functions = Items(Nested(Function))
    prompt = Str()
    context_length = ContextLength()


class ThinkLiveProvider(Shape):
    """``think_live.provider``."""

    type = Word("deepgram", required=True)
    version = Word("v1")
    agent_backchannel_sensitivity = Number()
    presence_check_max_count = Whole()
    presence_check_interval_ms = Whole()
    frustration_max_count = Whole()
    restricted_terms = Strings()


class ThinkLive(Shape):
    """``agent.think_live``."""

    provider = Nested(ThinkLiveProvider, required=True)


class Speak(Shape):
    """``agent.speak``."""

    provider = Tagged(by_type, SPEAK_PROVIDERS, required=True)
    endpoint = Nested(Endpoint)


class Agent(Shape):
    """``agent``, unless it is the id of a stored one."""

    language = Str()
    context = Nested(Context)
    listen = Nested(Listen)
    think = Items(Nested(Think), or_one=True)
    think_live = Nested(ThinkLive)
    speak = Items(Nested(Speak), or_one=True)
    greeting = Str()
