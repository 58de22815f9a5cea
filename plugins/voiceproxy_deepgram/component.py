"""The component dialect in front of Deepgram: what dg_react_agent sends and waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from voiceproxy import Text
from voiceproxy_deepgram.settings_message import plain_injection, plain_settings
from voiceproxy_deepgram.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voiceproxy import Close, Frame, TranslatorSession
    from voiceproxy_deepgram.keep_alive import KeepAlive
    from voiceproxy_deepgram.settings import DeepgramSettings


class ComponentTranslator:
    """Both sides speak the Voice Agent protocol: two messages are made plain, turns get an end.

    Everything else goes on byte for byte, also what is no JSON: the upstream judges it.
    """

    accepts: ClassVar[frozenset[str]] = frozenset()
    checks: ClassVar[str] = "order"

    def __init__(
        self,
        session: TranslatorSession,
        settings: DeepgramSettings,
        keep_alive: KeepAlive | None,
    ) -> None:
        self._session = session
        self._keep_alive = keep_alive
        self.forwards_audio = keep_alive is None
        self._turns = Turns(session, settings)
        self._configured = False
        """The client has sent its Settings."""

    def opened(self) -> None:
        """The upstream says ``Welcome`` itself."""

    def upstream_opened(self, headers: Mapping[str, str]) -> None:
        """The agent takes ``KeepAlive`` only once it has its Settings."""

    def client_frame(self, frame: Frame, message: dict[str, Any] | None) -> None:
        """On to the upstream, made plain; ``KeepAlive`` only once it has its Settings."""
        kind = frame.type if isinstance(frame, Text) else ""
        if kind == "KeepAlive" and not self._configured:
            return
        self._configured = self._configured or kind == "Settings"
        if self._keep_alive is not None:
            self._keep_alive.client_frame(frame)
        self._session.to_upstream(self._plain(frame) if isinstance(frame, Text) else frame)

    def _plain(self, frame: Text) -> Text:
        if frame.type == "InjectAgentMessage":
            return plain_injection(frame)
        if frame.type != "Settings":
            return frame
        plain, left_out = plain_settings(frame)
        if left_out:
            self._session.log.debug("left out of Settings: %s", ", ".join(left_out))
        return plain

    def upstream_frame(self, frame: Frame) -> None:
        """On to the client, with the ends of turns."""
        self._turns.upstream_frame(frame)

    def upstream_closed(self, close: Close) -> None:
        """The host closes the client the same way."""

    def closed(self) -> None:
        """There is nothing to end."""
