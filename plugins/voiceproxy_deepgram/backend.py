"""Every path this backend answers at, and what a session on it gets."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from voiceproxy import Endpoint, Refuse, Text
from voiceproxy_deepgram import errors
from voiceproxy_deepgram.admission import ADMISSION
from voiceproxy_deepgram.component import ComponentTranslator
from voiceproxy_deepgram.keep_alive import KeepAlive
from voiceproxy_deepgram.pass_through import PassThrough
from voiceproxy_deepgram.upstream import AGENT, LISTEN, make_upstream, missing_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from multidict import MultiMapping

    from voiceproxy import Session, Translator, TranslatorSession, Upstream
    from voiceproxy_deepgram.admission import Admission
    from voiceproxy_deepgram.settings import DeepgramSettings

UPSTREAM_PROTOCOL = "deepgram"

ErrorFrame = Callable[[str, str], Text | None]
"""(description, code) -> the message; None: only the close frame tells."""

PROXY_PATHS = ("/deepgram", "/deepgram-proxy")
"""Where dg_react_agent connects; ``?service=`` says for what."""

REQUEST_ID = "dg-request-id"
RELAYED_HEADERS = (
    REQUEST_ID,
    "dg-error",
    "dg-model-name",
    "dg-model-uuid",
    "dg-char-count",
    "access-control-expose-headers",
    "retry-after",
)

STREAMS: Mapping[str, tuple[Literal["listen", "speak"], ErrorFrame]] = {
    LISTEN: ("listen", errors.listen_v1),
    "/v2/listen": ("listen", errors.listen_v2),
    "/v1/speak": ("speak", errors.speak_v1),
    "/v2/speak": ("speak", errors.speak_v2),
}
"""The streaming APIs beside the agent's: what they speak, and what an error looks like there."""

TAKES_KEEP_ALIVE = (AGENT, LISTEN)


@dataclass(frozen=True, slots=True)
class Backend:
    """What all sessions of one application share."""

    settings: DeepgramSettings
    tls: ssl.SSLContext | None = None
    admission: Admission | None = None
    """None: everybody may connect."""

    def endpoints(self) -> Iterator[Endpoint]:
        """Yield every endpoint: the SDKs' paths and the component's."""
        agent = self._endpoint(AGENT)
        yield replace(agent, dialect="agent", shared=True)
        streams = {path: self._stream(path) for path in STREAMS}
        yield from streams.values()
        for path in PROXY_PATHS:
            yield replace(agent, path=path, variant=partial(by_service, agent, streams[LISTEN]))

    def _stream(self, api_path: str) -> Endpoint:
        protocol, error = STREAMS[api_path]
        return replace(self._endpoint(api_path), protocol=protocol, error=error, shared=True)

    def _endpoint(self, api_path: str) -> Endpoint:
        return Endpoint(
            "deepgram",
            api_path,
            partial(self.upstream, api_path),
            UPSTREAM_PROTOCOL,
            problems=partial(missing_key, self.settings),
            relayed_headers=RELAYED_HEADERS,
            request_id_header=REQUEST_ID,
        )

    def upstream(self, api_path: str, session: Session, stand_in: str | None) -> Upstream:
        """What to dial for a session on that API."""
        if self.admission is not None:
            session.state[ADMISSION] = self.admission
        upstream = make_upstream(
            self.settings, self.tls, stand_in, api_path, session.raw_query, session.headers
        )
        upstream.translator = self._translator(api_path, session)
        return upstream

    def _translator(
        self, api_path: str, session: Session
    ) -> Callable[[TranslatorSession], Translator] | None:
        """None where nothing is done to any frame."""
        if api_path == AGENT and session.dialect == "component":
            return self._component
        if self.settings.keep_alive and api_path in TAKES_KEEP_ALIVE:
            return self._pass_through
        return None

    def _component(self, session: TranslatorSession) -> Translator:
        seconds = self.settings.keep_alive
        keep_alive = KeepAlive(session, seconds) if seconds else None
        return ComponentTranslator(session, self.settings, keep_alive)

    def _pass_through(self, session: TranslatorSession) -> Translator:
        return PassThrough(session, KeepAlive(session, self.settings.keep_alive))


def by_service(agent: Endpoint, listen: Endpoint, query: MultiMapping[str]) -> Endpoint:
    """The endpoint ``?service=`` asks for, the agent without it (contract DGM-2).

    Raises Refuse (400) for a service there is not.
    """
    asked = query.get("service") or "agent"
    services = {"agent": agent, "transcription": listen}
    if asked not in services:
        raise Refuse(400, "The parameter service is agent or transcription.")
    return services[asked]
