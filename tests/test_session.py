"""One client and its upstream: run to completion, faults, bounds and the end."""

import asyncio
import logging

import pytest
from aiohttp import web
from session_parts import APPLIED, SETTINGS, Plain, inject, many, plugin, ready, relaying, say

from voiceproxy import (
    Binary,
    ClientFault,
    Close,
    SessionError,
    Text,
    Upstream,
    UpstreamFault,
    outbox,
)
from voiceproxy.chains import compile_chains
from voiceproxy.inputs import MAX_GENERATED
from voiceproxy.introduction import Introduction
from voiceproxy.plugins import Plugins
from voiceproxy.session import Limits, SessionCore
from voiceproxy.testing import FakeClock, drive

WELCOME = {"type": "Welcome", "request_id": "0" * 32}


def _types(messages):
    return [one["type"] for one in messages]


def _unopened(*plugins):
    """A session whose client has not been answered yet."""
    app = web.Application()
    introduction = Introduction("0" * 32, "trace", "backend", "/", "agent", "component", app)
    return SessionCore(introduction, compile_chains(Plugins(plugins)), FakeClock())


def _use(s):
    s.upstream(b"x")
    s.client_closes()


def _raise(session, frame):
    raise ZeroDivisionError("the words of the user")


# Frames in, frames out.


def test_the_session_asks_its_translator_and_never_inside_another_call():
    class Strict(Plain):
        inside = False

        def client_frame(self, frame, message):
            assert not self.inside
            self.inside = True
            if message["type"] == "InjectUserMessage":
                self.session.to_client(say("answer"))
            self.session.to_upstream(frame)
            self.inside = False

    asking = []

    def ask(session, message):
        if message.get("content") == "answer" and not asking:
            asking.append(True)
            session.to_upstream(inject("asked"))

    s = ready(plugin("p", upstream_frame=ask), translator=Strict)
    s.client(inject("hi"))
    assert s.to_upstream() == [inject("hi"), inject("asked")]
    assert s.to_client() == [say("answer"), say("answer")]


def test_output_is_announced_once_for_each_input_from_outside():
    s = ready()
    announced = []
    s.core.on_output = lambda: announced.append(len(s.core.client))
    s.upstream(many(say("1"), say("2"), say("3")))
    s.client(inject("x"))
    assert announced == [3, 3]


def test_a_plugin_may_replace_every_one_of_many_frames_of_one_upstream_frame():
    def replace(session, message):
        session.to_client({**message, "seen": True})
        return True

    s = ready(plugin("p", upstream_frame=replace), plugin("q", upstream_frame=replace))
    s.upstream(many(*[say(str(number)) for number in range(1500)]))
    sent = s.to_client()
    assert [one["content"] for one in sent] == [str(number) for number in range(1500)]
    assert s.closed is None


def test_a_plugin_may_send_a_thousand_inputs_for_one_and_not_one_more():
    def flood(session, frame):
        for _ in range(int(frame.data)):
            session.to_upstream({"type": "n"})

    s = relaying(plugin("p", client_frame=flood))
    s.client(Binary(b"%d" % MAX_GENERATED))
    assert len(s.to_upstream()) == MAX_GENERATED + 1
    s.client(Binary(b"%d" % (MAX_GENERATED + 1)))
    [error] = s.to_client()
    assert error["code"] == "plugin_failed"
    assert "over 1,000" in error["description"]


def test_plugins_that_answer_each_other_through_the_translator_are_stopped():
    class Echo(Plain):
        def client_frame(self, frame, message):
            if message and message["type"] == "InjectUserMessage":
                self.session.to_client(say(message["content"]))
            else:
                super().client_frame(frame, message)

    def answer(session, message):
        if message["type"] == "ConversationText":
            session.to_upstream(inject("again"))

    s = ready(plugin("p", upstream_frame=answer), translator=Echo)
    s.client(inject("hi"))
    assert s.core.summary().error == "plugin_failed"
    assert s.closed.code == 1000


