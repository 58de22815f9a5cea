"""What session.update changes, what it completes, and what it may not touch."""

from __future__ import annotations

from typing import Any

import pytest
from test_simulator_events import Checked

MODEL_2 = "gpt-realtime-2"


def update(rehearsal: Checked, **session: Any) -> dict[str, Any]:
    """The answer to a ``session.update``: the session, or the error."""
    kind = session.pop("kind", "realtime")
    rehearsal.client({"type": "session.update", "session": {"type": kind, **session}})
    rehearsal.advance(0.01)
    answers = [e for e in rehearsal.events() if e["type"] in {"session.updated", "error"}]
    (answer,) = answers
    return dict(answer.get("session") or answer["error"])


def test_only_what_is_named_changes() -> None:
    rehearsal = Checked(
        session={"instructions": "old", "tools": [{"type": "function", "name": "a"}]}
    )
    session = update(rehearsal, audio={"input": {"transcription": {"model": "whisper-1"}}})
    assert session["instructions"] == "old"
    assert session["tools"][0]["name"] == "a"
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1"}
    assert session["audio"]["output"]["voice"] == "alloy"


def test_empty_values_clear() -> None:
    rehearsal = Checked(
        session={"instructions": "old", "tools": [{"type": "function", "name": "a"}]}
    )
    audio = {"input": {"turn_detection": None, "transcription": None, "noise_reduction": None}}
    session = update(rehearsal, instructions="", tools=[], audio=audio)
    assert (session["instructions"], session["tools"]) == ("", [])
    assert session["audio"]["input"]["turn_detection"] is None


def test_a_turn_detection_is_completed_with_its_defaults() -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 700}
    session = update(Checked(), audio={"input": {"turn_detection": detection}})
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 700,
        "create_response": True,
        "interrupt_response": True,
        "idle_timeout_ms": None,
    }


def test_a_pcm_format_is_completed_with_its_rate() -> None:
    session = update(Checked(), audio={"input": {"format": {"type": "audio/pcm"}}})
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"model": "gpt-realtime-other"}, "invalid_value", "session.model"),
        ({"kind": "transcription"}, "invalid_value", "session.type"),
        ({"reasoning": {"effort": "low"}}, "unsupported_parameter", "session.reasoning"),
    ],
)
def test_what_is_fixed_at_connection_cannot_change(
    session: dict[str, Any], code: str, param: str
) -> None:
    error = update(Checked(), **session)
    assert (error["code"], error["param"]) == (code, param)


def test_the_connected_model_may_be_named_again() -> None:
    assert update(Checked(), model="gpt-realtime")["model"] == "gpt-realtime"


@pytest.mark.parametrize(
    ("model", "reasons"),
    [(MODEL_2, True), ("gpt-realtime-2025-08-28", False), ("gpt-realtime", False)],
)
def test_only_reasoning_models_take_reasoning(model: str, reasons: bool) -> None:
    answer = update(Checked(model=model), reasoning={"effort": "low"})
    assert ("reasoning" in answer) is reasons


def test_tracing_cannot_be_modified_once_it_is_enabled() -> None:
    rehearsal = Checked()
    assert update(rehearsal, tracing="auto")["tracing"] == "auto"
    assert update(rehearsal, tracing=None)["param"] == "session.tracing"


def test_the_voice_is_locked_once_the_model_has_spoken_even_to_the_same_value() -> None:
    rehearsal = Checked()
    assert update(rehearsal, audio={"output": {"voice": "alloy"}})["type"] == "realtime"
    rehearsal.ask("hello")
    assert update(rehearsal, audio={"output": {"voice": "alloy"}})["code"] == "cannot_update_voice"
    assert update(rehearsal, audio={"output": {"speed": 1.1}})["type"] == "realtime"


def test_a_text_reply_does_not_lock_the_voice() -> None:
    rehearsal = Checked()
    rehearsal.ask("hello", output_modalities=["text"])
    assert update(rehearsal, audio={"output": {"voice": "cedar"}})["type"] == "realtime"


def test_the_speed_changes_only_between_turns() -> None:
    rehearsal = Checked(scenario="stall")
    rehearsal.ask("hello")
    error = update(rehearsal, audio={"output": {"speed": 1.2}})
    assert error["param"] == "session.audio.output.speed"


@pytest.mark.parametrize(
    ("audio_input", "param"),
    [
        ({"transcription": {"model": "whisper-1", "keywords": ["x"]}}, "transcription.keywords"),
        ({"transcription": {"languages": ["en"]}}, "transcription.languages"),
        (
            {"transcription": {"model": "gpt-transcribe", "languages": []}},
            "transcription.languages",
        ),
        ({"transcription": {"model": "whisper-1", "delay": "low"}}, "transcription.delay"),
        (
            {"transcription": {"model": "gpt-realtime-whisper", "prompt": "x"}},
            "transcription.prompt",
        ),
        (
            {
                "transcription": {"model": "gpt-realtime-whisper"},
                "turn_detection": {"type": "server_vad"},
            },
            "turn_detection",
        ),
    ],
)
def test_a_transcription_model_takes_only_what_it_knows(
    audio_input: dict[str, Any], param: str
) -> None:
    error = update(Checked(), audio={"input": audio_input})
    assert (error["code"], error["param"]) == ("invalid_value", f"session.audio.input.{param}")


def test_a_transcription_session_shows_neither_model_nor_output() -> None:
    rehearsal = Checked(kind="transcription", model="")
    session = update(rehearsal, kind="transcription", include=[])
    assert session["object"] == "realtime.transcription_session"
    assert "model" not in session
    assert set(session["audio"]) == {"input"}


def test_a_transcription_session_makes_no_responses() -> None:
    rehearsal = Checked(kind="transcription", model="")
    rehearsal.client({"type": "response.create"})
    (event,) = rehearsal.events()
    assert event["error"]["code"] == "bad_response_create"
