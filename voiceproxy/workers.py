"""Several processes on one port, each a worker of gunicorn's that serves as a single one would.

The application is made once, before the workers are forked; its contexts start in each of them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import mmap
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from voiceproxy import serve
from voiceproxy.errors import UsageError
from voiceproxy.garbage import keep_room, spare_looks

try:
    from aiohttp.worker import GunicornWebWorker
    from gunicorn.app.base import BaseApplication
    from gunicorn.arbiter import Arbiter
    from gunicorn.errors import HaltServer
    from gunicorn.glogging import Logger
    from gunicorn.workers.base import Worker as AnyWorker
except ImportError:
    raise UsageError(
        "--workers needs the package gunicorn: python -m pip install 'voiceproxy[workers]'"
    ) from None

if TYPE_CHECKING:
    from types import FrameType

    from voiceproxy.host_settings import HostSettings
    from voiceproxy.tls import ListenerTls

BEAT = 1.0
"""Seconds between the signs of life gunicorn waits for; it replaces a worker after its timeout."""

SPARE = 5
"""Seconds a worker has beyond its own deadlines before gunicorn kills it."""

REPLACEMENT = 1.0
"""Seconds between replacements of workers: those that die as soon as they begin come no faster."""

MEMORY = Path("/dev") / "shm"
"""Where the files are that show signs of life: no disk that is full or slow keeps them back."""

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals to a worker: the first drains, the others close every session at once."""

logger = logging.getLogger("voiceproxy.workers")


def run(app: web.Application, settings: HostSettings, tls: ListenerTls | None = None) -> int:
    """Serve as ``serve.run`` does, with ``settings.workers`` processes."""
    try:
        listeners = _listen(settings.host, settings.port)
    except OSError as error:
        return serve.refuse(settings, error)
    port: int = listeners[0].getsockname()[1]
    program = Program(app, settings, tls, listeners)
    program.cfg.set("when_ready", lambda master: serve.announce(app, settings, port))
    pid, status = os.getpid(), None
    try:
        Master(program).run()
    except SystemExit as end:
        if os.getpid() != pid:
            raise  # a worker, whose status is for the master
        status = end.code
    return 1 if status else 0


def _listen(host: str, port: int) -> list[socket.socket]:
    """One socket for each address of the host, as the event loop would. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [
        socket.create_server(address, family=family)
        for family, address in dict.fromkeys((family, address) for family, *_, address in found)
    ]


class Program(BaseApplication):
    """What gunicorn runs, and its settings."""

    def __init__(
        self,
        app: web.Application,
        settings: HostSettings,
        tls: ListenerTls | None,
        listeners: list[socket.socket],
    ) -> None:
        self.served, self.settings, self.tls = app, settings, tls
        self.began: mmap.mmap
        """Memory the processes share: whether any worker has ever begun to serve."""
        self._addresses = [f"fd://{one.detach()}" for one in listeners]
        super().__init__()

    def load_config(self) -> None:
        """See ``BaseApplication``; neither files nor variables of gunicorn's are read."""
        asked = self.settings
        # A worker ends its sessions (``Reception.stop``) and its contexts within these deadlines.
        ending = asked.drain_timeout + 4 * asked.close_timeout + 2 * asked.hook_timeout
        self.cfg.set("bind", self._addresses)
        self.cfg.set("workers", asked.workers)
        self.cfg.set("worker_class", Worker)
        self.cfg.set("graceful_timeout", math.ceil(ending) + SPARE)
        self.cfg.set("logger_class", Log)
        self.cfg.set("control_socket_disable", True)
        if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
            self.cfg.set("worker_tmp_dir", str(MEMORY))

    def load(self) -> Any:
        """See ``BaseApplication``."""
        return self.served


class Log(Logger):
    """What gunicorn says goes where everything goes, warnings and errors of it."""

    def setup(self, cfg: Any) -> None:
        """See ``Logger``; its own handlers are not made."""
        self.cfg = cfg
        self.error_log.propagate = True


