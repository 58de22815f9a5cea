"""The records of a session: what each says, and what none says."""

import asyncio
import logging
import re
from pathlib import Path

import aiohttp
import pytest
from running import QUICK, echo, hear
from session_parts import plugin

import voiceproxy_logging
from voiceproxy import Binary, Refuse
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, drive, serve
from voiceproxy_logging.settings import LoggingSettingsSchema

SPOKEN = "the rain in spain"
SECRET = "k-5e4f1b2c"


@pytest.fixture
def records(caplog):
    """The data of the plugin's records so far, by the name of their event."""
    caplog.set_level(logging.INFO)

    def read(event=None):
        found = [vars(one) for one in caplog.records if one.name == "voiceproxy.logging"]
        return [one for one in found if event in (None, one.get("event")) and "event" in one]

    return read


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [one.getMessage() for one in caplog.records]


def _drive(*plugins, **options):
    return drive(plugins=[*plugins, voiceproxy_logging], **options)


async def _session(*plugins, script=echo, query="", talk=None, backend=None, **settings):
    """One session on real sockets, from its connect to the close hooks."""
    async with (
        asyncio.timeout(10),
        FakeUpstream(script) as upstream,
        serve(
            FakeBackend(upstream.url, **(backend or {})),
            *plugins,
            voiceproxy_logging,
            settings={**QUICK, **settings},
        ) as url,
        connected(f"{url}/fake{query}", headers={"X-Key": SECRET}) as socket,
    ):
        if talk is not None:
            await talk(socket)
        await socket.close(code=4001, message=b"had enough")


# Messages


def test_a_message_is_told_by_direction_type_and_size_log_7(records, lines):
    s = _drive()
    s.client({"type": "InjectUserMessage", "content": SPOKEN})
    s.upstream({"type": "ConversationText", "role": "assistant", "content": SPOKEN})
    first, second = records("message")
    assert (first["direction"], first["message_type"]) == ("client", "InjectUserMessage")
    assert first["bytes"] == len('{"type":"InjectUserMessage","content":""}') + len(SPOKEN)
    assert (second["direction"], second["message_type"]) == ("upstream", "ConversationText")
    line = f"[test] message direction=client message_type=InjectUserMessage bytes={first['bytes']}"
    assert line in lines()


def test_audio_is_not_told_of_frame_by_frame_def_32(records):
    s = _drive()
    s.client(*[b"\0\0"] * 50)
    s.upstream(*[b"\0\0"] * 50)
    assert records("message") == []


def test_the_plugin_costs_audio_nothing():
    chains = _drive().core.chains
    assert chains.client.binary.links == chains.upstream.binary.links == ()


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_nothing_said_is_in_a_record_unless_it_is_asked_for_def_16(level, caplog):
    caplog.set_level(level)
    s = _drive()
    s.client({"type": "Settings", "agent": {"think": {"prompt": SPOKEN}}})
    s.upstream({"type": "FunctionCallRequest", "functions": [{"name": "f", "arguments": SPOKEN}]})
    assert caplog.records
    assert SPOKEN not in "".join(f"{vars(one)}{one.getMessage()}" for one in caplog.records)


def test_content_is_told_when_asked_for_and_as_filters_left_it(records, lines):
    def redact(session, message):
        if "content" in message:
            session.observe_as({**message, "content": "[...]"})

    s = _drive(plugin("redact", client_frame=redact), settings={"logging.content": True})
    s.client({"type": "InjectUserMessage", "content": SPOKEN})
    [record] = records("message")
    assert record["content"] == '{"type":"InjectUserMessage","content":"[...]"}'
    assert SPOKEN not in str(lines())
    assert s.to_upstream()[0]["content"] == SPOKEN


def test_what_a_filter_drops_is_not_told_of(records):
    s = _drive(plugin("drop", client_frame=lambda session, message: True))
    s.client({"type": "InjectUserMessage", "content": SPOKEN})
    assert records("message") == []


def test_records_of_messages_can_be_left_out_and_turns_are_counted_still(records):
    s = _drive(settings={"logging.messages": False})
    s.upstream({"type": "ConversationText", "role": "assistant", "content": SPOKEN})
    assert records("message") == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("a\nb\x1b[2J", "a?b?[2J"),
        ("x" * 500, "x" * 128),
        ("two words", "two words"),
    ],
)
def test_a_type_of_the_clients_own_making_breaks_no_line(kind, told, records, lines):
    s = _drive()
    s.client({"type": kind})
    [record] = records("message")
    assert record["message_type"] == told
    assert all(line.isprintable() for line in lines())


