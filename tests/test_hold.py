"""Frames a plugin keeps until it has decided about them."""

import pytest
from session_parts import inject, many, plugin, ready, relaying, say

from voiceproxy import Binary, Text
from voiceproxy.errors import SessionError
from voiceproxy.session import Limits

BARGE_IN = {"type": "UserStartedSpeaking"}


class Holder:
    """Holds every frame for which ``wanted`` is true, in both directions."""

    def __init__(self, wanted, timeout=5.0, on_timeout="drop"):
        self.holds = []
        self.seen = []
        self.wanted = wanted
        self.options = timeout, on_timeout

    def hook(self, session, frame):
        self.seen.append(frame)
        if self.wanted(frame):
            self.holds.append(session.hold(frame, *self.options))
            return True
        return None

    def plugin(self, name="holder", order=None):
        def hook(session, frame):
            return self.hook(session, frame)

        return plugin(name, order, client_frame=hook, upstream_frame=hook)


def _holding(*words, **options):
    """Holds messages of those words."""
    wanted = [Text.of(say(word)) for word in words]
    return Holder(lambda frame: frame in wanted, **options)


def _audio(**options):
    return Holder(lambda frame: isinstance(frame, Binary), **options)


def test_a_held_frame_waits_until_it_is_released():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"))
    assert s.to_upstream() == []
    holder.holds[0].release(holder.holds[0].frame)
    assert s.to_upstream() == [say("a")]


def test_what_comes_later_waits_in_order_audio_included():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"), b"1", say("b"), b"2")
    assert s.to_upstream() == []
    holder.holds[0].release(holder.holds[0].frame)
    assert s.to_upstream() == [say("a"), b"1", say("b"), b"2"]


@pytest.mark.parametrize("behind", [False, True])
def test_audio_waits_though_the_plugin_that_holds_looks_at_messages_only(behind):
    holds = []

    def hold(session, frame, message):
        if message == say("a"):
            holds.append(session.hold(frame, 5))
            return True
        return None

    heard = _holding()
    s = relaying(plugin("p", client_frame=hold), *([heard.plugin()] if behind else []))
    s.client(say("a"), b"1")
    assert (s.to_upstream(), heard.seen) == ([], [])
    holds[0].release(None)
    assert s.to_upstream() == [b"1"]


def test_frames_wait_before_the_plugin_that_holds_and_it_sees_each_once():
    first, holder, last = _holding(), _holding("a"), _holding()
    s = relaying(first.plugin("first"), holder.plugin(), last.plugin("last"))
    s.client(say("a"), say("b"))
    assert [len(one.seen) for one in (first, holder, last)] == [2, 1, 0]
    holder.holds[0].release(holder.holds[0].frame)
    expected = [Text.of(say("a")), Text.of(say("b"))]
    assert [one.seen for one in (first, holder, last)] == [expected] * 3


def test_a_hold_may_be_released_with_another_frame_or_with_none():
    holder = _holding("a", "b", "c")
    s = relaying(holder.plugin())
    s.client(say("a"))
    holder.holds[0].release(say("A"))
    s.client(say("b"))
    holder.holds[1].release(None)
    s.client(say("c"))
    holder.holds[2].release(Binary(b"C"))
    assert s.to_upstream() == [say("A"), b"C"]


@pytest.mark.parametrize("nonsense", ["text", b"bytes", 7])
def test_a_hold_cannot_be_released_with_what_is_no_frame(nonsense):
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"))
    with pytest.raises(TypeError):
        holder.holds[0].release(nonsense)
    holder.holds[0].release(say("A"))
    assert s.to_upstream() == [say("A")]


def test_a_hold_is_released_once():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"))
    holder.holds[0].release(say("1"))
    holder.holds[0].release(say("2"))
    assert s.to_upstream() == [say("1")]


