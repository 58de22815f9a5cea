"""Who is measured: the baseline, each backend, and each backend with the optional plugins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .dialogues import Dialogue, agent, realtime
from .lines import Line, Switchboard
from .proxies import Direct, Proxy, baseline, voiceproxy

DIRECT = "no proxy"
BASELINE = "baseline"
OPENAI = "openai"
OPENAI_24K = "openai, 24 kHz client"
DEEPGRAM = "deepgram"
COMPONENT = "deepgram, component dialect"


@dataclass
class Contestant:
    """A proxy with its lines."""

    name: str
    proxy: Proxy | Direct
    path: str
    dialogue: Dialogue
    lines: list[Line] = field(default_factory=list)

    def begin(self, switchboard: Switchboard, count: int) -> None:
        """Have that many lines in all."""
        while len(self.lines) < count:
            line = Line(self.proxy, self.path, self.dialogue)
            line.begin()
            switchboard.add(line)
            self.lines.append(line)


@contextmanager
def started(directory: Path, kind: str, *options: str, **more: Sequence[str]) -> Iterator[Proxy]:
    """A proxy, ended on the way out: ``baseline`` or the name of a backend."""
    log = directory / f"{kind}{len(list(directory.iterdir()))}.log"
    proxy = baseline(log, **more) if kind == BASELINE else voiceproxy(kind, log, options, **more)
    try:
        yield proxy
    finally:
        proxy.stop()


@contextmanager
def field_of(directory: Path, plugins: Sequence[str]) -> Iterator[list[Contestant]]:
    """Everybody, listening, without a line yet."""
    with ExitStack() as stack:

        def start(kind: str, *options: str) -> Proxy:
            return stack.enter_context(started(directory, kind, *options))

        openai, deepgram = start(OPENAI), start(DEEPGRAM)
        found = [
            Contestant(BASELINE, start(BASELINE), "/", agent("agent")),
            Contestant(OPENAI, openai, "/openai", realtime("realtime")),
            Contestant(OPENAI_24K, openai, "/openai", realtime("realtime", 960)),
            Contestant(DEEPGRAM, deepgram, "/v1/agent/converse", agent("agent")),
            Contestant(COMPONENT, deepgram, "/deepgram", agent("agent")),
        ]
        if plugins:
            for plain in (found[1], found[3]):
                proxy = start(plain.name, *plugins)
                found.append(Contestant(proxy.name, proxy, plain.path, plain.dialogue))
        yield found
