"""Mutated frames through real sessions, without sockets: a little of what ``make fuzz-frames`` does
a million times, and what it found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

import pytest
import relay_fuzz
from frame_fuzz import (
    KINDS,
    RIGHT,
    Found,
    Fuzzed,
    a_silent_simulator,
    batch,
    mutated,
    run,
    witness,
)
from frame_mutations import ODD, SETTINGS, Mutator, client_messages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_session import UPDATED, Conversation, as_json, audio_delta, created, done

from voiceproxy import Binary, Text
from voiceproxy.testing import FakeClock, FakeTimer


async def test_a_batch_of_mutated_frames_finds_nothing():
    total = run(1_500, seed=7)
    assert total.keys() == {*KINDS, RIGHT}
    assert mutated(total) >= 1_500


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(st.randoms(use_true_random=False))
def test_what_hypothesis_makes_of_frames_finds_nothing(random: Random):
    async def fuzz() -> None:
        batch(0, 60, random)

    with a_silent_simulator():
        asyncio.run(fuzz())


@pytest.mark.deep
async def test_mutated_frames_for_35_seconds_find_nothing():
    total = run(10_000_000, seed=int(time.time()), seconds=35)
    assert mutated(total) > 10_000


async def test_mutated_frames_over_real_sockets_find_nothing():
    result = await relay_fuzz.run(400, seed=3)
    assert result["frames"] >= 400
    assert result["witnesses"] > 0


@pytest.mark.deep
@pytest.mark.both_loops
async def test_mutated_frames_over_real_sockets_for_10_seconds_find_nothing():
    result = await relay_fuzz.run(10_000_000, int(time.time()), seconds=10)
    assert result["frames"] > 1_000


async def test_the_undisturbed_conversation_is_a_whole_one():
    heard = [one for one in witness() if isinstance(one, str)]
    assert heard[:2] == ["Welcome", "SettingsApplied"]
    assert heard[-1] == "AgentAudioDone"
    assert any(isinstance(one, bytes) for one in witness())


# That the fuzzer would notice.


async def test_an_exception_in_a_session_is_found(monkeypatch: pytest.MonkeyPatch):
    def fail(self: object, event: object) -> None:
        raise RuntimeError("never seen before")

    monkeypatch.setattr("voiceproxy_openai.speech.Speech.started", fail)
    with pytest.raises(Found, match="never seen before"):
        run(20_000, seed=1)


async def test_words_of_another_session_are_found():
    one = Fuzzed("deepgram", Random(1), "mine")
    with pytest.raises(Found, match="another session"):
        one.check([b'{"content":"yours"}'], 0.0, [b"yours"])


async def test_a_step_that_takes_long_is_found():
    with pytest.raises(Found, match=r"took 4\.0 s"):
        Fuzzed("deepgram", Random(1), "mine").check([], 4.0, [])


async def test_a_queue_beyond_its_bound_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("voiceproxy.outbox.Outbox.has_room", lambda *_: True)
    with pytest.raises(Found, match="bytes wait for a client without a bound"):
        run(200_000, seed=1)


async def test_a_message_a_client_would_not_know_is_found():
    one = Fuzzed("openai", Random(1), "mine")
    one.driver.core.client.put(Text.of({"type": "AgentAudioDone", "content": 7}))
    with pytest.raises(Found, match="no message of the component dialect"):
        one._out()


async def test_an_event_an_upstream_without_fault_does_not_know_is_found():
    one = Fuzzed("openai", Random(1), "mine")
    one.polite = True
    one._out()
    one.check([], 0.0, [])
    one.driver.core.upstream.put(Text.of({"type": "response.make", "event_id": "e"}))
    one._out()
    with pytest.raises(Found, match=r"openai: response\.make breaks"):
        one.check([], 0.0, [])


def test_a_mutator_makes_the_same_frames_of_the_same_seed_and_many_kinds_of_them():
    def frames(seed: int) -> list[bytes]:
        mutator = Mutator(Random(seed))
        messages = [*client_messages("hi"), SETTINGS] * 30
        return [mutator.frame(one).data for one in messages] + [mutator.junk().data]

    assert frames(3) == frames(3)
    assert len(set(frames(3))) > 200


def test_a_mutator_leaves_the_messages_it_is_given_and_the_odd_values_alone():
    before = repr((SETTINGS, ODD))
    mutator = Mutator(Random(1))
    kinds = {type(mutator.frame(SETTINGS)) for _ in range(2_000)}
    for _ in range(2_000):
        mutator.frame({"type": "x"})
    assert repr((SETTINGS, ODD)) == before
    assert kinds == {Text, Binary}


# What was found.


def test_audio_before_the_session_is_configured_is_dropped():
    c = Conversation(applied=False)
    c.upstream(audio_delta("resp_1"), audio_delta("resp_1"))
    assert c.got_types() == ["Welcome"]
    assert c.driver.closed is None
    c.client({"type": "Settings"})
    c.upstream(done("resp_1"), UPDATED)
    assert "SettingsApplied" in c.got_types()


@pytest.mark.parametrize("index", ["1e40", "-1e300", "9223372036854775808", "1" + "0" * 30])
def test_an_index_no_event_can_carry_back_is_taken_for_none(index: str):
    c = Conversation()
    c.upstream(created("resp_1", c.create_response()))
    delta = as_json({**audio_delta("resp_1", bytes(96_000)), "content_index": 0})
    c.upstream(Text(delta.replace('"content_index":0', f'"content_index":{index}').encode()))
    c.got()
    c.advance(0.5)
    c.upstream({"type": "input_audio_buffer.speech_started", "item_id": "mic"})
    [truncate] = [event for event in c.sent() if event["type"] == "conversation.item.truncate"]
    assert truncate["content_index"] == 0
    assert c.driver.closed is None


class CountedClock:
    """Counts the timers of a session's clock, and ends what sets them for ever."""

    def __init__(self, clock: FakeClock) -> None:
        self._later = clock.later
        self.count = 0
        clock.later = self.later  # type: ignore[method-assign]

    def later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        self.count += 1
        assert self.count < 5_000, "timers without end"
        return self._later(seconds, callback)


def test_a_response_whose_time_is_over_but_for_a_rounding_is_given_up():
    for step in range(200):
        c = Conversation()
        clock = CountedClock(c.driver.clock)
        c.advance(0.1 + step * 0.37)
        c.upstream(created("resp_1", c.create_response()))
        c.advance(0.7 + step * 0.013)
        c.upstream(audio_delta("resp_1"))
        c.advance(130)
        assert "Warning" in c.got_types()
        assert c.driver.closed is None
        assert clock.count < 50