def test_two_plugins_that_answer_each_other_are_stopped():
    s = relaying(
        plugin("a", upstream_frame=lambda session, frame: first.to_upstream(Binary(b"pong"))),
        plugin("b", client_frame=lambda session, frame: first.to_client(Binary(b"ping"))),
        plugin("c", "tryfirst", client_frame=lambda session, frame: None),
    )
    first = s.core.handle(0)
    s.client(b"go")
    assert s.core.summary().error == "plugin_failed"


def test_what_each_timer_and_each_frame_generates_is_counted_anew():
    def flood(session, frame):
        for _ in range(600):
            session.to_client(Binary(b"x"))

    s = relaying(plugin("p", client_frame=flood))
    s.client(b"1", b"2", b"3")
    assert s.closed is None
    assert len(s.to_client()) == 1800


def test_what_falls_due_while_an_input_is_handled_waits_for_its_turn():
    rung = []

    def hook(session, frame):
        session.later(1, lambda: rung.append("timer"))
        s.advance(1)
        rung.append("hook")

    s = relaying(plugin("p", client_frame=hook), plugin("q", client_frame=hook))
    s.client(b"x")
    assert rung == ["hook", "hook", "timer", "timer"]


# Before the upgrade is answered.


def test_what_a_plugin_sends_before_the_upgrade_is_answered_comes_behind_welcome():
    core = _unopened(plugin("p", client_frame=lambda session, frame: None))
    handle = core.handle(0)
    handle.to_client(say("early"))
    handle.to_upstream(inject("too early for the backend"))
    handle.later(0, lambda: handle.to_client(say("timer")))
    core.runtime.advance(1)
    core.open(Upstream(url=None, translator=Plain))
    sent = [core.client.take().message() for _ in range(len(core.client))]
    assert sent == [WELCOME, say("early"), say("timer")]
    assert len(core.upstream) == 0
    core.client_frame(Text.of(SETTINGS))
    core.upstream_frame(Text.of(APPLIED))
    assert core.upstream.take() == Text.of(SETTINGS)
    assert core.upstream.take() == Text.of(inject("too early for the backend"))


def test_a_session_that_is_to_end_before_it_is_open_ends_when_it_is():
    core = _unopened()
    announced = []
    core.on_output = lambda: announced.append(core.closing)
    core.shut_down(Close(1001, "stopping"))
    assert (core.closing, announced) == (False, [])
    core.open(Upstream(url=None, translator=Plain))
    assert core.client.take() == Text.of(WELCOME)
    assert (core.client.close, announced) == (Close(1001, "stopping"), [False, True])


# The end.


def test_a_close_from_either_side_reaches_the_other_behind_what_is_queued():
    s = relaying()
    s.client(b"last")
    s.client_closes(4001, "bye")
    assert (s.to_upstream(), s.upstream_closed) == ([b"last"], Close(4001, "bye"))

    s = relaying()
    s.upstream(b"last")
    s.upstream_closes(1013, "later")
    assert (s.to_client(), s.closed) == ([b"last"], Close(1013, "later"))


def test_what_is_queued_for_a_peer_that_has_closed_is_dropped():
    s = relaying()
    s.upstream(b"voice")
    s.client_closes()
    assert s.to_client() == []
    s = ready(translator=Redialling)
    s.client(inject("hi"))
    s.upstream_closes(1006)
    assert s.to_upstream() == []


def test_nothing_has_an_effect_after_the_end():
    seen = []
    s = ready(
        plugin(
            "p",
            client_frame=lambda session, frame: seen.append(frame),
            upstream_frame=lambda session, frame: seen.append(frame),
        )
    )
    translator = s.core.translator
    handle = s.core.handle(0)
    s.client_closes()
    s.to_upstream()
    seen.clear()
    calls = list(translator.calls)
    s.client(b"x", inject("y"))
    s.upstream(b"z")
    s.upstream_opens()
    s.upstream_closes()
    s.client_closes(1001)
    s.core.end(ClientFault("a", "b"))
    s.core.shut_down(Close(1001))
    handle.to_client(say("late"))
    handle.to_upstream(inject("late"))
    handle.close(1001)
    handle.fail("late", "Late.")
    translator.session.to_client(say("late"))
    translator.session.to_upstream(say("late"))
    assert (seen, translator.calls) == ([], calls)
    assert (s.to_client(), s.to_upstream()) == ([], [])
    assert (s.closed.code, s.core.summary().error) == (1000, None)


