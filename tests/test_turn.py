"""When a session ends while the proxy drains: at the end of the agent's turn."""

from __future__ import annotations

import pytest
from session_parts import APPLIED, SETTINGS, Plain, inject, plugin, say

from voiceproxy import Close, Text
from voiceproxy.testing import Driver, drive

WARNING = {
    "type": "Warning",
    "description": "The proxy is shutting down.",
    "code": "SERVER_GOING_AWAY",
}
DONE = {"type": "AgentAudioDone"}


class Untouched(Plain):
    """A translator for which the host looks at nothing."""

    checks = "nothing"


def conversing(*, translator=Plain, **options) -> Driver:
    """A session whose Settings are applied and that has had its greeting."""
    session = drive(translator=translator, **options)
    session.client(SETTINGS)
    session.upstream(APPLIED, say("Hello."), {"type": "AgentStartedSpeaking"}, b"hi", DONE)
    session.to_client()
    return session


@pytest.mark.parametrize("dialect", ["component", "agent"])
@pytest.mark.parametrize("translator", [Plain, Untouched, None])
def test_an_idle_session_is_warned_and_closed_with_1001_at_once(dialect, translator):
    session = conversing(dialect=dialect, translator=translator)
    session.core.turn.drain()
    assert session.to_client() == [WARNING]
    assert (session.closed.code, session.closed.reason) == (1001, "the proxy is shutting down")
    assert session.upstream_closed.code == 1001


def test_a_session_without_settings_yet_is_idle():
    session = drive(translator=Plain)
    session.core.turn.drain()
    assert session.to_client()[1:] == [WARNING]
    assert session.closed.code == 1001


@pytest.mark.parametrize("translator", [Plain, Untouched, None])
def test_a_reply_is_heard_to_its_end(translator):
    session = conversing(translator=translator)
    session.upstream({"type": "AgentStartedSpeaking"}, b"one")
    session.core.turn.drain()
    for _ in range(20):
        session.advance(0.4)
        session.upstream(b"more")
    assert session.closed is None
    session.upstream(b"last", {"type": "AgentDone"}, DONE)
    session.advance(0)
    assert session.to_client()[-3:] == [b"last", {"type": "AgentDone"}, DONE]
    assert session.closed.code == 1001


def test_what_the_same_upstream_frame_says_behind_the_end_is_still_sent():
    session = conversing()
    session.upstream(b"one")
    session.core.turn.drain()
    session.upstream(Text(b'[{"type":"AgentAudioDone"},{"type":"Transcript"}]'))
    session.advance(0)
    assert session.to_client()[-2:] == [DONE, {"type": "Transcript"}]
    assert session.closed.code == 1001


@pytest.mark.parametrize("translator", [Plain, Untouched, None])
@pytest.mark.parametrize(
    "beginning",
    [
        {"type": "UserStartedSpeaking"},
        {"type": "AgentThinking", "content": ""},
        {"type": "FunctionCallRequest", "functions": []},
        say("Hello?", "user"),
    ],
    ids=lambda message: message["type"],
)
def test_a_reply_that_has_not_begun_is_waited_for(beginning, translator):
    session = conversing(translator=translator)
    session.upstream(beginning)
    session.core.turn.drain()
    session.advance(10)
    assert session.closed is None
    session.upstream({"type": "AgentStartedSpeaking"}, b"reply")
    session.advance(0.4)
    assert session.closed is None
    session.upstream(DONE)
    session.advance(0)
    assert session.closed.code == 1001


@pytest.mark.parametrize("checks", ["everything", "order"])
def test_a_question_the_upstream_has_not_taken_up_is_waited_for(checks):
    class Asked(Plain):
        pass

    Asked.checks = checks
    session = conversing(translator=Asked)
    session.client(inject("and then?"))
    session.core.turn.drain()
    session.advance(1)
    assert session.closed is None
    session.upstream(b"reply", DONE)
    session.advance(0)
    assert session.closed.code == 1001


