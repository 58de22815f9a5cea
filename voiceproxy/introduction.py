"""Who a session is: what is known of a client from its request, and the name in its log lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict, MultiDict, MultiMapping

from voiceproxy.errors import PluginFault, SessionError

if TYPE_CHECKING:
    from aiohttp import web

    from voiceproxy.backend import Dialect, SpokenProtocol


@dataclass(slots=True)
class Introduction:
    """What is known of a client before its upgrade is answered."""

    id: str
    """32 hexadecimal digits; the ``request_id`` of Welcome and of a refusal."""
    trace_id: str
    """``?traceId=`` of the request, else the id. Names the session in every log line."""
    endpoint: str
    path: str
    protocol: SpokenProtocol
    dialect: Dialect
    app: web.Application = field(repr=False)
    """The application that answers it."""
    query: MultiMapping[str] = field(default_factory=MultiDict, repr=False)
    raw_query: str = field(default="", repr=False)
    """The query as it came: order, repeats and escapes kept."""
    headers: Mapping[str, str] = field(default_factory=CIMultiDict, repr=False)
    remote: str | None = None


class SessionLog(logging.LoggerAdapter[logging.Logger]):
    """Puts the session's trace id in front of every line.

    ``fields`` become attributes of every record: ``session_id`` and ``trace_id``, and what plugins
    add or replace. The host logs that the session opens and ends while ``session_lines`` is true: a
    plugin that tells it in its own way turns that off in its connect hook.
    """

    def __init__(self, logger: logging.Logger, session_id: str, trace_id: str) -> None:
        self.fields: dict[str, object] = {"session_id": session_id, "trace_id": trace_id}
        super().__init__(logger, self.fields)
        self.session_lines = True
        self._prefix = f"[{trace_id}] "
        self._format = self._prefix.replace("%", "%%")
        """The same where arguments are put into the line: a client may call itself anything."""

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Prefix the message with ``[trace id]``; give the record its attributes."""
        if self.isEnabledFor(level):
            options["extra"] = {**self.fields, **(options.get("extra") or {})}
            options["stacklevel"] = options.get("stacklevel", 1) + 1  # the caller's, not this line
            line = (self._format if args else self._prefix) + str(msg)
            self.logger.log(level, line, *args, **options)

    def tell(self, text: str, *arguments: object) -> None:
        """Log one of the host's own lines about the session's life, while ``session_lines``.

        As ``info`` would, without looking for the line of code it is logged from.
        """
        logger = self.logger
        if not self.session_lines or not logger.isEnabledFor(logging.INFO):
            return
        message = (self._format if arguments else self._prefix) + text
        where = logger.name, logging.INFO, __file__, 0
        record = logger.makeRecord(*where, message, arguments, None, "tell", self.fields)
        logger.handle(record)


def log_fault(log: SessionLog, fault: SessionError, text: str | None = None) -> None:
    """Log what ended a session, or a plugin's failure beside it, with its cause.

    The record's ``error_code`` says which; its ``plugin`` says whose, when it is a plugin's.
    """
    extra = {"error_code": fault.code}
    if isinstance(fault, PluginFault):
        extra["plugin"] = fault.plugin
    log.error("%s", text or fault.description, exc_info=fault.__cause__, extra=extra)