def test_the_translator_may_still_send_upstream_when_the_session_ends_and_not_to_the_client():
    class Flushing(Plain):
        def closed(self):
            self.session.to_upstream(Binary(b"the rest"))
            self.session.to_client(say("the rest"))
            self.session.fail("late", "Late.")

    s = ready(translator=Flushing)
    s.core.shut_down(Close(1001))
    assert s.to_upstream() == [b"the rest"]
    assert s.to_client() == []


def test_a_translator_that_fails_at_the_end_does_not_keep_the_session_from_ending(caplog):
    class Failing(Plain):
        def closed(self):
            raise ZeroDivisionError

    s = ready(translator=Failing)
    s.client_closes(1001)
    assert (s.upstream_closed, s.core.summary().error) == (Close(1001), None)
    assert "the translator failed at the end of the session" in caplog.text


@pytest.mark.parametrize(
    "end",
    [
        lambda s: s.client_closes(),
        lambda s: s.upstream_closes(),
        lambda s: s.core.shut_down(Close(1001)),
        lambda s: s.core.end(SessionError("a", "b")),
        lambda s: s.upstream_fails(UpstreamFault("a", "b")),
        lambda s: s.upstream(b"break"),
    ],
    ids=["client", "upstream", "shut down", "error", "dial", "plugin"],
)
def test_the_translator_is_told_the_end_once_however_it_comes(end):
    s = ready(plugin("p", upstream_frame=lambda session, frame: 1 / 0 if len(frame) == 5 else None))
    end(s)
    s.client_closes()
    assert s.core.translator.calls.count("closed") == 1
    assert s.closed is not None
    assert s.upstream_closed is not None


def test_an_error_goes_through_the_plugins_and_the_close_comes_behind_it():
    seen = []
    s = ready(plugin("p", upstream_frame=lambda session, message: seen.append(message["type"])))
    s.upstream(say("before"))
    s.core.end(UpstreamFault("upstream_timeout", "No answer.", 1013))
    assert seen[-1] == "Error"
    error = {"type": "Error", "description": "No answer.", "code": "upstream_timeout"}
    assert s.to_client() == [say("before"), error]
    assert s.closed == Close(1013, "upstream_timeout")


def test_the_first_error_and_the_close_that_belongs_to_it_count():
    class Failing(Plain):
        def upstream_frame(self, frame):
            self.session.fail("first", "First.", 1011)
            self.session.fail("second", "Second.", 1012)
            self.session.close(1000, "bye")

    s = drive(translator=Failing)
    s.upstream(b"x")
    assert [one.get("code") for one in s.to_client()] == [None, "first"]
    assert s.closed == Close(1011, "first")


def test_where_the_protocol_has_no_error_the_close_reason_says_it():
    s = drive(protocol="listen", error=lambda description, code: None)
    s.core.end(UpstreamFault("upstream_timeout", "No answer.", 1013))
    assert (s.to_client(), s.closed) == ([], Close(1013, "No answer."))
    s = drive(
        protocol="listen",
        error=lambda description, code: None,
        plugins=[plugin("p", client_frame=_raise)],
    )
    s.client(b"x")
    assert s.to_client() == []
    assert s.closed == Close(1000, "The plugin 'p' failed in voiceproxy_client_frame.")
    s = drive(translator=Plain, error=lambda description, code: None)
    s.client(b"", {"type": "Nonsense"})
    assert s.to_client() == [WELCOME]


