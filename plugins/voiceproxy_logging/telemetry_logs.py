"""Log records as OpenTelemetry has them, sent by OTLP. Needs the extra ``otel``."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from pythonjsonlogger.core import RESERVED_ATTRS

import voiceproxy
from voiceproxy_logging.lines import message_of
from voiceproxy_logging.trace import SAMPLED

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

SEVERITIES = (
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.NOTSET, SeverityNumber.DEBUG, "DEBUG"),
)
"""From that level on: the number and the name the specification has for it."""

NAMES = {"session_id": "session.id"}
IDS = frozenset({"trace_id", "span_id", "trace_flags", "event"})
"""Attributes that have fields of their own in the data model."""


MAX_BITS = 63
"""Of a number, beside its sign."""


class TelemetryLogs(logging.Handler):
    """Sends every record of the loggers under ``voiceproxy``, but those of sessions of another
    application in this process. ``office`` is this application's mark."""

    def __init__(self, resource: Resource, endpoint: str | None, office: object) -> None:
        super().__init__()
        self._office = office
        self._provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(
            BatchLogRecordProcessor(OTLPLogExporter(endpoint=endpoint))
        )

    def start(self) -> None:
        """From now on."""
        logging.getLogger("voiceproxy").addHandler(self)

    def detach(self) -> None:
        """Take no record any more."""
        logging.getLogger("voiceproxy").removeHandler(self)

    def stop(self) -> None:
        """Send what is left; blocks until it is gone or given up."""
        self.detach()
        self._provider.shutdown()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one record; the processor's thread sends it."""
        if _office(record) not in (None, self._office):
            return
        try:
            logger = self._provider.get_logger(record.name, voiceproxy.__version__)
            logger.emit(_translated(record))
        except Exception:  # noqa: BLE001 - as every handler: logging must not break what logs
            self.handleError(record)


def _translated(record: logging.LogRecord) -> LogRecord:
    number, text = next((n, t) for level, n, t in SEVERITIES if record.levelno >= level)
    event = getattr(record, "event", None)
    return LogRecord(
        timestamp=round(record.created * 1e9),
        context=_context(record),
        severity_number=number,
        severity_text=text,
        body=_sent(message_of(record)),
        attributes=_attributes(record),
        event_name=f"voiceproxy.{event}" if event else None,
    )


def _office(record: logging.LogRecord) -> object:
    """The mark of the application whose session it is about; None when it is about none."""
    if getattr(record, "session_id", None) is None:
        return None
    return getattr(record, "_office", "another")


def _context(record: logging.LogRecord) -> Context:
    """The session's span, by its ids; empty for a record of no session that is traced."""
    span_id = getattr(record, "span_id", None)
    if span_id is None:
        return Context()
    trace_id = int(vars(record)["trace_id"], 16)
    flags = TraceFlags(getattr(record, "trace_flags", SAMPLED))
    context = SpanContext(trace_id, int(span_id, 16), is_remote=False, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context), Context())


def _attributes(record: logging.LogRecord) -> dict[str, str | int | float]:
    attributes = {
        NAMES.get(name, name): _sent(value)
        for name, value in vars(record).items()
        if name not in RESERVED_ATTRS and name not in IDS and isinstance(value, str | int | float)
    }
    error = record.exc_info and record.exc_info[1]
    if error:
        attributes["exception.type"] = type(error).__qualname__
        attributes["exception.stacktrace"] = _sent("".join(traceback.format_exception(error)))
    return attributes


def _sent(value: str | int | float) -> str | int | float:
    """As it can be encoded: one record that cannot would take its whole batch with it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    too_long = isinstance(value, int) and value.bit_length() > MAX_BITS
    return str(value) if too_long else value
