"""How a conversation ends, by the client, the upstream or the proxy, and what does not end it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from caller import BOTH, PATHS, PATIENCE, calling, in_frames, names, of_type, settings, speech
from house import House, OpenHouse

from voiceproxy.testing import FakeUpstream, serve


@BOTH
@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (4001, "schlüss")])
async def test_the_clients_close_reaches_the_upstream_cls_2(
    dialect: str, code: int, reason: str
) -> None:
    ended: asyncio.Queue[int | None] = asyncio.Queue()

    async def listen(socket: web.WebSocketResponse, _request: web.Request) -> None:
        await socket.receive_json()
        await socket.send_json({"type": "session.updated", "session": {}})
        while (await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            continue
        ended.put_nowait(socket.close_code)

    async with (
        FakeUpstream(listen) as upstream,
        serve("openai", settings={"openai.url": upstream.url, "openai.api_key": "k"}) as url,
        calling(url + PATHS[dialect]) as caller,
    ):
        await caller.hello()
        await caller.leave(code, reason.encode())
        async with asyncio.timeout(PATIENCE):
            assert await ended.get() == code
    assert caller.socket.close_code == code


Script = Callable[[web.WebSocketResponse], Awaitable[object]]


async def end_of_session(dialect: str, end: Script) -> tuple[int | None, list[str], list[str]]:
    """Let an upstream take the Settings and then end; the close code, names and error codes."""

    async def script(socket: web.WebSocketResponse, _request: web.Request) -> None:
        await socket.send_json({"type": "session.created", "session": {}})
        update = await socket.receive_json()
        assert update["type"] == "session.update"
        await socket.send_json({"type": "session.updated", "session": {}})
        await end(socket)

    async with (
        FakeUpstream(script) as upstream,
        serve("openai", settings={"openai.url": upstream.url, "openai.api_key": "k"}) as url,
        calling(url + PATHS[dialect]) as caller,
    ):
        await caller.hello()
        code, heard = await caller.until_closed()
        return code, names(heard), [error["code"] for error in of_type(heard, "Error")]


@BOTH
@pytest.mark.parametrize("code", [1000, 1001, 1011, 4001])
async def test_the_upstreams_close_reaches_the_client_cls_1_def_20(dialect: str, code: int) -> None:
    async def close(socket: web.WebSocketResponse) -> None:
        await socket.close(code=code, message=b"because")

    closed, _, errors = await end_of_session(dialect, close)
    assert closed == code
    assert errors == ([] if code in (1000, 1001) else ["upstream_closed"])


@BOTH
async def test_a_lost_upstream_is_an_error_and_1011(dialect: str) -> None:
    async def reset(socket: web.WebSocketResponse) -> None:
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.abort()

    closed, _, errors = await end_of_session(dialect, reset)
    assert (closed, errors) == (1011, ["upstream_closed"])


@BOTH
async def test_an_upstream_that_refuses_the_settings_lets_others_be_tried_def_13(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="refuse-settings")
    house.errors_expected = True
    async with calling(house.url(dialect)) as caller:
        for _ in range(2):
            await caller.send(settings())
            error = of_type(await caller.until("Error"), "Error")[0]
            assert error["code"] == "INVALID_SETTINGS"


@BOTH
async def test_a_session_that_is_as_old_as_it_may_get_ends_with_its_error_err_9(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="expired")
    house.errors_expected = True
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.ask("hello")
        closed, heard = await caller.until_closed()
    assert of_type(heard, "Error")[0]["code"] == "session_max_duration"
    assert closed in (1000, 1001)


@BOTH
async def test_an_account_without_credit_ends_the_session_with_1000(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="quota")
    house.errors_expected = True
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.inject("hello")
        closed, heard = await caller.until_closed()
    assert [error["code"] for error in of_type(heard, "Error")] == ["insufficient_quota"]
    assert closed == 1000


@BOTH
async def test_an_upstream_that_never_takes_the_settings_ends_in_time(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="silent", settings={"openai.session_timeout": 0.2})
    house.errors_expected = True
    async with calling(house.url(dialect)) as caller:
        await caller.send(settings())
        closed, heard = await caller.until_closed()
    assert [error["code"] for error in of_type(heard, "Error")] == ["upstream_timeout"]
    assert closed == 1011


@BOTH
async def test_a_wrong_key_is_named_as_such_and_ends_with_1000(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(settings={"openai.api_key": "sk-wrong-key-9f8e7d"})
    house.errors_expected = True
    async with calling(house.url(dialect)) as caller:
        closed, heard = await caller.until_closed()
    (error,) = of_type(heard, "Error")
    assert error["code"] == "invalid_api_key"
    assert "9f8e7d" not in error["description"]
    assert closed == 1000


@BOTH
async def test_junk_from_the_upstream_is_told_once_and_the_turn_goes_on_evt_3(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="junk")
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        for word in ("one", "two"):
            assert f'assistant: You said "{word}".' in names(await caller.ask(word))
    errors = [error["code"] for error in of_type(caller.heard, "Error")]
    assert errors == ["unmapped_upstream_event"]


@BOTH
async def test_bad_settings_are_named_and_corrected_ones_accepted_def_2(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.send(settings(think={"prompt": 5, "functions": [None]}))
        error = of_type(await caller.until("Error"), "Error")[0]
        assert error["code"] == "INVALID_SETTINGS"
        assert "agent.think.prompt" in error["description"]
        assert "agent.think.functions[0]" in error["description"]
        await caller.hello()
        assert 'assistant: You said "hello".' in names(await caller.ask("hello"))


async def test_second_settings_by_dialect_ses_7(house: House) -> None:
    async with calling(house.url("component")) as caller:
        await caller.hello()
        assert (await caller.hello())[-1] == {"type": "SettingsApplied"}
    async with calling(house.url("agent")) as caller:
        await caller.hello()
        await caller.send(settings())
        error = of_type(await caller.until("Error"), "Error")[0]
        assert error["code"] == "SETTINGS_ALREADY_APPLIED"
        assert 'assistant: You said "hello".' in names(await caller.ask("hello"))
    assert len(house.sent_upstream("session.update")) == 2


@BOTH
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("no json", "UNPARSABLE_CLIENT_MESSAGE"),
        ("[]", "UNPARSABLE_CLIENT_MESSAGE"),
        ("null", "UNPARSABLE_CLIENT_MESSAGE"),
        ('{"content": "hello"}', "UNPARSABLE_CLIENT_MESSAGE"),
        ('{"type": "Undreamt", "of": "x"}', "disallowed_client_message_type"),
        ('{"type": "InjectUserMessage", "content": 5}', "UNPARSABLE_CLIENT_MESSAGE"),
    ],
)
async def test_what_cannot_be_understood_is_answered_and_the_session_goes_on_msg_3(
    house: House, dialect: str, frame: str, code: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.send(frame)
        assert of_type(await caller.until("Error"), "Error")[0]["code"] == code
        assert 'assistant: You said "hello".' in names(await caller.ask("hello"))


@BOTH
async def test_a_client_that_vanishes_leaves_nothing_behind(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(pace="realtime")
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(house.url(dialect))
        await socket.send_json(settings())
        await socket.send_json({"type": "InjectUserMessage", "content": "count to 50"})
        async with asyncio.timeout(PATIENCE):
            while (await socket.receive()).type is not WSMsgType.BINARY:
                continue
        transport = socket.get_extra_info("socket")
        assert transport is not None
        socket._response.connection.transport.abort()  # type: ignore[union-attr]
        await house.settle()


@BOTH
async def test_stopping_the_proxy_ends_a_conversation_with_1001(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(pace="realtime")
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.send(*in_frames(speech()))
        await caller.until("audio")
        _, (closed, _) = await asyncio.gather(house.stop(), caller.until_closed())
    assert closed == 1001
