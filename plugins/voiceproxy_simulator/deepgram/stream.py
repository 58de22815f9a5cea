"""What the sessions of listen and speak have in common: messages in, refusals, one end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from voiceproxy_simulator.deepgram.messages import Message, Shape, UnparsableError, parse
from voiceproxy_simulator.journal import Journal
from voiceproxy_simulator.wire import Line


class Stream(ABC):
    """A session on a line: ``open`` once, then every frame, then ``closed``.

    ``shapes`` are the messages it takes; ``handlers`` has one for each.
    """

    shapes: ClassVar[Mapping[str, Shape]]

    def __init__(self, line: Line, journal: Journal, request_id: str) -> None:
        self.line = line
        self.id = request_id
        self._journal = journal
        self._over = False

    @abstractmethod
    def handlers(self) -> Mapping[str, Callable[[Message], None]]:
        """Who handles which client message."""

    @abstractmethod
    def open(self) -> None:
        """The connection is there."""

    def receive(self, text: str) -> None:
        """A text frame from the client. After the end nothing is heard."""
        if self._over:
            return
        try:
            message = parse(text, self.shapes)
        except UnparsableError as error:
            self.violate(error.kind, str(error))
            self.refuse(error, text)
            return
        self._journal.receive(self.id, message)
        self.handlers()[message["type"]](message)

    def receive_binary(self, data: bytes) -> None:
        """A binary frame from the client. After the end nothing is heard."""
        if not self._over:
            self.hear(data)

    @abstractmethod
    def hear(self, data: bytes) -> None:
        """What a binary frame holds."""

    @abstractmethod
    def refuse(self, error: UnparsableError, text: str) -> None:
        """Answer a text frame that is no message."""

    @abstractmethod
    def drained(self) -> None:
        """The line takes frames again after it was full."""

    def closed(self) -> None:
        """The connection is over. Its timers ended with it."""
        self._over = True

    def violate(self, kind: str, detail: str) -> None:
        """The client sent what the API refuses."""
        self._journal.violate(self.id, "refused", kind, detail)

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.line.send({"type": kind, **fields})

    def end(self, code: int, reason: str = "") -> None:
        """Close behind what was sent; nothing is heard any more."""
        self._over = True
        self.line.close(code, reason)
