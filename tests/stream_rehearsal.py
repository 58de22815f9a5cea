"""A listen or speak session without a socket, and what Deepgram's own SDK says of its messages."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ParamSpec

import orjson
import pydantic
from multidict import MultiDict

from voiceproxy_simulator.deepgram.stream import Stream
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.testing import FakeLine
from voiceproxy_simulator.wire import Frame, Line

Message = dict[str, Any]
Parameters = ParamSpec("Parameters")

SECONDS = 10


def bounded(test: Callable[Parameters, Awaitable[None]]) -> Callable[Parameters, Awaitable[None]]:
    """A test over real sockets that fails when something it waits for does not come."""

    @functools.wraps(test)
    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        async with asyncio.timeout(SECONDS):
            await test(*args, **kwargs)

    return run


class StreamRehearsal:
    """One session on a fake line, opened. ``make`` gets the line, a journal and a request id."""

    def __init__(self, make: Callable[[Line, Journal, str], Stream]) -> None:
        self.line = FakeLine()
        self.journal = Journal()
        self.stream = make(self.line, self.journal, "request")
        self._seen = 0
        self.stream.open()

    def client(self, *frames: Message | str | bytes) -> None:
        for frame in frames:
            if isinstance(frame, bytes):
                self.stream.receive_binary(frame)
            else:
                text = frame if isinstance(frame, str) else orjson.dumps(frame).decode()
                self.stream.receive(text)

    def frames(self) -> list[Frame]:
        """Everything sent since last asked."""
        frames = self.line.sent[self._seen :]
        self._seen = len(self.line.sent)
        return frames

    def messages(self) -> list[Message]:
        """The text messages sent since last asked."""
        return [frame for frame in self.frames() if isinstance(frame, dict)]

    def types(self) -> list[str]:
        """What was sent since last asked; a run of binary frames is one ``binary``."""
        kinds = [one["type"] if isinstance(one, dict) else "binary" for one in self.frames()]
        return [
            kind
            for place, kind in enumerate(kinds)
            if kind != "binary" or place == 0 or kinds[place - 1] != "binary"
        ]

    @property
    def violations(self) -> list[tuple[str, str]]:
        """Message types and details of the breaches so far."""
        return [(one.event_type, one.detail) for one in self.journal.violations]

    @property
    def closed(self) -> tuple[int, str] | None:
        return self.line.closed


def query(**parameters: Any) -> MultiDict[str]:
    """A query; a list repeats its parameter."""
    values: MultiDict[str] = MultiDict()
    for name, value in parameters.items():
        for one in value if isinstance(value, list) else [value]:
            values.add(name, str(one))
    return values


def check_by_sdk(messages: list[Message], models: Mapping[str, type[Any]]) -> None:
    """Every message is one of the SDK's, complete, and without any field the SDK does not know."""
    for message in messages:
        parsed = models[message["type"]].model_validate(message)
        assert _extras(parsed) == [], message


def _extras(model: pydantic.BaseModel) -> list[str]:
    found = list(model.model_extra or {})
    for value in model.__dict__.values():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, pydantic.BaseModel):
                found += _extras(inner)
    return found


def fields_of(model: type[Any]) -> tuple[set[str], set[str]]:
    """The required and the optional fields of an SDK message, without ``type``."""
    fields = {name: field for name, field in model.model_fields.items() if name != "type"}
    required = {name for name, field in fields.items() if field.is_required()}
    return required, set(fields) - required


def parameters_of(module: str) -> set[str]:
    """The query parameters of ``V2Client.connect`` in a module of the SDK."""
    with warnings.catch_warnings():  # the SDK imports names that websockets calls deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        client = importlib.import_module(module).V2Client
    names = set(inspect.signature(client.connect).parameters)
    return names - {"self", "authorization", "request_options"}
