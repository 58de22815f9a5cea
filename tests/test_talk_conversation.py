"""The core of ``voiceproxy talk``: messages and times in, what to do out. No socket, no sleep."""

from __future__ import annotations

from typing import Any

import pytest

from voiceproxy.frames import Binary, Close, Text
from voiceproxy.talk import outputs
from voiceproxy.talk.conversation import Conversation
from voiceproxy.talk.outputs import Outcome
from voiceproxy.talk.settings import make_settings
from voiceproxy.talk.speech import Speech

APPLIED = {"type": "SettingsApplied"}
AUDIO_DONE = {"type": "AgentAudioDone"}
AGENT_DONE = {"type": "AgentDone"}
STARTED = {"type": "UserStartedSpeaking"}
SOUND = bytes(4800)  # 0.1 s of the agent's audio


def text(role: str, content: str) -> dict[str, Any]:
    return {"type": "ConversationText", "role": role, "content": content}


def said(content: str) -> dict[str, Any]:
    return text("assistant", content)


def echo(content: str) -> dict[str, Any]:
    return text("user", content)


def loud(seconds: float, rate: int = 16_000) -> bytes:
    return b"\x00\x40" * round(seconds * rate)


class Driven:
    """A conversation, a clock that only moves when told, and what came out of both."""

    def __init__(self, *, greeting: str | None = None, **options: Any) -> None:
        self.now = 100.0
        self.settings = make_settings(greeting=greeting)
        self.conversation = Conversation(self.settings, **options)
        self.conversation.open(self.now)
        self.done: list[outputs.Output] = []
        self._collect()

    def agent(self, *frames: dict[str, Any] | bytes) -> Driven:
        for frame in frames:
            wire = Binary(frame) if isinstance(frame, bytes) else Text.of(frame)
            self.conversation.receive(wire, self.now)
            self._tick()
        return self

    def does(self, name: str, *arguments: Any) -> Driven:
        getattr(self.conversation, name)(*arguments, self.now)
        self._tick()
        return self

    def advance(self, seconds: float) -> Driven:
        until = self.now + seconds
        while self.outcome is None and self.conversation.deadline() <= until:
            self.now = max(self.now, self.conversation.deadline())
            self._tick()
        self.now = until
        self._tick()
        return self

    def _tick(self) -> None:
        self.conversation.tick(self.now)
        self._collect()

    def _collect(self) -> None:
        self.done += self.conversation.take()

    @property
    def outcome(self) -> Outcome | None:
        return self.conversation.outcome

    @property
    def reason(self) -> str:
        assert self.outcome is not None
        assert self.outcome.status == 1
        return self.outcome.reason

    def all(self, kind: type[Any]) -> list[Any]:
        return [output for output in self.done if isinstance(output, kind)]

    def sent(self, kind: str = "") -> list[dict[str, Any]]:
        """Messages sent so far, of one type or all."""
        frames = [output.frame for output in self.all(outputs.Send)]
        messages = [frame.message() for frame in frames if isinstance(frame, Text)]
        return [message for message in messages if kind in ("", message["type"])]

    def audio(self) -> list[bytes]:
        frames = [output.frame for output in self.all(outputs.Send)]
        return [frame.data for frame in frames if isinstance(frame, Binary)]

    def words(self) -> list[tuple[str, str]]:
        return [(output.speaker, output.text) for output in self.all(outputs.Said)]

    def notes(self) -> list[str]:
        return [output.text for output in self.all(outputs.Noted)]


def test_settings_are_sent_at_once_and_nothing_else_before_they_are_applied() -> None:
    talk = Driven(lines=["hello"])
    assert talk.sent() == [talk.settings]
    talk.agent({"type": "Welcome", "request_id": "abc"}).advance(10)
    assert talk.sent() == [talk.settings]
    assert talk.notes() == ["connected, session abc"]


def test_a_line_is_injected_once_the_settings_are_applied_cli_2() -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, APPLIED)
    assert talk.sent()[1:] == [{"type": "InjectUserMessage", "content": "hello"}]
    assert talk.words() == [("you", "hello")]


