"""What the tests of the sans-IO core put around a session: a plain translator, plugins made of
functions, and settings a client may send."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import orjson

import voiceproxy
from voiceproxy import Close, Frame, Text, TranslatorSession
from voiceproxy.testing import Driver, drive

SETTINGS = {"type": "Settings"}
APPLIED = {"type": "SettingsApplied"}


def say(words: str, role: str = "assistant") -> dict[str, Any]:
    """A ConversationText."""
    return {"type": "ConversationText", "role": role, "content": words}


def inject(words: str) -> dict[str, Any]:
    """An InjectUserMessage."""
    return {"type": "InjectUserMessage", "content": words}


class Plain:
    """Hands on what it gets. A JSON array from the upstream is several messages at once.

    The Settings are applied when the upstream says SettingsApplied.
    """

    accepts = frozenset({"Settings", "InjectUserMessage", "FunctionCallResponse"})

    def __init__(self, session: TranslatorSession) -> None:
        self.session = session
        self.calls: list[str] = []

    def opened(self) -> None:
        self.session.to_client({"type": "Welcome", "request_id": self.session.id})

    def upstream_opened(self, headers: Any) -> None:
        self.calls.append("upstream_opened")

    def client_frame(self, frame: Frame, message: dict[str, Any] | None) -> None:
        self.session.to_upstream(frame)

    def upstream_frame(self, frame: Frame) -> None:
        messages = frame.message() if isinstance(frame, Text) else None
        for one in messages if isinstance(messages, list) else [frame]:
            self.session.to_client(one)

    def upstream_closed(self, close: Close) -> None:
        self.calls.append("upstream_closed")

    def closed(self) -> None:
        self.calls.append("closed")


def many(*messages: dict[str, Any]) -> Text:
    """One upstream frame of which ``Plain`` makes several messages."""
    return Text(orjson.dumps(messages))


def plugin(name: str, order: str | None = None, **functions: Callable[..., Any]) -> Any:
    """A plugin: ``plugin("a", client_frame=lambda session, frame: None)``.

    ``order`` is ``tryfirst`` or ``trylast``, for each of its hooks.
    """
    made = type(name, (), {})()
    made.name = name
    options = {order: True} if order else {}
    for hook, function in functions.items():
        implementation = voiceproxy.hookimpl(_copy(function), **options)
        setattr(made, f"voiceproxy_{hook}", implementation)
    return made


def _copy(function: Any) -> FunctionType:
    """A function object of its own: the mark of a hook is put on it."""
    parts = function.__code__, function.__globals__, None, None, function.__closure__
    return FunctionType(*parts)


def ready(*plugins: Any, translator: Any = Plain, **options: Any) -> Driver:
    """A session whose Settings are applied; what it took to get there is out of the way."""
    s = drive(translator=translator, plugins=plugins, **options)
    s.client(SETTINGS)
    s.upstream(APPLIED)
    s.to_client()
    s.to_upstream()
    return s


def relaying(*plugins: Any, **options: Any) -> Driver:
    """A session without a translator: frames go from chain to socket."""
    return drive(plugins=plugins, **options)