def test_a_turn_that_goes_on_with_a_function_call_is_not_over():
    session = conversing()
    session.upstream(b"let me see")
    session.core.turn.drain()
    session.upstream(Text(b'[{"type":"AgentAudioDone"},{"type":"FunctionCallRequest"}]'))
    session.advance(1)
    assert session.closed is None
    session.upstream(b"it is", DONE)
    session.advance(0)
    assert session.closed.code == 1001


def test_a_turn_whose_end_is_not_told_ends_with_half_a_second_of_silence():
    session = conversing()
    session.upstream(b"one")
    session.core.turn.drain()
    session.advance(0.3)
    session.upstream(b"two")
    session.advance(0.49)
    assert session.closed is None
    session.advance(0.01)
    assert session.closed.code == 1001


def test_a_reply_that_begins_during_the_drain_ends_with_silence_too():
    session = conversing()
    session.upstream({"type": "AgentThinking", "content": ""})
    session.core.turn.drain()
    session.upstream(b"one")
    session.advance(0.4)
    session.upstream(b"two")
    session.advance(0.4)
    assert session.closed is None
    session.advance(0.1)
    assert session.closed.code == 1001


def test_audio_nobody_has_announced_is_a_turn():
    session = conversing()
    session.upstream(b"out of the blue")
    session.core.turn.drain()
    assert session.closed is None
    session.upstream(DONE)
    session.advance(0)
    assert session.closed.code == 1001


def test_words_of_the_agent_behind_the_end_of_its_turn_begin_none():
    session = conversing()
    session.upstream(say("Goodbye."), {"type": "ConversationText"})
    session.core.turn.drain()
    assert session.closed.code == 1001


def test_a_function_asked_for_before_the_drain_is_no_silence_either():
    session = conversing()
    session.upstream(b"let me see", {"type": "FunctionCallRequest", "functions": []})
    session.core.turn.drain()
    session.advance(5)
    assert session.closed is None


def test_a_function_the_client_works_on_is_no_silence():
    session = conversing()
    session.upstream(b"let me see")
    session.core.turn.drain()
    session.upstream({"type": "FunctionCallRequest", "functions": []})
    session.advance(5)
    session.client({"type": "FunctionCallResponse", "id": "1", "name": "f", "content": "7"})
    session.advance(5)
    session.upstream(b"it is")
    session.advance(0.4)
    assert session.closed is None
    session.advance(0.1)
    assert session.closed.code == 1001


@pytest.mark.parametrize("protocol", ["listen", "speak"])
def test_listen_and_speak_have_no_turns_and_go_on(protocol):
    session = drive(protocol=protocol)
    session.upstream({"type": "AgentAudioDone"}, b"x")
    session.to_client()
    session.core.turn.drain()
    session.advance(3600)
    assert (session.closed, session.to_client()) == (None, [])


def test_plugins_see_the_warning_and_what_they_say_then_is_sent():
    def answer(session, message):
        if message["type"] == "Warning":
            session.to_client({"type": "Note"})

    session = conversing(plugins=[plugin("p", upstream_frame=answer)])
    session.core.turn.drain()
    assert session.to_client() == [WARNING, {"type": "Note"}]
    assert session.closed.code == 1001


def test_a_session_that_closes_is_left_alone():
    session = conversing()
    session.client_closes(1000)
    session.core.turn.drain()
    assert session.to_client() == []
    assert session.closed.code == 1000


async def test_a_session_that_is_over_is_left_alone_though_somebody_still_knows_it():
    session = conversing()
    session.upstream(b"one")
    session.client_closes(1000)
    await session.core.release(1)
    session.core.turn.drain()
    session.core.reply_error("SERVER_GOING_AWAY", "The proxy is shutting down.")
    session.core.shut_down(Close(1001))
    assert session.closed.code == 1000


def test_the_client_may_leave_a_draining_session():
    session = conversing()
    session.upstream(b"one")
    session.core.turn.drain()
    session.client_closes(4000, "bye")
    session.advance(1)
    assert session.closed.code == 4000