class Master(Arbiter):
    """Starts the workers, replaces those that die, and hands on the signals."""

    SIGNALS: ClassVar = [getattr(signal, f"SIG{name}") for name in ("HUP", "QUIT", "INT", "TERM")]

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._tls = program.tls
        self._stops = serve.stop_signals(program.tls)
        self._stopping = False
        self._ending = False
        self._replaced = -math.inf
        program.began = self._began = mmap.mmap(-1, 1)

    # Signals.

    def init_signals(self) -> None:
        """See ``Arbiter``; a hang-up that is ignored stays ignored."""
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        super().init_signals()
        if ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def signal(self, number: int, frame: FrameType | None) -> None:
        """The first of them stops it; the second ends everything at once."""
        if number in self._stops:
            if self._stopping:
                self.kill_workers(signal.SIGKILL)
                signal.signal(number, signal.SIG_DFL)
                os.kill(self.pid, number)
            self._stopping = True
        super().signal(number, frame)

    def handle_hup(self) -> None:
        """Every process reads the certificate anew. Without one it is the end, as of any."""
        if self._tls is not None and self._tls.has_files:
            serve.reload(self._tls)  # for the workers to come
            self.kill_workers(signal.SIGHUP)
        else:
            self.handle_int()

    # Workers.

    def spawn_workers(self) -> None:
        """See ``Arbiter``, which asks again within a second."""
        now = time.monotonic()
        if now - self._replaced >= REPLACEMENT:
            self._replaced = now
            super().spawn_workers()

    def spawn_worker(self) -> Any:
        """See ``Arbiter``. Without a process or a file to be had, the other workers go on.

        Python forgets a signal that comes to a process before it has run at all. So the signals
        wait until the worker knows what to do with them.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)
        try:
            return super().spawn_worker()
        except OSError as error:
            if not self._began[0]:
                raise HaltServer(f"a worker cannot be started: {error}", 1) from error
            logger.error("a worker cannot be started, which is tried again: %s", error)
        finally:
            if os.getpid() == self.pid:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def reap_workers(self) -> None:
        """See ``Arbiter``. That a worker cannot begin is the end only when none ever did."""
        while True:
            try:
                super().reap_workers()
            except HaltServer:
                if not (self._began[0] or self._ending):
                    raise
            else:
                return

    def stop(self, graceful: bool = True) -> None:
        """See ``Arbiter``."""
        self._ending = True
        super().stop(graceful)


class Worker(GunicornWebWorker):
    """One of the processes. Of aiohttp's worker it keeps how it runs and ends."""

    def init_process(self) -> None:
        """See ``Worker``; on the event loop a single process would run on."""
        self.loop = (serve.loop_factory() or asyncio.new_event_loop)()
        asyncio.set_event_loop(self.loop)
        self._first: asyncio.Future[int] = self.loop.create_future()
        AnyWorker.init_process(self)

    def init_signals(self) -> None:
        """See ``Worker``. A loop that does not run yet might forget a signal, so none is its."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, self._hang_up)
        for number in STOPS:
            signal.signal(number, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, Master.SIGNALS)

    def _hang_up(self, number: int, frame: FrameType | None) -> None:
        """Of a terminal the master has heard, too, and decides."""
        program: Any = self.app
        if program.tls is not None and program.tls.has_files:
            serve.reload(program.tls)

    def _stop(self, number: int, frame: FrameType | None = None) -> None:
        if not self._first.done():
            self._first.set_result(number)

    async def _run(self) -> None:
        """Called by ``run``, which ends the process then."""
        program: Any = self.app
        runner = serve.runner_for(program.served)
        sign_of_life = self.loop.create_task(self._beat(), name="voiceproxy sign of life")
        try:
            for number in STOPS:  # those that came before are kept
                self.loop.add_signal_handler(number, self._stop, number)
            await runner.setup()
            context = program.tls.context if program.tls is not None else None
            for listener in self.sockets:
                await web.SockSite(runner, listener, ssl_context=context).start()
            serve.reload_on_hangup(program.tls)
            spare_looks()
            keep_room()
            self.booted = True
            program.began[0] = 1
            await serve.stop_for(await self._first, program.served, program.settings)
        finally:
            await serve.clean_up(runner, program.settings)
            sign_of_life.cancel()
        serve.end_within(serve.LINGER, self.exit_code)

    async def _beat(self) -> None:
        while True:
            self.notify()
            if os.getppid() != self.ppid:
                self._stop(signal.SIGTERM)  # the master is gone
            await asyncio.sleep(BEAT)
