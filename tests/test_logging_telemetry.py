"""OpenTelemetry, received by a real OTLP receiver: logs, a span a session, a span a turn."""

import asyncio
import logging
import threading
import time

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.resources import Resource
from otlp_receiver import otlp_receiver, values
from running import QUICK, RawClient, answer_nothing, echo, hear, raw_server
from session_parts import plugin

import voiceproxy
import voiceproxy_logging
from voiceproxy import Refuse
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, serve
from voiceproxy_logging.telemetry_logs import TelemetryLogs

SPOKEN = "the rain in spain"
SECRET = "k-5e4f1b2c"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OK, ERROR = Status.STATUS_CODE_UNSET, Status.STATUS_CODE_ERROR


@pytest.fixture(autouse=True)
def at_info_level(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def _proxy(upstream, receiver, *plugins, **settings):
    given = {"logging.otel": True, **QUICK, **settings}
    if receiver is not None:
        given["logging.otel_endpoint"] = receiver.url
    return serve(FakeBackend(upstream.url), *plugins, voiceproxy_logging, settings=given)


async def _received(*plugins, script=echo, talk=None, query="", headers=None, **settings):
    """What a receiver has got once an application with one session has ended."""
    async with asyncio.timeout(20), otlp_receiver() as receiver:
        async with (
            FakeUpstream(script) as upstream,
            _proxy(upstream, receiver, *plugins, **settings) as url,
            connected(f"{url}/fake{query}", headers=headers) as socket,
        ):
            if talk is not None:
                await talk(socket)
        return receiver


async def _settings(socket):
    await socket.send_str(f'{{"type": "Settings", "greeting": "{SPOKEN}"}}')
    await hear(socket, 1)


def _says(*kinds):
    async def say(socket, request):
        for kind in kinds:
            await socket.send_json({"type": kind})
        await socket.receive()

    return say


def _hears(count):
    async def talk(socket):
        await hear(socket, count)

    return talk


async def test_a_session_is_one_span_of_its_own_trace():
    before = time.time_ns()
    received = await _received(talk=_settings)
    [span] = received.sessions
    given = values(span)
    assert span.name == "GET /fake"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.trace_id.hex() == given["session.id"] == given["gen_ai.conversation.id"]
    assert span.span_id.hex() == given["session.id"][:16]
    assert span.parent_span_id == b""
    assert span.status.code == OK
    assert before < span.start_time_unix_nano < span.end_time_unix_nano < time.time_ns()
    assert given["http.request.method"] == "GET"
    assert given["http.route"] == given["url.path"] == "/fake"
    assert given["http.response.status_code"] == 101
    assert given["network.protocol.name"] == "websocket"
    assert given["client.address"] == "127.0.0.1"
    assert given["gen_ai.provider.name"] == given["voiceproxy.endpoint"] == "fake"
    assert given["voiceproxy.outcome"] == "closed"
    assert given["client.close_code"] == 1000


async def test_every_name_is_a_convention_or_has_a_namespace_of_ours():
    received = await _received(talk=_settings)
    namespaces = {name.partition(".")[0] for span in received.spans for name in values(span)}
    ours = {"voiceproxy", "client", "upstream"}
    assert namespaces <= {"http", "url", "network", "client", "gen_ai", "session", "error", *ours}
    assert values(received.sessions[0]).keys().isdisjoint({"by", "outcome", "turns"})


async def test_the_records_of_a_session_are_logs_of_its_span():
    received = await _received(talk=_settings)
    [span] = received.sessions
    names = ["connect", "upstream_open", "message", "message", "close"]
    assert [one.event_name for one in received.logs] == [f"voiceproxy.{name}" for name in names]
    for one in received.logs:
        assert (one.trace_id, one.span_id, one.flags) == (span.trace_id, span.span_id, 1)
        assert values(one)["session.id"] == span.trace_id.hex()
        assert (one.severity_text, one.severity_number) == ("INFO", 9)
        assert not values(one).keys() & {"trace_id", "span_id", "event", "session_id", "_office"}
    [first, _] = received.events("message")
    assert first.body.string_value == "message"
    assert values(first)["message_type"] == "Settings"


async def test_the_caller_of_a_session_is_the_parent_of_its_span():
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    received = await _received(headers=headers)
    [span] = received.sessions
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert {one.trace_id.hex() for one in received.logs} == {TRACE}


async def test_a_caller_that_does_not_sample_gets_no_spans_but_logs_of_its_trace():
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
    received = await _received(headers=headers)
    assert received.spans == []
    assert {(one.trace_id.hex(), one.flags) for one in received.logs} == {(TRACE, 0)}


async def test_the_query_may_name_the_trace_log_5():
    received = await _received(query=f"?traceId=c1&token={SECRET}")
    [span] = received.sessions
    assert span.trace_id.hex() == "d0f631ca1ddba8db3bcfcb9e057cdc98"
    assert values(received.logs[0])["correlation_id"] == "c1"


async def test_a_turn_is_one_span_however_many_chunks_it_has():
    audio = [b"\0" * 640] * 30

    async def say(socket, request):
        await socket.send_json({"type": "UserStartedSpeaking"})
        await socket.send_json({"type": "ConversationText", "role": "user", "content": SPOKEN})
        await socket.send_json({"type": "AgentStartedSpeaking"})
        for chunk in audio:
            await socket.send_bytes(chunk)
        await socket.send_json({"type": "AgentAudioDone"})
        await socket.receive()

    received = await _received(script=say, talk=_hears(4 + len(audio)))
    [turn], [session] = received.turns, received.sessions
    given = values(turn)
    assert turn.kind == Span.SPAN_KIND_CLIENT
    assert (turn.trace_id, turn.parent_span_id) == (session.trace_id, session.span_id)
    assert session.start_time_unix_nano < turn.start_time_unix_nano
    assert turn.end_time_unix_nano < session.end_time_unix_nano
    assert given["gen_ai.operation.name"] == "invoke_agent"
    assert given["gen_ai.provider.name"] == "fake"
    assert given["voiceproxy.turn.outcome"] == "completed"
    assert [event.name for event in turn.events] == ["user_heard", "agent_answers"]
    heard, answers = (event.time_unix_nano for event in turn.events)
    assert turn.start_time_unix_nano <= heard <= answers <= turn.end_time_unix_nano
    told = given["gen_ai.response.time_to_first_chunk"]
    assert told == pytest.approx((answers - heard) / 1e9, abs=2e-6)


async def test_turns_are_numbered_and_say_how_they_ended():
    kinds = ("AgentStartedSpeaking", "UserStartedSpeaking", "AgentThinking", "Error")
    received = await _received(script=_says(*kinds), talk=_hears(4))
    told = [values(turn) for turn in received.turns]
    assert [one["voiceproxy.turn.number"] for one in told] == [1, 2]
    assert [one["voiceproxy.turn.outcome"] for one in told] == ["interrupted", "cut"]
    assert "gen_ai.response.time_to_first_chunk" not in told[1]
    assert values(received.sessions[0])["voiceproxy.turns"] == 2
    assert len({span.span_id for span in received.spans}) == 3


async def test_an_error_is_the_status_of_the_turn_and_of_the_session_it_ends():
    async def fail(socket, request):
        await socket.send_json({"type": "AgentThinking"})
        await socket.send_json({"type": "Error", "code": "quota", "description": SPOKEN})
        await socket.send_json({"type": "History"})
        await socket.receive()

    def break_down(session, message):
        if message["type"] == "History":
            raise ValueError(SPOKEN)

    faulty = plugin("faulty", upstream_frame=break_down)
    received = await _received(faulty, script=fail, talk=_hears(3))
    [turn], [session] = received.turns, received.sessions
    assert (values(turn)["error.type"], turn.status.code) == ("quota", ERROR)
    assert values(session)["error.type"] == "plugin_failed"
    assert session.status.code == ERROR
    [told] = [one for one in received.logs if one.severity_text == "ERROR"]
    assert values(told)["plugin"] == "faulty"
    assert values(told)["exception.type"] == "ValueError"
    assert "break_down" in values(told)["exception.stacktrace"]
    assert told.span_id == session.span_id


@pytest.mark.parametrize(("status", "code"), [(401, OK), (500, ERROR)])
async def test_a_refusal_is_a_session_with_its_http_status(status, code):
    def refuse(session):
        raise Refuse(status, "No.")

    guard = plugin("guard", connect=refuse)
    async with (
        asyncio.timeout(20),
        otlp_receiver() as receiver,
        FakeUpstream(echo) as upstream,
        _proxy(upstream, receiver, guard) as url,
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with connected(url + "/fake"):
                pass
    [span] = receiver.sessions
    assert values(span)["http.response.status_code"] == status
    assert values(span)["error.type"] == str(status)
    assert span.status.code == code


async def test_a_client_that_leaves_before_the_upgrade_has_no_http_status():
    entered = asyncio.Event()

    async def think(session):
        entered.set()
        await asyncio.Event().wait()

    slow = plugin("slow", connect=think)
    async with (
        asyncio.timeout(20),
        otlp_receiver() as receiver,
        FakeUpstream(echo) as upstream,
        _proxy(upstream, receiver, slow, hook_timeout=15.0) as url,
    ):
        client = await RawClient.connect(url + "/fake")
        await entered.wait()
        client.writer.transport.abort()
    [span] = receiver.sessions
    assert values(span)["voiceproxy.outcome"] == "left"
    assert "http.response.status_code" not in values(span)
    assert span.status.code == OK


async def test_nothing_said_and_no_secret_is_sent_unless_asked_for():
    received = await _received(talk=_settings, query=f"?token={SECRET}")
    sent = str([received.spans, received.logs])
    assert SPOKEN not in sent
    assert SECRET not in sent


async def test_content_that_is_asked_for_is_in_logs_and_in_no_span():
    received = await _received(talk=_settings, **{"logging.content": True})
    assert SPOKEN in values(received.events("message")[0])["content"]
    assert SPOKEN not in str(received.spans)


async def test_the_resource_names_the_service_and_the_environment_may_name_it_otherwise(
    monkeypatch,
):
    received = await _received()
    assert received.resource["service.name"] == "voiceproxy"
    assert received.resource["service.version"] == voiceproxy.__version__
    monkeypatch.setenv("OTEL_SERVICE_NAME", "front desk")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    received = await _received()
    assert received.resource["service.name"] == "front desk"
    assert received.resource["deployment.environment.name"] == "test"


async def test_without_an_endpoint_the_variables_of_the_environment_count(monkeypatch):
    async with asyncio.timeout(20), otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=ada")
        async with (
            FakeUpstream(echo) as upstream,
            _proxy(upstream, None) as url,
            connected(url + "/fake"),
        ):
            pass
    assert len(receiver.sessions) == 1
    assert {headers["x-tenant"] for headers in receiver.headers} == {"ada"}


async def test_each_application_sends_its_own_sessions_alone():
    async with (
        asyncio.timeout(20),
        otlp_receiver() as one,
        otlp_receiver() as other,
        FakeUpstream(echo) as upstream,
        _proxy(upstream, one) as first,
        _proxy(upstream, other) as second,
        serve(FakeBackend(upstream.url), voiceproxy_logging, settings=QUICK) as third,
        serve(FakeBackend(upstream.url), settings=QUICK) as plain,
    ):
        for url in (first, first, second, third, plain):
            async with connected(url + "/fake"):
                pass
    assert (len(one.events("connect")), len(other.events("connect"))) == (2, 1)
    assert (len(one.sessions), len(other.sessions)) == (2, 1)
    traces = [{span.trace_id for span in each.spans} for each in (one, other)]
    assert [{log.trace_id for log in each.logs} for each in (one, other)] == traces


async def test_logs_of_no_session_are_sent_without_a_trace():
    def say(app):
        async def run(_app):
            yield
            logging.getLogger("voiceproxy.other").debug("details")
            logging.getLogger("voiceproxy.other").warning("bye")

        app.cleanup_ctx.append(run)

    logging.getLogger().setLevel(logging.DEBUG)
    teller = plugin("teller", setup=say)
    async with asyncio.timeout(20), otlp_receiver() as receiver, FakeUpstream(echo) as upstream:
        given = {"logging.otel": True, "logging.otel_endpoint": receiver.url, **QUICK}
        backend = FakeBackend(upstream.url)
        async with serve(voiceproxy_logging, teller, backend, settings=given):
            pass
    details, bye = receiver.logs
    assert (details.severity_text, bye.severity_text) == ("DEBUG", "WARN")
    assert (bye.trace_id, bye.body.string_value) == (b"", "bye")


async def test_a_receiver_that_does_not_answer_keeps_nothing_from_ending(monkeypatch):
    monkeypatch.setattr("voiceproxy_logging.telemetry.STOP_TIMEOUT", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    async with asyncio.timeout(20), raw_server(answer_nothing) as port:
        given = {"logging.otel": True, "logging.otel_endpoint": f"http://127.0.0.1:{port}"}
        began = time.monotonic()
        async with (
            FakeUpstream(echo) as upstream,
            serve(FakeBackend(upstream.url), voiceproxy_logging, settings=given) as url,
            connected(url + "/fake"),
        ):
            pass
        assert time.monotonic() - began < 5
        for thread in [one for one in threading.enumerate() if "telemetry" in one.name]:
            await asyncio.to_thread(thread.join)


def test_a_record_that_cannot_be_written_breaks_nothing(capsys):
    handler = TelemetryLogs(Resource.create(), "http://127.0.0.1:9/v1/logs", None)
    try:
        handler.handle(logging.makeLogRecord({"msg": "%d frames", "args": ("many",)}))
    finally:
        handler.stop()
    assert "Logging error" in capsys.readouterr().err


async def test_a_record_that_cannot_be_encoded_does_not_cost_the_others():
    async with asyncio.timeout(20), otlp_receiver() as receiver:
        logs = TelemetryLogs(Resource.create({}), f"{receiver.url}/v1/logs", None)
        logs.start()
        logger = logging.getLogger("voiceproxy.session")
        error = ValueError("the header \udcff")
        extra = {"header": "\udcff", "n": 10**30, "m": -5}
        logger.error("failed \udcff", extra=extra, exc_info=error)
        await asyncio.to_thread(logs.stop)
    [log] = receiver.logs
    assert log.body.string_value == r"failed \udcff"
    attributes = values(log)
    assert (attributes["header"], attributes["n"], attributes["m"]) == (r"\udcff", str(10**30), -5)
    assert r"the header \udcff" in attributes["exception.stacktrace"]
