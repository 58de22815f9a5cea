"""What is logged, and at which level; what is told once (K-7, ERR-2, EVT-1, DEF-12, DEF-32)."""

from __future__ import annotations

from openai_session import (
    PAIR,
    Conversation,
    audio_delta,
    created,
    done,
    error,
    function_call,
    output_item,
)

from voiceproxy_openai.events import COMPATIBLE, EVENTS, Ignored


def test_an_error_is_logged_by_its_code_alone_err_2(caplog):
    caplog.set_level("DEBUG")
    s = Conversation()
    s.upstream(error("session_expired", message="words of theirs"))
    (message,) = s.got()
    assert message["description"] == "words of theirs"
    (record,) = caplog.records
    assert (record.levelname, "session_max_duration" in record.getMessage()) == ("ERROR", True)
    assert "words" not in caplog.text


def test_audio_is_not_logged_def_32(caplog):
    s = Conversation()
    caplog.set_level("DEBUG")
    s.upstream(created("r1"))
    for _ in range(50):
        s.client(bytes(640))
        s.upstream(audio_delta("r1"))
    s.upstream(done("r1"))
    assert len(s.sent()) == 50
    assert s.got_types().count("audio") == 50
    assert caplog.records == []


def test_nothing_of_a_function_call_is_logged_k_7(caplog):
    caplog.set_level("DEBUG")
    s = Conversation()
    call = function_call("c1", "f", '{"a": "askedword"}')
    s.upstream(created("r1"), output_item("done", "r1", call))
    s.answer("c1", "answeredword")
    s.upstream(done("r1", output=[call]))
    s.advance(100)
    assert {"conversation.item.create", "response.create"} <= set(s.sent_types())
    assert "word" not in caplog.text


def test_no_event_that_is_ignored_on_purpose_leaves_a_line_in_the_log_evt_1(caplog):
    caplog.set_level("DEBUG")
    s = Conversation()
    rows = {**EVENTS, **COMPATIBLE}
    s.upstream(*({"type": kind} for kind, row in rows.items() if isinstance(row, Ignored)))
    assert caplog.records == []


def test_a_held_idle_timeout_is_told_once_def_12():
    s = Conversation()
    s.upstream(created("r1"), error("idle_timeout"), done("r1"))
    assert s.got_types() == [*PAIR, "Error"]
    s.upstream(created("r2"), done("r2"))
    assert s.got_types() == PAIR
