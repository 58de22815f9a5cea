"""The shapes of the providers: who listens, thinks and speaks for an agent.

Source: the types of deepgram-sdk 7.17 (``types``). The service refuses every other key.
"""

from __future__ import annotations

from typing import Any

from voiceproxy_simulator.deepgram.agent_fields import (
    Bool,
    Nested,
    Number,
    Schemas,
    Shape,
    Str,
    Strings,
    Whole,
    Word,
)

_REASONING = ("none", "minimal", "low", "medium", "high")


class ListenV1(Shape):
    """``listen.provider`` of version v1, which is the default."""

    type = Word("deepgram", required=True)
    version = Word("v1")
    model = Str()
    language = Str()
    keyterms = Strings()
    smart_format = Bool()


class ListenV2(Shape):
    """``listen.provider`` of version v2: Flux."""

    type = Word("deepgram", required=True)
    version = Word("v2")
    model = Str(required=True)
    language_hints = Strings()
    language_hint = Strings(or_one=True)
    eot_threshold = Number()
    eager_eot_threshold = Number()
    eot_timeout_ms = Whole()
    keyterms = Strings()


def listen_version(provider: dict[str, Any]) -> str:
    """The version of a ``listen.provider``; a Flux model without one is v2, as the SDKs have it."""
    flux = str(provider.get("model")).startswith("flux")
    return str(provider.get("version") or ("v2" if flux else "v1"))


def by_type(provider: dict[str, Any]) -> str:
    """The type of a provider, which says what else it has."""
    return str(provider.get("type"))


class AwsCredentials(Shape):
    """Credentials for a service of AWS."""

    type = Word("sts", "iam")
    region = Str()
    access_key_id = Str()
    secret_access_key = Str()
    session_token = Str()


class ThinkProvider(Shape):
    """What every ``think.provider`` has."""

    type = Str(required=True)
    model = Str(required=True)
    version = Str()
    temperature = Number()


class Reasoner(ThinkProvider):
    """open_ai, groq."""

    reasoning_mode = Word(*_REASONING)


class Bedrock(ThinkProvider):
    """aws_bedrock."""

    credentials = Nested(AwsCredentials)


class DeepgramThink(Reasoner):
    """deepgram."""

    voice_prompt_opt_out = Bool()


class DeepgramSpeak(Shape):
    """deepgram."""

    type = Str(required=True)
    model = Str(required=True)
    version = Str()
    speed = Number()
    expressivity = Whole()


class ElevenLabs(Shape):
    """eleven_labs."""

    type = Str(required=True)
    model_id = Str(required=True)
    version = Str()
    language = Str()
    language_code = Str()


class CartesiaVoice(Shape):
    """The voice of a cartesia provider."""

    mode = Str(required=True)
    id = Str(required=True)


class Cartesia(Shape):
    """cartesia."""

    type = Str(required=True)
    model_id = Str(required=True)
    voice = Nested(CartesiaVoice, required=True)
    version = Str()
    language = Str()
    volume = Number()


class OpenAiSpeak(Shape):
    """open_ai."""

    type = Str(required=True)
    model = Str(required=True)
    voice = Str(required=True)
    version = Str()


class Polly(Shape):
    """aws_polly."""

    type = Str(required=True)
    voice = Str(required=True)
    language = Str(required=True)
    engine = Str(required=True)
    credentials = Nested(AwsCredentials, required=True)
    language_code = Str()


LISTEN_PROVIDERS: Schemas = {"v1": ListenV1, "v2": ListenV2}
"""By version."""

THINK_PROVIDERS: Schemas = {
    "open_ai": Reasoner,
    "anthropic": ThinkProvider,
    "google": ThinkProvider,
    "groq": Reasoner,
    "aws_bedrock": Bedrock,
    "deepgram": DeepgramThink,
}
"""By type."""

SPEAK_PROVIDERS: Schemas = {
    "deepgram": DeepgramSpeak,
    "eleven_labs": ElevenLabs,
    "cartesia": Cartesia,
    "open_ai": OpenAiSpeak,
    "aws_polly": Polly,
}
"""By type."""
