"""Clients of a service out in the world: by its name, over TLS, through what is in front."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from daemons import SECONDS, Instance, own_connections
from fronts import NAME, UNCHANGED, Front
from load_driver import SETTINGS, VOICE

from voiceproxy.caller import Caller
from voiceproxy_simulator.formats import FORMATS
from voiceproxy_simulator.speech import Speech

AUTHORITY = trustme.CA()


class EveryNameIsHere(AbstractResolver):
    """The only machine there is."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        here = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
        )
        return [here]

    async def close(self) -> None:
        """Nothing is held."""


class Service:
    """Two instances and what is in front of them."""

    def __init__(self, front: Front, instances: Sequence[Instance]) -> None:
        self.front = front
        self.instances = list(instances)

    @property
    def authority(self) -> str:
        """NAME:PORT, as clients write it."""
        return f"{NAME}:{self.front.port}"

    async def placed(self) -> list[int]:
        """How many sessions each instance has."""
        return [await one.sessions() for one in self.instances]


class Crowd:
    """Everybody who talks to a service."""

    def __init__(self, service: Service, session: aiohttp.ClientSession) -> None:
        self._service = service
        self._session = session
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def hang_up(self) -> None:
        """Everybody who is still there says goodbye; returns when no connection is left."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))
        await self._session.close()
        async with asyncio.timeout(SECONDS):
            while any(own_connections(self._service.front.port)):
                await asyncio.sleep(0.01)

    async def connect(
        self, path: str = "/openai", headers: Mapping[str, str] = UNCHANGED
    ) -> aiohttp.ClientWebSocketResponse:
        """The answered upgrade. Raises WSServerHandshakeError."""
        url = f"wss://{self._service.authority}{path}"
        timeout = aiohttp.ClientWSTimeout(ws_close=5.0)
        made = await self._session.ws_connect(url, headers=headers, timeout=timeout)
        self._sockets.append(made)
        return made

    async def answered(self) -> Caller:
        """A client whose upgrade has been answered."""
        return Caller(await self.connect(), SECONDS)

    async def call(self) -> Caller:
        """A client whose Settings have been applied."""
        caller = await self.answered()
        await caller.say(SETTINGS)
        await caller.until("SettingsApplied")
        return caller

    async def placed_call(self) -> tuple[Caller, int]:
        """A client, and the number of the instance it got."""
        before = await self._service.placed()
        caller = await self.call()
        after = await self._service.placed()
        [number] = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        return caller, number

    async def refused(
        self, path: str = "/openai", headers: Mapping[str, str] = UNCHANGED
    ) -> tuple[int, Mapping[str, str]]:
        """Status and headers of the answer to an upgrade that is refused."""
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await self.connect(path, headers)
        return refusal.value.status, refusal.value.headers or {}

    async def get(self, path: str) -> aiohttp.ClientResponse:
        """A plain request."""
        return await self._session.get(f"https://{self._service.authority}{path}")


@asynccontextmanager
async def crowd(service: Service) -> AsyncIterator[Crowd]:
    """Clients; those who are still there when the block is left hang up."""
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    connector = aiohttp.TCPConnector(ssl=trust, resolver=EveryNameIsHere(), limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        people = Crowd(service, session)
        try:
            yield people
        finally:
            await people.hang_up()  # TLS takes leave in the background


@contextmanager
def serving(
    kind: type[Front],
    directory: Path,
    instances: Sequence[Instance],
    changes: Mapping[str, str] = UNCHANGED,
) -> Iterator[Service]:
    """Put a reverse proxy in front of instances until the block is left."""
    certificate = AUTHORITY.issue_cert(NAME)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(directory / "voice.pem"))
    certificate.private_key_pem.write_to_path(str(directory / "voice.key"))
    made = kind(directory, [one.port for one in instances])
    with made.running(changes):
        yield Service(made, instances)


def reply_to(text: str) -> tuple[str, bytes]:
    """What the simulator answers: its words and all of its audio."""
    words = f'You said "{text}".'
    return words, b"".join(Speech(words, FORMATS["audio/pcm"], VOICE).deltas())


def heard(caller: Caller) -> tuple[str, bytes]:
    """What the agent has said to a client so far: its words and its audio."""
    said: list[dict[str, Any]] = caller.messages("ConversationText")
    words = "".join(one["content"] for one in said if one["role"] == "assistant")
    return words, b"".join(one for one in caller.heard if isinstance(one, bytes))
