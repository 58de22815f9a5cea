"""The command line of ``python -m voiceproxy talk``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from voiceproxy.talk.functions import FunctionsError, read_functions
from voiceproxy.talk.microphone import RECORDERS, find_recorder
from voiceproxy.talk.options import Options
from voiceproxy.talk.wav import Recording, WavError, read_recording

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_URL: Final = "ws://127.0.0.1:8080/openai"

DESCRIPTION: Final = """\
Talk to a voice agent: a voiceproxy, or any server of the Voice Agent protocol.
Without --text, --audio and --mic, every line of standard input is said in turn.
"""

EPILOG: Final = """\
The conversation is printed on standard output, everything about it on standard error.
Exit status: 0 when the reply is complete, 1 when it is not (the reason is on standard
error), 2 for a wrong command line, 130 after Ctrl-C.
"""


def make_parser() -> argparse.ArgumentParser:
    """Make the parser; its help is the reference of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m voiceproxy talk",
        usage="%(prog)s [--url URL] [--text TEXT | --audio FILE | --mic] [options]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--url", default=DEFAULT_URL, help="the agent's WebSocket (%(default)s)")
    add("--text", action="append", metavar="TEXT", help="say this; again for a further turn")
    add("--audio", type=Path, metavar="FILE", help="say what is in this WAV file, in real time")
    add("--mic", action="store_true", help="say what the microphone hears, until Ctrl-C")
    add("--save", type=Path, metavar="FILE", help="write the agent's audio to this WAV file")
    add("--text-only", action="store_true", help="do not play the agent's audio")
    add("--json", action="store_true", help="print each message of the agent as a line of JSON")
    add("--prompt", metavar="TEXT", help="what the agent is told to be")
    add("--greeting", metavar="TEXT", help="what the agent says first")
    add(
        "--functions",
        type=Path,
        metavar="FILE",
        help="functions the agent may call (JSON), each with its answer",
    )
    add(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of the request, such as Authorization; repeatable",
    )
    add(
        "--timeout",
        type=_seconds,
        default=20.0,
        metavar="SECONDS",
        help="give up after this long without progress (%(default)g)",
    )
    return parser


def read_options(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> Options:
    """Parse and check the command line; a wrong one ends in the parser's ``error()``."""
    given = parser.parse_args(argv)
    _check_sources(parser, given)
    definitions, answers = _read_functions(parser, given.functions)
    lines, keyboard = _read_lines(parser, given)
    return Options(
        url=_check_url(parser, given.url),
        headers=[_split_header(parser, header) for header in given.header],
        lines=lines,
        keyboard=keyboard,
        recording=_read_audio(parser, given.audio),
        recorder=_find_recorder(parser) if given.mic else None,
        prompt=given.prompt,
        greeting=given.greeting,
        functions=definitions,
        answers=answers,
        save=_check_save(parser, given.save),
        play=not given.text_only,
        json_lines=given.json,
        timeout=given.timeout,
    )


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{value!r} is no number of seconds above 0")
    return seconds


def _check_sources(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    named = {"--text": given.text, "--audio": given.audio, "--mic": given.mic}
    sources = [flag for flag, value in named.items() if value]
    if len(sources) > 1:
        parser.error(f"{' and '.join(sources)} cannot be used together")


def _check_url(parser: argparse.ArgumentParser, url: str) -> str:
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0
    except ValueError:
        wrong = True
    if wrong:
        parser.error(f"--url: {url!r} is no ws:// or wss:// URL")
    return url


def _split_header(parser: argparse.ArgumentParser, header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    token = name.strip().replace("-", "").replace("_", "")
    if not colon or not (token.isascii() and token.isalnum()) or not value.isprintable():
        # The value may be a secret: it is not repeated.
        parser.error("--header: give it as NAME:VALUE")
    return name.strip(), value.strip()


def _read_lines(
    parser: argparse.ArgumentParser, given: argparse.Namespace
) -> tuple[list[str], int | None]:
    """Return the lines to say and, when they are typed as we go, the terminal's descriptor."""
    if given.audio or given.mic:
        return [], None
    if given.text is not None:
        lines = given.text
        if not all(line.strip() for line in lines):
            parser.error("--text: there is nothing to say")
        return lines, None
    if sys.stdin is not None and sys.stdin.isatty():
        return [], sys.stdin.fileno()
    lines = [line.strip() for line in _read_input().splitlines() if line.strip()]
    if not lines:
        parser.error("nothing to say: give --text, --audio or --mic, or lines on standard input")
    return lines, None


def _read_input() -> str:
    return "" if sys.stdin is None else sys.stdin.buffer.read().decode("utf-8", "replace")


def _read_audio(parser: argparse.ArgumentParser, path: Path | None) -> Recording | None:
    if path is None:
        return None
    try:
        return read_recording(path)
    except OSError as error:
        parser.error(f"--audio: cannot read {path}: {error.strerror}")
    except WavError as error:
        parser.error(f"--audio: cannot use {path}: {error}")


def _find_recorder(parser: argparse.ArgumentParser) -> Sequence[str]:
    recorder = find_recorder()
    if recorder is None:
        names = ", ".join(command[0] for command in RECORDERS)
        parser.error(f"--mic: no recorder found on this machine (looked for {names})")
    return recorder


def _read_functions(
    parser: argparse.ArgumentParser, path: Path | None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    if path is None:
        return [], {}
    try:
        return read_functions(path)
    except OSError as error:
        parser.error(f"--functions: cannot read {path}: {error.strerror}")
    except FunctionsError as error:
        parser.error(f"--functions: cannot use {path}: {error}")


def _check_save(parser: argparse.ArgumentParser, path: Path | None) -> Path | None:
    """Find out before a conversation is spent on it whether the file can be written."""
    if path is None:
        return None
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        parser.error(f"--save: cannot write {path}")
    return path
