"""Runs an application in this process until a signal ends it."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from voiceproxy.app import endpoints, live_sessions, stop_sessions
from voiceproxy.descriptors import said_once
from voiceproxy.errors import UsageError
from voiceproxy.garbage import keep_room, spare_looks
from voiceproxy.log_stream import LineFormatter, LogStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from voiceproxy.host_settings import HostSettings
    from voiceproxy.tls import ListenerTls

SHUTDOWN_TIMEOUT = 1.0
"""Seconds for plain HTTP requests still open; sessions have been closed by then."""

KEEPALIVE_TIMEOUT = 75.0
"""Seconds a connection may be there without a request, or with a part of one."""

LINGER = 2.0
"""Seconds that threads have to end when everything else has."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)
QUIET = ("asyncio", "aiohttp", "gunicorn.error")
"""Libraries whose debug and info lines say nothing about voiceproxy."""

logger = logging.getLogger("voiceproxy.serve")


def configure_logging(level: str) -> None:
    """Log to stderr: time, level, message. ``level`` is debug, info, warning or error."""
    stream = LogStream(sys.stderr)
    stream.setFormatter(LineFormatter())
    logging.basicConfig(handlers=[stream], level=level.upper(), force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    logging.getLogger("aiohttp.server").addFilter(without_quotation)
    logging.getLogger("asyncio").addFilter(said_once)


def without_quotation(record: logging.LogRecord) -> bool:
    """Make one plain warning of what aiohttp says about a request that is no HTTP.

    Its traceback quotes the line it stumbled over: a query with its token, a header with its key.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        record.msg, record.args = "refused with %d: a request that is not HTTP", (error.code,)
        record.exc_info = record.exc_text = None
    return True


def run(app: web.Application, settings: HostSettings, tls: ListenerTls | None = None) -> int:
    """Serve until a signal: SIGTERM drains, the others close every session at once.

    Returns the exit status: 0 after a signal, 1 when it cannot listen. A second signal ends the
    process at once. For the end of a process: soon after this returns there is none.
    """
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        status = runner.run(_serve(app, settings, tls))
        end_within(LINGER, status)
    return status


def end_within(seconds: float, status: int) -> None:
    """End the process by then, whatever threads still do.

    The loop cannot be closed while one looks up a name and no name server answers.
    """
    timer = threading.Timer(seconds, _end, [status])
    timer.daemon = True
    timer.start()


def _end(status: int) -> None:
    logger.warning("ending without waiting for what threads still do")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


async def _serve(app: web.Application, settings: HostSettings, tls: ListenerTls | None) -> int:
    stop = _stop_on_signal(stop_signals(tls))
    reload_on_hangup(tls)
    runner = runner_for(app)
    try:
        await runner.setup()
        context = tls.context if tls is not None else None
        site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            return refuse(settings, error)
        spare_looks()
        keep_room()
        announce(app, settings, site.port)
        number = await stop
        await stop_for(number, app, settings)
    finally:
        await clean_up(runner, settings)
    return 0


def runner_for(app: web.Application) -> web.AppRunner:
    """Make what serves the application on sockets."""
    return web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT,
        keepalive_timeout=KEEPALIVE_TIMEOUT,
    )


async def clean_up(runner: web.AppRunner, settings: HostSettings) -> None:
    """Close what listens and end the plugins' contexts, those that end in ``hook_timeout``."""
    try:
        async with asyncio.timeout(SHUTDOWN_TIMEOUT + settings.hook_timeout):
            await runner.cleanup()
    except TimeoutError:
        text = "a plugin's context did not end within %g s (the setting hook_timeout)"
        logger.error(text, settings.hook_timeout)


async def stop_for(number: int, app: web.Application, settings: HostSettings) -> None:
    """Close the sessions as that signal asks for.

    Before the sockets that listen are closed: they answer meanwhile that it is not ready.
    """
    logger.info("stopping")
    drain = settings.drain_timeout if number == signal.SIGTERM else 0
    if drain and (live := live_sessions(app)):
        logger.info("sessions that may end their turns, within %g s: %d", drain, live)
    await stop_sessions(app, drain)


def stop_signals(tls: ListenerTls | None) -> tuple[int, ...]:
    """The signals that end it.

    SIGHUP is one, the terminal is gone, unless there is a certificate to be read anew or somebody
    ignores it, as ``nohup`` does.
    """
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is None or _reloads(tls) or signal.getsignal(hangup) is signal.SIG_IGN:
        return SIGNALS
    return (*SIGNALS, hangup)


def _reloads(tls: ListenerTls | None) -> bool:
    return tls is not None and tls.has_files


def _stop_on_signal(numbers: Sequence[int]) -> asyncio.Future[int]:
    """Return the first signal to come; the next one finds the system's own handling."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()

    def first_signal(first: int) -> None:
        stop.set_result(first)
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    with suppress(NotImplementedError):  # on Windows Ctrl-C cancels the main task instead
        for number in numbers:
            loop.add_signal_handler(number, first_signal, number)
    return stop


def reload_on_hangup(tls: ListenerTls | None) -> None:
    """Let SIGHUP read the certificate's files anew, if there are any. Sessions go on."""
    hangup = getattr(signal, "SIGHUP", None)
    if tls is not None and _reloads(tls) and hangup is not None:
        asyncio.get_running_loop().add_signal_handler(hangup, reload, tls)


def reload(tls: ListenerTls) -> None:
    """Read the certificate's files anew, and log how that went."""
    try:
        tls.reload()
    except UsageError as error:
        logger.error("the certificate stays as it is: %s", error)
    else:
        logger.info("the certificate is read anew")


def announce(app: web.Application, settings: HostSettings, port: int) -> None:
    """Print the line that says where it listens; whether anybody can read it does not matter."""
    with suppress(OSError):
        print(announcement(app, settings, port), flush=True)


def announcement(app: web.Application, settings: HostSettings, port: int) -> str:
    """Say where it listens and what is served there, in one line."""
    paths = [*(endpoint.path for endpoint in endpoints(app)), "/health", "/ready"]
    scheme = "https" if settings.tls_cert or settings.tls_self_signed else "http"
    address = f"{scheme}://{_authority(settings.host, port)}"
    return f"voiceproxy listening on {address} endpoints: {' '.join(paths)}"


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refuse(settings: HostSettings, error: OSError) -> int:
    """Say why it cannot listen. Returns the exit status."""
    report(_refusal(settings, error))
    return 1


def report(problem: str) -> None:
    """Print an error of the operator's to stderr, if it can be written."""
    with suppress(OSError):
        print(f"voiceproxy: error: {problem}", file=sys.stderr, flush=True)


def _refusal(settings: HostSettings, error: OSError) -> str:
    place = _authority(settings.host, settings.port)
    known = error.errno is not None and error.errno > 0  # a resolver's errors are negative
    cause = os.strerror(error.errno or 0) if known else str(error.strerror or error)
    return f"cannot listen on {place}: {cause.lower()}; see --host and --port (0: a free one)"


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes uvloop's event loop, if it is installed."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
