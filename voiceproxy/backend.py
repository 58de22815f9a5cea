"""What a backend gives the host: endpoints, the upstream to dial, and a translator."""

from __future__ import annotations

import ssl as tls
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from voiceproxy.frames import Close, Frame, Text
from voiceproxy.handle import Session, TranslatorSession

if TYPE_CHECKING:
    from multidict import MultiMapping

SpokenProtocol = Literal["agent", "listen", "speak"]
DialMode = Literal["auto", "before", "after"]
Checks = Literal["everything", "order", "nothing"]
"""What the host sees to before a translator gets a client's frame.

``everything``: messages are valid, of an accepted type and in a legal order; KeepAlive is
swallowed. ``order``: frames are passed on byte for byte, but one Settings comes first and what may
not precede ``SettingsApplied`` waits for it. ``nothing``: every frame at once, in both directions.
"""
Dialect = Literal["component", "agent"]


class Translator(Protocol):
    """One object per connection, between the Voice Agent protocol and the upstream's language.

    Plain synchronous code: every method is called by the session, one at a time, never inside
    another; it sends only through its session and keeps time only through it. Raising from a
    method ends this session with ``Error`` code ``internal_error`` and close 1011.
    """

    accepts: ClassVar[frozenset[str]]
    """The client message types it serves beside KeepAlive; others are refused by name.

    A translator that has an attribute ``passes_unknown``, and it is true, gets messages of types
    the Voice Agent protocol does not have as well: unchecked and at once, even before the Settings.

    It may also have an attribute ``checks`` (``Checks``), which says how much of what a client
    says the host looks at first; without one that is ``everything``. And ``forwards_audio``: when
    true, its ``client_frame`` only sends audio on, so once the Settings are applied the host may do
    that itself. The other direction may change: ``TranslatorSession.pass_audio``.
    """

    def opened(self) -> None:
        """The client's upgrade has been answered. Sends ``Welcome``, the client's first frame."""

    def upstream_opened(self, headers: Mapping[str, str]) -> None:
        """The upstream's upgrade has been answered; ``headers`` are those of its answer."""

    def client_frame(self, frame: Frame, message: dict[str, Any] | None) -> None:
        """A frame every plugin let pass. ``message`` is the parsed text frame, None for audio.

        Where the host does not check everything it parses nothing, and ``message`` is None.
        """

    def upstream_frame(self, frame: Frame) -> None:
        """A frame from the upstream, as received."""

    def upstream_closed(self, close: Close) -> None:
        """The upstream is gone. It closes the session, or dials again."""

    def closed(self) -> None:
        """The session ends. What it sends upstream now still goes before the close frame."""


@dataclass(slots=True)
class Upstream:
    """What a backend will dial for one session. A plugin's connect hook may change it."""

    url: str | None
    """``ws://`` or ``wss://`` with its query; None dials nothing. Of ASCII alone, it is dialled
    as it stands: nothing is quoted again."""
    headers: dict[str, str] = field(default_factory=dict)
    protocols: Sequence[str] = ()
    ssl: tls.SSLContext | None = None
    """None verifies against the system's authorities. There is no way to turn verification off."""
    timeout: float | None = None
    """Seconds for name resolution, TCP, TLS and the upgrade together; None: the setting
    ``connect_timeout``."""
    dial: DialMode = "auto"
    """``before`` or ``after`` the client's upgrade is answered; ``auto``: after for a browser
    (its request carries Origin), before for everybody else."""
    translator: Callable[[TranslatorSession], Translator] | None = None
    """None relays frames untouched."""


def agent_error(description: str, code: str) -> Text:
    """An error as the Voice Agent protocol has it."""
    return Text.of({"type": "Error", "description": description, "code": code})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path clients connect to, and the backend behind it. Registered by ``add_endpoint``."""

    name: str
    """The backend's name, as given to ``--plugin``."""
    path: str
    upstream: Callable[[Session, str | None], Upstream]
    """Called for each connection with the session and, when something stands in for the
    upstream, its URL (then no credential is to be sent)."""
    upstream_protocol: str
    """The language of the upstream, the key of ``stand_in``: ``openai-realtime``, ``deepgram``."""
    protocol: SpokenProtocol = "agent"
    dialect: Dialect = "component"
    shared: bool = False
    """True for a path SDKs have built in: the first backend that names it gets it, the others
    keep silent. Two endpoints that are not shared may not name one path."""
    problems: Callable[[], Sequence[str]] = tuple
    """Asked once after every plugin's setup unless something stands in: what keeps this backend
    from dialling (a missing key), one line each. Start-up reports them all and exits with 2."""
    error: Callable[[str, str], Text | None] = agent_error
    """(description, code) -> the error frame of this endpoint's protocol; None: close only."""
    variant: Callable[[MultiMapping[str]], Endpoint] | None = None
    """Asked with the query of each request: the endpoint that answers it on this path, so that one
    path serves several protocols. May raise ``Refuse``."""
    relayed_headers: Collection[str] = ()
    """Headers of the upstream's answer that the client's has too: of the 101 when the upstream is
    dialled before, and of a refusal."""
    request_id_header: str = ""
    """The header that names the request in every answer: the upstream's value, else our id."""
