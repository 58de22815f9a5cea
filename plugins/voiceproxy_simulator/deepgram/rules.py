"""Every rule a violation on the Deepgram side may name, and what it means."""

from __future__ import annotations

from voiceproxy_simulator.deepgram.agent_errors import AGENT_RULES

DEEPGRAM_RULES = {
    **AGENT_RULES,
    "refused-connection": "The API refuses the path, the query or the body of the request.",
    "own-parameter": "A parameter of the proxy's own (token, service, traceId) came along.",
    "client-header": "A header of the client's own (Cookie, Origin) came along.",
}