@pytest.mark.parametrize(
    ("fault", "by"),
    [
        (SessionError("a", "b"), "proxy"),
        (ClientFault("a", "b"), "client"),
        (UpstreamFault("a", "b"), "upstream"),
    ],
)
def test_an_error_is_blamed_on_whose_fault_it_is_unless_told_otherwise(fault, by):
    s = relaying()
    s.core.end(fault)
    assert s.core.summary().by == by
    s = relaying()
    s.core.end(fault, "somebody")
    assert s.core.summary().by == "somebody"


@pytest.mark.parametrize("at", ["client_frame", "upstream_frame"])
def test_the_error_of_a_hook_that_fails_the_session_is_the_last_message(at):
    class Echo(Plain):
        def client_frame(self, frame, message):
            super().client_frame(frame, message)
            if message["type"] == "InjectUserMessage":
                self.session.to_client(say(message["content"], "user"))
                self.session.to_client({"type": "AgentThinking", "content": ""})

    def fail(session, message):
        if message.get("content") == "bad":
            session.to_client({"type": "Before"})
            session.fail("mine", "Mine.")
            session.to_upstream(inject("after"))

    s = ready(plugin("p", **{at: fail}), translator=Echo)
    if at == "client_frame":
        s.client(inject("good"), inject("bad"))
        assert _types(s.to_client()) == ["ConversationText", "AgentThinking", "Before", "Error"]
    else:
        s.upstream(many(say("good"), say("bad"), say("next")))
        told = [one.get("content", one["type"]) for one in s.to_client()]
        assert told == ["good", "bad", "Before", "next", "Error"]
    assert s.closed == Close(1000, "mine")


def test_a_plugin_that_fails_the_session_for_an_error_that_does_so_changes_nothing():
    def fail(session, message):
        session.close(4000, "no")
        session.fail("mine", "Mine.")

    s = relaying(plugin("p", upstream_frame=fail))
    s.core.end(UpstreamFault("upstream_timeout", "No answer.", 1013))
    assert [one["code"] for one in s.to_client()] == ["upstream_timeout"]
    assert s.closed == Close(1013, "upstream_timeout")


# Faults.


def test_a_plugin_that_raises_ends_its_session_and_no_plugin_runs_again(caplog):
    seen = []

    def note(session, frame):
        seen.append(frame)

    s = relaying(
        plugin("broken", client_frame=_raise, upstream_frame=note),
        plugin("other", client_frame=note, upstream_frame=note),
    )
    s.upstream(b"queued")
    seen.clear()
    s.client(b"x")
    s.client(b"y")
    s.upstream(b"z")
    assert seen == []
    [error] = s.to_client()
    assert error["code"] == "plugin_failed"
    assert error["description"] == "The plugin 'broken' failed in voiceproxy_client_frame."
    assert (s.closed, s.core.summary().by) == (Close(1000, "plugin_failed"), "broken")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "'broken'" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_plugin_that_raises_drops_what_was_queued_for_both_sides_and_what_waited():
    seen = []

    def fail(session, message):
        seen.append(message.get("content"))
        if message.get("content") == "2":
            session.to_client(say("more"))
            session.to_upstream(inject("more"))
            raise ZeroDivisionError

    s = ready(plugin("p", upstream_frame=fail))
    s.client(inject("queued"))
    s.upstream(many(say("1"), say("2"), say("3")))
    assert _types(s.to_client()) == ["Error"]
    assert s.to_upstream() == []
    assert seen[-2:] == ["1", "2"]
    assert s.upstream_closed == Close(1000, "plugin_failed")


def test_what_was_sent_beside_the_frame_a_plugin_fails_on_is_shown_to_nobody():
    seen = []

    def send(session, frame):
        session.to_upstream(say("beside"))

    s = relaying(
        plugin("sends", client_frame=send),
        plugin("sees", client_frame=lambda session, message: seen.append(message)),
        plugin("fails", client_frame=_raise),
    )
    s.client(say("x"))
    assert seen == [say("x")]


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit])
def test_whatever_a_hook_raises_is_its_plugins_fault(error, caplog):
    def fail(session, frame):
        raise error

    s = relaying(plugin("p", upstream_frame=fail))
    s.upstream(b"x")
    assert [one["code"] for one in s.to_client()] == ["plugin_failed"]
    assert (s.closed, s.core.summary().by) == (Close(1000, "plugin_failed"), "p")
    assert "'p'" in caplog.text
    assert error.__name__ in caplog.text