REPLY_ENDS = {
    "audio, in the agent dialect": ([said("Hi."), SOUND, AUDIO_DONE], 0.5),
    "audio, in the component dialect": ([said("Hi."), SOUND, AGENT_DONE, AUDIO_DONE], 0.5),
    "only AgentDone": ([said("Hi."), SOUND, AGENT_DONE], 0.5),
    "text only": ([said("Hi."), AGENT_DONE, AUDIO_DONE], 0.5),
    "text after the end of its audio": ([SOUND, AUDIO_DONE, said("Hi.")], 0.5),
    "audio that never gets its text": ([SOUND, AUDIO_DONE], 1.5),
    "text that is never ended": ([said("Hi.")], 2.0),
    "audio and text that are never ended": ([said("Hi."), SOUND], 2.1),
    "text of an unknown role": ([text("", "Hi.")], 2.0),
}


@pytest.mark.parametrize(("frames", "after"), REPLY_ENDS.values(), ids=REPLY_ENDS.keys())
def test_the_reply_is_complete_when_its_end_has_come(frames: list[Any], after: float) -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, echo("hello"), *frames)
    talk.advance(after - 0.01)
    assert talk.outcome is None
    talk.advance(0.02)
    assert talk.outcome == Outcome(0)


REPLY_GOES_ON = {
    "nothing": [],
    "an end without a reply": [AGENT_DONE, AUDIO_DONE],
    "blank text": [said(" ")],
    "audio without an end": [SOUND],
    "audio after the end of earlier audio": [SOUND, AUDIO_DONE, SOUND],
    "a function call after filler": [
        said("Let me see."),
        SOUND,
        AUDIO_DONE,
        {"type": "FunctionCallRequest", "functions": []},
        AUDIO_DONE,
    ],
    "a reply the user cut off": [said("Hi."), SOUND, STARTED, AUDIO_DONE],
    "messages nobody knows": [
        {"type": "response.output_audio.delta", "delta": "AAAA"},
        {"type": "response.output_audio.done"},
        {"type": "History", "role": "assistant", "content": "Hi."},
        {"kind": 1},
    ],
}


@pytest.mark.parametrize("frames", REPLY_GOES_ON.values(), ids=REPLY_GOES_ON.keys())
def test_the_reply_is_not_complete_before(frames: list[Any]) -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, echo("hello"), *frames).advance(15)
    assert talk.outcome is None
    talk.agent(said("At last."), SOUND, AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)


def test_what_came_before_the_echo_of_the_line_is_no_reply_to_it() -> None:
    talk = Driven(lines=["hello"])
    talk.agent(APPLIED, said("Welcome!"), SOUND, AUDIO_DONE, echo("hello"), AUDIO_DONE)
    talk.advance(5)
    assert talk.outcome is None
    talk.agent(said("Hi."), AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)


def test_lines_are_said_one_after_the_other_each_after_the_reply_to_the_one_before() -> None:
    talk = Driven(lines=["one", "two"])
    talk.agent(APPLIED, echo("one"), said("First."), AGENT_DONE).advance(0.6)
    # The second half of the first reply's end comes late and is not the end of the second.
    talk.agent(AUDIO_DONE, echo("two"))
    assert [message["content"] for message in talk.sent("InjectUserMessage")] == ["one", "two"]
    talk.advance(5)
    assert talk.outcome is None
    talk.agent(said("Second."), AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)
    assert talk.words() == [
        ("you", "one"),
        ("agent", "First."),
        ("you", "two"),
        ("agent", "Second."),
    ]


def test_the_line_waits_for_the_end_of_the_greeting_that_was_asked_for() -> None:
    talk = Driven(lines=["hello"], greeting="Welcome!")
    assert talk.sent()[0]["agent"]["greeting"] == "Welcome!"
    talk.agent(APPLIED, said("Welcome!"), SOUND).advance(1)
    assert talk.sent("InjectUserMessage") == []
    talk.agent(AUDIO_DONE).advance(0.6)
    assert len(talk.sent("InjectUserMessage")) == 1
    assert talk.all(outputs.Latency) == []


def test_the_line_goes_ahead_when_the_greeting_does_not_begin() -> None:
    talk = Driven(lines=["hello"], greeting="Welcome!").agent(APPLIED).advance(2.9)
    assert talk.sent("InjectUserMessage") == []
    talk.advance(0.2)
    assert len(talk.sent("InjectUserMessage")) == 1


def test_an_echo_in_other_words_is_shown_and_the_same_words_are_not() -> None:
    same = Driven(lines=["hello"]).agent(APPLIED, echo(" hello "))
    assert same.words() == [("you", "hello")]
    other = Driven(lines=["hello"]).agent(APPLIED, echo("Hello!"), echo("Hello!"))
    assert other.words() == [("you", "hello"), ("you", "Hello!")]


