"""What crosses a WebSocket: text, binary and close frames, and close codes made legal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

NORMAL = 1000
GOING_AWAY = 1001
TOO_BIG = 1009
INTERNAL_ERROR = 1011

NO_STATUS = 1005
"""What an endpoint reports when the peer's close frame carried no code (RFC 6455, 7.1.5)."""

ABNORMAL = 1006
"""What an endpoint reports when the connection ended without a close frame (RFC 6455, 7.1.5)."""

MAX_REASON_BYTES = 123
"""A control frame carries at most 125 bytes, two of which are the code (RFC 6455, 5.5)."""


class Text:
    """A text frame. ``data`` is the UTF-8 payload as bytes, not yet parsed."""

    __slots__ = ("_type", "data", "only")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.only: str | None = None
        """The one dialect whose clients get this frame; None: decided by its type alone."""
        self._type: str | None = None

    @classmethod
    def of(cls, message: dict[str, Any]) -> Text:
        """Encode a JSON object as compact JSON; no space is added, non-ASCII stays as it is."""
        # A copy: what orjson gives back occupies 4 KiB however short it is, and frames may queue.
        frame = cls(bytes(memoryview(orjson.dumps(message))))
        kind = message.get("type")
        frame._type = kind if isinstance(kind, str) else ""
        return frame

    def for_dialect(self, only: str | None) -> Text:
        """The same message for one dialect's clients; a copy, so that frames can be shared."""
        frame = Text(self.data)
        frame.only, frame._type = only, self._type
        return frame

    def message(self) -> Any:
        """Parse the payload anew; the caller owns it. Raises ValueError (bad JSON, bad UTF-8)."""
        return orjson.loads(self.data)

    @staticmethod
    def is_sound(data: bytes) -> bool:
        """False for what is not UTF-8, which no peer may be sent as text (RFC 6455, 8.1)."""
        if data.isascii():
            return True
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
        return True

    @property
    def type(self) -> str:
        """The message's ``type``, parsed once; ``""`` when it has no string of that name."""
        if self._type is None:
            try:
                message = self.message()
            except ValueError:
                message = None
            kind = message.get("type") if isinstance(message, dict) else None
            self._type = kind if isinstance(kind, str) else ""
        return self._type

    def __len__(self) -> int:
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other.data == self.data

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Never the content: frames end up in log lines and tracebacks.
        return f"<Text {self.type or 'without type'} {len(self.data)} bytes>"


class Binary:
    """A binary frame: on the Voice Agent protocol always audio, never JSON."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Binary) and other.data == self.data

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Binary {len(self.data)} bytes>"


Frame = Text | Binary

FRAMES = (Text, Binary)
"""The same for ``isinstance``, which takes four times as long over a union made anew."""

Sendable = Text | Binary | dict[str, Any]
"""A frame, or a JSON object that becomes a text frame."""


def as_frame(frame: Sendable) -> Frame:
    """The frame itself, or the JSON object as a text frame. Raises TypeError for what is neither.

    Also when the object cannot be JSON.
    """
    if isinstance(frame, FRAMES):
        if not isinstance(frame.data, bytes):
            raise TypeError(f"a frame's data is bytes, not {type(frame.data).__name__}")
        return frame
    if isinstance(frame, dict):
        return Text.of(frame)
    raise TypeError(f"send a Text, a Binary or a dict, not {type(frame).__name__}")


def message_in(frame: Frame) -> dict[str, Any] | None:
    """The frame's message, parsed for one plugin alone; None when it holds none.

    A message has a type, so that a plugin can look at it without a doubt.
    """
    if not isinstance(frame, Text):
        return None
    try:
        message = frame.message()
    except ValueError:
        return None
    has_type = isinstance(message, dict) and isinstance(message.get("type"), str)
    return message if has_type else None


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a connection: the code and the reason, as received or as they will be sent."""

    code: int = NORMAL
    reason: str = ""

    def legal(self) -> Close:
        """The same close as it may be put on the wire (RFC 6455, 7.4).

        1005 becomes 1000; 1006, 1015 and every code outside 1000-1003, 1007-1014 and 3000-4999
        become 1011; the reason is cut to 123 bytes of UTF-8 between characters.
        """
        reason = self.reason.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")
        return Close(_legal_code(self.code), reason)


def _legal_code(code: int) -> int:
    if code == NO_STATUS:
        return NORMAL
    if 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999:
        return code
    return INTERNAL_ERROR
