"""Every turn of the agent ends with AgentDone and AgentAudioDone, once, and never too early."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from voiceproxy import Session, hookimpl
from voiceproxy.testing import Driver, drive
from voiceproxy_deepgram.component import ComponentTranslator
from voiceproxy_deepgram.settings import DeepgramSettings

AUDIO = bytes(640)
DONE = {"type": "AgentAudioDone"}
PAIR = ["AgentDone", "AgentAudioDone"]
THINKING = {"type": "AgentThinking", "content": ""}
CALL = {"type": "FunctionCallRequest", "functions": []}
SPEAKING = {"type": "UserStartedSpeaking"}


def words(text: str = "Hi.", role: str = "assistant") -> dict[str, Any]:
    return {"type": "ConversationText", "role": role, "content": text}


def listening(*plugins: object, **settings: float) -> Driver:
    made = DeepgramSettings(**settings)  # type: ignore[arg-type]
    s = drive(translator=lambda session: ComponentTranslator(session, made, None), plugins=plugins)
    s.client({"type": "Settings"})
    s.upstream({"type": "SettingsApplied"})
    s.to_client()
    return s


def heard(s: Driver) -> list[str]:
    return [one["type"] if isinstance(one, dict) else "audio" for one in s.to_client()]


def test_agent_done_comes_directly_before_the_upstreams_own_agent_audio_done_out_12():
    s = listening()
    s.upstream(words(), AUDIO, AUDIO, DONE)
    assert heard(s) == ["ConversationText", "audio", "audio", *PAIR]
    s.advance(60)
    assert heard(s) == []


def test_a_turn_of_several_sentences_has_one_pair_at_its_end_dgm_6():
    s = listening()
    for sentence in ("One.", "Two.", "Three."):
        s.upstream(words(sentence), AUDIO, AUDIO)
        s.advance(2)
        assert heard(s) == ["ConversationText", "audio", "audio"]
    s.upstream(DONE)
    assert heard(s) == PAIR


def test_every_turn_gets_its_pair_def_25():
    s = listening()
    for _ in range(3):
        s.upstream(SPEAKING, words("Hello?", "user"), THINKING, words(), AUDIO, DONE)
        assert heard(s)[-2:] == PAIR
        s.advance(30)
        assert heard(s) == []


def test_words_after_their_audio_end_the_turn_when_nothing_follows_dgm_6():
    s = listening(audio_done_after=0.5)
    s.upstream(AUDIO, AUDIO, words())
    s.advance(0.49)
    assert heard(s) == ["audio", "audio", "ConversationText"]
    s.advance(0.02)
    assert heard(s) == PAIR
    s.upstream(DONE)  # it comes after all
    s.advance(60)
    assert heard(s) == []


def test_words_after_their_audio_do_not_end_the_turn_when_more_audio_follows_dgm_6():
    s = listening(audio_done_after=0.5)
    s.upstream(AUDIO, words("One."))
    s.advance(0.3)
    s.upstream(AUDIO)
    s.advance(3)
    s.upstream(words("Two."))
    assert "AgentDone" not in heard(s)
    s.advance(0.6)
    assert heard(s) == PAIR


def test_an_upstream_that_sends_its_own_done_is_waited_for_between_sentences_dgm_6():
    s = listening(audio_done_after=0.5, turn_done_after=5)
    s.upstream(AUDIO, words("One."), DONE)
    heard(s)
    for sentence in ("Two.", "Three."):
        s.upstream(AUDIO, words(sentence))
        s.advance(2)  # the next sentence takes its time
        assert heard(s) == ["audio", "ConversationText"]
    s.upstream(DONE)
    assert heard(s) == PAIR
    s.upstream(AUDIO, words("Four."))
    heard(s)
    s.advance(5.1)
    assert heard(s) == PAIR


def test_history_and_reports_after_the_words_put_nothing_off_dgm_6():
    s = listening(audio_done_after=0.5)
    s.upstream(AUDIO, words())
    s.advance(0.4)
    s.upstream({"type": "LatencyReport", "tts_latency": 0.1})
    heard(s)
    s.advance(0.11)
    assert heard(s) == PAIR


@pytest.mark.parametrize("busy", [THINKING, CALL, {"type": "AgentStartedSpeaking"}])
def test_an_agent_that_is_busy_has_not_ended_its_turn(busy):
    s = listening()
    s.upstream(AUDIO, words("Let me look."), busy)
    heard(s)
    s.advance(600)
    assert heard(s) == []
    s.upstream(words("Here."), AUDIO, DONE)
    assert heard(s) == ["ConversationText", "audio", *PAIR]


@pytest.mark.parametrize("next_turn", [SPEAKING, words("Stop.", "user")])
@pytest.mark.parametrize("output", [[words()], [words(), AUDIO], [AUDIO], [AUDIO, words()]])
def test_the_users_next_turn_ends_the_agents_first_and_a_late_done_is_dropped(output, next_turn):
    s = listening()
    s.upstream(*output)
    heard(s)
    s.upstream(next_turn)
    assert heard(s) == [*PAIR, next_turn["type"]]
    s.upstream(DONE, THINKING)
    assert heard(s) == ["AgentThinking"]
    s.upstream(words(), AUDIO, DONE)
    assert heard(s) == ["ConversationText", "audio", *PAIR]


def test_a_late_done_is_dropped_also_when_the_agent_thinks_again():
    s = listening()
    s.upstream(words(), AUDIO, SPEAKING, words("No.", "user"), THINKING)
    heard(s)
    s.upstream(DONE)
    assert heard(s) == []
    s.upstream(words(), AUDIO, DONE)
    assert heard(s) == ["ConversationText", "audio", *PAIR]


def test_words_without_audio_get_their_pair_after_a_longer_silence():
    s = listening(audio_done_after=0.5, turn_done_after=5)
    s.upstream(words())
    s.advance(4.9)
    assert heard(s) == ["ConversationText"]  # the audio may still be made
    s.advance(0.2)
    assert heard(s) == PAIR


def test_words_without_audio_and_a_done_have_one_pair():
    s = listening()
    s.upstream(words(), DONE)
    assert heard(s) == ["ConversationText", *PAIR]


def test_audio_that_just_stops_ends_the_turn_after_the_longer_silence():
    s = listening(turn_done_after=5)
    s.upstream(words(), AUDIO)
    for _ in range(4):
        s.advance(4)
        s.upstream(AUDIO)
    assert "AgentDone" not in heard(s)
    s.advance(5.1)
    assert heard(s) == PAIR


def test_both_silences_can_be_turned_off():
    s = listening(audio_done_after=0, turn_done_after=0)
    s.upstream(AUDIO, words())
    heard(s)
    s.advance(3600)
    assert heard(s) == []
    s = listening(audio_done_after=0, turn_done_after=5)
    s.upstream(AUDIO, words())
    heard(s)
    s.advance(4.9)
    assert heard(s) == []
    s.advance(0.2)
    assert heard(s) == PAIR


def test_a_turn_that_said_nothing_ends_with_the_upstreams_own():
    s = listening()
    s.upstream(words("Hello?", "user"), DONE)
    assert heard(s) == ["ConversationText", *PAIR]
    s.upstream(THINKING, DONE)
    assert heard(s) == ["AgentThinking", *PAIR]


def test_a_done_that_is_repeated_or_comes_out_of_nowhere_is_dropped():
    s = listening()
    s.upstream(DONE)
    s.upstream(words(), AUDIO, DONE, DONE)
    assert heard(s) == ["ConversationText", "audio", *PAIR]


def test_an_upstream_that_sends_both_itself_is_not_doubled():
    s = listening()
    s.upstream(words(), AUDIO, {"type": "AgentDone"}, DONE)
    assert heard(s) == ["ConversationText", "audio", *PAIR]


def test_empty_audio_is_no_output():
    s = listening()
    s.upstream(b"", DONE)
    assert heard(s) == ["audio"]


FRAMES = {
    "audio": AUDIO,
    "words": words(),
    "user": words("Well", "user"),
    "speaking": SPEAKING,
    "thinking": THINKING,
    "call": CALL,
    "done": DONE,
    "report": {"type": "LatencyReport"},
}
STEPS = st.one_of(st.sampled_from(sorted(FRAMES)), st.sampled_from([0.1, 0.6, 7.0]))


@given(st.lists(STEPS, max_size=40))
@bounds(max_examples=150, deadline=None)
def test_whatever_comes_pairs_are_whole_and_each_belongs_to_one_turn(steps: list[str | float]):
    s = listening()
    received: list[str] = []
    passed: list[str] = []
    for step in steps:
        if isinstance(step, float):
            s.advance(step)
        else:
            s.upstream(FRAMES[step])
            passed += [] if step == "done" else [step]
        received += [_name(one) for one in s.to_client()]
    told = [one for one in received if one not in PAIR]
    assert told == passed  # nothing else is dropped, added or moved
    assert received.count("AgentDone") == received.count("AgentAudioDone")
    since: set[str] = set()
    for name, following in pairwise([*received, ""]):
        if name == "AgentDone":
            assert following == "AgentAudioDone"
            assert since & {"audio", "words", "user", "speaking", "thinking", "call"}
            since = set()
        elif name in ("user", "speaking"):
            assert not since & {"audio", "words"}  # its pair came before
        if name not in PAIR:
            since.add(name)


def _name(frame: Any) -> str:
    named = [name for name, one in FRAMES.items() if one == frame and name != "done"]
    return named[0] if named else str(frame["type"])


# Audio the host passes on itself.


def speak(s: Driver, audio: bytes = AUDIO) -> bool:
    """Audio as the relay hands it on; True when it passed the translator by."""
    lane = s.core.to_client
    passes = bool(audio) and lane.passes_audio()
    if passes:
        lane.passed(len(audio))
    else:
        s.upstream(audio)
    return passes


def speaking(*plugins: object, **settings: float) -> Driver:
    """In the middle of a turn."""
    s = listening(*plugins, **settings)
    s.upstream(words(), AUDIO)
    assert heard(s)[-1] == "audio"
    return s


class Deaf:
    """Lets no message through, so that the host knows of no turn and looks at no audio."""

    @hookimpl
    def voiceproxy_upstream_frame(self, session: Session, message: dict[str, Any]) -> bool:
        return True


def test_audio_behind_audio_passes_the_translator_by_dgm_6():
    s = listening()
    assert [speak(s) for _ in range(3)] == [False, True, True]
    s.upstream({"type": "LatencyReport"})
    assert speak(s)


@pytest.mark.parametrize(
    "text", [words(), words("Stop.", "user"), SPEAKING, THINKING, CALL, DONE, {"type": "AgentDone"}]
)
def test_audio_behind_what_may_change_the_turn_is_looked_at_dgm_6(text):
    s = speaking(Deaf())
    assert speak(s)
    s.upstream(text)
    assert [speak(s) for _ in range(3)] == [False, True, True]


def test_audio_behind_a_turn_that_ended_with_silence_is_looked_at_dgm_6():
    s = speaking(Deaf())
    s.advance(60)
    assert [speak(s) for _ in range(3)] == [False, True, True]


def test_audio_that_passed_puts_the_end_of_the_turn_off_dgm_6():
    s = speaking(turn_done_after=5)
    for _ in range(4):
        s.advance(4.5)
        assert speak(s)
    s.advance(4.998)
    assert heard(s) == []
    s.advance(0.002)
    assert heard(s) == PAIR


def test_audio_that_passed_soon_behind_other_audio_counts_as_well_dgm_6():
    s = speaking(turn_done_after=5)
    s.advance(0.01)
    assert speak(s)
    s.advance(4.998)
    assert heard(s) == []
    s.advance(0.002)
    assert heard(s) == PAIR


def test_words_in_the_same_moment_as_audio_that_passed_end_the_turn_soon_dgm_6():
    s = listening(audio_done_after=0.5, turn_done_after=5)
    s.upstream(AUDIO)
    s.advance(1)
    assert speak(s)
    s.upstream(words())
    heard(s)
    s.advance(0.5)
    assert heard(s) == PAIR


def test_audio_without_a_byte_is_no_output_behind_audio_either():
    s = speaking(turn_done_after=5)
    s.advance(4)
    assert not speak(s, b"")
    s.advance(1)
    assert heard(s) == ["audio", *PAIR]


def timed(s: Driver) -> list[tuple[float, str]]:
    """What the client gets from now on, and when."""
    log: list[tuple[float, str]] = []

    def note() -> None:
        log.extend((round(s.clock.time, 6), name) for name in heard(s) if name != "audio")

    s.core.on_output = note
    return log


WAITS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 2.0, 4.999, 5.0, 7.0])
SILENCES = st.sampled_from([(0.5, 5.0), (0.0, 5.0), (0.5, 0.0), (0.0, 0.0), (0.5, 0.25)])


@given(SILENCES, st.lists(st.one_of(st.sampled_from([*sorted(FRAMES), "queued"]), WAITS)))
@bounds(max_examples=200, deadline=None)
def test_turns_end_at_the_same_moments_whichever_way_audio_goes_dgm_6(
    silences: tuple[float, float], steps: list[str | float]
):
    audio_done_after, turn_done_after = silences
    seen, passed = (
        listening(audio_done_after=audio_done_after, turn_done_after=turn_done_after)
        for _ in range(2)
    )
    logs = timed(seen), timed(passed)
    for step in [*steps, 20.0]:
        if step == "audio":
            seen.upstream(AUDIO)
            speak(passed)
            continue
        for s in (seen, passed):
            if isinstance(step, float):
                s.advance(step)
            else:  # audio waits behind other audio where the client does not read
                s.upstream(FRAMES["audio" if step == "queued" else step])
    assert logs[0] == logs[1]
