"""What plugins and translators can do with a session."""

import asyncio
import threading

import pytest
from session_parts import APPLIED, SETTINGS, Plain, inject, plugin, ready, relaying, say

from voiceproxy import Binary, Close, StateKey, Text, hookimpl
from voiceproxy.testing import drive


def _handles(**options):
    """A session, and the handles its plugin and its translator have."""
    s = ready(plugin("p", client_frame=lambda session, frame: None), **options)
    return s, s.core.handle(0), s.core.translator.session


@pytest.mark.parametrize("whose", [1, 2])
def test_a_handle_says_whose_session_it_is(whose):
    s = drive(
        translator=Plain,
        plugins=[plugin("p", client_frame=lambda session, frame: None)],
        dialect="agent",
        query={"model": "m"},
    )
    handle = (s, s.core.handle(0), s.core.translator.session)[whose]
    assert (handle.id, handle.trace_id) == ("0" * 32, "test")
    assert (handle.endpoint, handle.path) == ("backend", "/")
    assert (handle.protocol, handle.dialect) == ("agent", "agent")
    assert (handle.query["model"], dict(handle.headers), handle.remote) == ("m", {}, None)
    assert handle.closing is False
    s.advance(1.5)
    assert handle.now() == 1.5
    s.client_closes()
    assert handle.closing is True


def test_every_hook_of_a_plugin_at_one_place_gets_the_same_handle():
    seen = []

    def note(session, frame):
        seen.append(session)

    s = relaying(plugin("p", client_frame=note, upstream_frame=note))
    s.client(b"x")
    s.upstream(b"x")
    assert seen[0] is seen[1]


def test_lines_of_a_sessions_log_begin_with_its_trace_id(caplog):
    s, handle, _ = _handles()
    handle.log.warning("slow: %d ms", 7)
    assert caplog.messages == ["[test] slow: 7 ms"]
    assert s.core.log is handle.log


# State.


async def test_state_is_typed_by_its_keys_shared_between_plugins_and_freed_at_the_end():
    turns, other = StateKey[int]("turns"), StateKey[int]("turns")
    s, handle, translator = _handles()
    state = handle.state
    state[turns] = 1
    assert (translator.state[turns], turns in state, other in state) == (1, True, False)
    assert (state.get(turns), state.get(other), state.get(other, 0)) == (1, None, 0)
    del state[turns]
    with pytest.raises(KeyError):
        state[turns]
    state[turns] = 2
    s.client_closes()
    assert state[turns] == 2
    await s.core.release(1)
    assert turns not in state


def test_a_key_shows_its_name():
    assert repr(StateKey("turns")) == "<StateKey turns>"


# Sending.


def test_dicts_become_compact_json_and_frames_go_as_they_are():
    s, handle, translator = _handles()
    odd = Text(b'{ "type": "Odd" }')
    handle.to_client({"type": "A", "é": 1})
    handle.to_client(odd)
    translator.to_client(Binary(b"x"))
    assert list(iter(s.core.client.take, None)) == [
        Text('{"type":"A","é":1}'.encode()),
        odd,
        Binary(b"x"),
    ]
    translator.to_upstream({"type": "native"})
    assert s.core.upstream.take() == Text(b'{"type":"native"}')


@pytest.mark.parametrize("nonsense", ["text", b"bytes", None, {"a": object()}])
def test_what_is_no_frame_is_refused_to_whoever_sends_it(nonsense):
    _, handle, translator = _handles()
    for send in (
        handle.to_client,
        handle.to_upstream,
        translator.to_client,
        translator.to_upstream,
    ):
        with pytest.raises(TypeError):
            send(nonsense)


def test_a_plugins_send_to_the_upstream_goes_through_the_gate():
    s, handle, _ = _handles()
    handle.to_upstream({"type": "Native"})
    assert s.to_client()[0]["code"] == "disallowed_client_message_type"
    handle.to_upstream(inject("hi"))
    assert s.to_upstream() == [inject("hi")]


def test_a_backends_own_handle_sends_behind_every_plugin():
    seen = []

    def note(session, frame):
        seen.append(frame)

    s = relaying(plugin("p", client_frame=note, upstream_frame=note))
    handle = s.core.handle(1)
    handle.to_client(say("hi"))
    handle.to_upstream(say("ho"))
    assert (seen, s.to_client(), s.to_upstream()) == ([], [say("hi")], [say("ho")])


