"""voiceproxy/reception.py: who is let in, what happens before the upgrade, and who leaves then."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from running import (
    QUICK,
    RawClient,
    answer_nothing,
    echo,
    get,
    hear,
    hear_one,
    raw_client,
    raw_server,
    refused,
    relaying,
    running,
    until,
)

from voiceproxy import Closing, Refuse, Session, Text, Upstream, create_app, hookimpl
from voiceproxy.app import RECEPTION
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening, serve

FOREIGN = {"Origin": "https://evil.example"}
BROWSER = {"Origin": "http://localhost:3000"}


class Recorder:
    """Keeps how sessions ended, and can do something while they begin."""

    def __init__(self, in_connect=None) -> None:
        self.closed: list[Closing] = []
        self.in_connect = in_connect

    @hookimpl
    async def voiceproxy_connect(self, session: Session, upstream: Upstream) -> None:
        if self.in_connect is not None:
            await self.in_connect(session)

    @hookimpl
    async def voiceproxy_close(self, session: Session, close: Closing) -> None:
        await asyncio.sleep(0.01)  # what is cancelled here is not recorded
        self.closed.append(close)

    @property
    def ends(self):
        return [(one.outcome, one.by, one.code) for one in self.closed]


# Who may connect.


async def test_a_foreign_page_is_refused_with_403_and_told_which_setting_admits_it():
    recorder = Recorder()
    async with relaying(echo, recorder) as proxy:
        client = await RawClient.connect(proxy.endpoint, "Origin: https://evil.example")
        assert await client.answer() == 403
        body = await client.body()
        client.leave()
        assert body["err_code"] == "FORBIDDEN"
        assert "allow_origin" in body["err_msg"]
        assert len(body["request_id"]) == 32
    assert recorder.closed == []


async def test_the_setting_admits_a_foreign_page():
    async with (
        relaying(echo, allow_origin=["https://evil.example"]) as proxy,
        connected(proxy.endpoint, headers=FOREIGN) as ws,
    ):
        await ws.send_str("x")
        assert await hear_one(ws) == "x"


async def test_a_foreign_host_name_is_refused_with_421_on_loopback():
    async with relaying(echo) as proxy:
        client = await RawClient.connect(proxy.endpoint, "Host: rebound.example")
        assert await client.answer() == 421
        client.leave()


async def test_a_public_listener_admits_any_host_name_and_its_own_pages():
    async with relaying(echo, host="0.0.0.0") as proxy:
        lines = ["Host: voice.example", "Origin: https://voice.example"]
        async with raw_client(proxy.endpoint, *lines):
            pass


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        ("token, sk-secret", "token"),
        ("bearer,eyJ.a.b", "bearer"),
        ("access_token.a.b", "access_token.a.b"),
        ("", None),
    ],
)
async def test_an_offered_subprotocol_is_answered_and_no_key_is_logged(offered, answer, caplog):
    caplog.set_level(logging.DEBUG)
    async with relaying(echo) as proxy:
        line = [f"Sec-WebSocket-Protocol: {offered}"] if offered else []
        async with raw_client(proxy.endpoint, *line) as client:
            assert client.headers.get("sec-websocket-protocol") == answer
    assert "sk-secret" not in caplog.text
    assert not [one for one in caplog.records if one.name.startswith("aiohttp")]


async def test_a_second_protocol_header_leaks_nothing_either(caplog):
    caplog.set_level(logging.DEBUG)
    async with relaying(echo) as proxy:
        lines = ["Sec-WebSocket-Protocol: x-mine", "Sec-WebSocket-Protocol: token, sk-secret"]
        async with raw_client(proxy.endpoint, *lines) as client:
            assert client.headers["sec-websocket-protocol"] == "x-mine"
    assert "sk-secret" not in caplog.text


async def test_a_credential_that_comes_alone_is_not_echoed_and_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    async with relaying(echo) as proxy:
        token = "eyJhbGciOiJub25lIn0.eyJtYXJrZXIiOjF9.c2lnbmF0dXJl"
        client = await RawClient.connect(proxy.endpoint, f"Sec-WebSocket-Protocol: {token}")
        assert await client.answer() == 400
        body = await client.body()
        client.leave()
    assert "bearer" in body["err_msg"]
    assert token not in caplog.text + str(body)


async def test_compression_is_declined():
    async with relaying(echo) as proxy:
        line = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
        async with raw_client(proxy.endpoint, line) as client:
            assert "sec-websocket-extensions" not in client.headers


async def test_a_plain_get_is_told_to_upgrade():
    async with relaying(echo) as proxy:
        status, body, headers = await get(proxy.endpoint)
    assert (status, headers["Upgrade"], body["err_code"]) == (426, "websocket", "UPGRADE_REQUIRED")


async def test_a_refusal_ends_the_connection():
    async with relaying(echo) as proxy:
        error = await refused(proxy.endpoint, headers=FOREIGN)
    assert (error.status, error.headers["Connection"]) == (403, "close")


async def test_one_session_too_many_is_refused_with_503_and_when_to_come_back(caplog):
    async with relaying(echo, max_sessions=1) as proxy:
        async with connected(proxy.endpoint):
            error = await refused(proxy.endpoint)
            assert error.status == 503
            assert error.headers is not None
            assert error.headers["Retry-After"] == "5"
        await until(lambda: not proxy.live)
        async with connected(proxy.endpoint):
            pass


async def test_a_stopping_proxy_is_not_ready_and_takes_no_session():
    async with relaying(echo) as proxy:
        assert (await get(proxy.url + "/ready"))[0] == 200
        await proxy.app[RECEPTION].stop()
        status, body, _ = await get(proxy.url + "/ready")
        assert (status, body["status"]) == (503, "stopping")
        assert (await refused(proxy.endpoint)).status == 503
        assert (await get(proxy.url + "/health"))[0] == 200


# Before the upgrade is answered.


async def test_a_refusal_by_a_plugin_is_an_http_status_with_its_reason_and_an_id():
    class Doorman(Recorder):
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            raise Refuse(401, "no ticket")

    doorman, behind = Doorman(), Recorder()
    async with relaying(echo, doorman, behind) as proxy:
        client = await RawClient.connect(proxy.endpoint)
        assert await client.answer() == 401
        body = await client.body()
        client.leave()
        await until(lambda: doorman.closed)
    assert (body["err_code"], body["err_msg"]) == ("INVALID_AUTH", "no ticket")
    assert len(body["request_id"]) == 32
    [end] = doorman.closed
    assert (end.outcome, end.code, end.reason) == ("refused", 401, "no ticket")
    assert behind.closed == []


@pytest.mark.parametrize(
    "fails", [RuntimeError, ConnectionResetError, asyncio.CancelledError, SystemExit]
)
async def test_a_plugin_that_raises_in_connect_refuses_with_500_and_its_name(fails):
    async def fail(session):
        raise fails("secret text")

    recorder = Recorder(fail)
    async with relaying(echo, recorder) as proxy:
        client = await RawClient.connect(proxy.endpoint)
        assert await client.answer() == 500
        body = await client.body()
        client.leave()
    assert "Recorder" in body["err_msg"]
    assert "secret text" not in body["err_msg"]
    assert [one.outcome for one in recorder.closed] == ["refused"]


async def test_a_connect_hook_that_takes_too_long_refuses_with_500():
    async def hang(session):
        await asyncio.Event().wait()

    recorder = Recorder(hang)
    async with relaying(echo, recorder, hook_timeout=0.1) as proxy:
        assert (await refused(proxy.endpoint)).status == 500
    assert [one.outcome for one in recorder.closed] == ["refused"]
    assert "took over 0.1 seconds" in recorder.closed[0].reason


@pytest.mark.parametrize("fails", [ValueError, asyncio.CancelledError, SystemExit])
async def test_a_backend_that_raises_when_asked_for_its_upstream_refuses_with_500(fails):
    class Faulty(FakeBackend):
        def _upstream(self, session, stand_in):
            raise fails("why")

    async with running(Faulty(None)) as proxy:
        assert (await refused(proxy.endpoint)).status == 500


async def test_a_close_hook_that_takes_too_long_does_not_keep_the_session(caplog):
    class Slow:
        @hookimpl
        async def voiceproxy_close(self, session: Session) -> None:
            await asyncio.Event().wait()

    async with relaying(echo, Slow(), hook_timeout=0.1) as proxy:
        async with connected(proxy.endpoint):
            pass
        await until(lambda: not proxy.live)
    assert "voiceproxy_close" in caplog.text


async def test_what_a_hook_started_ends_with_a_refused_session():
    ended = []

    async def start(session):
        async def forever():
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        session.start(forever())
        session.later(3600, lambda: None)
        await asyncio.sleep(0)
        raise Refuse(429, "enough")

    async with relaying(echo, Recorder(start)) as proxy:
        assert (await refused(proxy.endpoint)).status == 429
    assert ended == [True]


class BrokenBackend(FakeBackend):
    def _upstream(self, session, stand_in):
        raise KeyError("model")


async def test_a_backend_that_cannot_name_its_upstream_refuses_with_500():
    async with running(BrokenBackend(None)) as proxy:
        assert (await refused(proxy.endpoint)).status == 500


async def test_a_failure_of_our_own_refuses_with_500(monkeypatch, caplog):
    async with relaying(echo) as proxy:
        monkeypatch.setattr(proxy.app[RECEPTION], "_dials_first", lambda *_: 1 / 0)
        client = await RawClient.connect(proxy.endpoint)
        assert await client.answer() == 500
        assert (await client.body())["err_msg"] == "The proxy failed."
        client.leave()
    assert "ZeroDivisionError" in caplog.text


# Dialling before or after the upgrade.


async def test_an_upstream_that_fails_before_the_upgrade_is_an_http_status_with_its_code():
    recorder = Recorder()
    async with running(FakeBackend("ws://127.0.0.1:1/"), recorder) as proxy:
        client = await RawClient.connect(proxy.endpoint)
        assert await client.answer() == 502
        body = await client.body()
        client.leave()
    assert body["err_code"] == "UPSTREAM_UNREACHABLE"
    assert recorder.ends == [("refused", "upstream", 502)]


async def test_an_upstream_that_never_answers_is_a_504_within_its_timeout():
    async with raw_server(answer_nothing) as port:
        backend = FakeBackend(f"ws://127.0.0.1:{port}/", timeout=0.2)
        async with running(backend) as proxy:
            error = await refused(proxy.endpoint)
    assert error.status == 504


@pytest.mark.parametrize(
    ("dial", "headers", "answered_first"),
    [
        ("auto", BROWSER, True),
        ("auto", {}, False),
        ("after", {}, True),
        ("before", BROWSER, False),
    ],
)
async def test_who_is_answered_before_the_upstream_is_dialled(dial, headers, answered_first):
    answer = asyncio.Event()
    order: list[str] = []

    async def slow(request):
        await answer.wait()
        order.append("upstream")
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.receive()
        return ws

    app = web.Application()
    app.router.add_get("/", slow)
    async with (
        listening(app) as url,
        running(FakeBackend(url + "/", dial=dial)) as proxy,
        aiohttp.ClientSession() as session,
    ):
        connecting = asyncio.ensure_future(session.ws_connect(proxy.endpoint, headers=headers))
        connecting.add_done_callback(lambda _: order.append("client"))
        await until(lambda: proxy.live)
        await asyncio.sleep(0.05)
        answer.set()
        await connecting
        await until(lambda: len(order) == 2)
        await (await connecting).close()
    assert order == (["client", "upstream"] if answered_first else ["upstream", "client"])


async def test_a_connect_hook_may_change_what_is_dialled():
    class Route:
        @hookimpl
        def voiceproxy_connect(self, session: Session, upstream: Upstream) -> None:
            upstream.url += "elsewhere"
            upstream.headers["X-Tenant"] = "7"

    async with (
        FakeUpstream(echo) as upstream,
        running(FakeBackend(upstream.url), Route()) as proxy,
    ):
        client = await RawClient.connect(proxy.endpoint + "?traceId=t-1&token=x")
        await client.answer()
        client.leave()
    [request] = upstream.requests
    assert (request.path, request.headers["X-Tenant"]) == ("/elsewhere", "7")
    assert request.query_string == ""


# A client that leaves at every stage. ``running`` proves that nothing is left.


async def test_a_client_that_leaves_during_a_connect_hook_ends_it():
    entered, ended = asyncio.Event(), []

    async def hang(session):
        entered.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    recorder = Recorder(hang)
    async with relaying(echo, recorder, hook_timeout=60) as proxy:
        client = await RawClient.connect(proxy.endpoint)
        await entered.wait()
        client.leave()
        await until(lambda: not proxy.live)
    assert ended == [True]
    assert recorder.ends == [("left", "client", 0)]


async def test_a_client_that_leaves_has_left_whatever_the_hook_makes_of_it():
    entered = asyncio.Event()

    async def hang(session):
        try:
            await asyncio.sleep(0.02)  # it has been looked for many times by then
            entered.set()
            await asyncio.sleep(3600)
        finally:
            raise ValueError("disturbed")

    recorder = Recorder(hang)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voiceproxy.visit.WATCH_INTERVAL", 0.001)
        async with relaying(echo, recorder, hook_timeout=60) as proxy:
            client = await RawClient.connect(proxy.endpoint)
            await entered.wait()
            client.leave()
            await until(lambda: not proxy.live)
    assert recorder.ends == [("left", "client", 0)]


async def test_a_session_that_is_cancelled_as_its_client_leaves_stays_cancelled(monkeypatch):
    entered = asyncio.Queue()

    async def hang(session):
        entered.put_nowait(asyncio.current_task())
        await asyncio.sleep(3600)

    def cancel_too(task):
        if task.cancelling():
            task.cancel()
        else:
            asyncio.get_running_loop().call_soon(cancel_too, task)

    monkeypatch.setattr("voiceproxy.visit.WATCH_INTERVAL", 0.001)
    recorder = Recorder(hang)
    async with relaying(echo, recorder, hook_timeout=60) as proxy:
        client = await RawClient.connect(proxy.endpoint)
        task = await entered.get()
        cancel_too(task)
        client.leave()
        await until(lambda: not proxy.live)
        assert task.cancelled()
        del task  # its traceback knows the session
    assert len(recorder.closed) == 1


@pytest.mark.parametrize("how", ["leave", "reset"])
async def test_a_client_that_leaves_while_the_upstream_is_dialled_leaves_no_upstream(how):
    dialled = asyncio.Event()

    async def never(reader, writer):
        dialled.set()
        await answer_nothing(reader, writer)

    recorder = Recorder()
    async with raw_server(never) as port:
        backend = FakeBackend(f"ws://127.0.0.1:{port}/", timeout=60)
        async with running(backend, recorder) as proxy:
            client = await RawClient.connect(proxy.endpoint)
            await dialled.wait()
            getattr(client, how)()
            await proxy.settle()
    assert recorder.ends == [("left", "client", 0)]


async def test_a_client_that_leaves_after_the_upgrade_while_the_upstream_is_dialled():
    dialled = asyncio.Event()

    async def never(reader, writer):
        dialled.set()
        await answer_nothing(reader, writer)

    recorder = Recorder()
    async with raw_server(never) as port:
        backend = FakeBackend(f"ws://127.0.0.1:{port}/", timeout=60, dial="after")
        async with (
            running(backend, recorder) as proxy,
            raw_client(proxy.endpoint) as client,
        ):
            await dialled.wait()
            client.reset()
            await proxy.settle()
    assert recorder.ends == [("closed", "client", 1006)]


async def test_a_client_that_is_gone_when_its_upgrade_is_answered_leaves_no_upstream():
    recorder = Recorder()

    async def upstream_answers(ws, request):
        await hear(ws)

    async with relaying(upstream_answers, recorder) as proxy:
        for _ in range(20):  # leaves at slightly different moments
            client = await RawClient.connect(proxy.endpoint)
            await asyncio.sleep(0.0005 * _)
            client.reset()
        await until(lambda: not proxy.live)
        await proxy.settle()
    assert {one.outcome for one in recorder.closed} <= {"left", "closed"}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_client_that_is_lost_around_its_101_leaves_no_upstream(when, monkeypatch):
    prepare = web.WebSocketResponse.prepare

    async def lose(self, request):
        if when == "after":
            await prepare(self, request)
        request.transport.abort()
        await until(lambda: request.transport is None)
        if when == "before":
            raise ConnectionResetError

    recorder = Recorder()
    async with relaying(echo, recorder) as proxy:
        monkeypatch.setattr(web.WebSocketResponse, "prepare", _on_path("/fake", lose, prepare))
        client = await RawClient.connect(proxy.endpoint)
        assert await client.at_end() or when == "after"
        client.leave()
        await until(lambda: recorder.closed)
    assert recorder.ends == [("left", "client", 0)]


def _on_path(path, special, usual):
    async def prepare(self, request):
        return await (special if request.path == path else usual)(self, request)

    return prepare


@pytest.mark.parametrize(("own", "seconds"), [(None, "0.25"), (0.125, "0.125")])
async def test_the_connect_timeout_is_the_setting_unless_the_backend_has_its_own(own, seconds):
    async with raw_server(answer_nothing) as port:
        backend = FakeBackend(f"ws://127.0.0.1:{port}/", timeout=own, dial="before")
        async with serve(backend, settings={**QUICK, "connect_timeout": 0.25}) as url:
            client = await RawClient.connect(f"{url}/fake")
            assert await client.answer() == 504
            body = await client.body()
            client.leave()
    assert f"within {seconds} seconds" in body["err_msg"]


@pytest.mark.parametrize("stage", ["hook", "dial", "upgraded", "talking", "blocked"])
async def test_handler_cancellation_changes_nothing(stage):
    """``TestServer`` cancels handlers when their client leaves, production does not."""
    entered = asyncio.Event()

    async def in_connect(session):
        if stage == "hook":
            entered.set()
            await asyncio.sleep(3600)

    async def upstream(ws, request):
        if stage == "blocked":
            await ws.send_bytes(bytes(1 << 24))
        await hear(ws)

    async def upstream_answers(reader, writer):
        entered.set()
        await answer_nothing(reader, writer)

    recorder = Recorder(in_connect)
    async with FakeUpstream(upstream) as fake, raw_server(upstream_answers) as port:
        url = f"ws://127.0.0.1:{port}/" if stage == "dial" else fake.url
        plugins = [FakeBackend(url, timeout=60), recorder]
        app = create_app(plugins, settings={**QUICK, "hook_timeout": 60}, environ={})
        async with TestServer(app) as server:
            client = await RawClient.connect(str(server.make_url("/fake")))
            if stage in ("hook", "dial"):
                await entered.wait()
            else:
                await client.answer()
            if stage == "talking":
                client.send(1, b"hello")
            if stage == "blocked":
                client.stop_reading()
            client.reset()
            await until(lambda: not app[RECEPTION].live)
            await until(lambda: not fake.live)
    before = stage in ("hook", "dial")
    assert recorder.ends == [("left", "client", 0) if before else ("closed", "client", 1006)]


async def test_shutdown_during_a_connect_hook_answers_503_soon():
    entered = asyncio.Event()

    async def hang(session):
        entered.set()
        await asyncio.sleep(3600)

    recorder = Recorder(hang)
    async with relaying(echo, recorder, hook_timeout=60) as proxy:
        connecting = asyncio.ensure_future(refused(proxy.endpoint))
        await entered.wait()
        async with asyncio.timeout(3):
            await proxy.app[RECEPTION].stop()
        assert (await connecting).status == 503
    assert recorder.ends == [("refused", "proxy", 503)]


async def test_shutdown_while_an_upgrade_is_being_answered_closes_it_with_1001(monkeypatch):
    prepare = web.WebSocketResponse.prepare

    async def stop_meanwhile(self, request):
        stopping.append(asyncio.ensure_future(proxy.app[RECEPTION].stop()))
        await asyncio.sleep(0)
        return await prepare(self, request)

    stopping: list[asyncio.Future[None]] = []
    async with running(FakeBackend(None)) as proxy:
        monkeypatch.setattr(web.WebSocketResponse, "prepare", stop_meanwhile)
        async with connected(proxy.endpoint) as ws:
            monkeypatch.undo()
            heard = await hear(ws)
        await stopping[0]
    assert heard.code == 1001


async def test_shutdown_ends_even_when_a_plugin_will_not():
    class Stubborn:
        @hookimpl
        async def voiceproxy_close(self, session: Session) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                await asyncio.sleep(1)

    async with (
        relaying(echo, Stubborn(), hook_timeout=0.05, close_timeout=0.05) as proxy,
        connected(proxy.endpoint),
    ):
        async with asyncio.timeout(0.8):
            await proxy.app[RECEPTION].stop()


# What the log says.


async def test_every_line_of_a_session_carries_its_trace_id_and_nothing_secret(caplog):
    caplog.set_level(logging.DEBUG)
    marks = ["sk-marker", "spoken-marker", "audio-marker", "cookie-marker", "query-marker"]

    async def talk(ws, request):
        await ws.send_str('{"type":"ConversationText","content":"spoken-marker"}')
        await ws.send_bytes(b"audio-marker" * 100)
        await hear(ws)

    class Faulty:
        @hookimpl
        def voiceproxy_client_frame(self, session: Session, frame: Text) -> None:
            if b"fail" in frame.data:
                raise RuntimeError

    backend = {"headers": {"Authorization": "Bearer sk-marker"}}
    async with relaying(talk, Faulty(), backend=backend) as proxy:
        url = proxy.endpoint + "?traceId=trace-77&token=query-marker"
        headers = {"Cookie": "a=cookie-marker", "Sec-WebSocket-Protocol": "token, sk-marker"}
        async with connected(url, headers=headers) as ws:
            await hear(ws, 2)
            await ws.send_bytes(b"audio-marker")
            await ws.send_str('{"type":"InjectUserMessage","content":"fail spoken-marker"}')
            assert (await hear(ws)).errors == ["plugin_failed"]
        await until(lambda: not proxy.live)
    text = caplog.text
    assert [mark for mark in marks if mark in text] == []
    lines = [one for one in caplog.records if one.name.startswith("voiceproxy")]
    assert lines
    assert all("[trace-77]" in one.getMessage() for one in lines)


async def test_the_line_of_a_session_that_closes_ends_with_its_code(caplog):
    caplog.set_level(logging.INFO)
    async with relaying(echo) as proxy:
        async with connected(proxy.endpoint):
            pass
        await until(lambda: not proxy.live)
    [line] = [one.getMessage() for one in caplog.records if " by client after" in one.getMessage()]
    assert line.endswith(" s: 1000")


async def test_a_failed_dial_leaks_nothing_to_log_or_client(caplog):
    caplog.set_level(logging.DEBUG)
    backend = FakeBackend(
        "wss://127.0.0.1:1/?key=sk-marker", headers={"api-key": "sk-marker"}, dial="after"
    )
    async with running(backend) as proxy, connected(proxy.endpoint) as ws:
        heard = await hear(ws)
    assert heard.errors == ["upstream_unreachable"]
    assert "sk-marker" not in caplog.text + str(heard)


@pytest.mark.parametrize("trace", ["a%0Ab", "", "%20", "x" * 500])
async def test_a_trace_id_cannot_forge_a_line(trace, caplog):
    caplog.set_level(logging.INFO)
    async with relaying(echo) as proxy:
        async with connected(proxy.endpoint + f"?traceId={trace}"):
            pass
        await until(lambda: not proxy.live)
    lines = [one.getMessage() for one in caplog.records if one.name == "voiceproxy.session"]
    assert lines
    assert all(len(line.split("]")[0]) <= 129 and "\n" not in line for line in lines)
