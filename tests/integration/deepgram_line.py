"""A conversation held with a real Deepgram SDK: its calls, and what it makes of what it hears.

Here are the two clients of the Python package; ``node_line`` has the one of the JavaScript package.
Only the SDK's own calls are made, and the pattern of its documentation: callbacks for OPEN,
MESSAGE, ERROR and CLOSE, and ``start_listening()``.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from operator import attrgetter
from typing import Any, TypeVar

from caller import PATIENCE
from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.agent.v1 import types as sdk
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from pydantic import BaseModel
from websockets.exceptions import InvalidStatus

with warnings.catch_warnings():
    # The SDK uses modules and names that websockets deprecates.
    warnings.filterwarnings("ignore", "websockets", DeprecationWarning)
    import deepgram.agent.v1.client
    import deepgram.listen.v1.client
    import deepgram.listen.v2.client
    import deepgram.speak.v1.client
    import deepgram.speak.v2.client  # noqa: F401

M = TypeVar("M", bound=BaseModel)

Heard = BaseModel | bytes

Dial = Callable[..., AbstractAsyncContextManager["Line"]]
"""``dial(house, product="agent.v1", **options)``: a line.

``api_key`` and ``access_token`` are for the client, the other options for its ``connect``.
"""

DONE = sdk.AgentV1AgentAudioDone


class Refused(Exception):
    """The SDK reports that the upgrade was answered with this HTTP status."""

    def __init__(self, status: int | None, said: str) -> None:
        super().__init__(said)
        self.status = status


class Line(ABC):
    """One connection. Messages in order in ``heard``; what ended it in ``errors``."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[tuple[EventType, Any]] = asyncio.Queue()
        self.heard: list[Heard] = []
        self.errors: list[Exception] = []
        self.closed = False

    @abstractmethod
    async def call(self, method: str, message: BaseModel | None = None) -> None:
        """Call a method of the socket: ``call("send_flush")``."""

    @abstractmethod
    async def speak(self, frames: list[bytes]) -> None:
        """``send_media``, frame by frame."""

    async def settings(self, message: sdk.AgentV1Settings) -> None:
        """``send_settings``."""
        await self.call("send_settings", message)

    async def inject(self, content: str) -> None:
        """``send_inject_user_message``."""
        await self.call("send_inject_user_message", sdk.AgentV1InjectUserMessage(content=content))

    async def answer(self, call: Any, content: str) -> None:
        """``send_function_call_response``."""
        answer = sdk.AgentV1SendFunctionCallResponse(id=call.id, name=call.name, content=content)
        await self.call("send_function_call_response", answer)

    async def keep_alive(self) -> None:
        """``send_keep_alive``."""
        await self.call("send_keep_alive")

    async def until(self, kind: type[M], times: int = 1) -> list[Heard]:
        """What comes until so many messages of one of the SDK's types have.

        Raises ConnectionError when the connection is closed before.
        """
        heard: list[Heard] = []
        while sum(isinstance(one, kind) for one in heard) < times:
            message = await self._next()
            if message is None:
                raise ConnectionError(f"closed before {kind.__name__}: {self.errors}")
            heard.append(message)
        return heard

    async def one(self, kind: type[M]) -> M:
        """The next message of one of the SDK's types."""
        last = (await self.until(kind))[-1]
        assert isinstance(last, kind)
        return last

    async def until_audio(self, frames: int = 1) -> None:
        """Listen until so many frames of audio have come."""
        while frames:
            frames -= isinstance(await self._next(), bytes)

    async def until_closed(self) -> list[Heard]:
        """What comes until the connection is closed."""
        heard: list[Heard] = []
        while (message := await self._next()) is not None:
            heard.append(message)
        return heard

    async def _next(self) -> Heard | None:
        while not self.closed:
            async with asyncio.timeout(PATIENCE):
                event, data = await self._events.get()
            if event is EventType.MESSAGE:
                # The SDK hands on as a dict what it does not know.
                assert isinstance(data, BaseModel | bytes), data
                self.heard.append(data)
                return data
            if event is EventType.ERROR:
                self.errors.append(data)
            self.closed = event is EventType.CLOSE
        return None


class PythonLine(Line):
    """A socket of either client of the Python SDK."""

    def __init__(self, socket: Any, *, blocking: bool) -> None:
        super().__init__()
        self._socket = socket
        self._blocking = blocking
        self._loop = asyncio.get_running_loop()
        for event in EventType:
            socket.on(event, self._receiver(event))

    def _receiver(self, event: EventType) -> Callable[[Any], None]:
        def receive(data: Any) -> None:
            self._loop.call_soon_threadsafe(self._events.put_nowait, (event, data))

        return receive

    async def call(self, method: str, message: BaseModel | None = None) -> None:
        await self._call(method, *(() if message is None else (message,)))

    async def speak(self, frames: list[bytes]) -> None:
        if self._blocking:
            await self._in_thread(lambda: [self._socket.send_media(one) for one in frames])
        else:
            for frame in frames:
                await self._call("send_media", frame)

    async def _call(self, method: str, *arguments: Any) -> None:
        call = getattr(self._socket, method)
        if self._blocking:
            await self._in_thread(lambda: call(*arguments))
        else:
            async with asyncio.timeout(PATIENCE):
                await call(*arguments)

    async def _in_thread(self, call: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.to_thread(call)


@asynccontextmanager
async def blocking_line(
    authority: str, product: str = "agent.v1", **options: Any
) -> AsyncIterator[Line]:
    """A line of ``DeepgramClient``, its calls in threads of their own."""
    client = DeepgramClient(environment=environment(authority), **credentials(options))
    connection = attrgetter(product)(client).connect(**options)
    try:
        async with asyncio.timeout(PATIENCE):
            socket = await asyncio.to_thread(connection.__enter__)
    except (ApiError, InvalidStatus) as error:
        raise _refused(error) from error
    line = PythonLine(socket, blocking=True)
    listener = threading.Thread(target=socket.start_listening, daemon=True)
    listener.start()
    try:
        yield line
    finally:
        async with asyncio.timeout(PATIENCE):
            await asyncio.to_thread(connection.__exit__, None, None, None)
            await asyncio.to_thread(listener.join)


@asynccontextmanager
async def async_line(
    authority: str, product: str = "agent.v1", **options: Any
) -> AsyncIterator[Line]:
    """A line of ``AsyncDeepgramClient``."""
    client = AsyncDeepgramClient(environment=environment(authority), **credentials(options))
    connection = attrgetter(product)(client).connect(**options)
    try:
        async with asyncio.timeout(PATIENCE):
            socket = await connection.__aenter__()
    except ApiError as error:
        raise _refused(error) from error
    line = PythonLine(socket, blocking=False)
    listener = asyncio.create_task(socket.start_listening())
    try:
        yield line
    finally:
        async with asyncio.timeout(PATIENCE):
            await connection.__aexit__(None, None, None)
            await listener


def credentials(options: dict[str, Any]) -> dict[str, Any]:
    """Take out what is for the client; an SDK wants a key even where none is needed."""
    token = {"access_token": options.pop("access_token")} if "access_token" in options else {}
    return {"api_key": options.pop("api_key", "any"), **token}


def _refused(error: ApiError | InvalidStatus) -> Refused:
    # The blocking client lets through what newer releases of websockets raise.
    if isinstance(error, InvalidStatus):
        return Refused(error.response.status_code, str(error))
    return Refused(error.status_code, str(error))


def environment(authority: str) -> DeepgramClientEnvironment:
    """Everything at HOST:PORT."""
    ws, http = f"ws://{authority}", f"http://{authority}"
    return DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http)