def test_only_keeps_a_message_from_the_other_dialect():
    for dialect, sent in (("component", []), ("agent", [say("hi", "user")])):
        s, _, translator = _handles(dialect=dialect)
        shared = Text.of(say("hi", "user"))
        translator.to_client(shared, only="agent")
        translator.to_client(Binary(b"x"), only="agent")
        assert s.to_client() == [*sent, b"x"]
        assert shared.only is None


async def test_what_a_task_sends_goes_out_at_once():
    s, handle, translator = _handles()
    flushed = []

    def flush():
        flushed.append((s.to_client(), s.to_upstream()))

    s.core.on_output = flush

    async def work():
        handle.to_client(say("1"))
        handle.to_upstream(inject("2"))
        translator.to_client(say("3"))
        translator.to_upstream(Binary(b"4"))

    await handle.start(work())
    assert flushed == [
        ([say("1")], []),
        ([], [inject("2")]),
        ([say("3")], []),
        ([], [b"4"]),
    ]


async def test_settings_applied_from_a_task_counts():
    s = drive(translator=Plain)
    s.client(SETTINGS, inject("a"))

    async def apply():
        s.core.translator.session.to_client(APPLIED)

    await s.core.translator.session.start(apply())
    assert s.to_upstream() == [SETTINGS, inject("a")]


def test_discarding_audio_from_outside_lets_the_relay_know_that_there_is_room():
    s, handle, _ = _handles()
    s.upstream(b"12345", say("hi"))
    announced = []
    s.core.on_output = lambda: announced.append(s.core.client.bytes)
    assert handle.discard_audio() == 5
    assert announced == [len(Text.of(say("hi")))]


def test_discarding_audio_inside_an_input_is_announced_with_it():
    s = ready(plugin("p", client_frame=lambda session, frame: session.discard_audio() and None))
    s.upstream(b"12345")
    announced = []
    s.core.on_output = lambda: announced.append(s.core.client.bytes)
    s.client(b"x")
    assert announced == [0]


def test_settings_can_be_refused_only_where_there_is_a_gate():
    from voiceproxy.handle import TranslatorSession

    s = relaying()
    TranslatorSession(s.core, 0).settings_refused("No.")
    assert s.to_client() == []


# Timers.


@pytest.mark.parametrize("whose", [1, 2])
def test_a_timer_rings_once_in_its_time_as_an_input_of_its_own(whose):
    handles = _handles()
    s, handle = handles[0], handles[whose]
    rung = []
    s.core.on_output = lambda: rung.append("flushed")
    handle.later(2, lambda: rung.append(handle.now()))
    s.advance(1.9)
    assert rung == []
    s.advance(5)
    assert rung == [2.0, "flushed"]


@pytest.mark.parametrize("whose", [1, 2])
def test_a_cancelled_timer_does_not_ring_nor_does_any_after_the_end(whose):
    handles = _handles()
    s, handle = handles[0], handles[whose]
    rung = []
    handle.later(1, lambda: rung.append("cancelled")).cancel()
    handle.later(2, lambda: rung.append("after the end"))
    s.client_closes()
    handle.later(3, lambda: rung.append("made after the end")).cancel()
    handle.later(3, lambda: rung.append("made after the end"))
    s.advance(10)
    assert rung == []


def test_a_timer_that_raises_is_its_plugins_fault():
    s, handle, _ = _handles()
    handle.later(1, lambda: 1 / 0)
    s.advance(1)
    [error] = s.to_client()
    assert (error["code"], s.closed.code) == ("plugin_failed", 1000)
    assert error["description"] == "The plugin 'p' failed in a timer."


def test_a_timer_that_sends_too_much_is_its_plugins_fault():
    s, handle, _ = _handles()
    handle.later(1, lambda: [handle.to_client({"type": "n"}) for _ in range(1001)])
    s.advance(1)
    assert "over 1,000" in s.to_client()[0]["description"]


def test_a_timer_of_the_translator_that_raises_is_an_internal_error():
    s, _, translator = _handles()
    translator.later(1, lambda: 1 / 0)
    s.advance(1)
    assert (s.to_client()[0]["code"], s.closed.code) == ("internal_error", 1011)


