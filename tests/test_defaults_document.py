"""The file: how it is written, what is refused in it, whose layer is whose."""

import json
import logging
import re
import tomllib
from pathlib import Path

import pytest

import voiceproxy
from voiceproxy import SettingsError
from voiceproxy.testing import FakeBackend
from voiceproxy_defaults.document import read_document, unknown_in
from voiceproxy_defaults.settings import DefaultsSettingsSchema

SERVED = ("fake", "/fake")

TOML = """
[defaults.agent]
greeting = "hello"
[defaults.agent.think]
prompt = "common"
functions = [{ name = "weather", parameters = { type = "object" } }]

[overrides.agent.speak.provider]
model = "one"

[endpoints.fake.overrides.agent.speak.provider]
model = "two"

[endpoints."/fake".overrides.agent.speak.provider]
speed = 2.0

[profiles.sales.defaults.agent.think]
prompt = "sell"
[profiles.sales.overrides.agent]
context.messages = []
"""


def _file(tmp_path: Path, content, name="settings.toml"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def _settings(document, *where):
    return document.layer(*where).apply({"type": "Settings"})


@pytest.mark.parametrize("kind", ["toml", "json"])
def test_layers_come_from_toml_or_json(tmp_path, kind):
    content = TOML if kind == "toml" else tomllib.loads(TOML)
    document = read_document(_file(tmp_path, content, f"settings.{kind}"), SERVED)
    agent = _settings(document, "other", "/other", None)["agent"]
    assert agent["greeting"] == "hello"
    assert agent["think"]["prompt"] == "common"
    assert agent["think"]["functions"][0]["name"] == "weather"
    assert agent["speak"] == {"provider": {"model": "one"}}


def test_backend_path_and_profile_each_count_above_the_one_before(tmp_path):
    document = read_document(_file(tmp_path, TOML), SERVED)
    agent = _settings(document, "fake", "/mounted/fake", "sales")["agent"]
    assert agent["speak"]["provider"] == {"model": "two", "speed": 2.0}
    assert agent["think"]["prompt"] == "sell"
    assert len(agent["think"]["functions"]) == 1
    assert agent["context"] == {"messages": []}


def test_a_path_counts_above_a_backend_in_whatever_order_they_are_written(tmp_path):
    endpoints = {
        "/fake": {"overrides": {"agent": {"language": "de"}}},
        "fake": {"overrides": {"agent": {"language": "fr"}}},
    }
    document = read_document(_file(tmp_path, {"endpoints": endpoints}, "settings.json"), SERVED)
    assert _settings(document, "fake", "/fake", None)["agent"]["language"] == "de"


def test_another_path_of_a_backend_gets_what_the_backend_gets(tmp_path):
    document = read_document(_file(tmp_path, TOML), SERVED)
    agent = _settings(document, "fake", "/v1/agent/converse", None)["agent"]
    assert agent["speak"]["provider"] == {"model": "two"}
    assert agent["think"]["prompt"] == "common"


def test_a_profile_there_is_not_is_a_key_error(tmp_path):
    document = read_document(_file(tmp_path, TOML), SERVED)
    with pytest.raises(KeyError, match="support"):
        document.layer("fake", "/fake", "support")


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (
            {
                "overrides": {"agent": {"x": 10**30}},
                "profiles": {"a": {"defaults": {"y": [-(10**30)]}}},
            },
            [
                "overrides: cannot be sent as JSON: Integer exceeds 64-bit range",
                "profiles.a.defaults: cannot be sent as JSON: Integer exceeds 64-bit range",
            ],
        ),
        ({"default": {}}, ["default: unknown; there are defaults, overrides, endpoints, profiles"]),
        ({"defaults": []}, ["defaults: must be a table"]),
        ({"profiles": []}, ["profiles: must be a table"]),
        ({"profiles": {"a": 1}}, ["profiles.a: must be a table"]),
        (
            {"profiles": {"a": {"agent": {}}}},
            ["profiles.a.agent: unknown; there are defaults, overrides"],
        ),
        (
            {"overrides": {"agent": {"think": {"prompt": 7, "functions": [{}]}}}},
            [
                "overrides.agent.think.functions[0].name: Missing data for required field.",
                "overrides.agent.think.prompt: Must be a string.",
            ],
        ),
        (
            {"endpoints": {"fake": {"defaults": {"audio": {"input": {"sample_rate": -1}}}}}},
            ["endpoints.fake.defaults.audio.input.sample_rate: Must be greater than 0."],
        ),
        (
            {"endpoints": {"faek": {}}, "defaults": {"agent": 7}},
            [
                "defaults.agent: Must be an object or the id of a stored agent.",
                "endpoints.faek: is not served here; there are /fake, fake",
            ],
        ),
        ([], ["must be an object"]),
    ],
)
def test_everything_wrong_is_named_by_its_path(tmp_path, content, problems):
    file = _file(tmp_path, content, "settings.json")
    with pytest.raises(ValueError, match=r".") as caught:
        read_document(file, SERVED)
    assert str(caught.value).splitlines() == [f"{file}: {problem}" for problem in problems]


