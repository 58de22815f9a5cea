"""What a session has dialled, and what its translator wants dialled instead or again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voiceproxy.backend import Upstream


class Dialled:
    """The upstream of one session, as the relay is to have it."""

    __slots__ = ("_asked", "closed", "replaced", "upstream")

    def __init__(self) -> None:
        self.upstream: Upstream | None = None
        """What is connected or dialled."""
        self.closed = False
        """It has closed by itself, and nothing is dialled instead yet."""
        self.replaced = False
        """The relay is to let that go, though it has not closed."""
        self._asked: tuple[Upstream | None] | None = None

    @property
    def again(self) -> bool:
        """The translator has asked for an upstream that is not dialled yet."""
        return self._asked is not None

    def ask(self, upstream: Upstream | None) -> bool:
        """Dial this next, or the same again; True when what there is must be let go for it."""
        self._asked, self.replaced = (upstream,), not self.closed
        return self.replaced

    def take(self) -> Upstream | None:
        """What is to be dialled next; None when nobody has asked."""
        asked, self._asked, self.replaced, self.closed = self._asked, None, False, False
        if asked is None:
            return None
        self.upstream = asked[0] or self.upstream
        return self.upstream

    def let_go(self) -> None:
        """The session is over."""
        self.upstream = self._asked = None
        self.replaced = False
