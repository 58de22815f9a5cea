"""Every scenario of the Deepgram side does what its description says."""

from __future__ import annotations

import pytest
from test_simulator_deepgram_agent_calls import WITH_FUNCTIONS, answer, functions, only
from test_simulator_deepgram_agent_messages import CheckedAgent
from test_simulator_deepgram_agent_session import ENDED, codes
from test_simulator_deepgram_agent_turns import FLUX, FORCE, TURN, ask, spoken, texts

from voiceproxy_simulator.deepgram.agent_errors import Fault
from voiceproxy_simulator.deepgram.rehearsal import SETTINGS, AgentRehearsal, types
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message
from voiceproxy_simulator.deepgram.scenarios import DEEPGRAM_SCENARIOS, deepgram_scenario_class
from voiceproxy_simulator.testing import tone


@pytest.mark.parametrize("scenario", DEEPGRAM_SCENARIOS.values())
def test_every_scenario_says_in_a_line_what_it_does(scenario: type[DeepgramScenario]) -> None:
    (first, *_) = (scenario.__doc__ or "").splitlines()
    assert first.endswith(".")


def test_a_scenario_is_a_name_or_a_class_or_none() -> None:
    assert deepgram_scenario_class(None) is DeepgramScenario
    assert deepgram_scenario_class("") is DeepgramScenario
    assert deepgram_scenario_class(DEEPGRAM_SCENARIOS["stall"]) is DEEPGRAM_SCENARIOS["stall"]
    with pytest.raises(ValueError, match=r"unknown scenario 'no'; there are: refused-400, "):
        deepgram_scenario_class("no")


# No session


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
def test_a_refused_handshake_has_its_status_and_says_why(status: int) -> None:
    refusal = DEEPGRAM_SCENARIOS[f"refused-{status}"].refusal
    assert refusal is not None
    assert refusal.status == status
    assert refusal.err_code
    assert refusal.err_msg


def test_only_one_handshake_is_never_answered() -> None:
    silent = [name for name, one in DEEPGRAM_SCENARIOS.items() if not one.answers]
    assert silent == ["silent-handshake"]
    refused = [name for name, one in DEEPGRAM_SCENARIOS.items() if one.refusal is not None]
    assert all(name.startswith("refused-") for name in refused)


# Late, not at all, refused


def test_late_welcome() -> None:
    rehearsal = CheckedAgent(None, scenario="late-welcome")
    rehearsal.advance(0.29)
    assert rehearsal.frames() == []
    rehearsal.advance(0.02)
    assert rehearsal.types() == ["Welcome"]


def test_no_welcome() -> None:
    rehearsal = CheckedAgent(None, scenario="no-welcome")
    rehearsal.client(SETTINGS)
    rehearsal.advance(5)
    assert rehearsal.types() == ["SettingsApplied"]
    assert types(rehearsal.ask("hello")) == TURN


def test_late_settings() -> None:
    rehearsal = CheckedAgent(scenario="late-settings")
    rehearsal.client(ask("hello"))
    rehearsal.advance(0.4)
    assert rehearsal.frames() == []
    rehearsal.advance(1)
    assert rehearsal.types() == ["SettingsApplied", *TURN]


def test_no_settings_applied() -> None:
    rehearsal = CheckedAgent(scenario="no-settings-applied")
    rehearsal.client(ask("hello"))
    rehearsal.advance(5)
    assert rehearsal.frames() == []


def test_invalid_settings_are_not_held_against_the_client() -> None:
    rehearsal = CheckedAgent(None, scenario="invalid-settings")
    rehearsal.client(SETTINGS)
    assert codes(rehearsal) == ["INVALID_SETTINGS"]
    assert rehearsal.closed == ENDED
    assert rehearsal.violations == []


def test_invalid_settings_concern_settings_alone() -> None:
    scenario = DEEPGRAM_SCENARIOS["invalid-settings"](CheckedAgent().session)
    assert scenario.incoming(ask("hello")) == ask("hello")
    with pytest.raises(Fault):
        scenario.incoming(SETTINGS)


def test_no_audio_done() -> None:
    assert types(CheckedAgent(scenario="no-audio-done").ask("hello")) == TURN[:-1]


def test_late_audio_done() -> None:
    rehearsal = CheckedAgent(scenario="late-audio-done", pace="realtime")
    rehearsal.ask("count to 50")
    rehearsal.speak(tone(0.2))
    rehearsal.advance(0)
    assert rehearsal.types() == ["UserStartedSpeaking", "AgentAudioDone"]


