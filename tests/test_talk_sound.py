"""Players and recorders of ``voiceproxy talk``: real processes, scripts in their place."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from voiceproxy.talk import player as player_module
from voiceproxy.talk.display import Display
from voiceproxy.talk.keyboard import read_lines, start_reading
from voiceproxy.talk.microphone import CHUNK, Microphone, find_recorder
from voiceproxy.talk.player import Player, find_player
from voiceproxy.talk.sound import SaveError, Sound

Install = Callable[[str, str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put Python programs where players and recorders are looked for, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, code: str) -> Path:
        program = folder / name
        program.write_text(f"#!{sys.executable} -S\nimport os, sys, time\n{code}\n")
        program.chmod(0o755)
        return program

    return write


def keep(path: Path) -> str:
    """Code of a player that writes what it would play to a file, as it comes."""
    return f"""
with open({str(path)!r}, "ab", buffering=0) as played:
    while data := os.read(0, 65536):
        played.write(data)
"""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_the_first_player_that_is_installed_is_taken(install: Install) -> None:
    assert find_player() is None
    install("play", "")
    assert (find_player() or [""])[0] == "play"
    install("aplay", "")
    assert find_player() == player_module.PLAYERS[0]


async def test_audio_is_played_to_its_end_in_order(install: Install, tmp_path: Path) -> None:
    played = tmp_path / "played"
    install("aplay", keep(played))
    complaints: list[str] = []
    player = Player(["aplay"], complaints.append)
    pieces = [bytes([piece]) * 48_000 for piece in range(5)]
    for piece in pieces:
        player.play(piece)
    await player.finish()
    await player.close()
    assert played.read_bytes() == b"".join(pieces)
    assert complaints == []


async def test_a_hushed_player_drops_what_is_queued_and_plays_what_comes_then(
    install: Install, tmp_path: Path
) -> None:
    played = tmp_path / "played"
    # Takes one piece and no more: the rest stays queued, in the pipe and before it.
    install("aplay", f"open({str(played)!r}, 'wb').write(os.read(0, 4800))\ntime.sleep(60)")
    complaints: list[str] = []
    player = Player(["aplay"], complaints.append)
    for _ in range(100):
        player.play(b"a" * 4_800)
    await until(lambda: size(played) == 4_800)
    player.hush()
    install("aplay", keep(played))
    player.play(b"b" * 4_800)
    await player.finish()
    await player.close()
    assert played.read_bytes() == b"a" * 4_800 + b"b" * 4_800
    assert complaints == []


@pytest.mark.parametrize("code", ["sys.exit(1)", "os.read(0, 10)\nsys.exit(1)"])
async def test_a_player_that_fails_is_complained_about_once(
    install: Install, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    install("aplay", code)
    complaints: list[str] = []
    player = Player(["aplay"], complaints.append)
    for _ in range(50):
        player.play(bytes(48_000))
    await player.finish()
    player.play(bytes(4_800))
    await player.finish()
    await player.close()
    assert complaints == ["aplay cannot play here; going on without sound"]
    # asyncio's watcher reports a child whose exit status somebody else has collected.
    assert caplog.records == []


async def test_a_player_that_cannot_be_started_is_complained_about(tmp_path: Path) -> None:
    complaints: list[str] = []
    player = Player([str(tmp_path / "gone")], complaints.append)
    player.play(bytes(4_800))
    await player.finish()
    await player.close()
    assert len(complaints) == 1


async def test_a_player_that_hangs_is_not_waited_for_for_ever(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "FINISH_TIMEOUT", 0.1)
    install("aplay", "time.sleep(60)")
    player = Player(["aplay"], lambda text: None)
    player.play(bytes(480))
    async with asyncio.timeout(10):
        await player.finish()
        await player.close()


async def test_a_player_may_be_closed_before_it_has_played_anything(install: Install) -> None:
    install("aplay", "time.sleep(60)")
    player = Player(["aplay"], lambda text: None)
    await player.finish()
    player.play(bytes(480))
    async with asyncio.timeout(10):
        await player.close()


# Where the audio goes


def display() -> tuple[Display, io.StringIO]:
    err = io.StringIO()
    return Display(io.StringIO(), err), err


async def test_audio_is_saved_and_played(install: Install, tmp_path: Path) -> None:
    install("paplay", keep(tmp_path / "played"))
    shown, err = display()
    sound = Sound(tmp_path / "reply.wav", True, shown)
    sound.take(b"\x01\x02" * 2_400)
    sound.hush()
    sound.take(b"\x03\x04" * 2_400)
    sound.finish_file()
    sound.finish_file()
    await sound.finish_playing()
    await sound.close()
    assert (tmp_path / "played").read_bytes() == b"\x03\x04" * 2_400
    with wave.open(str(tmp_path / "reply.wav")) as file:
        assert file.readframes(9_999) == b"\x01\x02" * 2_400 + b"\x03\x04" * 2_400
    assert err.getvalue() == f"  saved 0.2 s of audio in {tmp_path / 'reply.wav'}\n"


async def test_that_no_player_was_found_is_said_once_cli_5(install: Install) -> None:
    shown, err = display()
    sound = Sound(None, True, shown)
    sound.hush()
    for _ in range(3):
        sound.take(bytes(480))
    sound.finish_file()
    await sound.finish_playing()
    await sound.close()
    assert err.getvalue() == (
        "warning: no audio player found (aplay, paplay, ffplay, play); going on without sound\n"
    )


async def test_text_only_plays_nothing_and_looks_for_no_player(install: Install) -> None:
    shown, err = display()
    sound = Sound(None, False, shown)
    sound.take(bytes(480))
    await sound.close()
    assert err.getvalue() == ""


def test_no_audio_to_save_is_said(tmp_path: Path) -> None:
    shown, err = display()
    Sound(tmp_path / "reply.wav", False, shown).finish_file()
    assert err.getvalue() == f"warning: no audio came; {tmp_path / 'reply.wav'} is not written\n"


def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    shown, _ = display()
    sound = Sound(Path("/dev/full"), False, shown)
    with pytest.raises(SaveError, match="cannot write /dev/full: No space left"):
        sound.take(bytes(480))
    sound.finish_file()


# Where the user's words come from


def test_the_first_recorder_that_is_installed_is_taken(install: Install) -> None:
    assert find_recorder() is None
    install("ffmpeg", "")
    assert (find_recorder() or [""])[0] == "ffmpeg"


async def test_a_microphone_is_heard_in_20_ms_until_it_ends(install: Install) -> None:
    install("arecord", "os.write(1, b'abc' * 500 + b'z')")
    heard: list[bytes] = []
    ended = asyncio.Event()
    microphone = Microphone(["arecord"], heard.append, ended.set)
    microphone.start()
    async with asyncio.timeout(10):
        await ended.wait()
    await microphone.close()
    assert [len(chunk) for chunk in heard] == [CHUNK, CHUNK, 220]
    assert b"".join(heard) == (b"abc" * 500)


async def test_a_microphone_is_closed_while_it_records(install: Install) -> None:
    install("arecord", "while True: os.write(1, bytes(640)); time.sleep(0.01)")
    heard: list[bytes] = []
    microphone = Microphone(["arecord"], heard.append, lambda: heard.append(b"ended"))
    await microphone.close()
    microphone.start()
    await until(lambda: heard)
    async with asyncio.timeout(10):
        await microphone.close()
    assert b"ended" not in heard


async def test_a_recorder_that_cannot_be_started_is_a_microphone_that_ended(tmp_path: Path) -> None:
    ended = asyncio.Event()
    microphone = Microphone([str(tmp_path / "gone")], lambda chunk: None, ended.set)
    microphone.start()
    async with asyncio.timeout(10):
        await ended.wait()
    await microphone.close()


def test_lines_are_read_as_they_come_to_the_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\n\n  zw")
    os.write(writing, "ölf \nlast".encode())
    os.close(writing)
    taken: list[str] = []
    read_lines(reading, taken.append, lambda: taken.append("(end)"))
    os.close(reading)
    assert taken == ["one", "zwölf", "last", "(end)"]


async def test_lines_are_read_beside_the_loop() -> None:
    reading, writing = os.pipe()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    start_reading(reading, lambda line: None, lambda: loop.call_soon_threadsafe(ended.set))
    os.write(writing, b"one\n")
    os.close(writing)
    async with asyncio.timeout(10):
        await ended.wait()
    os.close(reading)
