"""The Voice Agent protocol: messages, their shapes, error codes, dialects. It knows no vendor."""

from voiceproxy.agent.client_messages import CLIENT_MESSAGES
from voiceproxy.agent.dialects import ONLY, Dialect, default_input_rate
from voiceproxy.agent.error_codes import ERROR_CODES
from voiceproxy.agent.problems import (
    part_problems,
    problems,
    server_problems,
    unknown_fields,
)
from voiceproxy.agent.server_messages import SERVER_MESSAGES

__all__ = [
    # Messages
    "CLIENT_MESSAGES",
    "SERVER_MESSAGES",
    "problems",
    "part_problems",
    "unknown_fields",
    "server_problems",
    # Errors
    "ERROR_CODES",
    # Dialects
    "ONLY",
    "Dialect",
    "default_input_rate",
]
