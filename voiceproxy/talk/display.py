"""What a person, or a program, sees of the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import orjson

from voiceproxy.frames import Binary, Frame
from voiceproxy.talk import outputs

if TYPE_CHECKING:
    from voiceproxy.talk.outputs import Output

BAR_WIDTH = 30


class Display:
    """The conversation on ``out``, everything about it on ``err``.

    With ``json_lines``, ``out`` has the agent's messages instead, one a line, and ``err`` only
    warnings and errors. A progress bar is drawn when ``err`` is a terminal.
    """

    def __init__(self, out: TextIO, err: TextIO, *, json_lines: bool = False) -> None:
        self._out = out
        self._err = err
        self._json = json_lines
        self._terminal = err.isatty()
        self._unfinished = ""

    def receive(self, frame: Frame) -> None:
        """Print a frame from the agent as a line of JSON, if that is wanted."""
        if self._json:
            self._print(_describe(frame))

    def show(self, output: Output) -> None:
        """Show what the conversation has to say; what only a program needs is passed over."""
        match output:
            case outputs.Warned(text):
                self.warn(f"warning: {text}")
            case _ if self._json:
                pass
            case outputs.Said(speaker, text, typed=False):
                self._print(f"{speaker}: {_clean(text)}")
            case outputs.Noted(text):
                self.note(text)
            case outputs.Latency(seconds):
                self.note(f"first audio after {seconds * 1000:.0f} ms")
            case outputs.Progress(sent, total):
                self._draw(sent, total)
            case outputs.Ask() if self._terminal:
                self._err.write("> ")
                self._err.flush()

    def note(self, text: str) -> None:
        """Print something a person may want to know; not with ``json_lines``."""
        if not self._json:
            self.warn(f"  {text}")

    def warn(self, text: str) -> None:
        """Print something a person has to know."""
        self._end_line()
        print(_clean(text), file=self._err, flush=True)

    def _print(self, line: str) -> None:
        self._end_line()
        print(line, file=self._out, flush=True)

    def _draw(self, sent: float, total: float) -> None:
        if not self._terminal:
            return
        done = round(BAR_WIDTH * sent / total)
        line = f"\r  sending [{'#' * done:{BAR_WIDTH}}] {sent:.1f} of {total:.1f} s"
        if line != self._unfinished:
            self._err.write(line)
            self._unfinished = line
        if sent >= total:
            self._end_line()
        self._err.flush()

    def _end_line(self) -> None:
        if self._unfinished:
            self._err.write("\n")
            self._err.flush()
            self._unfinished = ""


def _describe(frame: Frame) -> str:
    if isinstance(frame, Binary):
        return f'{{"type":"audio","bytes":{len(frame)}}}'
    try:
        return orjson.dumps(frame.message()).decode()
    except ValueError:
        return f'{{"type":"unparsable","bytes":{len(frame)}}}'


def _clean(text: str) -> str:
    """Replace what could control the terminal: the text comes from the other side."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.rstrip()