def test_late_audio_done_comes_only_after_audio() -> None:
    rehearsal = CheckedAgent(scenario="late-audio-done")
    rehearsal.client(ask("hello"))
    rehearsal.frames()
    rehearsal.speak(tone(0.2))
    rehearsal.advance(0)
    assert rehearsal.types() == ["UserStartedSpeaking"]


def test_impatient() -> None:
    rehearsal = CheckedAgent(scenario="impatient")
    rehearsal.advance(1.1)
    assert codes(rehearsal) == ["CLIENT_MESSAGE_TIMEOUT"]


# Odd turns


def test_no_thinking() -> None:
    frames = CheckedAgent(scenario="no-thinking").ask("hello")
    assert types(frames) == [kind for kind in TURN if kind != "AgentThinking"]


def test_text_only() -> None:
    frames = CheckedAgent(scenario="text-only").ask("hello")
    assert types(frames) == [one for one in TURN if one != "audio"]


def test_text_after_audio() -> None:
    frames = CheckedAgent(scenario="text-after-audio").ask("one. two.")
    echo, *kinds = [kind for kind in types(frames) if kind in {"ConversationText", "audio"}]
    assert echo == "ConversationText"
    assert kinds == ["audio", "ConversationText", "audio", "ConversationText", "audio"]
    assert texts(frames) == ['You said "one.', 'two.".']


def test_words_last() -> None:
    rehearsal = CheckedAgent(scenario="words-last")
    for _ in range(2):
        kinds = types(rehearsal.ask("one. two."))
        assert kinds[-5:] == ["audio", *["ConversationText", "History"] * 2]
        assert "AgentAudioDone" not in kinds


def test_stall() -> None:
    rehearsal = CheckedAgent(scenario="stall")
    frames = rehearsal.ask("hello", 10)
    assert len([one for one in frames if isinstance(one, bytes)]) == 1
    assert types(frames)[-1] == "LatencyReport"
    rehearsal.speak(tone(0.2))
    assert rehearsal.types() == ["UserStartedSpeaking"]


def test_barge_in() -> None:
    rehearsal = CheckedAgent(scenario="barge-in")
    frames = rehearsal.ask("count to 50", 5)
    kinds = types(frames)
    assert kinds[kinds.index("UserStartedSpeaking") - 1] == "audio"
    assert texts(frames, "user") == ["count to 50", "0.6 s of speech"]
    assert texts(frames)[1:] == ["I heard 0.6 s of speech."]
    assert kinds.count("AgentAudioDone") == 1
    again = rehearsal.ask("count to 50", 5)
    assert types(again).count("UserStartedSpeaking") == 1


def test_an_overheard_user_who_also_speaks_is_heard_once() -> None:
    rehearsal = CheckedAgent(FLUX)
    rehearsal.session.overhear(0.5)
    rehearsal.session.overhear(0.5)
    rehearsal.client(FORCE)
    rehearsal.advance(2)
    frames = rehearsal.frames()
    assert types(frames).count("UserStartedSpeaking") == 1
    assert texts(frames, "user") == ["no speech"]


def test_nothing_is_overheard_before_settings() -> None:
    rehearsal = CheckedAgent(None)
    rehearsal.session.overhear(0.5)
    rehearsal.advance(2)
    assert rehearsal.types() == ["Welcome"]


def test_cancelled_call() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS, scenario="cancelled-call")
    frames = rehearsal.ask("get weather", 3)
    kinds = types(frames)
    request = kinds.index("FunctionCallRequest")
    assert kinds[request + 1 : request + 3] == ["UserStartedSpeaking", "FunctionCallCancelled"]
    assert texts(frames) == ["I heard 0.6 s of speech."]


def test_parallel_calls() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS, scenario="parallel-calls")
    calls = functions(rehearsal.ask("get weather"))
    assert [(one["id"], one["name"]) for one in calls] == [
        ("call_1", "get_weather"),
        ("call_2", "get_time"),
    ]
    alone = {**SETTINGS["agent"]["think"], "functions": [{"name": "ring"}]}
    rehearsal.client({"type": "UpdateThink", "think": alone})
    assert [one["name"] for one in functions(rehearsal.ask("ring"))] == ["ring", "ring"]
    assert texts(rehearsal.ask("hello")) == ['You said "hello".']


def test_spoken_call() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS, scenario="spoken-call")
    frames = rehearsal.ask("get weather")
    assert texts(frames) == ["One moment."]
    assert types(frames)[-2:] == ["audio", "FunctionCallRequest"]
    rehearsal.client(answer("call_1"))
    rehearsal.advance(1)
    frames = rehearsal.frames()
    assert texts(frames) == ["get_weather returned sunny."]
    assert types(frames)[-1] == "AgentAudioDone"


