"""A small Voice Agent client: ``python -m voiceproxy talk``."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import sys
from typing import TYPE_CHECKING

from voiceproxy.talk.client import talk
from voiceproxy.talk.command import make_parser, read_options
from voiceproxy.talk.display import Display

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voiceproxy.talk.options import Options
    from voiceproxy.talk.outputs import Outcome

FAILED = 1
INTERRUPTED = 130
TERMINATED = 143


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; ``argv`` is what follows ``talk``."""
    try:
        return _run(argv)
    except SystemExit as request:
        # argparse ends --help and a wrong command line this way.
        return request.code if isinstance(request.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    except BrokenPipeError:
        # The reader of our output left (`| head`): nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(argv: Sequence[str] | None) -> int:
    parser = make_parser()
    options = read_options(parser, argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a letter of the conversation shows it as "?".
            stream.reconfigure(errors="replace")
    display = Display(sys.stdout, sys.stderr, json_lines=options.json_lines)
    outcome = asyncio.run(_talk(options, display))
    if outcome.reason:
        display.warn(f"voiceproxy talk: {outcome.reason}")
    return outcome.status


async def _talk(options: Options, display: Display) -> Outcome:
    """Talk until it is over; Ctrl-C (asyncio's own handler) and SIGTERM cancel it."""
    task = asyncio.current_task()
    # Not everywhere: Windows has no such handlers, nor have threads.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await talk(options, display)