def test_ctrl_c_goes_through_a_hook_and_a_translator():
    def stop(*_):
        raise KeyboardInterrupt

    def hook(session, frame):
        raise KeyboardInterrupt

    for s in (
        relaying(plugin("p", upstream_frame=hook)),
        drive(translator=type("Stopped", (Plain,), {"upstream_frame": stop})),
        drive(translator=type("Stopped", (Plain,), {"closed": stop})),
    ):
        with pytest.raises(KeyboardInterrupt):
            _use(s)


def test_a_plugins_own_session_error_is_a_plugins_fault_all_the_same():
    def fail(session, frame):
        raise ClientFault("mine", "Mine.", 1013)

    s = relaying(plugin("p", client_frame=fail))
    s.client(b"x")
    assert s.core.summary().error == "plugin_failed"


def test_a_plugin_that_raises_on_the_error_that_ends_a_session_cannot_stop_the_end():
    s = relaying(plugin("p", upstream_frame=_raise))
    s.core.end(UpstreamFault("upstream_timeout", "No answer.", 1013))
    assert [one["code"] for one in s.to_client()] == ["plugin_failed"]
    assert s.closed.code == 1000


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, SystemExit])
@pytest.mark.parametrize(
    "call", ["opened", "upstream_opened", "client_frame", "upstream_frame", "upstream_closed"]
)
def test_a_translator_that_raises_ends_its_session_with_internal_error_and_1011(
    call, error, caplog
):
    def fail(*_):
        raise error("secret")

    broken = type("Broken", (Plain,), {call: fail})
    s = drive(translator=broken)
    s.to_client()
    s.client(SETTINGS)
    s.upstream(APPLIED)
    s.upstream_closes()
    assert s.closed == Close(1011, "internal_error")
    assert s.core.summary().by == "proxy"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_translator_that_cannot_be_made_ends_its_session_with_internal_error():
    def make(session):
        raise ZeroDivisionError

    s = drive(translator=make)
    s.client(SETTINGS)
    s.upstream(b"x")
    s.upstream_closes()
    assert [one["code"] for one in s.to_client()] == ["internal_error"]
    assert s.closed.code == 1011


def test_a_translator_may_raise_what_says_whose_fault_it_is():
    class Strict(Plain):
        def upstream_frame(self, frame):
            raise UpstreamFault("upstream_protocol", "Not JSON.", 1011)

    s = drive(translator=Strict)
    s.upstream(b"x")
    end = s.core.summary()
    assert (end.error, end.by, end.code) == ("upstream_protocol", "upstream", 1011)


# Bounds.


def test_a_client_that_does_not_read_stops_the_reading_of_the_upstream():
    s = relaying(limits=Limits(client_buffer=100))
    s.upstream(b"x" * 99)
    assert s.core.upstream_may_send
    s.upstream(b"x")
    assert (s.core.upstream_may_send, s.core.client_may_send) == (False, True)
    s.to_client()
    assert s.core.upstream_may_send


@pytest.fixture
def ten_frames(monkeypatch):
    monkeypatch.setattr(outbox, "MAX_FRAMES", 10)


def test_so_many_frames_stop_the_reading_of_either_side_however_small(ten_frames):
    s = relaying()
    s.upstream(*[b"x"] * 9)
    s.client(*[b"x"] * 9)
    assert (s.core.upstream_may_send, s.core.client_may_send) == (True, True)
    s.upstream(b"x")
    s.client(b"x")
    assert (s.core.upstream_may_send, s.core.client_may_send) == (False, False)
    assert s.core.client.full
    s.to_client()
    s.to_upstream()
    assert (s.core.upstream_may_send, s.core.client_may_send) == (True, True)


