"""What the simulator answers. It never pretends to understand: it repeats, measures and counts.

=============================================  =====================================================
What the conversation ends with                The reply
=============================================  =====================================================
user text that names functions of the          a call of each (of the first alone when
session's ``tools`` (``get_weather`` or        ``parallel_tool_calls`` is false); the arguments are
``get weather``), as in                        the JSON object right behind the name, or else
``call get_weather {"city": "Rome"}``          plausible values for the function's ``parameters``
user text with ``count to N`` (N up to 200)    ``1, 2, 3, …``: a long reply, to interrupt
other user text                                ``You said "…".``
audio                                          ``I heard 1.4 s of speech.``
the output of a function call                  ``NAME returned OUTPUT.``
silence (``idle_timeout_ms``)                  ``Are you still there?``
nothing new                                    ``This is the simulator.``
=============================================  =====================================================

``tool_choice``: ``none`` forbids calls; ``required`` and a named function force one, also in the
response that follows the call's output, as the API does. What was said since the model last spoke
is answered together. A quotation is cut at 160 characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from voiceproxy_simulator.arguments import plausible
from voiceproxy_simulator.conversation import Item
from voiceproxy_simulator.input_audio import Recording

Tool = dict[str, Any]

NOTHING_NEW = "This is the simulator."
STILL_THERE = "Are you still there?"
_QUOTED = 160
_COUNT = re.compile(r"\bcount to (\d{1,3})\b", re.IGNORECASE)
_MOST_COUNTED = 200


@dataclass(frozen=True, slots=True)
class Say:
    """Words, spoken or written."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; ``arguments`` is JSON text."""

    name: str
    arguments: str


Part = Say | Call


def heard(recording: Recording) -> str:
    """What a recording was measured to hold, as its transcript says it."""
    if recording.voiced_ms <= 0:
        return "no speech"
    return f"{recording.voiced_ms / 1000:.1f} s of speech"


def reply(items: Sequence[Item], config: dict[str, Any], names: dict[str, str]) -> Sequence[Part]:
    """The parts of a reply to ``items`` under a response's settings.

    ``names`` maps the call ids of the conversation to function names.
    """
    tools = [tool for tool in config["tools"] if tool.get("type") == "function"]
    texts = [text for item in items for text in _texts(item)]
    calls = _calls(texts, tools, config)
    if calls:
        return calls
    said = " ".join(_answer(item, names) for item in items)
    return (Say(said or NOTHING_NEW),)


def _calls(texts: Sequence[str], tools: Sequence[Tool], config: dict[str, Any]) -> Sequence[Call]:
    choice = config["tool_choice"]
    if choice == "none" or not tools:
        return ()
    if isinstance(choice, dict):
        tools = [tool for tool in tools if tool["name"] == choice.get("name")]
    named = [call for text in texts for tool in tools for call in _call(text, tool)]
    if not named and choice != "auto":
        named = [call_of(tool) for tool in tools[:1]]
    return named if config.get("parallel_tool_calls", True) else named[:1]


def _call(text: str, tool: Tool) -> Sequence[Call]:
    """The calls a text asks for: one for each JSON object behind the name, else one in all."""
    spelling = r"[ _-]".join(re.escape(part) for part in re.split("[_-]", tool["name"]))
    mentions = list(re.finditer(rf"(?<!\w){spelling}(?!\w)", text, re.IGNORECASE))
    given = [found for one in mentions if (found := _given(text[one.end() :])) is not None]
    if mentions and not given:
        given = [_fill(tool)]
    return [Call(tool["name"], arguments) for arguments in given]


def _given(text: str) -> str | None:
    """The JSON object a text begins with, compact."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip(" :("))
    except ValueError:
        return None
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else None


def call_of(tool: Tool) -> Call:
    """A call of a function with plausible arguments."""
    return Call(tool["name"], _fill(tool))


def _fill(tool: Tool) -> str:
    filled = plausible(tool.get("parameters") or {"type": "object"})
    return json.dumps(filled if isinstance(filled, dict) else {}, separators=(",", ":"))


def _texts(item: Item) -> Sequence[str]:
    if item.kind != "user":
        return ()
    return [part["text"] for part in item.data["content"] if part["type"] == "input_text"]


def _answer(item: Item, names: dict[str, str]) -> str:
    if item.kind == "function_call_output":
        name = names.get(item.data["call_id"], "The function")
        return f"{name} returned {_cut(item.data['output'])}."
    if item.recording is not None:
        return f"I heard {heard(item.recording)}."
    text = " ".join(_texts(item))
    counted = _COUNT.search(text)
    if counted is not None:
        last = min(int(counted[1]), _MOST_COUNTED)
        return ", ".join(str(number) for number in range(1, last + 1)) + "."
    return f'You said "{_cut(text)}".' if text else "I got something without words."


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
