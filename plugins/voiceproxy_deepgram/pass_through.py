"""Frames as they come, and ``KeepAlive`` in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voiceproxy import Close, Frame, TranslatorSession
    from voiceproxy_deepgram.keep_alive import KeepAlive


class PassThrough:
    """The translator of sessions where nothing is translated, while ``keep_alive`` is on."""

    accepts: ClassVar[frozenset[str]] = frozenset()
    checks: ClassVar[str] = "nothing"

    def __init__(self, session: TranslatorSession, keep_alive: KeepAlive) -> None:
        self._session = session
        self._keep_alive = keep_alive

    def opened(self) -> None:
        """The upstream says ``Welcome`` itself. Nothing for the client is looked at."""
        self._session.pass_audio(True)

    def upstream_opened(self, headers: Mapping[str, str]) -> None:
        """The upstream's upgrade has been answered."""
        self._keep_alive.upstream_opened()

    def client_frame(self, frame: Frame, message: dict[str, Any] | None) -> None:
        """On to the upstream."""
        self._keep_alive.client_frame(frame)
        self._session.to_upstream(frame)

    def upstream_frame(self, frame: Frame) -> None:
        """On to the client."""
        self._session.to_client(frame)

    def upstream_closed(self, close: Close) -> None:
        """The host closes the client the same way."""

    def closed(self) -> None:
        """There is nothing to end."""
