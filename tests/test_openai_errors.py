"""The upstream's errors and its end: what the client hears, and the close code (ERR, CLS)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from openai_session import PAIR, Conversation, assistant, created, done, error, item_event

import voiceproxy_openai
from voiceproxy_openai.errors import CODES, FATAL, read_error, scrub


@pytest.mark.parametrize(
    ("event", "code", "description"),
    [
        (error("some_code"), "some_code", "No."),
        (error(None), "unknown", "No."),
        (error(""), "unknown", "No."),
        (error("session_expired"), "session_max_duration", "No."),
        (error("x", type="max_duration"), "session_max_duration", "No."),
        (error("idle_timeout"), "idle_timeout", "No."),
        ({"type": "error", "error": "plain"}, "unknown", "plain"),
        ({"type": "error", "error": "plain", "code": "c"}, "c", "plain"),
        ({"type": "error"}, "unknown", "Unknown error"),
        (error("x", message=None), "x", "Unknown error"),
    ],
)
def test_an_error_reaches_the_client_by_code_err_1_err_8_def_15(event, code, description):
    s = Conversation()
    s.upstream(event)
    assert s.got() == [{"type": "Error", "description": description, "code": code}]
    assert s.driver.closed is None


@pytest.mark.parametrize("code", ["response_cancel_not_active", "input_audio_buffer_commit_empty"])
def test_a_race_of_ours_is_not_shown(code):
    s = Conversation()
    s.upstream(error(code), error("invalid_value", "truncate_9"), error("x", "cancel_3"))
    assert s.got() == []


@pytest.mark.parametrize("code", sorted(FATAL))
def test_a_fatal_error_ends_the_session_with_1000(code):
    s = Conversation()
    s.upstream(error(code))
    assert [message["code"] for message in s.got()] == [code]
    assert s.driver.closed.code == 1000


def test_a_fatal_type_counts_as_well_as_a_fatal_code():
    s = Conversation()
    s.upstream(error(None, type="insufficient_quota"))
    assert [message["code"] for message in s.got()] == ["insufficient_quota"]
    assert s.driver.closed.code == 1000


def test_a_fatal_error_during_setup_is_not_taken_for_refused_settings():
    s = Conversation(applied=False)
    s.got()
    s.client({"type": "Settings"})
    s.upstream(error("invalid_api_key"))
    s.driver.upstream_closes(3000, "invalid_request_error.invalid_api_key")
    assert [message["code"] for message in s.got()] == ["invalid_api_key"]
    assert s.driver.closed.code == 1000


def failed(code, kind="invalid_request_error", status="failed", **details):
    inner = {"type": kind, "code": code, "message": "Why."}
    return done("r1", status, status_details={"type": status, "error": inner, **details})


def test_a_failed_response_is_an_error_with_its_code_def_14():
    s = Conversation()
    s.upstream(created("r1"), failed("rate_limit_exceeded"))
    messages = s.got()
    assert messages[0] == {"type": "Error", "description": "Why.", "code": "rate_limit_exceeded"}
    assert [message["type"] for message in messages[1:]] == PAIR
    assert s.driver.closed is None


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"error": {"type": "server_error", "code": None, "message": "x"}}, "server_error"),
        ({"reason": "odd"}, "odd"),
        (None, "unknown"),
    ],
)
def test_a_failed_response_without_a_code_still_says_something_def_14(details, code):
    s = Conversation()
    s.upstream(created("r1"), done("r1", "failed", status_details=details))
    assert s.got()[0]["code"] == code


def test_exhausted_quota_ends_the_session_with_1000():
    s = Conversation()
    s.upstream(created("r1"), failed("insufficient_quota"))
    codes = [message.get("code") for message in s.got() if message["type"] == "Error"]
    assert codes == ["insufficient_quota"]
    assert s.driver.closed.code == 1000


def test_an_incomplete_response_is_a_warning_after_its_text_def_14():
    s = Conversation()
    incomplete = done("r1", "incomplete", status_details={"reason": "max_output_tokens"})
    s.upstream(created("r1"), item_event("done", assistant("i", "Hello wor", "incomplete")))
    s.upstream(incomplete)
    messages = s.got()
    assert [message["type"] for message in messages] == [
        "AgentStartedSpeaking",
        "ConversationText",
        "Warning",
        *PAIR,
    ]
    assert messages[2]["code"] == "max_output_tokens"


def test_a_cancelled_response_is_no_error_def_14():
    s = Conversation()
    details = {"type": "cancelled", "reason": "turn_detected"}
    s.upstream(created("r1"), done("r1", "cancelled", status_details=details))
    assert s.got_types() == PAIR


def test_idle_timeout_waits_for_the_end_of_the_response_err_3_def_12():
    s = Conversation()
    s.upstream(created("r1"), error("idle_timeout"))
    assert s.got() == []
    s.upstream(done("r1"))
    assert s.got_types() == [*PAIR, "Error"]
    s.upstream(error("idle_timeout"))
    assert s.got_types() == ["Error"]


def test_a_held_idle_timeout_goes_out_when_the_upstream_closes_err_3():
    s = Conversation()
    s.upstream(created("r1"), error("idle_timeout"))
    s.driver.upstream_closes(1000)
    assert [message["code"] for message in s.got()] == ["idle_timeout"]
    assert s.driver.closed.code == 1000


@pytest.mark.parametrize(
    ("code", "reason", "error_code", "client_code"),
    [
        (1000, "bye", None, 1000),
        (1005, "", None, 1000),
        (1001, "maximum duration of 60 minutes", None, 1001),
        (1006, "", "upstream_closed", 1011),
        (1011, "oops", "upstream_closed", 1011),
        (1012, "", "upstream_closed", 1012),
        (3000, "invalid_api_key", "upstream_closed", 1000),
        (4000, "beta", "upstream_closed", 1000),
        (4001, "own", "upstream_closed", 4001),
    ],
)
def test_the_upstreams_close_crosses_cls_1_def_20(code, reason, error_code, client_code):
    s = Conversation()
    s.driver.upstream_closes(code, reason)
    messages = s.got()
    assert [message["code"] for message in messages] == ([error_code] if error_code else [])
    assert s.driver.closed.code == client_code
    assert s.driver.closed.reason == (reason or error_code or "")


@pytest.mark.parametrize(
    ("code", "client_code"), [(1000, 1000), (1006, 1011), (1011, 1011), (3000, 1000)]
)
@pytest.mark.parametrize("settings", [True, False])
def test_a_close_before_the_session_is_ready_is_always_told_err_6(code, client_code, settings):
    s = Conversation(applied=False)
    if settings:
        s.client({"type": "Settings"})
    s.got()
    s.driver.upstream_closes(code, "why")
    (message,) = s.got()
    assert message["code"] == "upstream_closed_before_session_ready"
    assert message["description"] == (
        f"Upstream closed before session ready (code {code}, reason: why). "
        "Session may not have been applied."
    )
    assert s.driver.closed.code == client_code


def test_no_key_reaches_the_client():
    s = Conversation()
    s.upstream(error("x", message="Incorrect API key provided: sk-proj-abc***********WXYZ."))
    (message,) = s.got()
    assert message["description"] == "Incorrect API key provided: [key]"
    s.driver.upstream_closes(1000, "bad ek_0123456789abcdef")
    assert s.driver.closed.reason == "bad [key]"


def test_words_that_begin_like_a_key_stay():
    assert scrub("a task-based risk-free ask") == "a task-based risk-free ask"


def test_an_error_is_read_whatever_its_shape():
    for given in (None, 5, [], ["x"], {"code": 5, "message": [], "event_id": {}}):
        assert read_error({"error": given}).code == "unknown"


def test_no_spoken_word_is_logged_def_16(caplog):
    caplog.set_level("DEBUG")
    s = Conversation(agent={"greeting": "greetword", "think": {"prompt": "promptword"}})
    s.inject("typedword")
    (item,) = s.sent()
    s.confirm(item)
    s.upstream(
        created("r1", s.sent()[0]),
        item_event("done", assistant("i", "saidword")),
        error("x", message="messageword"),
        done("r1", "failed", status_details={"error": {"code": "c", "message": "messageword"}}),
    )
    s.advance(100)
    assert "word" not in caplog.text


def test_idle_timeout_waits_for_every_response_err_3():
    s = Conversation()
    s.upstream(created("r1"), created("r2"), error("idle_timeout"), done("r1", "cancelled"))
    assert s.got_types() == PAIR
    s.upstream(done("r2"))
    assert s.got_types() == [*PAIR, "Error"]


def made_codes() -> set[str]:
    """The codes written out in the backend's own calls that make an Error or a Warning."""
    codes = set()
    for path in Path(voiceproxy_openai.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            code = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                if node.func.attr in ("error", "warning", "fail") and len(node.args) > 1:
                    code = node.args[0]
                elif node.func.attr == "append" and isinstance(node.args[0], ast.Tuple):
                    code = node.args[0].elts[0]
            if isinstance(code, ast.Constant) and re.fullmatch(r"[a-z]+_\w+|[A-Z_]+", code.value):
                codes.add(code.value)
    return codes


def test_every_code_the_backend_makes_is_in_its_table():
    made = made_codes()
    assert {"UNKNOWN_FUNCTION_CALL", "VOICE_NOT_AVAILABLE", "upstream_timeout"} <= made
    assert made <= set(CODES)
    assert set(CODES) - made == {"invalid_api_key", "session_max_duration", "unknown"}
    assert all(CODES.values())


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("odd\n\x00code", "oddcode"),
        ("x" * 5000, "x" * 100),
        ("sk-very-secret-1", "[key]"),
        ("\n", "unknown"),
    ],
)
def test_a_code_is_printable_and_short_before_it_is_shown_or_logged_def_16(code, shown, caplog):
    s = Conversation()
    s.upstream(error(code))
    assert s.got()[0]["code"] == shown
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [shown]
