"""voiceproxy/agent/problems.py: where a message is wrong, and nothing a client wrote."""

from __future__ import annotations

import re
from collections import OrderedDict
from hashlib import sha256
from importlib import import_module

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import fields
from session_parts import Plain

from voiceproxy import Text
from voiceproxy.agent import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    part_problems,
    problems,
    server_problems,
    unknown_fields,
)
from voiceproxy.agent.json_fields import OneOrMore, StrOr
from voiceproxy.agent.settings_message import PastMessage
from voiceproxy.testing import drive


def names_in(shape):
    """Every key a shape knows, at any depth."""
    for name, field in shape.fields.items():
        yield name
        yield from names_under(field)


def names_under(field):
    if isinstance(field, fields.List):
        yield from names_under(field.inner)
    elif isinstance(field, fields.Nested):
        yield from names_in(field.schema)
    elif isinstance(field, OneOrMore | StrOr):
        yield from names_in(field.shape)
    elif isinstance(field, PastMessage):
        yield from names_in(field.words)
        yield from names_in(field.calls)


module = import_module("voiceproxy.agent.problems")
"""Beside its function of the same name."""

NAMES = sorted({"type", *(name for shape in CLIENT_MESSAGES.values() for name in names_in(shape))})

LINE = re.compile(
    rf"(?:{'|'.join(NAMES)})(?:\[\d+\]|\.(?:{'|'.join(NAMES)}))*: "
    r"(?:Missing data for required field\.|Field may not be null\.|Must be one of: default, queue, "
    r"interrupt\.|Must (?:be|not be|have)(?: |\w|\"max\"|0)+\.)"
    r"|and \d+ more"
)
"""All a line can be: the protocol's own names, indexes, and one of its own texts."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("max"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=40,
)
json_objects = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), json_values)
client_types = st.sampled_from(list(CLIENT_MESSAGES))


@given(json_objects, client_types | json_values | st.none())
def test_any_json_object_gets_lines_of_the_protocols_own_words_and_no_exception(message, kind):
    if kind is not None:
        message["type"] = kind
    for line in problems(message):
        assert LINE.fullmatch(line)


@given(json_objects, st.sampled_from(list(SERVER_MESSAGES)) | json_values)
def test_any_json_object_can_be_checked_as_a_server_message(message, kind):
    message["type"] = kind
    assert all(isinstance(line, str) for line in server_problems(message))


def test_a_line_is_the_json_path_with_indexes_and_what_was_expected():
    functions = [{"name": "book"}, {"name": "cancel"}, {"description": "nameless"}]
    assert problems({"type": "Settings", "agent": {"think": {"functions": functions}}}) == [
        "agent.think.functions[2].name: Missing data for required field."
    ]


def test_every_bad_field_is_named_in_the_order_of_the_paths():
    functions = [None if index in (2, 10) else {"name": "f"} for index in range(11)]
    agent = {"think": [{"functions": functions}, {"prompt": 1}], "greeting": {}, "language": 1}
    assert problems({"type": "Settings", "agent": agent, "audio": {"input": {}}}) == [
        "agent.greeting: Must be a string.",
        "agent.language: Must be a string.",
        "agent.think[0].functions[2]: Field may not be null.",
        "agent.think[0].functions[10]: Field may not be null.",
        "agent.think[1].prompt: Must be a string.",
        "audio.input.encoding: Missing data for required field.",
        "audio.input.sample_rate: Missing data for required field.",
    ]


@pytest.mark.parametrize(("bad", "last"), [(20, 19), (21, None), (500, None)])
def test_past_twenty_lines_the_last_says_how_many_more_there_are(bad, last):
    found = problems({"type": "Settings", "tags": [None] * bad})
    assert found[:20] == [f"tags[{index}]: Field may not be null." for index in range(20)]
    assert found[20:] == ([] if last == 19 else [f"and {bad - 20} more"])


def test_no_line_repeats_a_value_or_a_header_name_of_the_client():
    secret = "sk-live-0123456789"
    endpoint = {"url": [secret], "headers": {secret: [secret]}}
    agent = {
        "think": {"endpoint": endpoint, "functions": [secret], "context_length": secret},
        "context": {"messages": [secret, {"role": [secret], "content": {secret: secret}}]},
        "speak": secret,
        secret: {secret: secret},
    }
    found = problems({"type": "Settings", "agent": agent, "audio": secret, "flags": [secret]})
    assert len(found) == 10
    assert secret not in "".join(found)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({}, "type: Missing data for required field."),
        ({"type": None}, "type: Must be a string."),
        ({"type": ["Settings"]}, "type: Must be a string."),
    ],
)
def test_a_message_without_a_type_is_a_problem(message, expected):
    assert problems(message) == [expected]
    assert server_problems(message) == [expected]


def test_a_client_type_this_protocol_does_not_have_is_left_to_the_backend():
    assert problems({"type": "Dance", "partner": None}) == []


def test_a_server_type_this_protocol_does_not_have_is_a_problem():
    assert server_problems({"type": "Dance"}) == ["type: Must be one of SERVER_MESSAGES."]


def test_a_server_message_is_checked_for_keys_nobody_knows():
    assert server_problems({"type": "SettingsApplied", "at": 1}) == ["at: Unknown field."]


@pytest.mark.parametrize(
    ("message", "dialect"),
    [
        ({"type": "AgentDone"}, "component"),
        ({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0}, "component"),
        ({"type": "History", "role": "user", "content": "hi"}, "agent"),
    ],
)
def test_a_message_of_one_dialect_alone_is_a_problem_in_the_other(message, dialect):
    other = {"component": "agent", "agent": "component"}[dialect]
    assert server_problems(message) == server_problems(message, dialect) == []
    assert server_problems(message, other) == [f"type: Must be a message of the {other} dialect."]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_a_message_of_both_dialects_is_a_problem_in_neither(dialect):
    assert server_problems({"type": "AgentAudioDone"}, dialect) == []


def test_a_part_of_settings_may_lack_what_the_rest_can_bring_but_not_inside_an_array():
    part = {
        "audio": {"input": {"encoding": "mulaw"}},
        "agent": {"think": {"functions": [{"description": "no name"}], "prompt": 7}},
    }
    assert part_problems(part) == [
        "agent.think.functions[0].name: Missing data for required field.",
        "agent.think.prompt: Must be a string.",
    ]


def test_a_whole_settings_message_is_a_part_without_problems():
    assert part_problems({"type": "Settings", "agent": "stored"}) == []
    assert unknown_fields({"type": "Settings", "agent": "stored"}) == ["type"]


def test_fields_the_protocol_does_not_have_are_named_by_their_paths():
    part = {
        "agent": {
            "think": {"promt": "", "functions": [{"name": "f", "parameters": {"x": 1}, "y": 2}]},
            "speak": [{}, {"provider": {"zest": 1}}],
            "context": {"messages": [{"role": "user", "content": "", "mood": "good"}]},
        },
        "tags": ["a"],
    }
    assert unknown_fields(part) == [
        "agent.think.promt",
        "agent.think.functions[0].y",
        "agent.speak[1].provider.zest",
        "agent.context.messages[0].mood",
    ]


# Settings that come again.


class Watched(dict):
    """A message that counts how often somebody looks into its ``agent``."""

    looks = 0

    def get(self, key, *default):
        self.looks += key == "agent"
        return super().get(key, *default)


def settings(**fields):
    message = {"type": "Settings", **fields}
    return Watched(message), orjson.dumps(message)


def test_the_same_valid_settings_are_checked_once(monkeypatch):
    monkeypatch.setattr(module, "_valid", OrderedDict())
    message, data = settings(agent={"think": {"prompt": "Be brief."}})
    assert problems(message, data) == []
    looks = message.looks
    assert looks > 0
    assert problems(message, data) == []
    assert message.looks == looks
    assert problems(message) == []
    assert message.looks > looks


@pytest.mark.parametrize("fields", [{"agent": 1}, {"audio": {"input": {}}}])
def test_settings_that_are_wrong_are_wrong_every_time(fields):
    message, data = settings(**fields)
    assert problems(message, data) == problems(message, data) == problems(message) != []


def test_another_type_with_the_bytes_of_settings_is_checked_for_itself():
    message, data = settings()
    assert problems(message, data) == []
    assert problems({"type": "InjectUserMessage"}, data) != []


def test_of_settings_their_digests_alone_are_remembered_and_not_for_ever(monkeypatch):
    monkeypatch.setattr(module, "_valid", OrderedDict())
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    said = [settings(agent={"think": {"prompt": f"secret {n}"}}) for n in range(3)]
    for message, data in said:
        assert problems(message, data) == []
    assert list(module._valid) == [sha256(data).digest() for _, data in said[1:]]


def test_the_settings_of_a_session_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "_valid", OrderedDict())
    drive(translator=Plain).client(Text(b'{ "type": "Settings" }'))
    assert list(module._valid) == [sha256(b'{ "type": "Settings" }').digest()]
