"""Whose fault it is, and what follows from it.

::

    VoiceproxyError
    ├── UsageError                 the operator's: the process exits with status 2
    │   ├── SettingsError          every bad setting at once, each with its variable and flag
    │   └── PluginLoadError        a plugin that cannot be found, imported or validated
    ├── Refuse                     a plugin refuses a connection: an HTTP status before the upgrade
    └── SessionError               ends one session: an ``Error`` message, then a close code
        ├── ClientFault
        ├── UpstreamFault
        └── PluginFault
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from voiceproxy.frames import NORMAL


class VoiceproxyError(Exception):
    """The base of every error voiceproxy raises on purpose."""


class UsageError(VoiceproxyError):
    """The command line, the environment or an installed plugin is wrong."""


class SettingsError(UsageError):
    """One or more settings are wrong. ``problems`` has one line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class PluginLoadError(UsageError):
    """A plugin cannot be used. Names the plugin, its distribution (when known) and the cause."""

    def __init__(self, plugin: str, cause: str, distribution: str | None = None) -> None:
        self.plugin = plugin
        self.distribution = distribution
        source = f" (from {distribution})" if distribution else ""
        super().__init__(f"plugin {plugin!r}{source}: {cause}")


class Refuse(VoiceproxyError):
    """Raised by a plugin's ``voiceproxy_connect`` to answer the upgrade with an HTTP error.

    ``status`` is 400-599; ``reason`` reaches the client in the JSON body
    ``{"err_code", "err_msg", "request_id"}`` (Deepgram's shape for a refused handshake).
    """

    def __init__(self, status: int, reason: str) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"Refuse needs an HTTP status from 400 to 599, not {status}")
        self.status = status
        self.reason = reason
        self.by = "proxy"
        """The plugin that refused; filled in by the host."""
        super().__init__(f"{status} {reason}")


class SessionError(VoiceproxyError):
    """Ends one session: the client gets ``Error{code, description}``, then the close code.

    ``close_code`` is 1000 where the same client would only fail again and 1011-1013 where a
    reconnect helps, because some SDKs reconnect for ever on anything but 1000.
    """

    def __init__(self, code: str, description: str, close_code: int = NORMAL) -> None:
        self.code = code
        self.description = description
        self.close_code = close_code
        self.by = "proxy"
        """Who ended the session: ``client``, ``upstream``, ``proxy`` or a plugin's name."""
        super().__init__(f"{code}: {description}")


class ClientFault(SessionError):
    """The client broke the protocol in a way the session cannot go on from."""

    def __init__(self, code: str, description: str, close_code: int = NORMAL) -> None:
        super().__init__(code, description, close_code)
        self.by = "client"


@dataclass(frozen=True, slots=True)
class Answer:
    """How an upstream refused the upgrade, over HTTP."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    err_code: str = ""
    """``err_code``, ``err_msg`` and ``request_id`` of its JSON body, where it has them; our own
    credentials are masked."""
    err_msg: str = ""
    request_id: str = ""


class UpstreamFault(SessionError):
    """The upstream cannot be reached, refused the connection or broke its protocol."""

    def __init__(
        self,
        code: str,
        description: str,
        close_code: int = NORMAL,
        answer: Answer | None = None,
    ) -> None:
        super().__init__(code, description, close_code)
        self.by = "upstream"
        self.answer = answer
        """Its HTTP answer, if it gave one."""


class PluginFault(SessionError):
    """A plugin raised. The description names the plugin and where, not what it said."""

    def __init__(self, plugin: str, hook: str) -> None:
        super().__init__("plugin_failed", f"The plugin {plugin!r} failed in {hook}.")
        self.by = self.plugin = plugin
