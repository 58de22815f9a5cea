"""Write the event schemas anew from the installed ``openai`` package's own types.

    python -m voiceproxy_simulator.generate_schemas

The files are checked in, so that the simulator needs no ``openai`` when it runs; a test compares
them with what the installed package gives. Client events come from the *Param* types, because
those alone say where the API takes null (``create_response: null`` is refused, ``turn_detection:
null`` is not) and know ``item_reference``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

HERE = Path(__file__).parent
CLIENT_FILE = HERE / "client_events.json"
SERVER_FILE = HERE / "server_events.json"

_PROSE = frozenset({"title", "description", "default"})
_NAMED = frozenset({"properties", "$defs"})


def client_schema() -> dict[str, Any]:
    """JSON Schema of every event a client may send, references in ``response.create`` included."""
    from openai.types.realtime import RealtimeClientEventParam
    from openai.types.realtime.response_create_event_with_references_param import (
        ResponseCreateEventWithReferencesParam,
    )

    schema = _schema_of(RealtimeClientEventParam)
    referring = _schema_of(ResponseCreateEventWithReferencesParam)
    schema["$defs"].update(referring.pop("$defs"))
    schema["$defs"]["ResponseCreateEventParam"] = referring
    return schema


def server_schema() -> dict[str, Any]:
    """JSON Schema of every event the API sends."""
    from openai.types.realtime import RealtimeServerEvent

    return _schema_of(RealtimeServerEvent)


def encode(schema: dict[str, Any]) -> bytes:
    """The bytes of the checked-in file: compact, keys sorted, one newline at the end."""
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _schema_of(kind: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    schema: dict[str, Any] = _strip(TypeAdapter(kind).json_schema(), named=False)
    return schema


def _strip(part: Any, *, named: bool) -> Any:
    """Drop prose and openness. Under ``properties`` and ``$defs`` the keys are names."""
    if isinstance(part, list):
        return [_strip(entry, named=False) for entry in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _strip(value, named=not named and key in _NAMED)
        for key, value in part.items()
        if named or not (key in _PROSE or (key == "additionalProperties" and value is True))
    }


def main() -> None:
    """Write both files."""
    CLIENT_FILE.write_bytes(encode(client_schema()))
    SERVER_FILE.write_bytes(encode(server_schema()))


if __name__ == "__main__":
    main()
