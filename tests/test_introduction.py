"""What names a session in the log: the prefix of its lines, the attributes of its records."""

import asyncio
import logging

import pytest
from session_parts import plugin

from voiceproxy import ClientFault, PluginFault
from voiceproxy.introduction import SessionLog, log_fault
from voiceproxy.testing import drive


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG)
    return SessionLog(logging.getLogger("test"), "5e55", "my-trace")


def test_a_line_begins_with_the_trace_id_and_its_record_has_both_ids(log, caplog):
    log.info("%d frames", 3)
    [record] = caplog.records
    assert record.getMessage() == "[my-trace] 3 frames"
    assert (record.session_id, record.trace_id) == ("5e55", "my-trace")


def test_a_plugin_may_add_fields_to_every_record_of_a_session_and_leaves_the_lines_alone(caplog):
    caplog.set_level(logging.INFO)
    s = drive()
    session = s.core.handle(0)
    session.log.fields.update(trace_id="0af7", customer="ada")
    session.log.info("hello", extra={"one_more": 1})
    [record] = caplog.records
    assert record.getMessage() == "[test] hello"
    assert (record.trace_id, record.customer, record.one_more) == ("0af7", "ada", 1)


def test_a_trace_id_may_have_any_character(caplog):
    caplog.set_level(logging.DEBUG)
    log = SessionLog(logging.getLogger("test"), "5e55", "50%d %s")
    log.info("100%")
    log.warning("%d frames", 3)
    log.tell("session opened at %s", "/openai")
    log.tell("100%")
    lines = ["100%", "3 frames", "session opened at /openai", "100%"]
    assert [one.getMessage() for one in caplog.records] == [f"[50%d %s] {line}" for line in lines]


def test_a_record_names_the_line_of_code_it_is_logged_from(log, caplog):
    log.info("one")
    log.log(logging.INFO, "another")
    try:
        int("three")
    except ValueError:
        log.exception("a third")
    assert {(one.filename, one.funcName) for one in caplog.records} == {
        ("test_introduction.py", "test_a_record_names_the_line_of_code_it_is_logged_from")
    }
    assert caplog.records[-1].exc_info[0] is ValueError


def test_the_hosts_own_lines_have_the_same_prefix_and_attributes(log, caplog):
    log.fields["customer"] = "ada"
    log.tell("session opened at %s", "/openai")
    [record] = caplog.records
    assert record.getMessage() == "[my-trace] session opened at /openai"
    assert (record.name, record.levelname) == ("test", "INFO")
    assert (record.session_id, record.trace_id, record.customer) == ("5e55", "my-trace", "ada")


def test_the_hosts_own_lines_give_way_to_a_plugin_that_tells_them_itself(log, caplog):
    log.session_lines = False
    log.tell("session opened")
    log.info("something else")
    assert [record.getMessage() for record in caplog.records] == ["[my-trace] something else"]


def test_the_hosts_own_lines_are_not_made_where_nobody_wants_them(log, caplog):
    caplog.set_level(logging.WARNING)
    log.tell("%d", "no number: making the line would fail")
    assert caplog.records == []


def test_the_record_of_a_plugins_failure_names_the_plugin_and_the_code(log, caplog):
    fault = PluginFault("noisy", "voiceproxy_close")
    fault.__cause__ = KeyError("cause")
    log_fault(log, fault)
    [record] = caplog.records
    assert (record.plugin, record.error_code) == ("noisy", "plugin_failed")
    assert record.exc_info[0] is KeyError
    assert record.levelname == "ERROR"


def test_the_record_of_another_fault_names_no_plugin(log, caplog):
    log_fault(log, ClientFault("client_overflow", "Too slow."), "said otherwise")
    [record] = caplog.records
    assert record.error_code == "client_overflow"
    assert not hasattr(record, "plugin")
    assert record.getMessage() == "[my-trace] said otherwise"


async def test_the_record_of_a_failed_task_names_its_plugin(caplog):
    async def fail():
        raise ValueError

    def begin(session, message):
        session.start(fail())

    s = drive(plugins=[plugin("worker", client_frame=begin)])
    s.client({"type": "Settings"})
    async with asyncio.timeout(5):
        while not caplog.records:
            await asyncio.sleep(0)
    [record] = caplog.records
    assert (record.plugin, record.trace_id) == ("worker", "test")