def test_of_two_decisions_in_one_hook_the_first_counts():
    holder = _holding("a")

    def decide(session, frame):
        holder.holds[0].release(say("1"))
        holder.holds[0].release(say("2"))

    s = relaying(holder.plugin(), plugin("p", upstream_frame=decide))
    s.client(say("a"))
    s.upstream(b"x")
    assert s.to_upstream() == [say("1")]


@pytest.mark.parametrize(
    ("on_timeout", "sent"), [("drop", [say("b")]), ("pass", [say("a"), say("b")])]
)
def test_a_hold_times_out(on_timeout, sent):
    holder = _holding("a", timeout=2.0, on_timeout=on_timeout)
    s = relaying(holder.plugin())
    s.client(say("a"), say("b"))
    s.advance(1.9)
    assert s.to_upstream() == []
    s.advance(0.2)
    assert s.to_upstream() == sent
    holder.holds[0].release(say("too late"))
    assert s.to_upstream() == []


def test_a_hold_that_closes_on_timeout_ends_the_session_and_names_the_plugin():
    holder = _holding("a", timeout=2.0, on_timeout="close")
    s = relaying(holder.plugin())
    s.client(say("a"), say("b"))
    s.advance(2.0)
    [error] = s.to_client()
    assert error["code"] == "plugin_timeout"
    assert "'holder'" in error["description"]
    assert (s.closed.code, s.to_upstream()) == (1000, [])
    assert s.core.summary().by == "holder"


def test_a_released_hold_does_not_time_out():
    holder = _holding("a", timeout=2.0, on_timeout="close")
    s = relaying(holder.plugin())
    s.client(say("a"))
    holder.holds[0].release(None)
    s.advance(10)
    assert s.closed is None


def test_release_after_the_session_has_gone_does_nothing():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"))
    s.client_closes()
    holder.holds[0].release(say("late"))
    s.advance(10)
    assert s.to_upstream() == []


def test_a_frame_that_waited_may_be_held_in_its_turn():
    holder = _holding("a", "c")
    s = relaying(holder.plugin())
    s.client(say("a"), say("b"), say("c"), say("d"))
    holder.holds[0].release(say("A"))
    assert s.to_upstream() == [say("A"), say("b")]
    s.client(say("e"))
    holder.holds[1].release(say("C"))
    assert s.to_upstream() == [say("C"), say("d"), say("e")]


def test_what_waited_and_is_replaced_behind_the_hold_keeps_its_place():
    def shout(session, message):
        if message.get("content") == "b":
            session.to_upstream(say("B"))
            return True
        return None

    holder = _holding("a")
    s = relaying(holder.plugin(), plugin("shout", client_frame=shout))
    s.client(say("a"), say("b"), say("c"))
    holder.holds[0].release(None)
    assert s.to_upstream() == [say("B"), say("c")]


def test_a_hold_may_be_released_in_the_hook_that_holds():
    def at_once(session, frame):
        if frame == Text.of(say("b")):
            session.hold(frame, 5).release(say("B"))
            return True
        return None

    s = ready(plugin("p", upstream_frame=at_once))
    s.upstream(many(say("a"), say("b"), say("c")))
    assert s.to_client() == [say("a"), say("B"), say("c")]


def test_two_plugins_may_hold_one_after_the_other():
    first, second = _holding("a", "b"), _holding("a")
    s = relaying(first.plugin("first"), second.plugin("second"))
    s.client(say("a"), say("b"), say("c"))
    first.holds[0].release(first.holds[0].frame)
    assert len(first.holds) == 2
    first.holds[1].release(say("b"))
    assert s.to_upstream() == []
    second.holds[0].release(say("A"))
    assert s.to_upstream() == [say("A"), say("b"), say("c")]


