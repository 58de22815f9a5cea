"""Instructions a frame and a set-up, counted by valgrind's callgrind: user space alone, no noise.

For the small ratios: seconds on a shared machine cannot tell 1.03 from 1.05.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .contestants import BASELINE, DEEPGRAM, OPENAI, Contestant, started
from .figures import Figure
from .lines import Line, Switchboard
from .loads import tell
from .proxies import Proxy
from .sessions import PATHS

FRAMES = 400
WARM = 100

SET_UPS = 20
WARM_SET_UPS = 5
SETTLED = 0.3
"""Seconds after which the proxy has seen the end of the last handshake, too."""

Counts = dict[str, float]
"""Instructions by what is counted: a frame ``up`` or ``down``, or a set-up (``SETTINGS`` has how
far it goes)."""

SETTINGS = {"handshakes": False, "to SettingsApplied": True}


def available() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None and shutil.which("callgrind_control") is not None


def count(directory: Path, kind: str, plugins: Sequence[str] = ()) -> Counts:
    """Instructions of one proxy for one frame of audio up, and down, one frame a read."""
    found: Counts = {}
    with watched(directory, kind, *plugins) as (proxy, out), Switchboard() as switchboard:
        one = Contestant(proxy.name, proxy, *PATHS[kind])
        one.begin(switchboard, 1)
        _control(proxy.process.pid, "-i", "on")
        for direction in ("up", "down"):
            up = direction == "up"
            switchboard.saturate(one.lines, up=up, frames=WARM)
            _control(proxy.process.pid, "-z")
            switchboard.saturate(one.lines, up=up, frames=FRAMES)
            _control(proxy.process.pid, "-d", direction)
            found[direction] = _total(out, direction) / FRAMES
    return found


def count_set_ups(directory: Path, kind: str, plugins: Sequence[str] = ()) -> Counts:
    """Instructions of one proxy for both handshakes alone, and up to SettingsApplied."""
    found: Counts = {}
    with watched(directory, kind, *plugins) as (proxy, out), ExitStack() as lines:
        _control(proxy.process.pid, "-i", "on")
        for reach, settings in SETTINGS.items():
            for times in (WARM_SET_UPS, SET_UPS):
                _control(proxy.process.pid, "-z")
                for _ in range(times):
                    line = Line(proxy, *PATHS[kind])
                    lines.callback(line.end)
                    if settings:
                        line.apply_settings()
                time.sleep(SETTLED)
            name = reach.replace(" ", "_")
            _control(proxy.process.pid, "-d", name)
            found[reach] = _total(out, name) / SET_UPS
    return found


@contextmanager
def watched(directory: Path, kind: str, *plugins: str) -> Iterator[tuple[Proxy, Path]]:
    """A proxy under callgrind, which does not count yet, and where its dumps begin."""
    out = directory / f"callgrind.{kind}{len(list(directory.iterdir()))}"
    prefix = (
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        "--quiet",
        f"--callgrind-out-file={out}",
    )
    with started(directory, kind, *plugins, prefix=prefix) as proxy:
        yield proxy, out


def counted(directory: Path, plugins: Sequence[str]) -> list[Figure]:
    """The small ratios."""
    if not available():
        tell("valgrind is not installed: no instructions are counted")
        return []
    base, openai, deepgram = (count(directory, kind) for kind in (BASELINE, OPENAI, DEEPGRAM))
    pairs = [(OPENAI, openai, base, None), (DEEPGRAM, deepgram, base, 1.15)]
    if plugins:
        for kind, plain in ((OPENAI, openai), (DEEPGRAM, deepgram)):
            with_plugins = count(directory, kind, plugins)
            pairs.append(("+".join((kind, *plugins)) + " / without", with_plugins, plain, 1.05))
    found = [
        Figure(
            f"instructions {direction}: {name}",
            [counts[direction] / other[direction]],
            target,
            note=f"{counts[direction]:,.0f} / {other[direction]:,.0f}",
        )
        for name, counts, other, target in pairs
        for direction in ("up", "down")
    ]
    base, *others = (count_set_ups(directory, kind) for kind in (BASELINE, OPENAI, DEEPGRAM))
    for kind, counts in zip((OPENAI, DEEPGRAM), others, strict=True):
        for reach in SETTINGS:
            note = f"{counts[reach]:,.0f} / {base[reach]:,.0f}"
            name = f"instructions, set-up, {reach}: {kind}"
            found.append(Figure(name, [counts[reach] / base[reach]], note=note))
    return found


def _control(pid: int, *arguments: str) -> None:
    command = ["callgrind_control", *arguments, str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    if "OK." not in done.stdout:
        raise ChildProcessError(f"callgrind_control: {done.stdout} {done.stderr}")


def _total(out: Path, direction: str) -> int:
    """Instructions in the dump that was made for that direction."""
    for dump in out.parent.glob(f"{out.name}.*"):
        text = dump.read_text()
        if re.search(rf"^desc: Trigger: .*{direction}$", text, re.MULTILINE):
            [total] = re.findall(r"^totals: (\d+)", text, re.MULTILINE)
            return int(total)
    raise FileNotFoundError(f"no dump of {out} for {direction}")
