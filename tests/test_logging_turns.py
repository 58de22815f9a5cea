"""Turns, told from the messages to the client alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceproxy_logging.turns import Turns

SPEAKS = {"type": "UserStartedSpeaking"}
ENDED = {"type": "UtteranceEnd"}
USER = {"type": "ConversationText", "role": "user", "content": "..."}
AGENT = {"type": "ConversationText", "role": "assistant", "content": "..."}
STARTS = {"type": "AgentStartedSpeaking"}
THINKS = {"type": "AgentThinking"}
DONE = [{"type": "AgentDone"}, {"type": "AgentAudioDone"}]
CALL = {"type": "FunctionCallRequest", "functions": [{}, {}]}
TYPED = {"type": "InjectUserMessage", "content": "..."}


class Session:
    """Turns of a session, on a clock that ticks with every step."""

    def __init__(self):
        self.time = 0.0
        self.ended = []
        self.turns = Turns(lambda: self.time, self.ended.append)

    def hear(self, *messages, tick=1.0):
        for message in messages:
            self.time += tick
            self.turns.step("upstream", message)

    def type(self):
        self.time += 1
        self.turns.step("client", TYPED)

    @property
    def outcomes(self):
        return [turn.outcome for turn in self.ended]


def test_a_spoken_turn_goes_from_the_users_first_word_to_the_agents_last():
    s = Session()
    s.hear(SPEAKS, ENDED, USER, STARTS, AGENT, *DONE)
    [turn] = s.ended
    assert (turn.number, turn.began, turn.heard, turn.answered, turn.ended) == (1, 1, 2, 4, 6)
    assert (turn.outcome, turn.latency, turn.error) == ("completed", 2, None)


@pytest.mark.parametrize(
    ("signs", "heard"),
    [
        ([{"type": "Transcript", "speech_final": True}, USER], 2),
        ([{"type": "Transcript", "speech_final": False}, USER], 3),
        ([USER, ENDED], 2),
    ],
)
def test_the_users_words_are_over_at_the_first_sign_of_it(signs, heard):
    s = Session()
    s.hear(SPEAKS, *signs, STARTS, *DONE)
    assert s.ended[0].heard == heard


def test_the_greeting_is_a_turn_without_latency():
    s = Session()
    s.hear(AGENT, *DONE)
    [turn] = s.ended
    assert (turn.outcome, turn.latency) == ("completed", None)


def test_a_typed_turn_begins_when_it_is_typed():
    s = Session()
    s.type()
    s.hear(USER, STARTS, *DONE)
    [turn] = s.ended
    assert (turn.began, turn.heard, turn.latency) == (1, 1, 2)


def test_a_spoken_turn_after_a_typed_one_begins_when_it_is_spoken():
    s = Session()
    s.type()
    s.hear(USER, AGENT, *DONE, USER, AGENT, *DONE)
    assert [turn.began for turn in s.ended] == [1, 6]


def test_what_is_typed_and_refused_is_no_turn():
    s = Session()
    s.type()
    s.hear({"type": "Error", "code": "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"})
    assert s.turns.end() == 0


def test_typing_on_while_the_agent_speaks_ends_its_turn():
    s = Session()
    s.hear(AGENT)
    s.type()
    s.hear(USER, AGENT, *DONE)
    assert s.outcomes == ["completed", "completed"]
    assert s.ended[1].began == 2


def test_speaking_over_the_agent_interrupts_its_turn_and_its_late_end_is_not_that_of_the_next():
    s = Session()
    s.hear(SPEAKS, USER, STARTS, SPEAKS, *DONE, USER, AGENT, *DONE)
    assert s.outcomes == ["interrupted", "completed"]
    assert s.ended[1].latency == 1


def test_a_pause_before_the_answer_does_not_divide_a_turn():
    s = Session()
    s.hear(SPEAKS, ENDED, SPEAKS, ENDED, USER, AGENT, *DONE)
    [turn] = s.ended
    assert (turn.began, turn.heard) == (1, 4)


def test_a_late_transcript_divides_no_turn():
    s = Session()
    s.hear(SPEAKS, STARTS, USER, AGENT, *DONE)
    assert s.outcomes == ["completed"]


def test_a_turn_in_which_functions_are_called_ends_with_the_answer_after_them():
    s = Session()
    s.hear(SPEAKS, USER, AGENT, CALL, *DONE, THINKS, STARTS, AGENT, *DONE)
    [turn] = s.ended
    assert (turn.function_calls, turn.outcome, turn.ended) == (2, "completed", s.time - 1)


@pytest.mark.parametrize("functions", [None, "two", {}])
def test_a_call_without_a_list_of_functions_counts_none(functions):
    s = Session()
    s.hear({"type": "FunctionCallRequest", "functions": functions}, AGENT, *DONE)
    assert s.ended[0].function_calls == 0


def test_an_error_is_noted_with_the_turn_it_falls_into():
    s = Session()
    s.hear(THINKS, {"type": "Error", "code": "upstream_closed"}, {"type": "Error", "code": 7})
    s.turns.end()
    [turn] = s.ended
    assert (turn.error, turn.outcome, turn.ended) == ("upstream_closed", "cut", 3)


def test_the_end_of_a_session_between_turns_ends_none():
    s = Session()
    s.hear(AGENT, *DONE)
    s.turns.end()
    assert s.outcomes == ["completed"]


@pytest.mark.parametrize("kind", [None, 7, [], "Unheard", "History", "Welcome"])
def test_messages_that_say_nothing_about_turns_begin_none(kind):
    s = Session()
    s.hear({"type": kind}, ENDED, *DONE)
    assert s.turns.end() == 0


MESSAGES = [SPEAKS, ENDED, USER, AGENT, STARTS, THINKS, *DONE, CALL, {"type": "Error", "code": "x"}]


@given(st.lists(st.sampled_from([*MESSAGES, TYPED]), max_size=40))
def test_whatever_the_order_turns_follow_one_another_in_time(messages):
    s = Session()
    for message in messages:
        if message is TYPED:
            s.type()
        else:
            s.hear(message)
    assert s.turns.end() == len(s.ended)
    assert [turn.number for turn in s.ended] == list(range(1, len(s.ended) + 1))
    for turn in s.ended:
        known = [turn.began, turn.heard, turn.ended]
        times = [time for time in known if time is not None]
        assert times == sorted(times)
        assert turn.answered is None or turn.began <= turn.answered <= turn.ended
        assert turn.latency is None or turn.latency >= 0


def test_nobody_has_to_be_told_of_ended_turns():
    turns = Turns(lambda: 0.0)
    turns.step("upstream", AGENT)
    assert turns.end() == 1
