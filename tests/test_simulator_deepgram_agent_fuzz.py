"""Whatever a Voice Agent client sends, the simulator answers with real messages, in their order."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from test_simulator_deepgram_agent_messages import FUNCTIONS, CheckedAgent
from test_simulator_deepgram_agent_session import ENDED
from test_simulator_deepgram_agent_turns import ask, inject

from voiceproxy_simulator.deepgram.agent_messages import CLIENT_MESSAGES
from voiceproxy_simulator.deepgram.rehearsal import settings, types
from voiceproxy_simulator.deepgram.scenario import Message
from voiceproxy_simulator.testing import silence, tone
from voiceproxy_simulator.wire import Frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99_999) | st.floats(0, 1) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)
FULL = settings(
    greeting="Hello.",
    functions=FUNCTIONS,
    context={"messages": [{"type": "History", "role": "user", "content": "Hi."}]},
)
EFFORT = effort(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a message, itself left out."""
    if not isinstance(value, dict | list):
        return []
    found = []
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        found += [(*path, key), *places(one, (*path, key))]
    return found


@st.composite
def broken_settings(draw: st.DrawFn) -> Message:
    """Settings with something else in one place."""
    message = copy.deepcopy(FULL)
    *way, last = draw(st.sampled_from([one for one in places(FULL) if one != ("type",)]))
    inner: Any = message
    for key in way:
        inner = inner[key]
    inner[last] = draw(JSON)
    return message


MESSAGES = st.one_of(
    st.sampled_from(
        [
            ask("count to 9"),
            ask("get weather and get time"),
            inject("One. Two."),
            inject("Three.", "queue"),
            inject("Four.", "interrupt"),
            {"type": "FunctionCallResponse", "id": "call_1", "name": "f", "content": "1"},
            {"type": "FunctionCallResponse", "id": "call_3", "name": "f", "content": "3"},
            {"type": "UpdateListen", "listen": FULL["agent"]["listen"]},
            {"type": "ForceEndTurn"},
            tone(0.2),
            silence(0.5),
            b"\x01",
        ]
    ),
    st.floats(0, 2),
)


@EFFORT
@given(broken_settings())
def test_broken_settings_are_applied_or_refused(message: Message) -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.client(message)
    rehearsal.advance(2)
    kinds = rehearsal.types()
    if rehearsal.closed is None:
        assert kinds[:2] == ["Welcome", "SettingsApplied"]
    else:
        assert (kinds, rehearsal.closed) == (["Welcome", "Error"], ENDED)


@EFFORT
@given(
    st.sampled_from(sorted(CLIENT_MESSAGES)),
    st.dictionaries(
        st.sampled_from(["content", "message", "prompt", "id", "name", "think", "speak"]), JSON
    ),
)
def test_any_message_is_handled_or_refused(kind: str, fields: dict[str, Any]) -> None:
    rehearsal = CheckedAgent(FULL)
    rehearsal.client({**fields, "type": kind})
    rehearsal.advance(2)
    rehearsal.frames()


@EFFORT
@given(st.lists(MESSAGES, max_size=12))
def test_turns_keep_their_order(inputs: list[Message | bytes | float]) -> None:
    rehearsal = CheckedAgent(None, pace="realtime")
    rehearsal.client(FULL)
    rehearsal.advance(0.005)
    frames: list[Frame] = []
    for one in inputs:
        if isinstance(one, float):
            rehearsal.advance(one)
        else:
            rehearsal.client(one)
        rehearsal.client({"type": "KeepAlive"})
        frames += rehearsal.frames()
    assert rehearsal.closed is None
    assert_order(frames)


def assert_order(frames: list[Frame]) -> None:
    """Audio follows words of the same turn; a turn is done once, or not at all when it was cut."""
    speaking = False
    asked: set[str] = set()
    for frame in frames:
        if isinstance(frame, bytes):
            assert speaking
        elif isinstance(frame, dict):
            kind = frame["type"]
            if kind == "ConversationText":
                speaking = frame["role"] == "assistant"
            elif kind in {"AgentAudioDone", "UserStartedSpeaking"}:
                speaking = False
            elif kind == "FunctionCallRequest":
                ids = {one["id"] for one in frame["functions"]}
                assert not ids & asked
                asked |= ids
            elif kind == "FunctionCallCancelled":
                assert {one["id"] for one in frame["functions"]} <= asked
    assert "Error" not in types(frames)
