"""A receiver of OpenTelemetry data over HTTP, as a collector has one."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from voiceproxy.testing import listening


class Received:
    """What came in. ``spans`` and ``logs`` are protobuf messages; ``resource`` the last one's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Any] = []
        self.logs: list[Any] = []
        self.resource: dict[str, Any] = {}
        self.headers: list[Any] = []

    @property
    def sessions(self) -> list[Any]:
        return [span for span in self.spans if span.name.startswith("GET ")]

    @property
    def turns(self) -> list[Any]:
        return [span for span in self.spans if span.name == "invoke_agent"]

    def events(self, name: str) -> list[Any]:
        return [one for one in self.logs if one.event_name == f"voiceproxy.{name}"]

    async def take_traces(self, request: web.Request) -> web.Response:
        for each in ExportTraceServiceRequest.FromString(await self._body(request)).resource_spans:
            self.resource = values(each.resource)
            self.spans += [span for scope in each.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def take_logs(self, request: web.Request) -> web.Response:
        for each in ExportLogsServiceRequest.FromString(await self._body(request)).resource_logs:
            self.resource = values(each.resource)
            self.logs += [one for scope in each.scope_logs for one in scope.log_records]
        return web.Response(content_type="application/x-protobuf")

    async def _body(self, request: web.Request) -> bytes:
        self.headers.append(request.headers)
        data = await request.read()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def values(thing: Any) -> dict[str, Any]:
    """The attributes of anything that has some."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in thing.attributes}


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[Received]:
    """Run one on a free loopback port."""
    app = web.Application()
    async with listening(app_of(app, received := Received(""))) as url:
        received.url = url
        yield received


def app_of(app: web.Application, received: Received) -> web.Application:
    app.router.add_post("/v1/traces", received.take_traces)
    app.router.add_post("/v1/logs", received.take_logs)
    return app
