"""Who a session is: what is known of a client from its request, and the name in its log lines."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from multidict import CIMultiDict, MultiDict, MultiMapping

if TYPE_CHECKING:
    from voiceproxy.backend import Dialect, SpokenProtocol


@dataclass(frozen=True, slots=True)
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
    query: MultiMapping[str] = field(default_factory=MultiDict, repr=False)
    raw_query: str = field(default="", repr=False)
    """The query as it came: order, repeats and escapes kept."""
    headers: Mapping[str, str] = field(default_factory=CIMultiDict, repr=False)
    remote: str | None = None


class SessionLog(logging.LoggerAdapter[logging.Logger]):
    """Puts the session's trace id in front of every line."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Prefix the message with ``[trace id]``."""
        return f"[{self.extra['trace_id'] if self.extra else ''}] {msg}", kwargs