def test_a_value_with_blanks_is_quoted_in_the_line(lines):
    _drive().client({"type": 'two "words"'})
    assert 'message_type="two \\"words\\"" bytes=' in lines()[-1]


def test_nothing_is_made_ready_that_the_level_keeps_out(caplog):
    caplog.set_level(logging.WARNING)
    s = _drive()
    s.client({"type": "Settings"})
    assert caplog.records == []


# Ids


def test_every_record_has_the_ids_of_its_session_log_3(records):
    s = _drive()
    s.client({"type": "Settings"})
    for record in records():
        assert record["session_id"] == "0" * 32
        assert record["trace_id"] == "9f86d081884c7d659a2feaa0c55ad015"
        assert record["correlation_id"] == "test"
        assert len(record["span_id"]) == 16


def test_a_record_of_a_session_with_traceparent_has_the_trace_of_its_caller(records):
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    _drive(headers={"traceparent": f"00-{trace}-{span}-00"})
    [record] = records("upstream_open")
    assert (record["trace_id"], record["trace_flags"]) == (trace, 0)


def test_the_hosts_own_records_of_the_session_have_them_too(caplog):
    def fail(session, message):
        raise ValueError

    s = _drive(plugin("faulty", client_frame=fail))
    s.client({"type": "Settings"})
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert (record.plugin, record.error_code) == ("faulty", "plugin_failed")
    assert record.trace_id == "9f86d081884c7d659a2feaa0c55ad015"
    assert record.exc_info[0] is ValueError


# Connect, opened upstream and close, on real sockets


STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "event", "_office"}


async def test_every_field_of_a_record_is_in_the_docs_and_no_other(records):
    """But the counts, of which the docs name one of each kind."""

    async def leave(socket, request):
        await socket.send_str('{"type": "Warning"}')
        await socket.close(code=4002, message=b"no more")

    def refuse(session):
        raise Refuse(403, "Not you.")

    def fail(session, message):
        raise ValueError

    await _session(script=leave, talk=hear, query="?traceId=c1", **{"logging.content": True})
    await _session(plugin("faulty", upstream_frame=fail), script=leave, talk=hear)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await _session(plugin("guard", connect=refuse))
    _drive(upstream_opens=False).upstream_opens({"x-request-id": "7"})
    sent = {name for one in records() for name in one} - STANDARD
    counts = {name for name in sent if name.endswith((".frames", ".bytes"))}
    page = (Path(__file__).parent.parent / "docs/how-to/logging.md").read_text()
    tables = "".join(line for line in page.splitlines(keepends=True) if line.startswith("|"))
    named = set(re.findall(r"`([a-z_.]+)`", tables))
    assert sent - counts <= named
    events = {"connect", "upstream_open", "message", "close"}
    outcomes = {"closed", "failed", "refused", "left"}
    ways = {"client", "upstream", "proxy", "to_client", "from_upstream", "to_upstream"}
    others = {"from_client.frames", "from_client.bytes"}
    assert named - sent - events - outcomes - ways - others == set()


async def test_a_session_is_told_from_its_connect_to_its_close(records, lines):
    async def talk(socket):
        await socket.send_str('{"type": "Settings"}')
        await socket.send_bytes(b"\0" * 640)
        await hear(socket, 2)

    await _session(talk=talk, query=f"?traceId=c1&token={SECRET}")
    connect, opened, *_, close = records()
    assert [one["event"] for one in records()] == [
        "connect", "upstream_open", "message", "message", "close",
    ]  # fmt: skip
    assert connect["endpoint"] == "fake"
    assert connect["url.path"] == "/fake"
    assert (connect["protocol"], connect["dialect"]) == ("agent", "component")
    assert connect["client.address"] == "127.0.0.1"
    assert connect["trace_id"] == "d0f631ca1ddba8db3bcfcb9e057cdc98"
    assert f"session_id={connect['session_id']}" in lines()[0]
    assert opened["dialled"] == 1
    assert 0 <= opened["elapsed"] < 10
    assert (close["outcome"], close["by"]) == ("closed", "client")
    assert (close["client.close_code"], close["client.close_reason"]) == (4001, "had enough")
    assert 0 < close["duration"] < 10
    assert (close["from_client.frames"], close["from_client.bytes"]) == (2, 660)
    assert (close["to_upstream.frames"], close["to_client.frames"]) == (2, 2)
    assert close["from_upstream.bytes"] == close["to_client.bytes"] == 660
    assert all(line.startswith("[c1] ") for line in lines())
    assert SECRET not in str(lines())