def test_so_many_frames_that_wait_for_the_settings_stop_the_reading_too(ten_frames):
    s = drive(translator=Plain)
    s.client(*[inject("a"), b"x"] * 5)
    assert not s.core.client_may_send
    s.client(SETTINGS)
    s.upstream(APPLIED)
    s.to_upstream()
    assert s.core.client_may_send


def test_so_many_frames_behind_a_held_one_stop_the_reading_too(ten_frames):
    holds = []

    def hold_text(session, text):
        holds.append(session.hold(text, 5))
        return True

    s = relaying(plugin("holder", client_frame=hold_text, upstream_frame=hold_text))
    s.client(say("a"), *[b"x"] * 10)
    s.upstream(say("a"), *[b"x"] * 10)
    assert (s.core.upstream_may_send, s.core.client_may_send) == (False, False)
    for hold in holds:
        hold.release(None)
    s.to_client()
    s.to_upstream()
    assert (s.core.upstream_may_send, s.core.client_may_send) == (True, True)


def test_audio_that_is_discarded_while_it_waits_makes_room_again(ten_frames):
    def hold_text(session, text):
        session.hold(text, 5)
        return True

    s = relaying(plugin("p", upstream_frame=hold_text))
    s.upstream(say("held"), *[b"x"] * 10)
    assert not s.core.upstream_may_send
    assert s.core.discard_audio() == 10
    assert s.core.upstream_may_send
    s.upstream(*[b"x"] * 9)
    assert s.core.upstream_may_send
    s.client_closes()
    assert (s.core.to_client.held_bytes, s.core.to_client.held_frames) == (0, 0)


def test_what_waits_for_the_settings_counts_too():
    s = drive(translator=Plain, limits=Limits(upstream_buffer=100))
    s.client(b"x" * 100)
    assert not s.core.client_may_send
    s.client(SETTINGS)
    s.upstream(APPLIED)
    s.to_upstream()
    assert s.core.client_may_send


def test_what_the_upstream_sends_beyond_the_bound_is_no_overflow():
    s = ready(limits=Limits(client_buffer=100))
    s.upstream(b"x" * 80, b"x" * 80)
    assert s.closed is None


@pytest.mark.parametrize("when", ["hook", "timer", "call"])
def test_what_cannot_be_stopped_overflows_the_client_at_the_bound(when):
    def send(session):
        for _ in range(4):  # the first finds the queue empty
            session.to_client(Binary(b"x" * 40))

    s = relaying(
        plugin("p", client_frame=lambda session, frame: send(session)),
        limits=Limits(client_buffer=100),
    )
    handle = s.core.handle(0)
    if when == "hook":
        s.client(b"go")
    elif when == "timer":
        handle.later(1, lambda: send(handle))
        s.advance(1)
    else:
        send(handle)
    assert [one["code"] for one in s.to_client()] == ["client_overflow"]
    end = s.core.summary()
    assert (end.code, end.by) == (1000, "client")


def test_what_cannot_be_stopped_overflows_the_upstream_at_the_bound():
    class Loud(Plain):
        def upstream_frame(self, frame):
            self.session.to_upstream(Binary(b"x" * 60))

    s = drive(translator=Loud, limits=Limits(upstream_buffer=100))
    s.upstream(b"1", b"2")
    assert s.closed is None
    s.upstream(b"3")
    assert s.to_client()[-1]["code"] == "upstream_overflow"
    end = s.core.summary()
    assert (end.code, end.by) == (1000, "upstream")


@pytest.mark.parametrize("words", [1, 2])
def test_a_frame_that_finds_the_queue_empty_is_no_overflow_however_big(words):
    def send(session, frame):
        session.to_client(Binary(b"x" * 1000))
        session.to_client(Binary(b"x" * 100))

    s = relaying(plugin("p", client_frame=send), limits=Limits(client_buffer=100))
    for _ in range(words):
        s.client(b"go")
        assert [len(one) for one in s.to_client()] == [1000, 100]
    assert s.closed is None


