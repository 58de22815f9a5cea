"""What may be on the two wires, by the types of the SDKs that are at their ends.

A rule of both: strict (nothing is converted to fit) and closed (no key the type does not know, at
any depth). What a type leaves free stays free: the ``parameters`` of a tool, ``metadata``, the
``variables`` of a prompt.
"""

from __future__ import annotations

import typing
import warnings
from typing import Any

from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

from voiceproxy.agent import ONLY, Dialect, server_problems

with warnings.catch_warnings():
    # The SDK imports a module that websockets deprecates.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    from deepgram.agent.v1.socket_client import V1SocketClientResponse

CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

SERVER_MODELS: dict[str, list[type[BaseModel]]] = {}
"""deepgram-sdk's models of what a client may get, by message type; History has two."""

for _model in typing.get_args(V1SocketClientResponse):
    for _one in typing.get_args(_model) or (_model,):
        if _one is not bytes:
            SERVER_MODELS.setdefault(_one.model_fields["type"].default, []).append(_one)


def client_event_problems(event: dict[str, Any]) -> list[str]:
    """Why openai's types would not take an event for the upstream; empty when they would."""
    return _problems(CLIENT_EVENT, event)


def server_message_problems(message: dict[str, Any], dialect: Dialect) -> list[str]:
    """Why a client of that dialect would not know a message; empty when it would."""
    kind = message.get("type")
    problems = list(server_problems(message))
    if ONLY.get(str(kind), dialect) != dialect:
        problems.append(f"{kind} is no message of the dialect {dialect}")
    if ONLY.get(str(kind)) != "component":
        problems += _sdk_problems(message)
    return problems


def _sdk_problems(message: dict[str, Any]) -> list[str]:
    models = SERVER_MODELS.get(str(message.get("type")), [])
    found = [_problems(TypeAdapter(model), message) for model in models]
    if [] in found:
        return []
    return [problem for each in found for problem in each] or ["the SDK has no such message"]


def _problems(adapter: TypeAdapter[Any], data: dict[str, Any]) -> list[str]:
    try:
        model = adapter.validate_python(data, strict=True)
    except ValidationError as error:
        return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return list(_unknown_keys(model, str(data.get("type"))))


def _unknown_keys(value: object, path: str) -> typing.Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            yield f"{path}.{name}: unknown key"
        for name in type(value).model_fields:
            yield from _unknown_keys(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _unknown_keys(entry, f"{path}[{place}]")
