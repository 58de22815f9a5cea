"""What the close hooks are told."""

from session_parts import Plain, ready, relaying, say

from voiceproxy import Close, Traffic, UpstreamFault
from voiceproxy.testing import drive


def test_a_session_the_client_closed_is_closed_by_the_client():
    s = relaying()
    s.advance(2.5)
    s.client_closes(4001, "bye")
    end = s.core.summary()
    assert (end.outcome, end.by, end.code, end.reason) == ("closed", "client", 4001, "bye")
    assert (end.error, end.upstream, end.duration) == (None, None, 2.5)


def test_a_lost_client_is_noted_as_it_was_though_1006_never_goes_on_the_wire():
    s = relaying()
    s.client_closes(1006)
    assert s.core.summary().code == 1006
    assert s.upstream_closed == Close(1000)


def test_a_session_the_upstream_closed_says_so():
    s = relaying()
    s.upstream_closes(1012, "restart")
    end = s.core.summary()
    assert (end.by, end.code, end.upstream) == ("upstream", 1012, Close(1012, "restart"))


def test_an_upstream_that_only_answers_our_close_did_not_close_first():
    s = relaying()
    s.client_closes(1000)
    s.upstream_closes(1000)
    assert s.core.summary().upstream is None


def test_a_session_an_error_ended_has_failed():
    s = relaying()
    s.upstream_fails(UpstreamFault("upstream_timeout", "No answer.", 1013))
    end = s.core.summary()
    assert (end.outcome, end.by, end.error) == ("failed", "upstream", "upstream_timeout")
    assert (end.code, end.reason) == (1013, "upstream_timeout")


def test_a_session_that_never_opened_has_the_http_status_for_a_code():
    s = relaying(upstream_opens=False)
    end = s.core.summary(("refused", "limits", 429, "too many"))
    assert (end.outcome, end.by, end.code, end.reason) == ("refused", "limits", 429, "too many")


def test_traffic_is_counted_at_each_socket():
    s = ready()
    s.client(b"12345")
    s.upstream(say("hi"))
    s.to_client()
    s.to_upstream()
    s.client_closes()
    end = s.core.summary()
    assert end.from_client == Traffic(2, 5 + len(b'{"type":"Settings"}'))
    assert end.to_upstream == end.from_client
    assert end.from_upstream.frames == 2
    assert end.to_client.frames == 3


def test_what_was_discarded_never_crossed_the_socket():
    s = drive(translator=Plain)
    s.to_client()
    s.upstream(b"x" * 100)
    assert s.core.discard_audio() == 100
    s.to_client()
    assert s.core.summary().to_client.frames == 1
