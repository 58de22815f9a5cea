"""Deepgram's SDKs get short-lived tokens from us, and are let in with them."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable

import httpx
import pytest
from caller import PATIENCE
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram_line import DONE, Dial, Refused, async_line, blocking_line, environment
from house import House, OpenHouse
from node_line import NODE, node, node_line
from sdk_agent import greet, said

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

CLIENT_KEY = "client-key-of-the-tests"
SECRET = "secret-that-signs-the-tokens-of-the-tests"
OWN: dict[str, object] = {
    "deepgram.client_key": CLIENT_KEY,
    "deepgram.grant": "own",
    "deepgram.token_secret": SECRET,
}

Ask = Callable[[str, str, int], Awaitable[tuple[str, float]]]
"""``ask(authority, key, ttl)``: the token and how long it lasts."""


async def ask_blocking(authority: str, key: str, ttl: int) -> tuple[str, float]:
    """``DeepgramClient``."""
    with httpx.Client() as http:
        client = DeepgramClient(api_key=key, environment=environment(authority), httpx_client=http)
        granted = await asyncio.to_thread(client.auth.v1.tokens.grant, ttl_seconds=ttl)
    return granted.access_token, granted.expires_in or 0


async def ask_async(authority: str, key: str, ttl: int) -> tuple[str, float]:
    """``AsyncDeepgramClient``."""
    async with httpx.AsyncClient() as http:
        given = {"api_key": key, "httpx_client": http}
        client = AsyncDeepgramClient(environment=environment(authority), **given)
        granted = await client.auth.v1.tokens.grant(ttl_seconds=ttl)
    return granted.access_token, granted.expires_in or 0


async def ask_node(authority: str, key: str, ttl: int) -> tuple[str, float]:
    """``@deepgram/sdk``, whose REST calls want the base URL's scheme to be http."""
    client = {"baseUrl": f"http://{authority}", "apiKey": key}
    task = json.dumps({"client": client, "ttl": ttl})
    process = await asyncio.create_subprocess_exec(
        node(), NODE / "grant.mjs", task, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    granted = json.loads(output)
    return granted["access_token"], granted["expires_in"]


@pytest.fixture(params=[ask_blocking, ask_async, ask_node], ids=["blocking", "async", "node"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """How a client of any SDK asks for a token."""
    asker: Ask = request.param
    return asker


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house that lets in who has the client key, or a token of its own."""
    return await open_house("deepgram", settings=OWN)


@pytest.mark.parametrize(
    ("ask", "dial"),
    [(ask_blocking, blocking_line), (ask_async, async_line), (ask_node, node_line)],
    ids=["blocking", "async", "node"],
    indirect=True,
)
async def test_a_token_of_our_own_opens_sessions_here(house: House, ask: Ask, dial: Dial) -> None:
    token, seconds = await ask(house.authority, CLIENT_KEY, 60)
    assert seconds == 60
    async with dial(house, access_token=token) as line:
        await greet(line)
        await line.inject("hello")
        assert said(await line.until(DONE)) == 'You said "hello".'
    assert [token in str(dialled) for dialled in house.dialled] == [False]


async def test_the_client_key_opens_sessions_and_nothing_else_does(
    house: House, dial: Dial
) -> None:
    async with dial(house, api_key=CLIENT_KEY) as line:
        await greet(line)
    for wrong in ({"api_key": "any"}, {"access_token": "a.b.c"}):
        with pytest.raises(Refused) as refused:
            async with dial(house, **wrong):
                pass
        assert refused.value.status == 401


@pytest.mark.parametrize("ask", [ask_blocking, ask_async], ids=["blocking", "async"], indirect=True)
async def test_who_lacks_the_client_key_gets_no_token(house: House, ask: Ask) -> None:
    with pytest.raises(ApiError) as refused:
        await ask(house.authority, "any", 60)
    assert refused.value.status_code == 401


async def test_a_token_of_the_upstreams_is_minted_with_the_proxys_key(
    open_house: OpenHouse, ask: Ask
) -> None:
    settings = OWN | {"deepgram.grant": "upstream"}
    house = await open_house("deepgram", settings=settings)
    _, seconds = await ask(house.authority, CLIENT_KEY, 45)
    assert seconds == 45
    (dialled,) = house.dialled
    assert CLIENT_KEY not in str(dialled)


async def test_without_the_setting_there_is_no_such_route(open_house: OpenHouse) -> None:
    house = await open_house("deepgram")
    with pytest.raises(ApiError) as refused:
        await ask_async(house.authority, CLIENT_KEY, 60)
    assert refused.value.status_code == 404
