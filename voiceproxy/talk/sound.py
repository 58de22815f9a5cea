"""Where the agent's audio goes: into a file, to a player, both or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy.talk.player import PLAYERS, Player, find_player
from voiceproxy.talk.wav import WavFile

if TYPE_CHECKING:
    from pathlib import Path

    from voiceproxy.talk.display import Display


class SaveError(Exception):
    """The file for the agent's audio cannot be written."""


class Sound:
    """Takes the audio as it arrives. A player is looked for when there is something to play."""

    def __init__(self, save: Path | None, play: bool, display: Display) -> None:
        self._file = WavFile(save) if save else None
        self._silent = not play
        self._display = display
        self._player: Player | None = None

    def take(self, data: bytes) -> None:
        """Save this and play it behind what is queued. Raises SaveError."""
        if self._file is not None:
            _save(self._file, data)
        if self._player is None and not self._silent:
            self._find_player()
        if self._player is not None:
            self._player.play(data)

    def hush(self) -> None:
        """Stop playing what came so far; it stays in the file."""
        if self._player is not None:
            self._player.hush()

    def _find_player(self) -> None:
        command = find_player()
        if command is not None:
            self._player = Player(command, lambda text: self._display.warn(f"warning: {text}"))
            return
        self._silent = True
        names = ", ".join(player[0] for player in PLAYERS)
        self._display.warn(f"warning: no audio player found ({names}); going on without sound")

    def finish_file(self) -> None:
        """Close the file and say what is in it; again does nothing."""
        file, self._file = self._file, None
        if file is None:
            return
        file.close()
        if file.seconds:
            self._display.note(f"saved {file.seconds:.1f} s of audio in {file.path}")
        else:
            self._display.warn(f"warning: no audio came; {file.path} is not written")

    async def finish_playing(self) -> None:
        """Wait until everything has been heard."""
        if self._player is not None:
            await self._player.finish()

    async def close(self) -> None:
        """End the player."""
        if self._player is not None:
            await self._player.close()


def _save(file: WavFile, data: bytes) -> None:
    try:
        file.write(data)
    except OSError as error:
        raise SaveError(f"cannot write {file.path}: {error.strerror}") from error
