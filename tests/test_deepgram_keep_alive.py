"""KeepAlive for a client that is silent, where the upstream takes it and only there."""

from __future__ import annotations

from functools import partial

import pytest

from voiceproxy import Binary, Frame, Text
from voiceproxy.testing import Driver, drive
from voiceproxy_deepgram.backend import Backend
from voiceproxy_deepgram.settings import DeepgramSettings
from voiceproxy_deepgram.silence import Silence

KEEP_ALIVE = {"type": "KeepAlive"}
SETTINGS = {"type": "Settings", "agent": {}}


class FirstContact:
    """What an endpoint needs of a session before it is opened."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.raw_query = ""
        self.headers: dict[str, str] = {}


def open_session(path: str, dialect: str = "agent", **settings: float) -> Driver:
    backend = Backend(DeepgramSettings(**settings))  # type: ignore[arg-type]
    [endpoint] = [one for one in backend.endpoints() if one.path == path]
    upstream = backend.upstream(path, FirstContact(dialect), "ws://h")  # type: ignore[arg-type]
    return drive(translator=upstream.translator, protocol=endpoint.protocol, dialect=dialect)


@pytest.mark.parametrize("dialect", ["agent", "component"])
def test_the_agent_is_kept_alive_once_it_has_its_settings(dialect):
    s = open_session("/v1/agent/converse", dialect, keep_alive=8)
    s.advance(10)
    assert s.to_upstream() == []
    s.client(SETTINGS)
    s.upstream({"type": "SettingsApplied"})
    s.advance(7.9)
    assert s.to_upstream() == [SETTINGS]
    s.advance(0.2)
    assert s.to_upstream() == [KEEP_ALIVE]
    s.advance(16)
    assert s.to_upstream() == [KEEP_ALIVE, KEEP_ALIVE]


def test_listen_is_kept_alive_from_the_start_to_the_end_of_the_stream():
    s = open_session("/v1/listen", keep_alive=4)
    s.advance(4)
    assert s.to_upstream() == [KEEP_ALIVE]
    s.client({"type": "Finalize"})
    s.advance(4)
    assert s.to_upstream() == [{"type": "Finalize"}, KEEP_ALIVE]
    s.client({"type": "CloseStream"})
    s.advance(60)
    assert s.to_upstream() == [{"type": "CloseStream"}]


def test_an_empty_binary_frame_ends_the_stream_too():
    s = open_session("/v1/listen", keep_alive=4)
    s.client(b"")
    s.advance(60)
    assert s.to_upstream() == [b""]


def test_what_ends_a_stream_elsewhere_ends_nothing_at_the_agent():
    s = open_session("/v1/agent/converse", keep_alive=8)
    s.client(SETTINGS, b"", {"type": "CloseStream"})
    s.to_upstream()
    s.advance(8)
    assert s.to_upstream() == [KEEP_ALIVE]


def test_nothing_is_sent_before_the_upstream_is_there():
    backend = Backend(DeepgramSettings(keep_alive=4))
    upstream = backend.upstream("/v1/listen", FirstContact("agent"), None)  # type: ignore[arg-type]
    s = drive(translator=upstream.translator, protocol="listen", upstream_opens=False)
    s.advance(9)
    assert s.to_upstream() == []
    s.upstream_opens()
    s.advance(4)
    assert s.to_upstream() == [KEEP_ALIVE]


def drained(s: Driver) -> list[Frame]:
    """What is queued for the upstream, not parsed."""
    return list(iter(s.core.upstream.take, None))


@pytest.mark.parametrize("frame", [b"\0\0", {"type": "KeepAlive"}, Text(b"no json")])
def test_a_client_that_says_something_puts_it_off(frame):
    s = open_session("/v1/listen", keep_alive=4)
    for _ in range(5):
        s.advance(3)
        s.client(frame)
    assert len(drained(s)) == 5
    s.advance(3.9)
    assert drained(s) == []
    s.advance(0.2)
    assert s.to_upstream() == [KEEP_ALIVE]


def test_what_the_upstream_says_does_not_put_it_off():
    s = open_session("/v1/listen", keep_alive=4)
    s.advance(3)
    s.upstream({"type": "Results"}, b"\1")
    assert s.to_client() == [{"type": "Results"}, b"\1"]
    s.advance(1)
    assert s.to_upstream() == [KEEP_ALIVE]


@pytest.mark.parametrize(
    ("path", "dialect", "seconds"),
    [
        ("/v2/listen", "agent", 4),
        ("/v1/speak", "agent", 4),
        ("/v2/speak", "agent", 4),
        ("/v1/listen", "agent", 0),
        ("/v1/agent/converse", "agent", 0),
    ],
)
def test_without_the_setting_or_the_message_nothing_stands_between_the_sockets(
    path, dialect, seconds
):
    backend = Backend(DeepgramSettings(keep_alive=seconds))
    assert backend.upstream(path, FirstContact(dialect), None).translator is None  # type: ignore[arg-type]


def test_frames_pass_byte_for_byte_also_while_somebody_watches_the_clock():
    frames = [
        Text(b'{ "type":"Settings" }'),
        Text(b"not json \xf0\x9f\x91\x8b"),
        Text(b""),
        Binary(b""),
        Binary(bytes(range(256)) * 64),
    ]
    s = open_session("/v1/agent/converse", keep_alive=8)
    s.client(*frames)
    s.upstream(*frames)
    for outbox in (s.core.upstream, s.core.client):
        passed = [outbox.take() for _ in frames]
        assert [(type(one), one.data) for one in passed] == [
            (type(one), one.data) for one in frames
        ]
        assert outbox.take() is None


def test_closes_pass_also_while_somebody_watches_the_clock():
    s = open_session("/v1/listen", keep_alive=8)
    s.upstream_closes(1011, "NET-0001")
    assert (s.closed.code, s.closed.reason) == (1011, "NET-0001")


# The timer behind it.


class Patience:
    """A translator that only waits for silence."""

    checks = "nothing"
    accepts: frozenset[str] = frozenset()

    def __init__(self, rung: list[float], session) -> None:
        self.session = session
        self.silence = Silence(session, lambda: rung.append(session.now()))

    def opened(self) -> None: ...

    def upstream_opened(self, headers) -> None: ...

    def client_frame(self, frame, message) -> None:
        self.silence.begin(float(frame.data))

    def upstream_frame(self, frame) -> None:
        self.silence.end()

    def closed(self) -> None: ...


def waiting() -> tuple[Driver, list[float]]:
    rung: list[float] = []
    return drive(translator=partial(Patience, rung)), rung


def test_a_shorter_wait_overtakes_a_longer_one():
    s, rung = waiting()
    s.client(Text(b"5"))
    s.advance(1)
    s.client(Text(b"0.5"))
    s.advance(10)
    assert rung == [1.5]


def test_a_longer_wait_replaces_a_shorter_one():
    s, rung = waiting()
    s.client(Text(b"0.5"), Text(b"5"))
    s.advance(10)
    assert rung == [5]


def test_a_wait_that_has_ended_never_rings():
    s, rung = waiting()
    s.client(Text(b"5"))
    s.upstream(b"")
    s.advance(10)
    s.client(Text(b"5"), Text(b"0"))
    s.advance(10)
    assert rung == []


def test_figures_that_do_not_add_up_exactly_ring_once():
    s, rung = waiting()
    s.advance(1e6 + 0.1)
    s.client(Text(b"0.3"))
    for _ in range(7):
        s.advance(0.1)
        s.client(Text(b"0.3"))
    s.advance(1)
    assert len(rung) == 1


@pytest.mark.parametrize(("keep_alive", "passes"), [(0, True), (8, False)])
def test_audio_passes_the_component_dialect_by_unless_it_is_listened_for(keep_alive, passes):
    s = open_session("/v1/agent/converse", "component", keep_alive=keep_alive)
    s.client(SETTINGS)
    s.upstream({"type": "SettingsApplied"})
    assert s.core.to_upstream.passes_audio() == passes


@pytest.mark.parametrize("path", ["/v1/agent/converse", "/v1/listen"])
def test_audio_for_the_client_passes_whoever_keeps_the_upstream_alive_by(path):
    s = open_session(path, keep_alive=8)
    s.upstream(b"begins")
    assert s.core.to_client.passes_audio()
    assert not s.core.to_upstream.passes_audio()
