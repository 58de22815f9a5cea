"""The functions file of ``voiceproxy talk``, and the Settings it goes into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from deepgram.agent.v1.types import AgentV1Settings

from voiceproxy.talk.functions import FunctionsError, answer_call, read_functions
from voiceproxy.talk.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

WEATHER = {"name": "weather", "description": "d", "parameters": {"type": "object"}}


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "functions.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_definitions_and_answers_are_read_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path, [WEATHER | {"answer": {"sky": "blue"}}, {"name": "time", "answer": "noon"}]
    )
    definitions, answers = read_functions(path)
    assert definitions == [WEATHER, {"name": "time"}]
    assert answers == {"weather": '{"sky":"blue"}', "time": "noon"}


def test_a_function_without_an_answer_is_refused_politely(tmp_path: Path) -> None:
    definitions, answers = read_functions(write(tmp_path, [WEATHER]))
    assert (definitions, answers) == ([WEATHER], {})
    response = answer_call({"id": "1", "name": "weather"}, answers)
    assert response["id"] == "1"
    assert json.loads(response["content"])["error"].startswith("The function weather")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", "not JSON"),
        ({}, "not a list"),
        ([WEATHER, "x"], "item 1 is not an object"),
        ([{}], "item 0 has no name"),
        ([{"name": " "}], "item 0 has no name"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(FunctionsError, match=reason):
        read_functions(write(tmp_path, content))


def unknown_keys(model: Any, path: str = "") -> list[str]:
    """Name every key the SDK's types do not know, at any depth but inside parameters."""
    found = [f"{path}.{key}" for key in getattr(model, "model_extra", None) or {}]
    for name in getattr(type(model), "model_fields", {}):
        value = getattr(model, name)
        items = value if isinstance(value, list) else [value]
        for item in items:
            found += unknown_keys(item, f"{path}.{name}") if name != "parameters" else []
    return found


def test_the_settings_are_what_the_vendor_s_own_types_know() -> None:
    settings = make_settings(sample_rate=8_000, prompt="p", greeting="g", functions=[WEATHER])
    model = AgentV1Settings.model_validate(settings)
    assert unknown_keys(model) == []
    assert model.audio.input is not None
    assert (model.audio.input.encoding, model.audio.input.sample_rate) == ("linear16", 8_000)
    assert settings["agent"]["think"]["prompt"] == "p"
    assert settings["agent"]["think"]["functions"] == [WEATHER]
    assert settings["agent"]["greeting"] == "g"


def test_what_is_not_asked_for_is_not_in_the_settings() -> None:
    settings = make_settings()
    assert "greeting" not in settings["agent"]
    assert "functions" not in settings["agent"]["think"]
    assert settings["agent"]["think"]["prompt"]
    assert settings["audio"] == {
        "input": {"encoding": "linear16", "sample_rate": 16_000},
        "output": {"encoding": "linear16", "sample_rate": 24_000, "container": "none"},
    }