async def test_no_event_of_a_session_is_told_twice(lines):
    await _session()
    assert [line.split()[1] for line in lines()] == ["connect", "upstream_open", "close"]


async def test_how_the_upstream_closed_is_told(records):
    async def leave(socket, request):
        await socket.close(code=4002, message=b"no\r\nmore")

    await _session(script=leave, talk=hear)
    [close] = records("close")
    assert close["by"] == "upstream"
    assert (close["upstream.close_code"], close["upstream.close_reason"]) == (4002, "no??more")


def test_the_id_an_upstream_gives_its_connection_is_told(records):
    s = _drive(upstream_opens=False)
    s.upstream_opens({"X-Request-Id": "req_7", "dg-request-id": "other"})
    s.upstream_opens({})
    first, second = records("upstream_open")
    assert (first["upstream.request_id"], first["dialled"]) == ("req_7", 1)
    assert "upstream.request_id" not in second
    assert second["dialled"] == 2


@pytest.mark.parametrize("guard_first", [False, True])
async def test_a_refused_connection_is_told_once(guard_first, lines):
    def refuse(session):
        raise Refuse(403, "Not you.")

    guard = plugin("guard", "tryfirst" if guard_first else None, connect=refuse)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await _session(guard)
    told = [line for line in lines() if "refused" in line]
    assert len(told) == 1
    if not guard_first:
        assert "outcome=refused by=guard http.response.status_code=403" in told[0]
        assert 'client.close_reason="Not you."' in told[0]


async def test_a_failed_session_is_told_with_the_code_of_its_error(records):
    def fail(session, message):
        raise ValueError

    async def talk(socket):
        await socket.send_str('{"type": "Settings"}')
        await hear(socket)

    await _session(plugin("faulty", client_frame=fail), talk=talk)
    [close] = records("close")
    assert (close["outcome"], close["by"]) == ("failed", "faulty")
    assert (close["error.code"], close["client.close_code"]) == ("plugin_failed", 1000)


async def test_the_turns_of_a_session_are_counted_and_listening_has_none(records):
    async def say(socket, request):
        for kind in ("AgentStartedSpeaking", "AgentAudioDone", "UserStartedSpeaking"):
            await socket.send_json({"type": kind})
        await socket.receive()

    async def talk(socket):
        await hear(socket, 3)

    for protocol in ("agent", "listen"):
        await _session(script=say, talk=talk, backend={"protocol": protocol})
    agent, listen = records("close")
    assert agent["turns"] == 2
    assert "turns" not in listen
    assert "dialect" not in records("connect")[1]


async def test_two_applications_in_one_process_log_as_each_is_told(records):
    for messages in (True, False):
        await _session(talk=_say_settings, **{"logging.messages": messages})
    assert len(records("message")) == 2
    assert len(records("close")) == 2


async def _say_settings(socket):
    await socket.send_str('{"type": "Settings"}')
    await hear(socket, 1)


async def test_asking_for_content_gives_a_warning_at_the_start(caplog):
    await _session(**{"logging.content": True})
    [warning] = [one for one in caplog.records if one.levelname == "WARNING"]
    assert "VOICEPROXY_LOGGING_CONTENT" in warning.getMessage()


async def test_no_warning_without_content(caplog):
    await _session()
    assert [one for one in caplog.records if one.levelname == "WARNING"] == []


def test_frames_without_text_need_no_account():
    s = _drive()
    s.client(Binary(b"\0\0"))
    assert s.to_upstream() == [b"\0\0"]


def test_the_flags_of_the_docs_exist():
    page = (Path(__file__).parent.parent / "docs/how-to/logging.md").read_text()
    named = set(re.findall(r"--(?:no-)?logging-([a-z-]+)", page))
    fields = {name.replace("_", "-") for name in LoggingSettingsSchema().fields}
    assert named == fields