def test_audio_waits_at_the_first_hold_on_its_way_whichever_came_first():
    def holding(words, holds):
        def hook(session, frame, message):
            if message == say(words):
                holds.append(session.hold(frame, 5))

        return hook

    first, second = [], []
    s = relaying(
        plugin("first", client_frame=holding("b", first)),
        plugin("second", client_frame=holding("a", second)),
    )
    s.client(say("a"), say("b"), b"x")
    second[0].release(second[0].frame)
    assert s.to_upstream() == [say("a")]
    first[0].release(first[0].frame)
    assert s.to_upstream() == [say("b"), b"x"]


def test_a_hold_in_one_direction_does_not_stop_the_other():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"), say("b"))
    s.upstream(b"voice", say("c"))
    assert s.to_client() == [b"voice", say("c")]
    assert s.to_upstream() == []


def test_what_a_plugin_before_the_hold_sends_waits_and_what_one_behind_it_sends_does_not():
    handles = {}

    def remember(name):
        def hook(session, frame):
            handles[name] = session

        return hook

    holder = _holding("a")
    s = relaying(
        plugin("before", client_frame=remember("before")),
        holder.plugin(),
        plugin("behind", client_frame=remember("behind")),
    )
    s.client(b"x", say("a"))
    handles["before"].to_upstream(say("waits"))
    handles["behind"].to_upstream(say("goes"))
    assert s.to_upstream() == [b"x", say("goes")]
    holder.holds[0].release(None)
    assert s.to_upstream() == [say("waits")]


def test_held_and_waiting_bytes_stop_the_reading_of_whoever_sends():
    holder = _holding("a")
    s = relaying(holder.plugin(), limits=Limits(client_buffer=200, upstream_buffer=100))
    size = len(Text.of(say("a")))
    s.client(say("a"))
    assert s.core.client_may_send
    s.client(b"x" * (100 - size))
    assert (s.core.client_may_send, s.core.upstream_may_send) == (False, True)
    holder.holds[0].release(say("a"))
    assert s.core.to_upstream.held_bytes == 0
    assert not s.core.client_may_send  # now it waits for the socket
    s.to_upstream()
    assert s.core.client_may_send

    s.upstream(say("a"), b"x" * 200)
    assert (s.core.client_may_send, s.core.upstream_may_send) == (True, False)
    s.advance(5)
    assert len(s.to_client()) == 1
    assert s.core.upstream_may_send


def test_audio_that_was_held_back_does_not_overflow_the_upstream_when_it_is_released():
    holder = _holding("a")
    s = relaying(holder.plugin(), limits=Limits(upstream_buffer=1000))
    s.client(say("a"), *[b"x" * 100] * 15)
    s.advance(5)
    assert s.closed is None
    assert len(s.to_upstream()) == 15


# What a hook may do.


def test_another_frame_than_the_hooks_cannot_be_held():
    s = relaying(plugin("p", client_frame=lambda session, frame: session.hold(Text(b"{}"), 1)))
    s.client(say("a"))
    assert s.core.summary().error == "plugin_failed"


def test_a_frame_cannot_be_held_twice():
    def twice(session, frame):
        session.hold(frame, 1)
        session.hold(frame, 1)

    s = relaying(plugin("p", client_frame=twice))
    s.client(say("a"))
    assert s.core.summary().error == "plugin_failed"


def test_a_frame_cannot_be_held_through_another_plugins_handle():
    handles = []
    s = relaying(
        plugin("a", client_frame=lambda session, frame: handles.append(session)),
        plugin("b", client_frame=lambda session, frame: handles[0].hold(frame, 1)),
    )
    s.client(say("a"))
    assert s.core.summary().by == "b"


def test_an_unknown_on_timeout_is_refused_at_once():
    s = relaying(plugin("p", client_frame=lambda session, frame: session.hold(frame, 1, "wait")))
    s.client(say("a"))
    assert s.core.summary().error == "plugin_failed"


def test_frames_are_held_in_frame_hooks_only():
    s = relaying(plugin("p", client_frame=lambda session, frame: None))
    with pytest.raises(RuntimeError, match="only inside voiceproxy_client_frame"):
        s.core.handle(0).hold(Text(b"{}"), 1)


