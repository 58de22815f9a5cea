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
    from deepgram.agent.v1 import socket_client as agent_v1
    from deepgram.listen.v1 import socket_client as listen_v1
    from deepgram.listen.v2 import socket_client as listen_v2
    from deepgram.speak.v1 import socket_client as speak_v1
    from deepgram.speak.v2 import socket_client as speak_v2

CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

RESPONSES: dict[str, Any] = {
    "agent.v1": agent_v1.V1SocketClientResponse,
    "listen.v1": listen_v1.V1SocketClientResponse,
    "listen.v2": listen_v2.V2SocketClientResponse,
    "speak.v1": speak_v1.V1SocketClientResponse,
    "speak.v2": speak_v2.V2SocketClientResponse,
}
"""What a client may get, by product, as the SDK declares it."""


def _models(response: Any) -> typing.Iterator[type[BaseModel]]:
    for one in typing.get_args(response):
        if typing.get_args(one):
            yield from _models(one)
        elif one not in (bytes, str):
            yield one


def _kinds(model: type[BaseModel]) -> list[str]:
    """The types a model is for."""
    field = model.model_fields["type"]
    if isinstance(field.default, str):
        return [field.default]
    literals = [one for one in typing.get_args(field.annotation) if typing.get_args(one)]
    return [kind for literal in literals for kind in typing.get_args(literal)]


SERVER_MODELS: dict[str, dict[str, list[type[BaseModel]]]] = {}
"""deepgram-sdk's models of what a client may get, by product and type; some types have two."""

for _product, _response in RESPONSES.items():
    _by_kind = SERVER_MODELS.setdefault(_product, {})
    for _model in _models(_response):
        for _kind in _kinds(_model):
            _by_kind.setdefault(_kind, []).append(_model)


def known(product: str, message: dict[str, Any]) -> BaseModel | None:
    """A message as the SDK's model of it; None when none takes it."""
    for model in SERVER_MODELS[product].get(str(message.get("type")), ()):
        try:
            return model.model_validate(message)
        except ValidationError:
            continue
    return None


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
        problems += product_message_problems(message, "agent.v1")
    return problems


def product_message_problems(message: dict[str, Any], product: str) -> list[str]:
    """Why the SDK would not know a message of a product; empty when it would."""
    models = SERVER_MODELS[product].get(str(message.get("type")), [])
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
