"""What ``voiceproxy talk`` prints, and where."""

from __future__ import annotations

import io
import json

import pytest

from voiceproxy.frames import Binary, Text
from voiceproxy.talk import outputs
from voiceproxy.talk.display import Display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make(
    *, json_lines: bool = False, terminal: bool = False
) -> tuple[Display, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), Terminal() if terminal else io.StringIO()
    return Display(out, err, json_lines=json_lines), out, err


EVERYTHING = [
    outputs.Said("you", "hello"),
    outputs.Said("agent", "Hi\nthere."),
    outputs.Latency(0.4123),
    outputs.Noted("thinking"),
    outputs.Warned("SLOW: slow"),
    outputs.Progress(0.5, 1.0),
    outputs.Ask(),
    outputs.Hushed(),
]


def test_the_conversation_is_on_stdout_and_all_else_on_stderr() -> None:
    display, out, err = make()
    for output in EVERYTHING:
        display.show(output)
    assert out.getvalue() == "you: hello\nagent: Hi there.\n"
    assert err.getvalue() == "  first audio after 412 ms\n  thinking\nwarning: SLOW: slow\n"


def test_json_lines_have_every_message_and_stderr_only_warnings() -> None:
    display, out, err = make(json_lines=True)
    display.receive(Text(b'{"type": "Welcome",\n "request_id": "\xc3\xa9"}'))
    display.receive(Binary(bytes(480)))
    display.receive(Text(b"[1]"))
    display.receive(Text(b"\xff"))
    for output in EVERYTHING:
        display.show(output)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"type": "Welcome", "request_id": "é"},
        {"type": "audio", "bytes": 480},
        [1],
        {"type": "unparsable", "bytes": 1},
    ]
    assert err.getvalue() == "warning: SLOW: slow\n"


def test_without_json_lines_frames_are_not_printed() -> None:
    display, out, err = make()
    display.receive(Text(b"{}"))
    assert (out.getvalue(), err.getvalue()) == ("", "")


def test_what_was_typed_is_not_repeated_and_a_prompt_asks_for_more() -> None:
    display, out, err = make(terminal=True)
    display.show(outputs.Ask())
    display.show(outputs.Said("you", "hello", typed=True))
    assert (out.getvalue(), err.getvalue()) == ("", "> ")


def test_text_cannot_control_the_terminal() -> None:
    display, out, _ = make()
    display.show(outputs.Said("agent", "a\x1b[2Jb\r\x07\u202ec ü 漢"))
    assert out.getvalue() == "agent: a [2Jb   c ü 漢\n"


def test_a_progress_bar_is_drawn_on_a_terminal_and_ended_before_other_lines() -> None:
    display, out, err = make(terminal=True)
    display.show(outputs.Progress(0.5, 1.0))
    display.show(outputs.Progress(0.501, 1.0))
    display.show(outputs.Said("agent", "Yes?"))
    display.show(outputs.Progress(1.0, 1.0))
    display.note("done")
    bar = "\r  sending [{}] {} of 1.0 s"
    half, whole = bar.format("#" * 15 + " " * 15, "0.5"), bar.format("#" * 30, "1.0")
    assert err.getvalue() == f"{half}\n{whole}\n  done\n"
    assert out.getvalue() == "agent: Yes?\n"


@pytest.mark.parametrize("json_lines", [False, True])
def test_no_progress_bar_where_nobody_looks(json_lines: bool) -> None:
    display, _, err = make(json_lines=json_lines, terminal=json_lines)
    display.show(outputs.Progress(0.5, 1.0))
    assert err.getvalue() == ""
