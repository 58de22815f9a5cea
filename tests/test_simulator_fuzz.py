"""Whatever a client sends, the simulator answers with real events and stays consistent."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_simulator_events import TOOLS, assert_ids_are_consistent
from test_simulator_limits import ACCEPTED as AT_THE_LIMIT
from test_simulator_limits import REFUSED as BEYOND
from test_simulator_validation import ACCEPTED
from test_simulator_validation import REFUSED as UNSOUND

from voiceproxy_simulator.testing import Rehearsal, silence, tone
from voiceproxy_simulator.validation import client_events, server_events

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "session",
        "item",
        "response",
        "audio",
        "item_id",
        "event_id",
        "content",
        "type",
        "role",
        "input",
    ]
)
EVENTS = st.dictionaries(KEYS, JSON, max_size=4).flatmap(
    lambda fields: st.sampled_from(client_events().event_types).map(
        lambda kind: fields | {"type": kind}
    )
)


def append(audio: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}


def say(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return {"type": "conversation.item.create", "item": item}


SENSIBLE: list[dict[str, Any] | float] = [
    say("count to 10"),
    say("get_weather and get_time"),
    append(tone(0.4)),
    append(silence(0.4)),
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "response.create"},
    {"type": "response.create", "response": {"conversation": "none"}},
    {"type": "response.cancel"},
    {"type": "session.update", "session": {"type": "realtime", "tools": TOOLS}},
    {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
    },
    0.0,
    0.3,
    20.0,
]
"""Events, and seconds that pass."""


def assert_sound(rehearsal: Rehearsal) -> None:
    for frame in rehearsal.line.sent:
        if isinstance(frame, dict) and not frame["type"].startswith("session."):
            server_events().check(frame)
    assert_ids_are_consistent(rehearsal.line.sent)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=4))
def test_no_event_however_broken_breaks_the_simulator(events: list[dict[str, Any]]) -> None:
    rehearsal = Rehearsal()
    rehearsal.client(*events)
    rehearsal.advance(1)
    assert_sound(rehearsal)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(SENSIBLE), min_size=5, max_size=30),
    st.sampled_from(["burst", "realtime"]),
    st.sampled_from([None, "stall", "late-acks", "quota"]),
)
def test_every_order_of_sensible_events_leaves_the_session_consistent(
    steps: list[dict[str, Any] | float], pace: Any, scenario: str | None
) -> None:
    rehearsal = Rehearsal(pace=pace, scenario=scenario)
    for step in steps:
        if isinstance(step, float):
            rehearsal.advance(step)
        else:
            rehearsal.client(step)
    rehearsal.client({"type": "response.cancel"})
    rehearsal.advance(60)
    assert_sound(rehearsal)
    assert_at_most_one_response_at_a_time(rehearsal.line.sent)


def assert_at_most_one_response_at_a_time(frames: list[Any]) -> None:
    """In the default conversation; those out of band do not count."""
    active = None
    for event in frames:
        response = event.get("response", {})
        if response.get("conversation_id") is None:
            continue
        if event["type"] == "response.created":
            assert active is None
            active = response["id"]
        elif event["type"] == "response.done":
            assert active == response["id"]
            active = None


def test_every_event_of_the_tables_is_answered_without_a_mistake() -> None:
    for event in [*ACCEPTED, *AT_THE_LIMIT, *(refused[0] for refused in (*UNSOUND, *BEYOND))]:
        rehearsal = Rehearsal(model="gpt-realtime-2")
        rehearsal.client(event)
        rehearsal.advance(5)
        assert_sound(rehearsal)