def test_an_error_that_ends_a_session_is_not_followed_by_another_because_it_was_too_much():
    s = relaying(limits=Limits(client_buffer=1))
    s.core.end(UpstreamFault("upstream_timeout", "No answer.", 1013))
    assert [one["code"] for one in s.to_client()] == ["upstream_timeout"]
    assert s.closed == Close(1013, "upstream_timeout")


def test_an_overflow_that_is_over_before_it_is_looked_at_is_none():
    def send(session, frame):
        session.to_client(Binary(b"x" * 200))
        session.to_client({"type": "then"})

    s = relaying(
        plugin("p", client_frame=send),
        plugin(
            "q",
            upstream_frame=lambda session, message: session.discard_audio() and None,
        ),
        limits=Limits(client_buffer=100),
    )
    s.client(b"go")
    assert s.closed is None
    assert s.to_client() == [{"type": "then"}]


def test_audio_that_waited_for_the_settings_does_not_overflow_the_upstream_when_it_goes_on():
    class Encoding(Plain):
        def client_frame(self, frame, message):
            self.session.to_upstream(Binary(frame.data * 2))

    s = drive(translator=Encoding, limits=Limits(upstream_buffer=1000))
    s.client(SETTINGS, *[b"x" * 100] * 9)
    s.upstream(APPLIED)
    assert s.closed is None
    assert len(s.to_upstream()) == 10


# Dialling again.


class Redialling(Plain):
    def upstream_closed(self, close):
        if close.code == 1006:
            self.session.dial()
        elif close.code == 1012:
            self.session.dial(Upstream(url="ws://other/"))


@pytest.mark.parametrize(("code", "url"), [(1006, "ws://first/"), (1012, "ws://other/")])
def test_a_translator_may_have_an_upstream_dialled_again(code, url):
    s = ready(translator=Redialling)
    s.core.dialled.upstream = Upstream(url="ws://first/")
    s.upstream_closes(code)
    assert s.closed is None
    s.client(inject("meanwhile"))
    assert s.core.dialled.take().url == url
    assert s.core.dialled.take() is None
    s.upstream_opens()
    assert s.to_upstream() == [inject("meanwhile")]
    s.client_closes()
    assert s.core.summary().upstream is None


def test_a_session_that_ends_meanwhile_is_not_dialled_again():
    s = ready(translator=Redialling)
    s.upstream_closes(1006)
    s.client_closes()
    assert not s.core.dialled.replaced


def test_a_translator_that_does_nothing_about_it_lets_the_session_close_as_the_upstream_did():
    s = ready(translator=Redialling)
    s.upstream_closes(1013, "busy")
    assert (s.closed, s.core.summary().by) == (Close(1013, "busy"), "upstream")


def test_a_translator_may_say_what_the_end_of_the_upstream_means():
    class Explaining(Plain):
        def upstream_closed(self, close):
            self.session.to_client(say("bye"))
            self.session.fail("upstream_closed", "It left.", 1011)

    s = ready(translator=Explaining)
    s.upstream_closes(1013, "busy")
    assert _types(s.to_client()) == ["ConversationText", "Error"]
    assert s.closed == Close(1011, "upstream_closed")


# What ends up in logs.


def test_every_line_carries_the_trace_id_and_nothing_that_was_said(caplog):
    caplog.set_level(logging.DEBUG)
    s = ready(plugin("p", upstream_frame=_raise_on_secret))
    s.client(b"secret audio", inject("secret"))
    s.client({"type": "Nonsense", "words": "secret"})
    s.upstream(say("secret"))
    assert caplog.records
    assert all(record.getMessage().startswith("[test] ") for record in caplog.records)
    assert "secret" not in " ".join(record.getMessage() for record in caplog.records)


def _raise_on_secret(session, message):
    if message.get("content") == "secret":
        raise ValueError("broken")
