"""What one application logs with, from its start to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from voiceproxy import SettingsError
from voiceproxy_logging.lines import start_json_lines
from voiceproxy_logging.records import Fields, logger

if TYPE_CHECKING:
    from voiceproxy_logging.settings import LoggingSettings
    from voiceproxy_logging.telemetry import SessionSpan, Telemetry
    from voiceproxy_logging.trace import Trace

SAID = (
    "the log holds what is said and typed, as far as filters let it through "
    "(VOICEPROXY_LOGGING_CONTENT)"
)
NEEDS_EXTRA = (
    "VOICEPROXY_LOGGING_OTEL (--logging-otel): needs the extra otel: "
    "pip install 'voiceproxy[otel]' (there is no module {name!r})"
)


class Office:
    """The settings of one application, and its telemetry while it runs."""

    def __init__(self, settings: LoggingSettings) -> None:
        self.settings = settings
        self._telemetry: Telemetry | None = None
        self._undo: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Change the lines at once, so that those of other plugins' starts are changed as well.

        Raises SettingsError when the settings ask for what is not installed.
        """
        if self.settings.otel:
            try:
                import voiceproxy_logging.telemetry  # noqa: F401 - it is the import that is tried
            except ModuleNotFoundError as error:
                raise SettingsError([NEEDS_EXTRA.format(name=error.name)]) from error
        if self.settings.format == "json":
            self._undo = start_json_lines()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """A context of the application."""
        if self.settings.content:
            logger.warning(SAID)
        if self.settings.otel:
            self._start()
        yield
        if self._telemetry is not None:
            await self._telemetry.stop()
        self._undo()

    def _start(self) -> None:
        from voiceproxy_logging.telemetry import Telemetry

        self._telemetry = Telemetry(self.settings.otel_endpoint, self)

    def begin_span(self, session_id: str, trace: Trace, introduction: Fields) -> SessionSpan | None:
        """The span of a session; None without telemetry."""
        if self._telemetry is None:
            return None
        return self._telemetry.begin(session_id, trace, introduction)
