"""Everything the simulator emits is held to the real package's own types, closed at every depth."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from voiceproxy_simulator import SCENARIOS
from voiceproxy_simulator.testing import Rehearsal, silence, tone
from voiceproxy_simulator.validation import server_events

SESSION_ECHO = {"id", "object", "expires_at"}
"""What the API adds to a session it shows; the package's types describe what a client sends."""

OTHER_SERVERS = {
    "created-omitted",
    "beta-names",
    "missing-indexes",
    "string-error",
    "unknown-events",
}
"""Scenarios whose events are not the API's own, on purpose."""

TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    {"type": "function", "name": "get-time", "parameters": {"type": "object"}},
]


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(RealtimeServerEvent)


def assert_real_event(event: dict[str, Any]) -> None:
    """The event is one of the API's, with no key its types do not have."""
    if event["type"] in {"session.created", "session.updated"}:
        assert set(event["session"]) >= SESSION_ECHO
        shown = {k: v for k, v in event["session"].items() if k not in SESSION_ECHO}
        event = event | {"session": shown}
    model = _adapter().validate_python(event)
    assert model.type == event["type"]
    assert_no_unknown_keys(model, event["type"])
    server_events().check(event)


def assert_no_unknown_keys(model: Any, path: str) -> None:
    """No model at any depth holds a key its type does not name."""
    if isinstance(model, BaseModel):
        assert not model.model_extra, f"{path}: {sorted(model.model_extra or ())}"
        for name in type(model).model_fields:
            assert_no_unknown_keys(getattr(model, name), f"{path}.{name}")
    elif isinstance(model, list):
        for index, entry in enumerate(model):
            assert_no_unknown_keys(entry, f"{path}[{index}]")


class Checked(Rehearsal):
    """A rehearsal whose events are all held to the real types."""

    def frames(self) -> list[Any]:
        frames = super().frames()
        for frame in frames:
            if isinstance(frame, dict):
                assert_real_event(frame)
        return frames


def test_an_unknown_key_deep_inside_an_event_is_noticed() -> None:
    rehearsal = Rehearsal()
    event = rehearsal.ask("hello")[2]
    assert event["type"] == "response.created"
    assert_real_event(event)
    event["response"]["audio"]["output"]["extra"] = 1
    with pytest.raises(AssertionError, match="extra"):
        assert_real_event(event)


def perform(rehearsal: Rehearsal) -> list[Any]:
    """Something of everything a session can hold; the frames that were sent."""
    transcription = {"model": "gpt-4o-transcribe"}
    session = {"type": "realtime", "tools": TOOLS, "audio": {"input": {}}}
    session["audio"]["input"]["transcription"] = transcription
    session["include"] = ["item.input_audio_transcription.logprobs"]
    rehearsal.client({"type": "session.update", "session": session})
    rehearsal.advance(1)
    for text in ("hello", "call get_weather and get time", "count to 5"):
        rehearsal.ask(text)
        rehearsal.advance(20)
    rehearsal.ask("written", output_modalities=["text"])
    rehearsal.advance(20)
    rehearsal.say(silence(0.4) + tone(1.0) + silence(0.6))
    rehearsal.advance(0.1)
    rehearsal.say(tone(0.5) + silence(0.5))
    rehearsal.client({"type": "response.create"}, {"type": "response.cancel"}, "{}")
    rehearsal.advance(20)
    rehearsal.frames()
    return rehearsal.line.sent


@pytest.mark.parametrize(
    "scenario", [None, *(name for name in SCENARIOS if name not in OTHER_SERVERS)]
)
@pytest.mark.parametrize("pace", ["burst", "realtime"])
def test_every_event_of_every_scenario_is_a_real_event(scenario: str | None, pace: str) -> None:
    frames = perform(Checked(scenario=scenario, pace=pace, configured=False))
    assert frames
    assert_ids_are_consistent(frames)


@pytest.mark.parametrize("scenario", sorted(OTHER_SERVERS - {"created-omitted"}))
def test_other_servers_send_something_the_api_does_not(scenario: str) -> None:
    frames = perform(Rehearsal(scenario=scenario, configured=False))
    assert not all(is_real(frame) for frame in frames)


def is_real(event: dict[str, Any]) -> bool:
    try:
        assert_real_event(event)
    except (AssertionError, ValidationError):
        return False
    return True


def test_a_server_that_omits_created_sends_real_events_all_the_same() -> None:
    frames = perform(Rehearsal(scenario="created-omitted", configured=False))
    assert all(is_real(frame) for frame in frames)
    assert "response.created" not in [frame["type"] for frame in frames]


def test_every_event_of_the_beta_is_one_of_the_betas_own_types() -> None:
    beta: TypeAdapter[Any] = TypeAdapter(BetaServerEvent)
    frames = perform(Rehearsal(scenario="beta-names", configured=False))
    for frame in frames:
        model = beta.validate_python(frame)
        assert model.type == frame["type"]
        assert_no_unknown_keys(model, frame["type"])
    kinds = {frame["type"] for frame in frames}
    assert {"conversation.item.created", "response.audio.delta", "response.text.delta"} <= kinds


def assert_ids_are_consistent(frames: list[Any]) -> None:
    """No event id twice; each response created once, done once, its pieces in between."""
    events = [frame for frame in frames if isinstance(frame, dict)]
    ids = [event["event_id"] for event in events]
    assert len(ids) == len(set(ids))
    open_responses: set[str] = set()
    seen: set[str] = set()
    for event in events:
        if event["type"] == "response.created":
            assert event["response"]["id"] not in seen
            seen.add(event["response"]["id"])
            open_responses.add(event["response"]["id"])
        elif event["type"] == "response.done":
            open_responses.remove(event["response"]["id"])
        elif "response_id" in event:
            assert event["response_id"] in open_responses
