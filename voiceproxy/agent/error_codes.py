"""The codes of the ``Error`` messages the host itself sends.

Backends add their own and pass on their upstream's. Clients branch on the code, never on the text.
A close is 1000 where the same client would only fail again: some SDKs reconnect for ever on any
other code.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

UNPARSABLE_CLIENT_MESSAGE: Final = "UNPARSABLE_CLIENT_MESSAGE"
INVALID_SETTINGS: Final = "INVALID_SETTINGS"
NON_SETTINGS_MESSAGE_BEFORE_SETTINGS: Final = "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"
SETTINGS_ALREADY_APPLIED: Final = "SETTINGS_ALREADY_APPLIED"
CLIENT_MESSAGE_TIMEOUT: Final = "CLIENT_MESSAGE_TIMEOUT"
DISALLOWED_CLIENT_MESSAGE_TYPE: Final = "disallowed_client_message_type"
PLUGIN_FAILED: Final = "plugin_failed"
PLUGIN_TIMEOUT: Final = "plugin_timeout"
INTERNAL_ERROR: Final = "internal_error"
CLIENT_OVERFLOW: Final = "client_overflow"
UPSTREAM_OVERFLOW: Final = "upstream_overflow"
FRAME_TOO_BIG: Final = "frame_too_big"
UPSTREAM_UNREACHABLE: Final = "upstream_unreachable"
UPSTREAM_DNS_FAILED: Final = "upstream_dns_failed"
UPSTREAM_TLS_FAILED: Final = "upstream_tls_failed"
UPSTREAM_TIMEOUT: Final = "upstream_timeout"
UPSTREAM_UNAUTHORIZED: Final = "upstream_unauthorized"
UPSTREAM_REJECTED: Final = "upstream_rejected"
UPSTREAM_CLOSED: Final = "upstream_closed"
SERVER_GOING_AWAY: Final = "SERVER_GOING_AWAY"

ERROR_CODES: Mapping[str, str] = MappingProxyType(
    {
        UNPARSABLE_CLIENT_MESSAGE: (
            "A text frame is not a JSON object with a type, or a field of the message is wrong; "
            "the description names each. The session goes on."
        ),
        INVALID_SETTINGS: (
            "Settings have wrong fields, each named by its path, or the backend cannot serve what "
            "they ask for. The session goes on: corrected Settings are accepted."
        ),
        NON_SETTINGS_MESSAGE_BEFORE_SETTINGS: (
            "Something else came before Settings. Dialect agent only. The session goes on."
        ),
        SETTINGS_ALREADY_APPLIED: (
            "Settings came a second time and were not read. Dialect agent only. "
            "The session goes on."
        ),
        CLIENT_MESSAGE_TIMEOUT: (
            "No Settings within the time the setting settings_timeout gives. Closes 1000."
        ),
        DISALLOWED_CLIENT_MESSAGE_TYPE: (
            "The backend does not serve this message type; the description lists those it does. "
            "The session goes on."
        ),
        PLUGIN_FAILED: "A plugin raised; the description names it. Closes 1000.",
        PLUGIN_TIMEOUT: (
            "A plugin held a frame for longer than it said it would, and wanted the session closed "
            "then; the description names it. Closes 1000."
        ),
        INTERNAL_ERROR: "The proxy or a backend failed. Closes 1011.",
        CLIENT_OVERFLOW: "The client reads too slowly; its queue is full. Closes 1000.",
        UPSTREAM_OVERFLOW: "The upstream reads too slowly; its queue is full. Closes 1000.",
        FRAME_TOO_BIG: (
            "A frame is longer than the setting max_client_frame or max_upstream_frame allows. "
            "Closes 1009."
        ),
        UPSTREAM_UNREACHABLE: (
            "The upstream does not take the connection, or answers with an HTTP status from 500. "
            "Closes 1011."
        ),
        UPSTREAM_DNS_FAILED: "The upstream's name cannot be resolved. Closes 1011.",
        UPSTREAM_TLS_FAILED: "The upstream's certificate or TLS is refused. Closes 1000.",
        UPSTREAM_TIMEOUT: (
            "The upstream has not answered within the time the setting connect_timeout gives. "
            "Closes 1011."
        ),
        UPSTREAM_UNAUTHORIZED: "The upstream refuses the credential (401, 403). Closes 1000.",
        UPSTREAM_REJECTED: (
            "The upstream refuses the connection with another HTTP status, or its URL is not "
            "valid. Closes 1000."
        ),
        UPSTREAM_CLOSED: (
            "The upstream is gone. Closes with the upstream's own code, 1011 if it gave none."
        ),
        SERVER_GOING_AWAY: (
            "The proxy is being stopped or restarted. After a Warning the agent may end its turn; "
            "after an Error there is no more time. Closes 1001."
        ),
    }
)
"""Code -> its meaning, and what follows: "The session goes on", or the close code."""