def test_a_translator_named_like_a_plugin_is_not_taken_for_it():
    s = ready(plugin("backend", client_frame=lambda session, frame: None))
    s.core.translator.session.later(1, lambda: 1 / 0)
    s.advance(1)
    assert s.to_client()[0]["code"] == "internal_error"


# Ending.


def test_close_comes_behind_what_is_queued_and_names_who_closed():
    def close(session, frame):
        session.to_client(say("1"))
        session.close(4000, "enough")
        session.to_client(say("2"))

    s = relaying(plugin("p", client_frame=close))
    s.client(b"x")
    assert s.to_client() == [say("1")]
    assert s.to_upstream() == [b"x"]
    assert (s.closed, s.core.summary().by) == (Close(4000, "enough"), "p")


@pytest.mark.parametrize("whose", [1, 2])
def test_fail_tells_the_client_before_it_closes(whose):
    handles = _handles()
    s, handle = handles[0], handles[whose]
    handle.fail("quota", "No more.")
    assert s.to_client() == [{"type": "Error", "description": "No more.", "code": "quota"}]
    assert s.closed == Close(1000, "quota")
    assert s.core.summary().by == ("p" if whose == 1 else "backend")


def test_an_illegal_close_code_is_made_legal():
    s, handle, _ = _handles()
    handle.fail("quota", "No more.", 1006)
    assert s.closed.code == 1011


def test_a_close_that_makes_no_sense_is_the_plugins_mistake():
    s, handle, _ = _handles()
    with pytest.raises(TypeError):
        handle.close("soon")
    with pytest.raises(AttributeError):
        handle.close(1000, None)
    assert s.closed is None


# Threads.


def _calls(handle):
    frame = {"type": "A"}
    calls = {
        "to_client": lambda: handle.to_client(frame),
        "to_upstream": lambda: handle.to_upstream(frame),
        "later": lambda: handle.later(1, print),
        "start": lambda: handle.start(asyncio.sleep(0)),
        "discard_audio": handle.discard_audio,
        "close": handle.close,
        "fail": lambda: handle.fail("a", "b"),
        "hold": lambda: handle.hold(frame, 1),
        "observe_as": lambda: handle.observe_as(frame),
        "settings_refused": lambda: handle.settings_refused("a"),
        "dial": lambda: handle.dial(),
        "pass_audio": lambda: handle.pass_audio(True),
        "encode_audio": lambda: handle.encode_audio(bytes),
    }
    return {name: call for name, call in calls.items() if hasattr(type(handle), name)}


@pytest.mark.parametrize("whose", [1, 2])
def test_every_call_from_another_thread_raises_and_says_how_to_do_it_right(whose):
    handles = _handles()
    s, handle = handles[0], handles[whose]
    public = {
        name
        for name in dir(type(handle))
        if not name.startswith("_") and callable(getattr(type(handle), name))
    }
    calls = _calls(handle)
    assert set(calls) == public - {"now"}
    told = {}

    def call_all():
        for name, call in calls.items():
            try:
                call()
            except RuntimeError as error:
                told[name] = str(error)

    thread = threading.Thread(target=call_all)
    thread.start()
    thread.join(10)
    assert set(told) == set(calls)
    assert all("call_soon_threadsafe" in text for text in told.values())
    assert (s.to_client(), s.to_upstream(), s.closed) == ([], [], None)


def test_a_hold_cannot_be_released_from_another_thread():
    holds, told = [], []
    s = relaying(
        plugin("p", client_frame=lambda session, frame: holds.append(session.hold(frame, 1)))
    )
    s.client(b"x")

    def release():
        try:
            holds[0].release(None)
        except RuntimeError as error:
            told.append(error)

    thread = threading.Thread(target=release)
    thread.start()
    thread.join(10)
    assert len(told) == 1


def test_observe_as_works_in_frame_hooks_only():
    _, handle, _ = _handles()
    with pytest.raises(RuntimeError, match="only inside voiceproxy_client_frame"):
        handle.observe_as(say("x"))


def test_a_failure_may_have_a_reason_of_its_own_for_the_close_frame():
    class Failing:
        @hookimpl
        def voiceproxy_client_frame(self, session, frame):
            session.fail("too_much", "That was too much.", 4001, "no more")

    s = drive(plugins=[Failing()])
    s.client(b"x")
    assert [message["code"] for message in s.to_client()] == ["too_much"]
    assert s.closed == Close(4001, "no more")
