"""Every server event has its row, and no event can break a session."""

from __future__ import annotations

from operator import attrgetter
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from openai_session import PAIR, Conversation, audio_delta, created, done

from voiceproxy.frames import Text
from voiceproxy.testing import drive
from voiceproxy_openai.events import BETA_NAMES, COMPATIBLE, EVENTS, ROWS, Handled, Ignored
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator

UNION = {
    kind
    for member in get_args(get_args(RealtimeServerEvent)[0])
    for kind in get_args(member.model_fields["type"].annotation)
}


def test_every_server_event_of_the_openai_package_has_a_row_and_no_other_has():
    assert len(UNION) == 46
    assert set(EVENTS) == UNION
    assert not set(COMPATIBLE) & UNION
    assert not set(BETA_NAMES) & UNION


def test_every_row_names_a_method_or_a_reason():
    translators = []

    def make(session):
        translators.append(OpenAITranslator(session, OpenAISettings()))
        return translators[0]

    drive(translator=make)
    for kind, row in {**EVENTS, **COMPATIBLE}.items():
        if isinstance(row, Handled):
            assert callable(attrgetter(row.method)(translators[0])), kind
            assert row.gives
        else:
            assert isinstance(row, Ignored)
            assert row.reason


@pytest.mark.parametrize(("beta", "ga"), BETA_NAMES.items())
def test_beta_names_are_normalised_at_the_entry(beta, ga):
    assert ROWS[beta] is EVENTS[ga]


def test_a_beta_shaped_server_holds_a_whole_turn():
    s = Conversation()
    create = s.create_response()
    s.got()
    delta = {**audio_delta("r1"), "type": "response.audio.delta"}
    s.upstream(
        created("r1", create),
        {"type": "response.audio_transcript.delta", "response_id": "r1", "delta": "He"},
        delta,
        {"type": "response.audio.done", "response_id": "r1"},
        {"type": "response.audio_transcript.done", "response_id": "r1", "transcript": "Hey"},
        done("r1"),
    )
    assert s.got_types() == ["AgentStartedSpeaking", "audio", "ConversationText", *PAIR]


IGNORED = [kind for kind, row in {**EVENTS, **COMPATIBLE}.items() if isinstance(row, Ignored)]


@pytest.mark.parametrize("kind", IGNORED)
def test_what_is_ignored_on_purpose_gives_nothing_evt_1(kind, caplog):
    s = Conversation()
    s.upstream({"type": kind}, {"type": kind, "item_id": "x", "response_id": "y"})
    assert (s.got(), s.sent()) == ([], [])
    assert not caplog.records


def test_an_unknown_event_is_warned_of_once_without_its_content_evt_2(caplog):
    s = Conversation()
    for _ in range(3):
        s.upstream({"type": "response.telepathy.delta", "delta": "secret words"})
    s.upstream({"type": "z" * 500})
    assert (s.got(), s.sent()) == ([], [])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "response.telepathy.delta" in caplog.text
    assert "58 bytes" in caplog.text
    assert "secret" not in caplog.text
    assert "z" * 100 not in caplog.text


@pytest.mark.parametrize("junk", [b"nonsense", b"[1]", b"42", b"null", b'"type"', b"\xff", b""])
def test_junk_is_reported_once_and_the_session_goes_on_evt_3(junk, caplog):
    s = Conversation()
    s.upstream(Text(junk), Text(junk))
    (message,) = s.got()
    assert message["code"] == "unmapped_upstream_event"
    assert s.create_response()
    assert "nonsense" not in caplog.text


def test_a_binary_frame_from_the_upstream_is_junk_evt_3():
    s = Conversation()
    s.upstream(b'{"type":"session.updated"}', b"\0\1")
    assert [message["code"] for message in s.got()] == ["unmapped_upstream_event"]


@pytest.mark.parametrize("kind", [None, 5, [], {}, True])
def test_an_event_without_a_usable_type_is_dropped_evt_2(kind):
    s = Conversation()
    s.upstream({"type": kind}, {})
    assert (s.got(), s.sent()) == ([], [])


@pytest.mark.parametrize("delta", [None, 5, "%%%", "abc", {}])
def test_a_malformed_audio_delta_is_dropped_with_one_warning(delta, caplog):
    s = Conversation()
    s.upstream(created("r1"), *[{**audio_delta("r1"), "delta": delta}] * 3)
    s.upstream(audio_delta("r1"), done("r1"))
    assert s.got_types() == ["AgentStartedSpeaking", "audio", *PAIR]
    assert len(caplog.records) == 1


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(
    [
        "id", "type", "role", "status", "content", "text", "transcript", "name", "arguments",
        "call_id", "output", "metadata", "code", "message", "param", "event_id", "error", "reason",
    ]
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4)
)
FIELDS = st.sampled_from(
    [
        "response", "item", "item_id", "response_id", "delta", "text", "transcript", "error",
        "call_id", "name", "arguments", "content_index", "channel", "channel_index", "alternatives",
        "session", "start", "last_word_end", "part", "output_index",
    ]
)  # fmt: skip
KNOWN_SHAPES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "", 5]),
        "type": st.sampled_from(["message", "function_call", "function_call_output", None]),
        "role": st.sampled_from(["assistant", "user", None]),
        "status": st.sampled_from(["completed", "cancelled", "failed", "incomplete", 7]),
        "output": ANYTHING,
        "content": ANYTHING,
        "call_id": st.sampled_from(["c", 1]),
        "arguments": ANYTHING,
        "status_details": ANYTHING,
    }
)
EVENT = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*EVENTS, *BETA_NAMES]),
    st.dictionaries(
        FIELDS, ANYTHING | KNOWN_SHAPES | st.sampled_from(["a", "b", "c", ""]), max_size=6
    ),
)


@given(st.lists(EVENT, max_size=12), st.sampled_from(["component", "agent"]))
@settings(max_examples=200, deadline=None)
def test_no_event_however_malformed_breaks_the_session(events, dialect):
    s = Conversation(dialect)
    s.inject("hello")
    for event in events:
        s.upstream(Text.of(_finite(event)))
    s.sent()
    messages = [frame for frame in s.got() if isinstance(frame, dict)]
    assert not any(message.get("code") == "internal_error" for message in messages)
    s.advance(100)
    s.got()
    s.sent()


def _finite(value):
    """JSON has neither infinities nor integers of any size."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return 0
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