def test_the_latency_is_from_the_line_to_the_first_audio() -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, echo("hello")).advance(0.25)
    talk.agent(SOUND, SOUND)
    (latency,) = talk.all(outputs.Latency)
    assert latency.seconds == pytest.approx(0.25)
    assert len(talk.all(outputs.Sounded)) == 2


# A recording


def recorded(seconds: float, **options: Any) -> Driven:
    return Driven(speech=Speech(loud(seconds), 16_000), **options).agent(APPLIED)


def test_a_recording_is_sent_in_real_time_in_frames_of_20_ms() -> None:
    talk = recorded(1.0)
    assert talk.audio() == []
    talk.advance(0.5)
    assert [len(frame) for frame in talk.audio()] == [640] * 25
    talk.advance(0.5)
    assert b"".join(talk.audio()) == loud(1.0)
    progress = talk.all(outputs.Progress)[-1]
    assert (progress.sent, progress.total) == (1.0, 1.0)


def test_silence_follows_a_recording_in_real_time_until_the_agent_answers() -> None:
    talk = recorded(0.2).advance(1.2)
    assert talk.audio()[10:] == [bytes(640)] * 50
    talk.agent(said("Hi."), SOUND).advance(0.5)
    assert len(talk.audio()) == 60


def test_silence_goes_on_when_the_user_is_heard_again_and_comes_in_no_burst() -> None:
    talk = recorded(0.2).advance(0.4).agent(said("Hi.")).advance(1.0)
    before = len(talk.audio())
    talk.agent(STARTED)
    assert len(talk.audio()) - before <= 1
    talk.advance(0.2)
    assert len(talk.audio()) - before in (10, 11)
    talk.advance(5)
    assert talk.outcome is None


def test_a_recording_that_ends_inside_a_frame_is_filled_up_with_silence() -> None:
    talk = recorded(0.025).advance(0.04)
    assert [len(frame) for frame in talk.audio()] == [640, 640]
    assert talk.audio()[1] == loud(0.005) + bytes(480)


def test_a_spoken_turn_is_complete_after_its_reply() -> None:
    talk = recorded(0.2).advance(0.6)
    talk.agent(
        STARTED,
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 0},
        {"type": "Transcript", "transcript": "hel", "is_final": False},
        {"type": "Transcript", "transcript": "hello", "is_final": True},
        said("Hi."),
        SOUND,
        # Transcribed a second time, in the other dialect's words, while the reply comes.
        echo("hello"),
        AGENT_DONE,
        AUDIO_DONE,
    )
    talk.advance(0.6)
    assert talk.outcome == Outcome(0)
    assert talk.words() == [("you", "hello"), ("agent", "Hi.")]
    assert talk.notes() == ["you started speaking", "you stopped speaking"]
    assert len(talk.all(outputs.Hushed)) == 1


def test_the_latency_of_a_recording_is_from_its_last_sound() -> None:
    talk = Driven(speech=Speech(loud(0.2) + bytes(32_000), 16_000)).agent(APPLIED)
    talk.advance(0.7).agent(STARTED, SOUND)
    (latency,) = talk.all(outputs.Latency)
    assert latency.seconds == pytest.approx(0.5)


def test_a_reply_to_a_pause_in_the_recording_does_not_end_the_conversation() -> None:
    talk = recorded(3.0).advance(0.5).agent(STARTED, SOUND, said("Yes?"), AUDIO_DONE).advance(1.5)
    assert talk.outcome is None
    assert talk.all(outputs.Latency) == []
    talk.agent(STARTED).advance(3)
    assert talk.outcome is None
    talk.agent(said("Hi."), AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)


def test_a_reply_that_came_before_the_recording_is_over_is_enough_if_nothing_follows() -> None:
    talk = recorded(3.0).advance(0.5).agent(said("Hi."), AUDIO_DONE).advance(2.9)
    assert talk.outcome is None
    talk.advance(0.2)
    assert talk.outcome == Outcome(0)


# A microphone


def test_a_microphone_is_listened_to_once_the_settings_are_applied() -> None:
    talk = Driven(microphone=16_000)
    assert talk.all(outputs.Listen) == []
    talk.agent(APPLIED).does("hear", b"\x01\x00" * 320)
    assert len(talk.all(outputs.Listen)) == 1
    assert talk.audio() == [b"\x01\x00" * 320]


