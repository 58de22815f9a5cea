"""JSON lines on the console, and everything else as it was."""

import io
import json
import logging
from contextlib import contextmanager, redirect_stderr

import pytest

from voiceproxy.introduction import SessionLog
from voiceproxy_logging.lines import start_json_lines
from voiceproxy_logging.records import emit


@contextmanager
def console():
    """The root logger as ``python -m voiceproxy`` sets it up, on a stderr that can be read."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        with redirect_stderr(stream):
            yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def json_lines():
    undo = start_json_lines()
    try:
        yield
    finally:
        undo()


def _written(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_one_object_on_one_line():
    with console() as stream, json_lines():
        fields = {"message_type": "Settings", "bytes": 7, "content": "a\nb"}
        emit(logging.INFO, "c1", "message", fields, {"trace_id": "0af7", "_office": object()})
    [written] = _written(stream)
    assert list(written) == [
        "timestamp", "level", "logger", "message", "event", "trace_id", "message_type", "bytes",
        "content",
    ]  # fmt: skip
    assert written["timestamp"].endswith("+00:00")
    assert (written["level"], written["logger"]) == ("INFO", "voiceproxy.logging")
    assert written["message"] == written["event"] == "message"
    assert (written["bytes"], written["content"]) == (7, "a\nb")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("a b", '"a b"'),
        ("a\x9b31m\u2028b\u202ec\x7f", r'"a\u009b31m\u2028b\u202ec\u007f"'),
        ("half \ud800", r'"half \ud800"'),
        ("\U000e0001 é", r'"\udb40\udc01 é"'),
    ],
)
def test_nothing_in_a_line_of_text_moves_a_terminal(text, written):
    with console() as stream:
        emit(logging.INFO, "c1", "message", {"content": text}, {})
    assert stream.getvalue() == f"INFO [c1] message content={written}\n"


def test_an_error_that_orjson_cannot_write_is_written_all_the_same():
    with console() as stream, json_lines():
        logger = logging.getLogger("voiceproxy.session")
        error = ValueError("the header \udcff")
        logger.error("failed %s", "\udcff", extra={"n": 10**30}, exc_info=error)
    [written] = _written(stream)
    assert (written["level"], written["message"]) == ("ERROR", "failed \udcff")
    assert written["n"] == 10**30
    assert written["exception"].endswith("ValueError: the header \udcff")


def test_fields_without_a_value_are_left_out():
    with console() as stream, json_lines():
        emit(logging.INFO, "c1", "close", {"error.code": None, "turns": 0}, {})
    [written] = _written(stream)
    assert "error.code" not in written
    assert written["turns"] == 0


@pytest.mark.parametrize("given", [{}, {"trace_id": "0af7", "correlation_id": "c1"}])
def test_the_hosts_lines_are_objects_too_without_the_id_before_their_text(given):
    log = SessionLog(logging.getLogger("voiceproxy.session"), "5e55", "c1")
    log.fields.update(given)
    with console() as stream, json_lines():
        log.error("it %s", "failed", extra={"plugin": "noisy"}, exc_info=ValueError("why"))
    [written] = _written(stream)
    assert (written["message"], written["plugin"]) == ("it failed", "noisy")
    assert written["exception"] == "ValueError: why"


def test_other_libraries_lines_are_objects_too():
    with console() as stream, json_lines():
        logging.getLogger("asyncio").error("Task %s\nwas destroyed", "[c1] x")
    [written] = _written(stream)
    assert written["message"] == "Task [c1] x\nwas destroyed"


def test_afterwards_lines_are_text_again():
    with console() as stream:
        with json_lines():
            pass
        logging.getLogger("voiceproxy").warning("hello")
    assert stream.getvalue() == "WARNING hello\n"


def test_handlers_that_write_elsewhere_are_left_alone():
    elsewhere = io.StringIO()
    handler = logging.StreamHandler(elsewhere)
    logging.getLogger().addHandler(handler)
    try:
        with console(), json_lines():
            emit(logging.WARNING, "c1", "message", {"message_type": ""}, {})
    finally:
        logging.getLogger().removeHandler(handler)
    assert elsewhere.getvalue() == '[c1] message message_type=""\n'
