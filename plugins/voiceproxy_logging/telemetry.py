"""The same as OpenTelemetry: log records, a span for each session and one for each of its turns.

Needs the extra ``otel``. Names are those of the semantic conventions where they have one: a session
is an HTTP server's span, a turn an agent's invocation. No content is in a span.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

import voiceproxy
from voiceproxy_logging.telemetry_logs import TelemetryLogs

if TYPE_CHECKING:
    from voiceproxy import Closing
    from voiceproxy_logging.records import Fields
    from voiceproxy_logging.trace import Trace
    from voiceproxy_logging.turns import Turn

STOP_TIMEOUT = 5.0
"""Seconds the end of the application waits for what has not been sent."""

SECOND = 1_000_000_000


class GivenIds(RandomIdGenerator):
    """Random ids, but for the next span when it has been given some."""

    def __init__(self) -> None:
        self.given: Trace | None = None

    def generate_trace_id(self) -> int:
        """Asked for a span without a parent."""
        return int(self.given.trace_id, 16) if self.given else super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Asked for every span."""
        return int(self.given.span_id, 16) if self.given else super().generate_span_id()


class Telemetry:
    """What one application sends to its OTLP receiver, from threads of its own."""

    def __init__(self, endpoint: str, office: object) -> None:
        resource = _resource()
        self._ids = GivenIds()
        self._spans = TracerProvider(
            resource=resource, id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=_signal(endpoint, "traces"))
        self._spans.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._spans.get_tracer("voiceproxy", voiceproxy.__version__)
        self._logs = TelemetryLogs(resource, _signal(endpoint, "logs"), office)
        self._logs.start()

    def begin(self, session_id: str, trace: Trace, introduction: Fields) -> SessionSpan:
        """The span of a session, from now on. ``introduction``: the fields of ``connect``."""
        route = str(introduction["url.path"])
        agent = {
            "gen_ai.conversation.id": session_id,
            "gen_ai.provider.name": str(introduction["endpoint"]),
        }
        attributes = {
            **_custom(introduction),
            **agent,
            "http.request.method": "GET",
            "http.route": route,
            "network.protocol.name": "websocket",
            "session.id": session_id,
        }
        self._ids.given = trace
        try:
            span = self._tracer.start_span(
                f"GET {route}",
                context=_parent(trace),
                kind=SpanKind.SERVER,
                attributes=attributes,
            )
        finally:
            self._ids.given = None
        return SessionSpan(self._tracer, span, agent)

    async def stop(self) -> None:
        """Send what is left, for at most ``STOP_TIMEOUT`` seconds."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._logs.stop()
            self._spans.shutdown()
            _tell(loop, done)

        # A daemon: the process does not wait for a receiver that does not answer.
        threading.Thread(target=shut_down, name="voiceproxy telemetry", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), STOP_TIMEOUT)


class SessionSpan:
    """The span of one session, and those of its turns."""

    def __init__(self, tracer: Tracer, span: Span, agent: Mapping[str, str]) -> None:
        self._tracer = tracer
        self._span = span
        self._agent = agent

    def turn(self, turn: Turn, now: float) -> None:
        """The span of a turn that ended now, on the session's clock."""
        wall = time.time_ns()

        def moment(then: float) -> int:
            return wall - round((now - then) * SECOND)

        span = self._tracer.start_span(
            "invoke_agent",
            context=set_span_in_context(self._span),
            kind=SpanKind.CLIENT,
            attributes={**self._agent, **_of_turn(turn)},
            start_time=moment(turn.began),
        )
        if turn.heard is not None:
            span.add_event("user_heard", timestamp=moment(turn.heard))
        if turn.answered is not None:
            span.add_event("agent_answers", timestamp=moment(turn.answered))
        if turn.error is not None:
            span.set_status(StatusCode.ERROR)
        span.end(moment(now if turn.ended is None else turn.ended))

    def end(self, close: Closing, fields: Mapping[str, object]) -> None:
        """The session is over. ``fields``: how, as the record of its close has it."""
        status = fields["http.response.status_code"]
        attributes = {name: value for name, value in fields.items() if value is not None}
        if close.outcome in ("closed", "failed"):
            attributes["http.response.status_code"] = 101
        if close.error is not None or close.outcome == "refused":
            attributes["error.type"] = close.error or str(status)
        self._span.set_attributes(_custom(attributes))
        if close.error is not None or (close.outcome == "refused" and close.code >= 500):
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _of_turn(turn: Turn) -> dict[str, str | int | float]:
    attributes: dict[str, str | int | float] = {
        "gen_ai.operation.name": "invoke_agent",
        "voiceproxy.turn.number": turn.number,
        "voiceproxy.turn.outcome": turn.outcome,
        "voiceproxy.turn.function_calls": turn.function_calls,
    }
    if turn.latency is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = round(turn.latency, 6)
    if turn.error is not None:
        attributes["error.type"] = turn.error
    return attributes


def _custom(fields: Mapping[str, object]) -> dict[str, str | int | float]:
    """Names without a namespace get ours; the conventions reserve the others."""
    return {
        name if "." in name else f"voiceproxy.{name}": value
        for name, value in fields.items()
        if isinstance(value, str | int | float)
    }


def _parent(trace: Trace) -> Context:
    """The caller's span as ``traceparent`` names it; without one the session begins its trace."""
    if trace.parent_id is None:
        return Context()
    context = SpanContext(
        int(trace.trace_id, 16),
        int(trace.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(trace.flags),
    )
    return set_span_in_context(NonRecordingSpan(context), Context())


def _resource() -> Resource:
    named = OTELResourceDetector().detect().attributes
    ours = {"service.name": "voiceproxy", "service.version": voiceproxy.__version__}
    return Resource.create({**ours, **named})


def _signal(endpoint: str, signal: str) -> str | None:
    """The address for a signal; None leaves it to the variables of the environment."""
    return f"{endpoint.rstrip('/')}/v1/{signal}" if endpoint else None


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop may be closed by now
        loop.call_soon_threadsafe(done.set)