def test_replies_come_and_go_while_the_microphone_is_open() -> None:
    talk = Driven(microphone=16_000).agent(APPLIED)
    for words in ("one", "one"):
        talk.does("hear", loud(0.02)).agent(STARTED)
        talk.agent({"type": "UtteranceEnd"}).advance(0.3)
        talk.agent(echo(words), SOUND, said("Yes."), AUDIO_DONE).advance(5)
        assert talk.outcome is None
    assert [latency.seconds for latency in talk.all(outputs.Latency)] == pytest.approx([0.3, 0.3])
    assert talk.words() == [("you", "one"), ("agent", "Yes.")] * 2


def test_silence_follows_when_the_microphone_ends() -> None:
    talk = Driven(microphone=16_000).agent(APPLIED).does("hear", loud(0.02))
    talk.does("stop_hearing").advance(0.2)
    assert len(talk.audio()) in (10, 11, 12)
    assert talk.all(outputs.Progress) == []
    talk.agent(said("Hi."), AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)


def test_a_microphone_that_gives_no_sound_ends_the_conversation() -> None:
    talk = Driven(microphone=16_000).agent(APPLIED).does("stop_hearing")
    assert talk.reason == "the microphone gave no sound"


# Lines typed as we go


def test_a_typed_line_is_asked_for_when_the_conversation_waits_for_one() -> None:
    talk = Driven(interactive=True).agent(APPLIED)
    assert len(talk.all(outputs.Ask)) == 1
    talk.does("say", "hello")
    assert talk.all(outputs.Said) == [outputs.Said("you", "hello", typed=True)]
    talk.agent(echo("hello"), said("Hi."), AUDIO_DONE).advance(0.6)
    assert len(talk.all(outputs.Ask)) == 2
    talk.does("stop_saying")
    assert talk.outcome == Outcome(0)


def test_a_line_typed_during_the_reply_waits_for_its_end() -> None:
    talk = Driven(interactive=True).does("say", "one").agent(APPLIED).does("say", "two")
    talk.does("stop_saying")
    assert [message["content"] for message in talk.sent("InjectUserMessage")] == ["one"]
    talk.agent(echo("one"), said("Hi."), AUDIO_DONE).advance(0.6)
    assert [message["content"] for message in talk.sent("InjectUserMessage")] == ["one", "two"]
    talk.agent(echo("two"), said("Ho."), AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)


def test_the_user_may_take_all_the_time_and_the_session_is_kept_alive() -> None:
    talk = Driven(interactive=True, timeout=5).agent(APPLIED).advance(60)
    assert talk.outcome is None
    assert len(talk.sent("KeepAlive")) == 7


def test_the_session_is_kept_alive_while_a_reply_is_awaited() -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED).advance(8.1)
    assert talk.sent()[2:] == [{"type": "KeepAlive"}]


# Functions


def call(name: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"id": f"call_{name}", "name": name, "arguments": arguments, **more}


def request(*calls: Any) -> dict[str, Any]:
    return {"type": "FunctionCallRequest", "functions": list(calls)}


def test_a_function_call_gets_its_answer_and_the_reply_comes_after_it() -> None:
    talk = Driven(lines=["weather?"], answers={"weather": '{"sky":"blue"}'})
    talk.agent(
        APPLIED, echo("weather?"), request(call("weather", '{"in":"Paris"}', client_side=True))
    )
    assert talk.sent("FunctionCallResponse") == [
        {
            "type": "FunctionCallResponse",
            "id": "call_weather",
            "name": "weather",
            "content": '{"sky":"blue"}',
        }
    ]
    assert talk.notes() == ['function weather({"in":"Paris"})']
    talk.agent(AGENT_DONE, AUDIO_DONE).advance(2)
    assert talk.outcome is None
    talk.agent(said("Blue."), AUDIO_DONE).advance(0.6)
    assert talk.outcome == Outcome(0)


def test_a_function_nobody_has_an_answer_for_gets_an_error_as_content() -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, request(call("one"), call("two")))
    contents = [message["content"] for message in talk.sent("FunctionCallResponse")]
    assert contents == [
        '{"error":"The function one is not available in this client."}',
        '{"error":"The function two is not available in this client."}',
    ]


@pytest.mark.parametrize(
    "message",
    [
        request(call("theirs", client_side=False)),
        request("no object"),
        {"type": "FunctionCallRequest", "functions": 3},
    ],
)
def test_a_call_that_is_not_ours_to_answer_is_not_answered(message: dict[str, Any]) -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, message)
    assert talk.sent("FunctionCallResponse") == []
    assert talk.outcome is None


