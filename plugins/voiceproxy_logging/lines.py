"""JSON lines: what the root logger's console handlers write, while the application runs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.orjson import OrjsonFormatter

from voiceproxy_logging.records import Entry

NAMES = {"levelname": "level", "name": "logger", "exc_info": "exception"}


class JsonLines(OrjsonFormatter):
    """One object a line: timestamp, level, logger, message, and the attributes of the record."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields=NAMES,
            timestamp=True,
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Leave out of the message what has a field of its own."""
        super().add_fields(log_data, record, message_dict)
        log_data["message"] = message_of(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Put the time first, as people and many machines expect it."""
        return {"timestamp": log_data.pop("timestamp"), **log_data}

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """Write what orjson refuses with the slower encoder: half a character, huge numbers."""
        try:
            return super().jsonify_log_record(log_data)
        except TypeError:
            return json.dumps(log_data, default=str)


def message_of(record: logging.LogRecord) -> str:
    """The name of the event; of another record its text, without the trace id before it."""
    if isinstance(record.msg, Entry):
        return record.msg.event
    text = record.getMessage()
    ids = (getattr(record, name, None) for name in ("correlation_id", "trace_id", "session_id"))
    for known in ids:
        text = text.removeprefix(f"[{known}] ")
    return text


def start_json_lines() -> Callable[[], None]:
    """Let the console handlers of the root logger write JSON lines. Returns what undoes it.

    Those of an embedding application that write elsewhere are its own affair: the records carry
    everything as attributes.
    """
    changed = [(one, one.formatter) for one in logging.getLogger().handlers if _is_console(one)]
    for handler, _ in changed:
        handler.setFormatter(JsonLines())

    def undo() -> None:
        for handler, formatter in changed:
            handler.setFormatter(formatter)

    return undo


def _is_console(handler: logging.Handler) -> bool:
    consoles = (sys.stderr, sys.stdout)
    return isinstance(handler, logging.StreamHandler) and handler.stream in consoles