def test_a_turn_with_words_before_and_after_a_call_starts_speaking_once() -> None:
    rehearsal = CheckedAgent({**WITH_FUNCTIONS, "experimental": True}, scenario="spoken-call")
    rehearsal.client(ask("get weather"))
    rehearsal.advance(1)
    rehearsal.client(answer("call_1"))
    rehearsal.advance(1)
    assert rehearsal.types().count("AgentStartedSpeaking") == 1


def test_burst() -> None:
    rehearsal = CheckedAgent(WITH_FUNCTIONS, scenario="burst", pace="realtime")
    frames = rehearsal.ask("hello")
    assert len(spoken(frames)) > 40 * 48_000
    assert functions(rehearsal.ask("get weather"))


def test_slow_think() -> None:
    frames = CheckedAgent(scenario="slow-think").ask("hello")
    warnings = only("Warning", frames)
    assert [one["code"] for one in warnings] == ["SLOW_THINK_REQUEST", "THINK_REQUEST_FAILED"]
    assert types(frames)[-1] == "AgentAudioDone"


# Early ends


@pytest.mark.parametrize(
    ("scenario", "code", "pieces"),
    [("error-mid-turn", "INTERNAL_SERVER_ERROR", 3), ("failed-to-think", "FAILED_TO_THINK", 0)],
)
def test_an_error_in_a_turn_ends_the_session(scenario: str, code: str, pieces: int) -> None:
    rehearsal = CheckedAgent(scenario=scenario)
    frames = rehearsal.ask("count to 20")
    assert len([one for one in frames if isinstance(one, bytes)]) == pieces
    assert only("Error", frames)[0]["code"] == code
    assert rehearsal.closed == ENDED
    assert rehearsal.violations == []


def test_going_away() -> None:
    rehearsal = CheckedAgent(scenario="going-away")
    assert types(rehearsal.ask("hello")) == [*TURN, "Error"]
    assert rehearsal.closed == ENDED


@pytest.mark.parametrize(
    ("scenario", "close"),
    [
        ("close-1011", (1011, "The server had an error.")),
        ("close-4001", (4001, "Moved.")),
        ("reset", (1006, "")),
    ],
)
def test_an_end_in_a_turn_without_an_error(scenario: str, close: tuple[int, str]) -> None:
    rehearsal = CheckedAgent(scenario=scenario)
    frames = rehearsal.ask("hello")
    assert len([one for one in frames if isinstance(one, bytes)]) == 3
    assert "AgentAudioDone" not in types(frames)
    assert rehearsal.closed == close


# Odd frames


def test_force_end_turn_is_unparsable_where_it_is_not_enabled() -> None:
    rehearsal = CheckedAgent(FLUX, scenario="no-force-end-turn")
    rehearsal.client(FORCE)
    assert codes(rehearsal) == ["UNPARSABLE_CLIENT_MESSAGE"]


def test_unknown_messages() -> None:
    frames = CheckedAgent(scenario="unknown-messages").ask("hello")
    assert {"type": "NewIdea", "of": {"some": "kind"}} in frames
    assert {"no": "type"} in frames
    assert "[1]" in frames
    assert frames[-1] == {"type": "AgentAudioDone"}


def test_junk() -> None:
    frames = CheckedAgent(scenario="junk").ask("hello")
    assert [one for one in frames if one in ("nonsense", "", b"")] == ["nonsense", "", b""]
    assert frames[-1] == {"type": "AgentAudioDone"}


def test_odd_audio() -> None:
    frames = CheckedAgent(scenario="odd-audio").ask("hello")
    assert spoken(frames) == spoken(CheckedAgent().ask("hello"))
    assert len(next(one for one in frames if isinstance(one, bytes))) == 7


def test_big_frames() -> None:
    frames = CheckedAgent(scenario="big-frames").ask("hello")
    (audio,) = [one for one in frames if isinstance(one, bytes)]
    assert len(audio) > 5 * 1024 * 1024
    assert audio.startswith(spoken(CheckedAgent().ask("hello")))


# A scenario of one's own


class Parrot(DeepgramScenario):
    """Hears its own words instead of the client's."""

    def opened(self) -> None:
        self.session.line.send({"type": "Hello"})

    def incoming(self, message: Message) -> Message:
        return message if message["type"] == "Settings" else ask("polly")


def test_a_scenario_of_ones_own_is_asked_at_every_point() -> None:
    rehearsal = AgentRehearsal(None, scenario=Parrot)
    assert rehearsal.frames() == [
        {"type": "Welcome", "request_id": "rehearsal"},
        {"type": "Hello"},
    ]
    rehearsal.client(SETTINGS)
    rehearsal.advance(0.005)
    assert texts(rehearsal.ask("hello"), "user") == ["polly"]