def test_a_held_frame_is_held_whatever_the_hook_returns():
    holds = []
    s = relaying(
        plugin("p", client_frame=lambda session, frame: holds.append(session.hold(frame, 5)))
    )
    s.client(b"a")
    assert s.to_upstream() == []
    holds[0].release(Binary(b"a"))
    assert s.to_upstream() == [b"a"]


# Observers.


def _redact(session, frame):
    if frame == Text.of(say("secret")):
        session.observe_as(say("***"))


def test_observers_see_the_substitute_of_a_frame_that_was_held_or_waited():
    holder, observer = _holding("a"), _holding()
    s = relaying(
        plugin("redact", client_frame=_redact),
        holder.plugin(),
        observer.plugin("observer", "trylast"),
    )
    s.client(say("a"), say("secret"))
    holder.holds[0].release(None)
    assert observer.seen == [Text.of(say("***"))]
    assert s.to_upstream() == [say("secret")]
    observer.seen.clear()
    holder.wanted = lambda frame: True
    s.client(say("secret"))
    holder.holds[1].release(say("SECRET"))
    assert observer.seen == [Text.of(say("***"))]
    assert s.to_upstream() == [say("SECRET")]


@pytest.mark.parametrize("decide", ["release", "timeout"])
def test_an_observer_that_holds_lets_go_of_the_frame_itself_and_not_of_its_substitute(decide):
    observer = _holding("***", on_timeout="pass")
    s = relaying(plugin("redact", client_frame=_redact), observer.plugin("observer", "trylast"))
    s.client(say("secret"))
    assert s.to_upstream() == []
    if decide == "release":
        observer.holds[0].release(observer.seen[0])
    else:
        s.advance(5)
    assert s.to_upstream() == [say("secret")]


# Barge-in.


def test_barge_in_goes_ahead_and_discards_the_audio_that_waits():
    holder = _holding("a")
    s = ready(holder.plugin())
    s.upstream(say("a"), b"old", say("b"), b"older", BARGE_IN, b"new")
    assert s.to_client() == [BARGE_IN]
    holder.holds[0].release(holder.holds[0].frame)
    assert s.to_client() == [say("a"), say("b"), b"new"]


def test_barge_in_discards_audio_that_is_held_and_nothing_waits_for_it_any_more():
    holder = _audio()
    s = ready(holder.plugin())
    s.upstream(b"old", say("a"), BARGE_IN)
    assert s.to_client() == [BARGE_IN, say("a")]
    assert s.core.to_client.held_bytes == 0
    holder.holds[0].release(Binary(b"old"))
    s.advance(10)
    assert s.to_client() == []


def test_barge_in_is_shown_to_the_plugin_it_overtakes_and_to_those_behind():
    holder, behind = _holding("a"), _holding()
    s = ready(holder.plugin(), behind.plugin("behind"))
    del holder.seen[:], behind.seen[:]
    s.upstream(say("a"), BARGE_IN)
    assert [frame.type for frame in holder.seen] == ["ConversationText", "UserStartedSpeaking"]
    assert [frame.type for frame in behind.seen] == ["UserStartedSpeaking"]


def test_barge_in_overtakes_every_hold_on_its_way():
    first, second = _holding("b"), _holding("a")
    s = ready(first.plugin("first"), second.plugin("second"))
    s.upstream(say("a"), b"1", say("b"), b"2", BARGE_IN)
    assert s.to_client() == [BARGE_IN]
    first.holds[0].release(say("b"))
    second.holds[0].release(say("a"))
    assert s.to_client() == [say("a"), say("b")]


