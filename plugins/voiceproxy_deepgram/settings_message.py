"""What dg_react_agent puts into messages that Deepgram's strict parser would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from voiceproxy import Text

OF_AGENT = ("idleTimeoutMs", "sessionAudioOutput", "useOpenAIManualAudioCommit")
OF_THINK = ("toolChoice", "outputModalities", "maxOutputTokens", "managedPrompt")
OF_FUNCTION = ("client_side",)


def plain_settings(frame: Text) -> tuple[Text, list[str]]:
    """The ``Settings`` without what only the component knows, and the paths of what was left out.

    The very frame where there is nothing of that kind in it.
    """
    message = frame.message()
    agent = message.get("agent")
    left_out = [] if not isinstance(agent, dict) else list(_take_extras(agent))
    return (Text.of(message), left_out) if left_out else (frame, [])


def plain_injection(frame: Text) -> Text:
    """The ``InjectAgentMessage`` with ``message``, which older SDKs and the component call
    ``content``."""
    message = frame.message()
    if "message" in message or not isinstance(message.get("content"), str):
        return frame
    return Text.of(
        {("message" if name == "content" else name): value for name, value in message.items()}
    )


def _take_extras(agent: dict[str, Any]) -> Iterator[str]:
    yield from _take(agent, OF_AGENT, "agent")
    yield from _each(agent.get("think"), "agent.think", _take_extras_of_think)


def _take_extras_of_think(think: dict[str, Any], path: str) -> Iterator[str]:
    yield from _take(think, OF_THINK, path)
    functions = think.get("functions")
    if isinstance(functions, list):
        yield from _each(functions, f"{path}.functions", _take_extras_of_function)


def _take_extras_of_function(function: dict[str, Any], path: str) -> Iterator[str]:
    yield from _take(function, OF_FUNCTION, path)


def _each(
    value: object, path: str, take: Callable[[dict[str, Any], str], Iterator[str]]
) -> Iterator[str]:
    """Take from an object, or from every object of an array."""
    if isinstance(value, dict):
        yield from take(value, path)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            if isinstance(one, dict):
                yield from take(one, f"{path}[{number}]")


def _take(value: dict[str, Any], names: tuple[str, ...], path: str) -> Iterator[str]:
    for name in names:
        if name in value:
            del value[name]
            yield f"{path}.{name}"
