"""A proxy between voice-agent apps and realtime voice APIs, made of plugins."""

from voiceproxy.agent import part_problems, unknown_fields
from voiceproxy.app import (
    add_endpoint,
    add_route,
    create_app,
    endpoints,
    settings_of,
    setup,
    stand_in,
    stand_in_of,
    stop_sessions,
)
from voiceproxy.backend import Checks, Endpoint, Translator, Upstream
from voiceproxy.chores import Timer
from voiceproxy.closing import Closing, Traffic
from voiceproxy.errors import (
    Answer,
    ClientFault,
    PluginFault,
    PluginLoadError,
    Refuse,
    SessionError,
    SettingsError,
    UpstreamFault,
    UsageError,
    VoiceproxyError,
)
from voiceproxy.frames import Binary, Close, Frame, Text
from voiceproxy.handle import Session, State, StateKey, TranslatorSession
from voiceproxy.hookspecs import hookimpl
from voiceproxy.lane import Hold
from voiceproxy.settings import SettingsSchema

__version__ = "0.1.0"

__all__ = [
    # An application
    "create_app",
    "setup",
    "endpoints",
    "stop_sessions",
    # A plugin
    "hookimpl",
    "Session",
    "State",
    "StateKey",
    "Hold",
    "Closing",
    "Traffic",
    "Refuse",
    "SettingsSchema",
    "settings_of",
    "part_problems",
    "unknown_fields",
    # A backend
    "Endpoint",
    "Upstream",
    "Translator",
    "Checks",
    "TranslatorSession",
    "Timer",
    "add_endpoint",
    "add_route",
    "stand_in",
    "stand_in_of",
    # Frames
    "Frame",
    "Text",
    "Binary",
    "Close",
    # Errors
    "VoiceproxyError",
    "UsageError",
    "SettingsError",
    "PluginLoadError",
    "SessionError",
    "ClientFault",
    "UpstreamFault",
    "Answer",
    "PluginFault",
    "__version__",
]
