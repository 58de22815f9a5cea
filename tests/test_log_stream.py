"""voiceproxy/log_stream.py: a log that nobody reads loses lines and stops nobody."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from voiceproxy.log_stream import PIECE, LineFormatter, LogStream


class Pipe:
    """A log into a pipe, and its other end."""

    def __init__(self) -> None:
        self._end, end = os.pipe()
        self._stream = os.fdopen(end, "w")
        self._handler = LogStream(self._stream)

    def log(self, text: str) -> None:
        self._handler.handle(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))

    def read_raw(self) -> bytes:
        """Everything there is now."""
        os.set_blocking(self._end, False)
        found = b""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._end, 1 << 20):
                found += data
        return found

    def read(self) -> list[str]:
        """The lines there are now."""
        return self.read_raw().decode().split("\n")[:-1]

    def close(self) -> None:
        self._handler.close()
        os.close(self._end)
        self._stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_lines_arrive_as_they_are(pipe: Pipe):
    lines = ["one", "zwö", "", "long " * PIECE]
    for line in lines:
        pipe.log(line)
    assert pipe.read() == lines


def test_lines_for_which_there_is_no_room_are_lost_and_counted(pipe: Pipe):
    for number in range(20_000):
        pipe.log(f"line {number}")
    early = pipe.read()
    assert early == [f"line {number}" for number in range(len(early))]
    assert 0 < len(early) < 20_000
    pipe.log("late")
    lost = 20_000 - len(early)
    assert pipe.read() == [f"{lost} lines of the log are lost: nobody read them", "late"]
    pipe.log("later")
    assert pipe.read() == ["later"]


def test_of_a_long_line_comes_what_there_is_room_for(pipe: Pipe):
    pipe.log("x" * 200_000)
    pipe.log("lost, too")
    torn = len(pipe.read_raw())
    assert 4096 <= torn < 200_000
    pipe.log("next")
    assert pipe.read() == ["", "2 lines of the log are lost: nobody read them", "next"]


def test_the_loss_is_told_in_the_form_of_every_line(pipe: Pipe):
    pipe._handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    pipe.log("x" * 200_000)
    pipe.read_raw()
    pipe.log("next")
    told = ["WARNING 1 lines of the log are lost: nobody read them", "INFO next"]
    assert pipe.read()[-2:] == told


def test_a_record_that_cannot_be_written_raises_nothing(
    pipe: Pipe, capsys: pytest.CaptureFixture[str]
):
    record = logging.LogRecord("x", logging.INFO, "", 0, "%d", ("no number",), None)
    pipe._handler.handle(record)
    assert "Logging error" in capsys.readouterr().err
    assert pipe.read() == []


def test_a_file_and_what_is_no_file_always_have_room(tmp_path: Path):
    with (tmp_path / "log").open("w") as file:
        for stream in (file, io.StringIO()):
            handler = LogStream(stream)
            handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "hello", None, None))
    assert (tmp_path / "log").read_text() == "hello\n"
    assert isinstance(stream, io.StringIO)
    assert stream.getvalue() == "hello\n"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_a_line_has_the_time_the_level_and_the_message_as_loggings_own_formatter_has_them(
    zone: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    ours, theirs = LineFormatter(), logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s there", ("hello",), None)
    try:
        # The same second again, the next, one of another day, and back.
        for at in (1.75e9, 1.75e9 + 0.0625, 1.75e9 + 0.5, 1.75e9 + 1, 1.76e9 + 0.25, 1.75e9):
            record.created, record.msecs = at, at % 1 * 1000
            assert ours.format(record) == theirs.format(record)
    finally:
        monkeypatch.undo()
        time.tzset()
