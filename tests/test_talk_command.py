"""The command line of ``voiceproxy talk``, up to the first connection."""

from __future__ import annotations

import io
import json
import wave
from typing import TYPE_CHECKING

import pytest

import voiceproxy.talk
from voiceproxy.talk.command import DEFAULT_URL, make_parser, read_options
from voiceproxy.talk.options import Options

if TYPE_CHECKING:
    from pathlib import Path


def read(*argv: str) -> Options:
    return read_options(make_parser(), argv)


class Input:
    """A standard input that is no terminal."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


class Keyboard(Input):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 7


@pytest.fixture(autouse=True)
def stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Input(b""))


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(160))
    return path


def test_defaults_cli_1() -> None:
    options = read("--text", "hello")
    assert DEFAULT_URL == "ws://127.0.0.1:8080/openai"
    assert options == Options(url=DEFAULT_URL, headers=[], lines=["hello"], functions=[])
    assert options.play
    assert options.timeout == 20


def test_everything_given_is_in_the_options(tmp_path: Path, speech: Path) -> None:
    functions = tmp_path / "functions.json"
    functions.write_text(json.dumps([{"name": "time", "answer": "noon"}]))
    argv = ["--url", "wss://agent.example/v1/agent/converse?x=1", "--audio", str(speech)]
    argv += ["--save", str(tmp_path / "reply.wav"), "--text-only", "--json", "--timeout", "2.5"]
    argv += ["--header", "Authorization: Token abc:d", "--header", "X-A:1"]
    argv += ["--prompt", "p", "--greeting", "g", "--functions", str(functions)]
    options = read(*argv)
    assert options.url == "wss://agent.example/v1/agent/converse?x=1"
    assert options.headers == [("Authorization", "Token abc:d"), ("X-A", "1")]
    assert options.recording is not None
    assert options.recording.sample_rate == 8_000
    assert options.save == tmp_path / "reply.wav"
    assert (options.play, options.json_lines, options.timeout) == (False, True, 2.5)
    assert (options.prompt, options.greeting) == ("p", "g")
    assert (options.functions, options.answers) == ([{"name": "time"}], {"time": "noon"})
    sent = options.make_conversation()
    sent.open(0.0)
    (send,) = sent.take()
    assert send.frame.message()["audio"]["input"]["sample_rate"] == 8_000


def test_lines_come_from_stdin_when_nothing_else_is_given_cli_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Input("  one \r\n\n\tzwölf\n\xff".encode()))
    assert read().lines == ["one", "zwölf", "ÿ"]


def test_a_terminal_is_read_as_we_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard(b""))
    options = read()
    assert (options.lines, options.keyboard) == ([], 7)
    assert read("--text", "hello").keyboard is None


def test_a_microphone_needs_a_recorder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert voiceproxy.talk.main(["--mic"]) == 2
    assert "looked for arecord, rec, ffmpeg" in capsys.readouterr().err
    recorder = tmp_path / "arecord"
    recorder.write_text("#!/bin/sh\n")
    recorder.chmod(0o755)
    options = read("--mic")
    assert options.recorder is not None
    assert options.recorder[0] == "arecord"


WRONG = {
    "no text": ([], "nothing to say: give --text"),
    "blank text": (["--text", " "], "--text: there is nothing to say"),
    "two sources": (["--text", "a", "--mic"], "--text and --mic cannot be used together"),
    "three sources": (
        ["--text", "a", "--audio", "b", "--mic"],
        "--text and --audio and --mic cannot be used together",
    ),
    "unknown flag": (["--tex", "a"], "unrecognized arguments: --tex"),
    "http": (["--url", "http://x/", "--text", "a"], "'http://x/' is no ws:// or wss:// URL"),
    "no host": (["--url", "ws:///x", "--text", "a"], "is no ws:// or wss:// URL"),
    "wrong port": (["--url", "ws://x:99999/", "--text", "a"], "is no ws:// or wss:// URL"),
    "no file": (["--audio", "no/such.wav"], "cannot read no/such.wav: No such file"),
    "no WAV": (["--audio", __file__], "it is not a WAV file"),
    "no time": (["--timeout", "soon", "--text", "a"], "'soon' is no number of seconds above 0"),
    "zero": (["--timeout", "0", "--text", "a"], "'0' is no number of seconds above 0"),
    "endless": (["--timeout", "inf", "--text", "a"], "'inf' is no number of seconds above 0"),
    "no functions": (["--functions", "no/such", "--text", "a"], "cannot read no/such"),
    "wrong functions": (["--functions", __file__, "--text", "a"], "it is not JSON"),
    "a folder": (["--save", "/", "--text", "a"], "--save: cannot write /"),
    "no folder": (["--save", "/no/such/x.wav", "--text", "a"], "--save: cannot write /no/such"),
    "header": (["--header", "secret", "--text", "a"], "--header: give it as NAME:VALUE"),
    "header name": (["--header", "a b:secret", "--text", "a"], "give it as NAME:VALUE"),
    "header value": (["--header", "a:secret\r\nb:c", "--text", "a"], "give it as NAME:VALUE"),
}


@pytest.mark.parametrize(("argv", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_line_exits_with_2_and_the_reason_cli_3(
    argv: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert voiceproxy.talk.main(argv) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert "secret" not in captured.err
    assert captured.out == ""


def test_no_stdin_at_all_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert voiceproxy.talk.main([]) == 2


def test_help_exits_with_0_and_names_every_flag_cli_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert voiceproxy.talk.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m voiceproxy talk")
    for flag in (
        "--url",
        "--text",
        "--audio",
        "--mic",
        "--save",
        "--text-only",
        "--json",
        "--help",
    ):
        assert flag in out