def test_a_part_may_lack_what_the_rest_of_the_settings_brings(tmp_path):
    content = {"defaults": {"audio": {"input": {"encoding": "mulaw"}}}}
    read_document(_file(tmp_path, content, "settings.json"), SERVED)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("settings.toml", "[defaults", "(at end of document)"),
        ("settings.json", "{", "line 1 column 2"),
        ("settings.yaml", "", "must be called .toml or .json"),
        ("settings.TOML", "x = 1", "x: unknown"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, text):
    with pytest.raises(ValueError, match=r".") as caught:
        read_document(_file(tmp_path, content, name), SERVED)
    assert name in str(caught.value)
    assert text in str(caught.value)


def test_a_file_that_is_not_utf_8_says_so(tmp_path):
    (tmp_path / "a.json").write_bytes(b'"\xff"')
    with pytest.raises(ValueError, match=r"a\.json: 'utf-8' codec"):
        read_document(str(tmp_path / "a.json"), SERVED)


def _app(**settings):
    given = {f"defaults.{name}": value for name, value in settings.items()}
    plugins = ["defaults", FakeBackend("ws://127.0.0.1:9/")]
    return voiceproxy.create_app(plugins, settings=given, environ={})


@pytest.mark.parametrize(
    ("file", "text"),
    [("", "names no file"), ("/nowhere/settings.toml", "No such file or directory")],
)
def test_what_is_wrong_stops_the_start_and_names_the_setting(file, text):
    with pytest.raises(SettingsError, match=text) as caught:
        _app(file=file)
    assert str(caught.value).startswith("VOICEPROXY_DEFAULTS_FILE (--defaults-file): ")


def test_every_problem_of_the_file_is_one_of_the_settings(tmp_path):
    file = _file(tmp_path, {"defaults": {"tags": 1}, "x": 1}, "settings.json")
    with pytest.raises(SettingsError) as caught:
        _app(file=file)
    assert len(caught.value.problems) == 2


def test_endpoints_may_be_named_whatever_the_order_of_the_plugins(tmp_path):
    _app(file=_file(tmp_path, TOML))


def test_a_field_nobody_knows_is_a_warning_and_no_value_is_in_it(tmp_path, caplog):
    secret = "k-5e4f1b2c"
    content = {
        "overrides": {"agent": {"think": {"promt": secret}}},
        "profiles": {"a": {"defaults": {"agent": {"speak": [{"provider": {"zest": secret}}]}}}},
    }
    with caplog.at_level(logging.WARNING):
        _app(file=_file(tmp_path, content, "settings.json"))
    told = [record.getMessage() for record in caplog.records]
    assert ["overrides.agent.think.promt is no field" in told[0]] == [True]
    assert "profiles.a.defaults.agent.speak[0].provider.zest is no field" in told[1]
    assert secret not in str(told)


def test_the_examples_of_the_docs_are_valid_and_known_throughout(tmp_path):
    page = (Path(__file__).parent.parent / "docs/how-to/defaults.md").read_text()
    examples = re.findall(r"```(toml|json)\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 2
    for kind, text in examples:
        file = _file(tmp_path, text, f"example.{kind}")
        document = read_document(file, ("openai", "deepgram"))
        assert list(unknown_in(document)) == []


def test_the_examples_profile_stands_above_what_is_common(tmp_path):
    page = (Path(__file__).parent.parent / "docs/how-to/defaults.md").read_text()
    [toml] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    document = read_document(_file(tmp_path, toml), ("openai", "deepgram"))
    agent = _settings(document, "openai", "/openai", "wholesale")["agent"]
    assert agent["think"]["prompt"].endswith("by the hundred.")
    assert agent["think"]["functions"][0]["name"] == "find_flower"
    assert agent["speak"]["provider"] == {"model": "marin"}


def test_the_flags_of_the_docs_exist():
    page = (Path(__file__).parent.parent / "docs/how-to/defaults.md").read_text()
    named = set(re.findall(r"--(?:no-)?defaults-([a-z-]+)", page))
    fields = {name.replace("_", "-") for name in DefaultsSettingsSchema().fields}
    assert named == fields
