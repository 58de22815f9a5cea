"""Every scenario of the simulator before the real proxy: whatever the upstream does, the client's
conversation goes on, or ends with a reason."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from caller import (
    BOTH,
    DONE,
    PATHS,
    WEATHER,
    Caller,
    Heard,
    calling,
    in_frames,
    names,
    of_type,
    settings,
    speech,
    turn,
)
from wire_types import server_message_problems

from voiceproxy.testing import serve
from voiceproxy_simulator import SCENARIOS

TIME = {"name": "get_time", "description": "What time it is."}
FUNCTIONS = settings(think={"functions": [WEATHER, TIME]})

PATIENT = {"openai.ack_timeout": 3.0, "openai.session_timeout": 5.0}
WAITS = {
    "missing-acks": {"openai.ack_timeout": 0.1},
    "replaced-ids": {"openai.ack_timeout": 0.1},
    "silent": {"openai.session_timeout": 0.2},
    "stall": {"openai.response_timeout": 0.2},
    "late-done": {"openai.function_call_timeout": 0.2},
}
"""What is waited for in vain, so that it does not last."""

OTHER_SERVERS = [
    "replaced-ids",
    "created-omitted",
    "beta-names",
    "missing-indexes",
    "unknown-events",
]
SOUND = [
    *OTHER_SERVERS,
    "missing-acks",
    "late-done",
    "late-transcripts",
    "parallel-calls",
    "spoken-call",
    "cancelled-call",
    "oversized",
    "idle-timeout",
]
"""Typed turns are answered as if nothing were the matter."""

SPECIAL = {
    "late-acks",
    "error-mid-response",
    "incomplete",
    "quota",
    "stall",
    "burst",
    "refused-create",
    "refuse-settings",
    "silent",
    "unauthorized",
    "expired",
    "close-1011",
    "close-4001",
    "reset",
    "string-error",
    "junk",
}
"""They have tests of their own below."""

Open = Callable[[str, str], AbstractAsyncContextManager[Caller]]


@pytest.fixture
async def open_scene(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Open]:
    """Connect to a proxy whose upstream plays a scenario. In the end no rule has been broken, and
    the client has got nothing its SDK does not know."""
    callers: list[tuple[str, Caller]] = []

    @asynccontextmanager
    async def open_one(scenario: str, dialect: str) -> AsyncIterator[Caller]:
        given: dict[str, object] = {
            "simulator.scenario": scenario,
            "simulator.pace": "burst",
        } | PATIENT
        given |= WAITS.get(scenario, {})
        async with (
            serve("openai", "simulator", settings=given) as url,
            calling(url + PATHS[dialect]) as caller,
        ):
            callers.append((dialect, caller))
            yield caller

    with caplog.at_level(logging.WARNING):
        yield open_one
    for dialect, caller in callers:
        for message in (*caller.heard, *caller.history):
            if isinstance(message, dict):
                assert not server_message_problems(message, dialect), message["type"]
    noticed = [one for one in caplog.get_records("call") if "simulator" in one.name]
    assert [one.getMessage() for one in noticed] == []


def test_every_scenario_is_played_here() -> None:
    assert {*SOUND, *SPECIAL} == set(SCENARIOS)


@BOTH
@pytest.mark.parametrize("scenario", SOUND)
async def test_typed_turns_are_answered_whatever_the_upstream_is_like(
    open_scene: Open, scenario: str, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello()
        for word in ("hello", "bye"):
            assert names(await caller.ask(word)) == turn(dialect, word, f'You said "{word}".')


@BOTH
@pytest.mark.parametrize("scenario", OTHER_SERVERS)
async def test_written_replies_arrive_from_servers_of_other_makes(
    open_scene: Open, scenario: str, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello(settings(think={"outputModalities": ["text"]}))
        heard = names(await caller.ask("hello"))
    assert heard == [
        "user: hello",
        "AgentStartedSpeaking",
        'assistant: You said "hello".',
        *DONE[dialect],
    ]


async def until_said(caller: Caller, last_words: str) -> list[Heard]:
    """Listen to the end of the reply that ends with these words."""
    heard: list[Heard] = []
    while True:
        heard += await caller.until("AgentAudioDone")
        said = [one for one in names(heard) if one.startswith("assistant: ")]
        if said and said[-1].endswith(last_words):
            return heard


@BOTH
@pytest.mark.parametrize("scenario", [*OTHER_SERVERS, "late-transcripts", "oversized"])
async def test_a_spoken_turn_is_answered_and_written_down(
    open_scene: Open, scenario: str, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello()
        await caller.send(*in_frames(speech()))
        await caller.until("AgentAudioDone")
        while not written_down(caller.heard, dialect):
            await caller.until("Transcript" if dialect == "component" else "ConversationText")
    heard = names(caller.heard)
    assert heard[2] == "UserStartedSpeaking"
    assert heard.count("AgentStartedSpeaking") == heard.count("AgentAudioDone") == 1
    assert heard.count("assistant: I heard 2.7 s of speech.") == 1
    assert heard.index("AgentStartedSpeaking") < heard.index("AgentAudioDone")


def written_down(heard: list[Heard], dialect: str) -> bool:
    """Whether the client has read what it said."""
    if dialect == "agent":
        return "user: 2.7 s of speech" in names(heard)
    return any(one["is_final"] for one in of_type(heard, "Transcript"))


async def call_and_answer(caller: Caller, calls: int) -> list[Heard]:
    """Have functions called, answer each, hear the reply out; everything from the typed line on."""
    before = len(caller.heard)
    await caller.inject('call get_weather {"city": "Reykjavik"}')
    await caller.until("FunctionCallRequest", calls)
    for request in of_type(caller.heard[before:], "FunctionCallRequest"):
        for call in request["functions"]:
            await caller.answer(call, "21")
    await until_said(caller, "returned 21.")
    return caller.heard[before:]


@pytest.mark.parametrize(
    ("scenario", "dialect"),
    [
        ("late-acks", "component"),
        *((name, kind) for name in (*OTHER_SERVERS, "missing-acks", "late-done") for kind in PATHS),
    ],
)
async def test_a_function_call_is_answered_once_fct_5(
    open_scene: Open, scenario: str, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello(FUNCTIONS)
        heard = names(await call_and_answer(caller, 1))
        assert heard.count("FunctionCallRequest") == 1
        assert heard.count("assistant: get_weather returned 21.") == 1
        assert heard.count("AgentAudioDone") == heard.count("AgentStartedSpeaking") == 2
        assert names(await caller.ask("bye")) == turn(dialect, "bye", 'You said "bye".')


@BOTH
async def test_parallel_calls_are_answered_together(open_scene: Open, dialect: str) -> None:
    async with open_scene("parallel-calls", dialect) as caller:
        await caller.hello(FUNCTIONS)
        heard = await call_and_answer(caller, 2)
    called = [one["functions"][0]["name"] for one in of_type(heard, "FunctionCallRequest")]
    assert called == ["get_weather", "get_time"]
    said = names(heard)
    assert said.count("assistant: get_weather returned 21. get_time returned 21.") == 1
    assert said.count("AgentAudioDone") == 2


@BOTH
async def test_a_response_that_speaks_and_calls_has_one_beginning_and_one_end(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("spoken-call", dialect) as caller:
        await caller.hello(FUNCTIONS)
        said = names(await call_and_answer(caller, 1))
    assert [one for one in said if one.startswith("assistant: ")] == [
        "assistant: One moment.",
        "assistant: get_weather returned 21.",
    ]
    assert said.count("AgentStartedSpeaking") == said.count("AgentAudioDone") == 2


@BOTH
async def test_a_call_cut_off_by_the_user_is_never_asked_for_and_the_user_is_answered(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("cancelled-call", dialect) as caller:
        await caller.hello(FUNCTIONS)
        await caller.inject('call get_weather {"city": "Reykjavik"}')
        heard = names(await until_said(caller, "I heard 0.6 s of speech."))
        assert "UserStartedSpeaking" in heard
        assert "FunctionCallRequest" not in heard
        assert heard.count("AgentAudioDone") == 2


@BOTH
async def test_a_refused_create_is_asked_again_and_the_client_never_hears_of_it(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("refused-create", dialect) as caller:
        await caller.hello()
        await caller.inject("hello")
        heard = names(await until_said(caller, 'You said "hello".'))
    reply = ["AgentStartedSpeaking", "audio", *DONE[dialect]]
    assert heard == [
        "user: hello",
        *reply[:2],
        "assistant: The server began this one.",
        *reply[2:],
        *reply[:2],
        'assistant: You said "hello".',
        *reply[2:],
    ]


@BOTH
@pytest.mark.parametrize(
    ("scenario", "kind", "code"),
    [
        ("error-mid-response", "Error", "server_error"),
        ("incomplete", "Warning", "max_output_tokens"),
    ],
)
async def test_a_reply_that_breaks_off_says_why_and_the_next_is_asked_for(
    open_scene: Open, scenario: str, kind: str, code: str, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello()
        for _ in range(2):
            heard = await caller.ask("hello there")
            assert [one["code"] for one in of_type(heard, kind)] == [code]
            said = names(heard)
            assert 'assistant: You said "hello' in said
            assert said[-len(DONE[dialect]) :] == DONE[dialect]
            assert said.count("AgentAudioDone") == said.count("AgentStartedSpeaking") == 1


@BOTH
async def test_a_reply_that_stalls_is_given_up_and_the_next_is_asked_for(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("stall", dialect) as caller:
        await caller.hello()
        for _ in range(2):
            said = names(await caller.ask("hello"))
            assert said.count("AgentStartedSpeaking") == said.count("AgentAudioDone") == 1
            assert said[-len(DONE[dialect]) :] == DONE[dialect]


@BOTH
async def test_a_minute_of_audio_that_comes_at_once_arrives_whole(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("burst", dialect) as caller:
        await caller.hello()
        heard = await caller.ask("hello")
    audio = [one for one in heard if isinstance(one, bytes)]
    assert sum(len(one) for one in audio) > 40 * 48000
    assert max(len(one) for one in audio) <= 65536
    assert names(heard)[-len(DONE[dialect]) :] == DONE[dialect]


@BOTH
async def test_a_silence_too_long_is_answered_and_not_taken_for_words(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("idle-timeout", dialect) as caller:
        await caller.hello()
        await caller.ask("hello")
        heard = names(await caller.until("AgentAudioDone"))
    reply = "assistant: Are you still there?"
    assert heard == ["AgentStartedSpeaking", "audio", reply, *DONE[dialect]]


@BOTH
@pytest.mark.parametrize(
    ("scenario", "code"), [("string-error", "server_busy"), ("junk", "unmapped_upstream_event")]
)
async def test_an_error_is_passed_on_and_the_reply_comes_all_the_same(
    open_scene: Open, scenario: str, code: str, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello()
        heard = await caller.ask("hello")
    assert [one["code"] for one in of_type(heard, "Error")] == [code]
    rest = [one for one in heard if isinstance(one, bytes) or one["type"] != "Error"]
    assert names(rest) == turn(dialect, "hello", 'You said "hello".')


@BOTH
@pytest.mark.parametrize(
    ("scenario", "code", "close"),
    [("silent", "upstream_timeout", 1011), ("unauthorized", "invalid_api_key", 1000)],
)
async def test_a_session_that_cannot_begin_ends_with_its_reason(
    open_scene: Open, scenario: str, code: str, close: int, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.send(settings())
        closed, heard = await caller.until_closed()
    assert [one["code"] for one in of_type(heard, "Error")] == [code]
    assert closed == close


@BOTH
async def test_refused_settings_are_told_and_may_be_sent_again(
    open_scene: Open, dialect: str
) -> None:
    async with open_scene("refuse-settings", dialect) as caller:
        for _ in range(2):
            await caller.send(settings())
            error = of_type(await caller.until("Error"), "Error")[-1]
            assert error["code"] == "INVALID_SETTINGS"


@BOTH
@pytest.mark.parametrize(
    ("scenario", "code", "close"),
    [
        ("quota", "insufficient_quota", 1000),
        ("close-1011", "upstream_closed", 1011),
        ("close-4001", "upstream_closed", 4001),
        ("reset", "upstream_closed", 1011),
        ("expired", "session_max_duration", 1001),
    ],
)
async def test_a_session_that_ends_in_a_turn_says_why_cls_1(
    open_scene: Open, scenario: str, code: str, close: int, dialect: str
) -> None:
    async with open_scene(scenario, dialect) as caller:
        await caller.hello()
        await caller.inject("hello")
        closed, heard = await caller.until_closed()
    assert [one["code"] for one in of_type(heard, "Error")] == [code]
    assert closed == close


async def test_sessions_in_trouble_do_not_trouble_each_other(open_scene: Open) -> None:
    async def converse(scenario: str, dialect: str) -> None:
        async with open_scene(scenario, dialect) as caller:
            await caller.hello()
            assert names(await caller.ask("hello"))[-1] == "AgentAudioDone"

    scenarios = ("missing-acks", "beta-names", "burst", "string-error", "parallel-calls")
    await asyncio.gather(*(converse(name, kind) for name in scenarios for kind in PATHS))
