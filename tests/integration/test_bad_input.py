"""Bad input over real sockets, through the openai backend. Each session ends with nothing left:
no session, task or socket (``running`` counts them)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest
from aiohttp import web
from caller import PATHS, Caller, of_type, settings, sound
from running import Running, hear, raw_client, refused, reset, running, until

from voiceproxy.testing import FakeUpstream, connected
from voiceproxy_simulator import SimulatedOpenAI

KEY = "sk-bad-input"
BOTH = pytest.mark.parametrize("dialect", PATHS)


@asynccontextmanager
async def simulated(**given: object) -> AsyncIterator[tuple[Running, SimulatedOpenAI]]:
    """The proxy in front of the simulator."""
    async with SimulatedOpenAI(key=KEY) as upstream:
        options = {"openai.url": upstream.url, "openai.api_key": KEY, **given}
        async with running("openai", **options) as proxy:
            yield proxy, upstream
        assert upstream.violations == []


@asynccontextmanager
async def calling(proxy: Running, dialect: str = "component", **options) -> AsyncIterator[Caller]:
    """A client that has been welcomed."""
    async with connected(proxy.url + PATHS[dialect], **options) as ws:
        caller = Caller(ws)
        await caller.until("Welcome")
        yield caller


async def _converses(caller: Caller) -> None:
    """The session still works."""
    await caller.hello()
    await caller.inject("hello")
    await caller.until("AgentAudioDone")


# From the client.


@BOTH
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "not JSON"),
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "an array"),
        ("42", "a number"),
        ("null", "null"),
        ('"Settings"', "a string"),
        ("{}", "type is missing"),
        ('{"type":7}', "a number, not a string"),
        ('{"type":null}', "null, not a string"),
    ],
)
async def test_text_that_is_no_message_gets_an_error_and_the_session_goes_on(dialect, text, says):
    async with simulated() as (proxy, _), calling(proxy, dialect) as caller:
        await caller.send(text)
        [error] = of_type(await caller.until("Error"), "Error")
        assert error["code"] == "UNPARSABLE_CLIENT_MESSAGE"
        assert says in error["description"]
        await _converses(caller)


async def test_text_that_is_not_utf_8_gets_an_error_and_the_session_goes_on():
    async with simulated() as (proxy, _), raw_client(proxy.url + "/openai") as client:
        client.send(1, b'\xff{"type":"Settings"}')
        client.send(1, json.dumps(settings()).encode())
        kinds = [json.loads((await client.frame())[1])["type"] for _ in range(3)]
        assert kinds == ["Welcome", "Error", "SettingsApplied"]


async def test_a_message_of_an_unknown_type_is_named_with_the_allowed_ones():
    async with simulated() as (proxy, _), calling(proxy) as caller:
        await caller.send({"type": "Dance"})
        [error] = of_type(await caller.until("Error"), "Error")
        assert error["code"] == "disallowed_client_message_type"
        assert "Dance" in error["description"]
        assert "InjectUserMessage" in error["description"]
        await _converses(caller)


async def test_binary_that_happens_to_be_json_is_audio():
    audio = json.dumps({"type": "InjectUserMessage", "content": "nope"}).encode()
    assert len(audio) % 2 == 0
    async with simulated() as (proxy, upstream), calling(proxy) as caller:
        await caller.hello(_same_rate())
        await caller.send(audio)
        await until(lambda: _appended(upstream))
        assert _appended(upstream) == audio
        await caller.inject("hello")
        await caller.until("AgentAudioDone")


def _same_rate() -> dict:
    message = settings()
    message["audio"]["input"]["sample_rate"] = 24000
    return message


def _appended(upstream: SimulatedOpenAI) -> bytes:
    return b"".join(
        base64.b64decode(one.event["audio"])
        for one in upstream.received
        if one.event["type"] == "input_audio_buffer.append"
    )


async def test_odd_and_empty_audio_is_no_reason_to_stop():
    async with simulated() as (proxy, upstream), calling(proxy) as caller:
        await caller.hello(_same_rate())
        await caller.send(b"", b"\x01", b"\x02\x03\x04", b"", b"\x05\x06")
        await until(lambda: len(_appended(upstream)) == 6)
        assert _appended(upstream) == b"\x01\x02\x03\x04\x05\x06"
        await caller.inject("hello")
        assert len(sound(await caller.until("AgentAudioDone"))) % 2 == 0


async def test_a_20_mb_frame_gets_an_error_and_1009():
    async with simulated() as (proxy, _), calling(proxy) as caller:
        await caller.send(bytes(20_000_000))
        heard = await hear(caller.socket)
        assert (heard.errors, heard.code) == (["frame_too_big"], 1009)


@BOTH
async def test_settings_with_wrong_shapes_name_each_bad_field_and_may_be_corrected(dialect):
    bad = {
        "type": "Settings",
        "audio": {"input": {"encoding": 7, "sample_rate": "fast"}, "output": []},
        "agent": {"think": {"prompt": 1, "functions": [{"name": None}]}, "greeting": {}},
    }
    async with simulated() as (proxy, _), calling(proxy, dialect) as caller:
        await caller.send(bad)
        [error] = of_type(await caller.until("Error"), "Error")
        assert error["code"] == "INVALID_SETTINGS"
        for path in (
            "audio.input.encoding",
            "audio.input.sample_rate",
            "audio.output",
            "agent.think.prompt",
            "agent.think.functions[0].name",
            "agent.greeting",
        ):
            assert path in error["description"]
        await _converses(caller)


async def test_what_comes_before_settings_waits_in_the_component_dialect():
    async with simulated() as (proxy, upstream), calling(proxy) as caller:
        await caller.send(bytes(640))
        await caller.inject("early")
        await caller.hello()
        await caller.until("AgentAudioDone")
        kinds = [one.event["type"] for one in upstream.received]
        assert kinds.index("conversation.item.create") < kinds.index("input_audio_buffer.append")


async def test_what_comes_before_settings_is_refused_in_the_agent_dialect():
    async with simulated() as (proxy, _), calling(proxy, "agent") as caller:
        await caller.send(bytes(640), bytes(640), bytes(640))
        await caller.inject("early")
        heard = await caller.until("Error", times=2)
        assert {one["code"] for one in of_type(heard, "Error")} == {
            "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"
        }
        await _converses(caller)


async def test_audio_before_settings_is_kept_up_to_the_bound_only():
    given = {"upstream_buffer": 200_000, "settings_timeout": 0.5}
    async with simulated(**given) as (proxy, _), calling(proxy) as caller:
        sending = asyncio.ensure_future(_stream(caller, 40_000_000))
        await until(lambda: not proxy.core.client_may_send)
        assert proxy.core.gate.bytes < 200_000 + 64_000
        heard = await hear(caller.socket)
        assert (heard.errors, heard.code) == (["CLIENT_MESSAGE_TIMEOUT"], 1000)
        sending.cancel()


async def _stream(caller: Caller, size: int) -> None:
    for _ in range(size // 32_000):
        await caller.send(bytes(32_000))


async def test_second_settings_are_answered_as_the_dialect_has_it():
    async with simulated() as (proxy, _):
        async with calling(proxy) as caller:
            await caller.hello()
            await caller.hello()
        async with calling(proxy, "agent") as caller:
            await caller.hello()
            await caller.send(settings())
            [error] = of_type(await caller.until("Error"), "Error")
            assert error["code"] == "SETTINGS_ALREADY_APPLIED"
            await caller.inject("hello")
            await caller.until("AgentAudioDone")


async def test_no_settings_at_all_ends_the_session_with_1000():
    async with simulated(settings_timeout=0.2) as (proxy, _), calling(proxy) as caller:
        heard = await hear(caller.socket)
        assert (heard.errors, heard.code) == (["CLIENT_MESSAGE_TIMEOUT"], 1000)


async def test_a_foreign_page_gets_403_and_no_upstream():
    async with simulated() as (proxy, upstream):
        error = await refused(proxy.url + "/openai", headers={"Origin": "https://evil.example"})
        assert error.status == 403
        assert upstream.sessions == 0


# From the upstream: one that applies any Settings, then does what the test says.


class Scripted:
    """A Realtime server with a bad end."""

    def __init__(self, then) -> None:
        self._then = then

    async def __call__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        session = {"type": "realtime", "id": "sess_1", "object": "realtime.session"}
        created = {"type": "session.created", "event_id": "e1", "session": session}
        await ws.send_json(created)
        while (await ws.receive_json())["type"] != "session.update":
            pass
        await ws.send_json({"type": "session.updated", "event_id": "e2", "session": session})
        await self._then(ws, request)
        await hear(ws)


@asynccontextmanager
async def scripted(then, **given: object) -> AsyncIterator[tuple[Running, Caller]]:
    """A session whose Settings have been applied, with whatever comes next."""
    async with FakeUpstream(Scripted(then)) as upstream:
        options = {"openai.url": upstream.url, "openai.api_key": KEY, **given}
        async with (
            running("openai", **options) as proxy,
            calling(proxy) as caller,
        ):
            await caller.hello()
            yield proxy, caller


JUNK = [
    "not json",
    "[]",
    "null",
    "{}",
    '{"type":7}',
    '{"type":"no.such.event","event_id":"e"}',
    '{"type":"response.output_audio.delta"}',
    '{"type":"response.output_audio.delta","delta":"!!!","response_id":1,"item_id":[]}',
    '{"type":"response.done","response":"yes"}',
    '{"type":"error"}',
    b"\x00\x01binary",
]


@pytest.mark.parametrize("junk", JUNK)
async def test_junk_from_the_upstream_is_survived(junk):
    async def send_junk(ws, request):
        await (ws.send_bytes(junk) if isinstance(junk, bytes) else ws.send_str(junk))
        answer = await ws.receive_json()
        assert answer["type"] == "conversation.item.create"
        await ws.close(code=1000)

    async with scripted(send_junk) as (_, caller):
        await caller.inject("still there?")
        code, _ = await caller.until_closed()
        assert code == 1000


async def test_a_30_mb_event_is_audio_like_any_other():
    audio = base64.b64encode(bytes(22_500_000)).decode()

    async def send_it(ws, request):
        response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress"}
        await ws.send_json({"type": "response.created", "event_id": "e3", "response": response})
        place = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0}
        await ws.send_json(
            {
                "type": "response.output_audio.delta",
                "event_id": "e4",
                "content_index": 0,
                "delta": audio,
                **place,
            }
        )
        await ws.close(code=1000)

    async with scripted(send_it, client_buffer=64_000_000) as (_, caller):
        code, heard = await caller.until_closed()
        assert (code, len(sound(heard))) == (1000, 22_500_000)


@pytest.mark.parametrize(
    ("code", "reason", "client"),
    [
        (1000, "bye", 1000),
        (1011, "server error", 1011),
        (4001, "mine", 4001),
        (None, "", 1000),
    ],
)
async def test_the_upstreams_close_reaches_the_client(code, reason, client):
    async def close(ws, request):
        if code is None:
            request.transport.write(b"\x88\x00")
        else:
            await ws.close(code=code, message=reason.encode())

    async with scripted(close) as (_, caller):
        got, heard = await caller.until_closed()
        assert got == client
        assert len(of_type(heard, "Error")) == (client != 1000)


async def test_an_upstream_that_resets_is_an_error_and_1011():
    async def drop(ws, request):
        reset(request.transport)

    async with scripted(drop) as (_, caller):
        code, heard = await caller.until_closed()
        assert ([one["code"] for one in of_type(heard, "Error")], code) == (
            ["upstream_closed"],
            1011,
        )


async def test_an_upstream_that_stalls_is_given_up_after_the_heartbeats():
    async def stall(ws, request):
        request.transport.pause_reading()
        await asyncio.Event().wait()

    async with FakeUpstream(Scripted(stall)) as upstream:
        options = {"openai.url": upstream.url, "openai.api_key": KEY, "heartbeat": 0.3}
        async with running("openai", **options) as proxy:
            async with calling(proxy) as caller:
                await caller.hello()
                code, _ = await caller.until_closed()
                assert code == 1011
            for request in upstream.requests:
                request.task.cancel()


async def test_an_upstream_that_never_answers_settings_leaves_the_client_free_to_go():
    async def silent(ws, request):
        await hear(ws)

    async with FakeUpstream(silent) as upstream:
        options = {"openai.url": upstream.url, "openai.api_key": KEY}
        async with running("openai", **options) as proxy:
            async with calling(proxy) as caller:
                await caller.send(settings())
                await caller.inject("anybody?")
                await until(lambda: upstream.live)
            await until(lambda: not upstream.live)


# Bounds, and leaving.


async def test_a_client_that_stops_reading_while_300_mb_arrive_costs_no_memory():
    audio = base64.b64encode(bytes(60_000)).decode()
    offered = [0]

    async def flood(ws, request):
        response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress"}
        await ws.send_json({"type": "response.created", "event_id": "e3", "response": response})
        delta = {"type": "response.output_audio.delta", "event_id": "e4", "delta": audio}
        place = {"response_id": "resp_1", "item_id": "i", "output_index": 0, "content_index": 0}
        text = json.dumps(delta | place)
        while offered[0] < 300_000_000:
            await ws.send_str(text)
            offered[0] += 60_000

    process = psutil.Process()
    async with FakeUpstream(Scripted(flood)) as upstream:
        options = {"openai.url": upstream.url, "openai.api_key": KEY, "client_buffer": 1_000_000}
        async with running("openai", **options) as proxy:
            async with raw_client(proxy.url + "/openai") as client:
                client.send(1, json.dumps(settings()).encode())
                await until(lambda: offered[0])
                before = process.memory_info().rss
                client.stop_reading()
                core = proxy.core
                await until(lambda: core.client.full)
                await asyncio.sleep(0.5)  # time to do wrong
                assert offered[0] < 100_000_000
                assert core.client.bytes < 1_000_000 + 60_000
                during = process.memory_info().rss
                client.go_on_reading()
                received = 0
                while offered[0] < 300_000_000:
                    received += len((await client.frame())[1])
                client.reset()
            await proxy.settle()
            after = process.memory_info().rss
    assert received > 250_000_000
    assert during - before < 10_000_000
    assert after - before < 10_000_000


@pytest.mark.parametrize("how", ["reset", "leave"])
@pytest.mark.parametrize("stage", ["upgrade", "welcome", "settings", "turn", "speech"])
async def test_a_client_may_leave_at_any_stage(stage, how):
    async with simulated() as (proxy, upstream):
        async with raw_client(proxy.url + "/openai") as client:
            if stage != "upgrade":
                await client.frame()
            if stage in ("settings", "turn", "speech"):
                client.send(1, json.dumps(settings()).encode())
            if stage in ("turn", "speech"):
                await client.frame()
                client.send(1, json.dumps({"type": "InjectUserMessage", "content": "a"}).encode())
            if stage == "speech":
                while (await client.frame())[0] != 2:
                    pass
            getattr(client, how)()
            await proxy.settle()
        await until(lambda: not upstream.sessions)