# The other ends


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            {"type": "Error", "code": "INVALID_SETTINGS", "description": "agent: missing"},
            "the agent reports an error: INVALID_SETTINGS: agent: missing",
        ),
        ({"type": "Error"}, "the agent reports an error: no reason given"),
        (
            {"type": "InjectionRefused", "message": "not now"},
            "the agent refused the line: not now",
        ),
    ],
)
def test_an_error_ends_the_conversation_cli_4(message: dict[str, Any], reason: str) -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, message)
    assert talk.reason == reason


def test_a_warning_does_not_end_it() -> None:
    warning = {"type": "Warning", "code": "SLOW_THINK_REQUEST", "description": "slow"}
    talk = Driven(lines=["hello"]).agent(APPLIED, warning, {"type": "AgentThinking"})
    assert talk.all(outputs.Warned) == [outputs.Warned("SLOW_THINK_REQUEST: slow")]
    assert talk.notes() == ["thinking"]
    assert talk.outcome is None


CLOSES = {
    "before the settings": ([], Close(1011, "upstream"), "before SettingsApplied: 1011 (upstream)"),
    "before the greeting": ([APPLIED], Close(1000), "before the end of the greeting: 1000"),
}


@pytest.mark.parametrize(("frames", "close", "reason"), CLOSES.values(), ids=CLOSES.keys())
def test_a_close_that_comes_too_early_is_a_failure_cli_4(
    frames: list[Any], close: Close, reason: str
) -> None:
    talk = Driven(lines=["hello"], greeting="Hi!").agent(*frames).does("close", close)
    assert talk.reason == f"the agent closed the connection {reason}"


CLOSED_REPLIES = {
    "nothing came": ([], 1000, 1),
    "only audio came": ([SOUND], 1000, 1),
    "text came": ([said("Bye.")], 1000, 0),
    "text came and the close has no code": ([said("Bye.")], 1005, 0),
    "text came and the connection is lost": ([said("Bye.")], 1006, 1),
    "the reply is over and the connection is lost": ([SOUND, AUDIO_DONE], 1006, 0),
}


@pytest.mark.parametrize(
    ("frames", "code", "status"), CLOSED_REPLIES.values(), ids=CLOSED_REPLIES.keys()
)
def test_a_close_during_the_reply_counts_by_what_has_come(
    frames: list[Any], code: int, status: int
) -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, echo("hello"), *frames)
    talk.does("close", Close(code))
    assert talk.outcome is not None
    assert talk.outcome.status == status


def test_a_close_before_the_last_line_is_said_is_a_failure() -> None:
    talk = Driven(lines=["one", "two"]).agent(APPLIED, echo("one"), said("Hi."), AUDIO_DONE)
    talk.does("close", Close(1000))
    assert talk.reason == "the agent closed the connection before the reply: 1000"


def test_a_close_while_the_user_has_the_word_is_a_failure_only_with_a_code_that_says_so() -> None:
    left = Driven(interactive=True).agent(APPLIED).does("close", Close(1000))
    assert left.outcome == Outcome(0)
    lost = Driven(interactive=True).agent(APPLIED).does("close", Close(1006, "lost"))
    assert lost.reason == "the agent closed the connection: 1006 (lost)"


def test_a_wait_without_progress_ends_the_conversation_cli_4() -> None:
    silent = Driven(lines=["hello"], timeout=3).advance(2.9)
    assert silent.outcome is None
    silent.advance(0.2)
    assert silent.reason == "no progress for 3 s while waiting for SettingsApplied"
    stuck = Driven(lines=["hello"], timeout=3).agent(APPLIED).advance(2).agent(SOUND).advance(3.1)
    assert stuck.reason == "no progress for 3 s while waiting for the reply"


def test_silence_is_no_progress_but_speech_is() -> None:
    talk = recorded(5.0, timeout=3).advance(7.9)
    assert talk.outcome is None
    talk.advance(0.2)
    assert talk.reason == "no progress for 3 s while waiting for the reply"


def test_nothing_changes_after_the_end() -> None:
    talk = Driven(lines=["hello"]).agent(APPLIED, {"type": "Error", "code": "first"})
    before = list(talk.done)
    talk.agent({"type": "Error", "code": "second"}, SOUND).does("close", Close(1000)).advance(60)
    assert talk.reason == "the agent reports an error: first"
    assert talk.done == before
