"""The kinds of sessions that are fuzzed: both backends and dialects, pass-through, with plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voiceproxy.session import Limits
from voiceproxy.testing import Driver, drive
from voiceproxy_deepgram.component import ComponentTranslator
from voiceproxy_deepgram.keep_alive import KeepAlive
from voiceproxy_deepgram.pass_through import PassThrough
from voiceproxy_deepgram.settings import DeepgramSettings
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator

LIMITS = Limits(client_buffer=1 << 16, upstream_buffer=1 << 20, settings_timeout=15.0)


def openai(dialect: Any = "component", *plugins: str, **settings: Any) -> Driver:
    """A session of the openai backend."""
    given = OpenAISettings(**settings)
    return drive(
        translator=lambda session: OpenAITranslator(session, given),
        dialect=dialect,
        limits=LIMITS,
        plugins=_loaded(plugins),
    )


def component(*plugins: str, keep_alive: float = 0) -> Driver:
    """A session of the deepgram backend in the component dialect."""
    settings = DeepgramSettings(keep_alive=keep_alive)
    return drive(
        translator=lambda session: ComponentTranslator(
            session, settings, KeepAlive(session, keep_alive) if keep_alive else None
        ),
        limits=LIMITS,
        plugins=_loaded(plugins),
    )


def passed_through(protocol: Any = "agent") -> Driver:
    """A session where frames cross as they are, with ``KeepAlive`` in between."""
    return drive(
        translator=lambda session: PassThrough(session, KeepAlive(session, 5.0)),
        protocol=protocol,
        dialect="agent",
        limits=LIMITS,
    )


def _loaded(names: tuple[str, ...]) -> list[object]:
    return [__import__(f"voiceproxy_{name}") for name in names]


KINDS: dict[str, Callable[[], Driver]] = {
    "openai": openai,
    "openai agent": lambda: openai("agent"),
    "openai unmarked": lambda: openai(mark_responses=False, pass_unknown_messages=True),
    "openai redacted": lambda: openai("component", "redaction", "logging"),
    "deepgram": component,
    "deepgram redacted": lambda: component("redaction", "logging", keep_alive=5.0),
    "deepgram agent": passed_through,
    "deepgram listen": lambda: passed_through("listen"),
}


TRANSLATED: dict[str, Any] = {
    "openai": "component",
    "openai agent": "agent",
    "openai redacted": "component",
}
"""The sessions where both sides get what the proxy made itself, and in which dialect."""