@pytest.mark.parametrize("first", [0, 1])
def test_barge_in_may_be_held_itself_without_losing_what_was_held_before(first):
    holder = Holder(lambda frame: frame in (Text.of(say("a")), Text.of(BARGE_IN)))
    s = ready(holder.plugin())
    s.upstream(say("a"), say("b"), BARGE_IN, say("c"))
    assert s.to_client() == []
    frames = [say("a"), BARGE_IN]
    for index in (first, 1 - first):
        holder.holds[index].release(holder.holds[index].frame)
    assert s.to_client() == [frames[first], frames[1 - first], say("b"), say("c")]


def test_a_client_cannot_overtake_what_waits_from_it():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.client(say("a"), BARGE_IN)
    assert s.to_upstream() == []


def test_listening_and_speaking_know_no_barge_in():
    holder = _holding("a")
    s = relaying(holder.plugin(), protocol="speak")
    s.upstream(say("a"), BARGE_IN)
    assert s.to_client() == []


def test_discarding_audio_discards_what_is_held_and_what_waits_as_well_as_what_is_queued():
    holder = _audio()
    s = relaying(holder.plugin())
    holder.wanted = lambda frame: False
    s.upstream(b"12")
    holder.wanted = lambda frame: isinstance(frame, Binary)
    s.upstream(b"345", say("a"), b"6789")
    assert s.core.handle(0).discard_audio() == 9
    assert s.to_client() == [say("a")]
    assert s.core.discard_audio() == 0


def test_discarding_audio_leaves_a_held_message_and_what_waits_behind_it_where_they_are():
    first, second = _holding("b"), _holding("a")
    s = relaying(first.plugin("first"), second.plugin("second"))
    s.upstream(say("a"), say("b"), b"12", say("c"))
    assert s.core.discard_audio() == 2
    assert s.to_client() == []
    first.holds[0].release(None)
    second.holds[0].release(say("a"))
    assert s.to_client() == [say("a"), say("c")]


# The end.


def test_the_error_that_ends_a_session_gets_around_holds_and_what_is_held_is_dropped():
    holder = _holding("a")
    s = ready(holder.plugin())
    s.upstream(say("a"), say("b"))
    s.core.end(SessionError("quota", "No more."))
    assert [message.get("code") for message in s.to_client()] == ["quota"]
    assert s.closed.code == 1000


def test_the_error_that_ends_a_session_cannot_be_held():
    holder = Holder(lambda frame: True)
    s = relaying(holder.plugin())
    s.core.end(SessionError("quota", "No more."))
    assert [message["code"] for message in s.to_client()] == ["quota"]
    holder.holds[0].release(None)


def test_what_replaces_the_error_that_ends_a_session_gets_around_holds_too():
    def translate(session, message):
        if message["type"] == "Error":
            session.to_client({**message, "description": "Schade."})
            return True
        return None

    holder = _holding("a")
    s = relaying(plugin("p", upstream_frame=translate), holder.plugin())
    s.upstream(say("a"))
    s.core.end(SessionError("quota", "No more."))
    assert [message["description"] for message in s.to_client()] == ["Schade."]


def test_an_error_the_session_survives_waits_like_any_frame():
    holder = _holding("a")
    s = ready(holder.plugin())
    s.upstream(say("a"))
    s.client({"type": "Nonsense"}, inject("hi"))
    assert s.to_client() == []
    holder.holds[0].release(None)
    assert [message["type"] for message in s.to_client()] == ["Error"]


def test_a_plugins_session_close_drops_what_is_held():
    holder = _holding("a")
    s = relaying(holder.plugin())
    s.upstream(say("a"))
    s.core.handle(0).close(1000, "done")
    assert (s.to_client(), s.closed.reason) == ([], "done")


def test_a_release_just_before_the_close_still_counts():
    holder = _holding("a")

    def decide(session, frame):
        holder.holds[0].release(say("A"))
        session.close()

    s = relaying(holder.plugin(), plugin("p", client_frame=decide))
    s.upstream(say("a"))
    s.client(b"x")
    assert s.to_client() == [say("A")]
    assert s.closed is not None
