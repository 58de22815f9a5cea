"""Typed turns, in both dialects."""

from __future__ import annotations

import asyncio

from caller import BOTH, DONE, calling, kinds, names, of_type, settings, sound, turn
from house import House, OpenHouse

from voiceproxy_simulator.formats import FORMATS
from voiceproxy_simulator.speech import Speech


@BOTH
async def test_a_session_begins_with_welcome_then_settings_applied(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        welcome, *rest = await caller.hello()
        assert isinstance(welcome, dict)
        assert len(welcome["request_id"]) == 32
        assert rest == [{"type": "SettingsApplied"}]
        assert kinds(house.sent_upstream()) == ["session.update"]


@BOTH
async def test_a_typed_turn_is_echoed_spoken_and_ended_in_order_out_14(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        assert names(await caller.ask("hello")) == turn(dialect, "hello", 'You said "hello".')


async def test_the_agents_audio_reaches_the_client_unchanged_out_1(house: House) -> None:
    async with calling(house.url()) as caller:
        await caller.hello()
        heard = await caller.ask("hello")
    voice = house.sent_upstream("session.update")[0]["session"]["audio"]["output"]["voice"]
    spoken = Speech('You said "hello".', FORMATS["audio/pcm"], voice)
    assert sound(heard) == b"".join(spoken.deltas())


@BOTH
async def test_response_create_follows_the_item_it_answers_txt_2(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="late-acks")
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.inject("hello")
        await caller.until("ConversationText")  # the echo does not wait for the upstream (TXT-1)
        assert kinds(house.sent_upstream()) in (
            ["session.update"],
            ["session.update", "conversation.item.create"],
        )
        await caller.until("AgentAudioDone")
    # "response-before-item-added" would be among the upstream's violations.
    assert kinds(house.sent_upstream()) == [
        "session.update",
        "conversation.item.create",
        "response.create",
    ]


@BOTH
async def test_an_upstream_that_confirms_no_item_is_asked_for_the_answer_all_the_same_txt_8(
    open_house: OpenHouse, dialect: str
) -> None:
    house = await open_house(scenario="missing-acks", settings={"openai.ack_timeout": 0.2})
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        heard = await caller.ask("hello")
        assert names(heard) == turn(dialect, "hello", 'You said "hello".')


@BOTH
async def test_one_turn_follows_the_other(house: House, dialect: str) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        for word in ("one", "two", "three"):
            assert names(await caller.ask(word)) == turn(dialect, word, f'You said "{word}".')


@BOTH
async def test_several_injects_in_quick_succession_are_all_echoed_and_answered_def_6_def_7(
    house: House, dialect: str
) -> None:
    words = ["alpha", "beta", "gamma", "delta"]
    async with calling(house.url(dialect)) as caller:
        await caller.hello()
        await caller.inject(*words)
        while not all(f'"{word}"' in " ".join(names(caller.heard)) for word in words):
            await caller.until("AgentAudioDone")
    said = names(caller.heard)
    assert [one for one in said if one.startswith("user")] == [f"user: {word}" for word in words]
    answers = " ".join(one for one in said if one.startswith("assistant"))
    assert [answers.count(f'You said "{word}"') for word in words] == [1, 1, 1, 1]
    assert said.count("AgentAudioDone") == len(house.sent_upstream("response.create"))


async def test_an_inject_during_a_reply_is_answered_after_it_def_6(open_house: OpenHouse) -> None:
    house = await open_house(pace="realtime")
    async with calling(house.url()) as caller:
        await caller.hello()
        await caller.inject("first")
        await caller.until("audio")
        await caller.inject("second")
        heard = await caller.until("AgentAudioDone", 2)
    assert names(heard) == [
        "audio",
        "user: second",
        "audio",
        'assistant: You said "first".',
        "AgentDone",
        "AgentAudioDone",
        "AgentStartedSpeaking",
        "audio",
        'assistant: You said "second".',
        "AgentDone",
        "AgentAudioDone",
    ]


async def test_injects_before_settings_applied_are_flushed_in_order_before_audio_ses_4_txt_6(
    open_house: OpenHouse,
) -> None:
    house = await open_house(scenario="late-acks")
    async with calling(house.url()) as caller:
        await caller.send(bytes(640))
        await caller.inject("one")
        await caller.send(settings(), bytes(640))
        await caller.inject("two")
        heard = await caller.until("AgentAudioDone")
        await house.upstream_has("input_audio_buffer.append", 2)
    assert names(heard)[:4] == ["Welcome", "SettingsApplied", "user: one", "user: two"]
    assert kinds(house.sent_upstream())[:5] == [
        "session.update",
        "conversation.item.create",
        "conversation.item.create",
        "input_audio_buffer.append",
        "input_audio_buffer.append",
    ]


async def test_an_inject_before_settings_is_an_error_in_the_agent_dialect(house: House) -> None:
    async with calling(house.url("agent")) as caller:
        await caller.inject("too early")
        error = of_type(await caller.until("Error"), "Error")[0]
        assert error["code"] == "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"
        await caller.hello()
        heard = await caller.ask("in time")
        assert names(heard) == turn("agent", "in time", 'You said "in time".')


async def test_what_comes_between_settings_and_applied_keeps_its_order_in_the_agent_dialect(
    open_house: OpenHouse,
) -> None:
    house = await open_house(scenario="late-acks")
    async with calling(house.url("agent")) as caller:
        await caller.send(settings(), bytes(640))
        await caller.inject("one")
        await caller.until("AgentAudioDone")
    assert kinds(house.sent_upstream())[:3] == [
        "session.update",
        "input_audio_buffer.append",
        "conversation.item.create",
    ]


@BOTH
async def test_a_greeting_is_said_to_the_client_alone_ses_9(house: House, dialect: str) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.send(settings(greeting="Good day!"))
        heard = await caller.until("AgentAudioDone")
        assert names(heard)[1:] == ["SettingsApplied", "assistant: Good day!", *DONE[dialect]]
        assert kinds(house.sent_upstream()) == ["session.update"]
        heard = await caller.ask("hello")
        assert names(heard) == turn(dialect, "hello", 'You said "hello".')


CONTEXT = {
    "messages": [
        {"type": "History", "role": "user", "content": "My name is Ann."},
        {"type": "History", "role": "assistant", "content": "Hello Ann."},
    ]
}


@BOTH
async def test_a_conversation_handed_over_goes_into_the_instructions_and_mutes_the_greeting_ses_10(
    house: House, dialect: str
) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello(settings(greeting="Good day!", context=CONTEXT))
        heard = await caller.ask("hello")
        assert names(heard) == turn(dialect, "hello", 'You said "hello".')
    instructions = house.sent_upstream("session.update")[0]["session"]["instructions"]
    assert (
        instructions.partition("\n\n")[2]
        == "Previous conversation:\nuser: My name is Ann.\nassistant: Hello Ann."
    )
    assert len(house.sent_upstream("conversation.item.create")) == 1  # SES-12


@BOTH
async def test_a_session_in_text_alone_gets_no_audio_map_11(house: House, dialect: str) -> None:
    async with calling(house.url(dialect)) as caller:
        await caller.hello(settings(think={"outputModalities": ["text"]}))
        heard = await caller.ask("hello")
    assert names(heard) == [
        "user: hello",
        "AgentStartedSpeaking",
        'assistant: You said "hello".',
        *DONE[dialect],
    ]


async def test_history_mirrors_the_conversation_in_the_agent_dialect(house: House) -> None:
    async with calling(house.url("agent")) as caller:
        await caller.hello()
        await caller.ask("hello")
    assert [(one["role"], one["content"]) for one in caller.history] == [
        ("user", "hello"),
        ("assistant", 'You said "hello".'),
    ]


async def test_history_is_not_sent_when_the_settings_refuse_it(house: House) -> None:
    async with calling(house.url("agent")) as caller:
        await caller.hello(settings() | {"flags": {"history": False}})
        await caller.ask("hello")
    assert caller.history == []


async def test_many_callers_at_once_each_get_their_own_answer(house: House) -> None:
    async def converse(number: int) -> None:
        async with calling(house.url(["component", "agent"][number % 2])) as caller:
            await caller.hello()
            for turn_number in range(3):
                word = f"caller {number} turn {turn_number}"
                said = names(await caller.ask(word))
                assert said[0] == f"user: {word}"
                assert f'assistant: You said "{word}".' in said

    await asyncio.gather(*(converse(number) for number in range(10)))


async def test_words_in_any_script_survive_both_wires(house: House) -> None:
    said = 'naïve 日本語 🎙️ \u2028 "quoted" \\ back'
    async with calling(house.url()) as caller:
        await caller.hello()
        heard = await caller.ask(said)
    assert f"user: {said}" in names(heard)
    assert house.sent_upstream("conversation.item.create")[0]["item"]["content"][0]["text"] == said
