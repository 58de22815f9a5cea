"""InjectAgentMessage: said by the model, or refused by Deepgram's rule (in place of MSG-5)."""

from __future__ import annotations

import pytest
from openai_session import (
    PAIR,
    Conversation,
    assistant,
    audio_delta,
    created,
    done,
    error,
    function_call,
    item_event,
    output_item,
)

from voiceproxy_openai.settings import OpenAISettings

DIALECTS = ["component", "agent"]
STARTED = {"type": "input_audio_buffer.speech_started", "item_id": "mic"}
STOPPED = {"type": "input_audio_buffer.speech_stopped", "item_id": "mic"}
COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "mic"}
ALREADY_ACTIVE = "conversation_already_has_active_response"
TEXT_ONLY = {"agent": {"think": {"outputModalities": ["text"]}}}


def state(s: Conversation, words: str = "Hold on.", behavior: str | None = None, **more) -> None:
    asked = {} if behavior is None else {"behavior": behavior}
    s.client({"type": "InjectAgentMessage", "message": words, **asked, **more})


def visible(dialect: str, *kinds: str) -> list[str]:
    hidden = {"component": ("History",), "agent": ("AgentDone", "Transcript", "UtteranceEnd")}
    return [kind for kind in kinds if kind not in hidden[dialect]]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("field", ["message", "content"])
def test_the_model_says_the_words_and_answers_no_open_question(dialect, field):
    s = Conversation(dialect)
    s.client({"type": "InjectAgentMessage", field: "Hold on."})
    (create,) = s.sent()
    assert create["response"] == {
        "input": [],
        "instructions": "Say exactly the following, word for word and nothing else:\nHold on.",
        "tool_choice": "none",
        "metadata": {"voiceproxy_create": create["event_id"]},
    }
    s.upstream(created("r1", create), audio_delta("r1"))
    s.upstream(item_event("done", assistant("i1", "Hold on.")), done("r1"))
    assert s.got_types() == visible(
        dialect, "AgentStartedSpeaking", "audio", "ConversationText", "History", *PAIR
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_session_of_text_gets_the_words_as_an_item_exactly(dialect):
    s = Conversation(dialect, **TEXT_ONLY)
    state(s)
    (item,) = s.sent()
    assert item["type"] == "conversation.item.create"
    assert item["item"] == {
        "id": item["item"]["id"],
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hold on."}],
    }
    got = s.got()
    assert [message["type"] for message in got] == visible(
        dialect, "AgentStartedSpeaking", "ConversationText", "History", *PAIR
    )
    assert got[1] == {"type": "ConversationText", "role": "assistant", "content": "Hold on."}
    s.confirm(item)
    s.confirm(item, "done")
    assert (s.sent(), s.got()) == ([], [])


def test_a_server_that_replaces_ids_does_not_make_the_client_hear_it_twice_def_8():
    s = Conversation(**TEXT_ONLY)
    state(s)
    (item,) = s.sent()
    s.got()
    for kind in ("added", "done"):
        s.confirm(item, kind, id="theirs")
    assert s.got() == []
    s.upstream(item_event("done", assistant("i2", "Other words.")))
    assert s.got_types() == ["ConversationText"]


def test_an_answer_waits_for_the_item_of_the_agents_words_txt_2():
    s = Conversation(**TEXT_ONLY)
    state(s)
    s.inject("and?")
    statement, question = s.sent()
    s.confirm(question)
    assert s.sent() == []
    s.confirm(statement)
    assert s.sent_types() == ["response.create"]


def test_text_after_an_update_counts_and_so_does_speech():
    s = Conversation()
    s.client({"type": "UpdateThink", "think": {"outputModalities": ["text"]}})
    s.sent()
    s.upstream({"type": "session.updated"})
    state(s)
    assert s.sent_types() == ["conversation.item.create"]
    s.client({"type": "UpdateThink", "think": {}})
    (update,) = s.sent()
    assert update["session"]["output_modalities"] == ["audio"]
    s.upstream({"type": "session.updated"})
    state(s)
    assert s.sent() == []  # the item of the first is not confirmed yet
    s.advance(5)
    assert s.sent_types() == ["response.create"]


def test_dynamic_words_are_the_models_own():
    s = Conversation()
    s.client({"type": "InjectAgentMessage", "is_dynamic": True})
    (create,) = s.sent()
    assert set(create["response"]) == {"metadata"}


def test_no_words_are_refused():
    s = Conversation()
    state(s, "  ")
    assert s.got() == [{"type": "InjectionRefused", "message": "There are no words to say."}]
    assert s.sent() == []


# Who may cut in.


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("behavior", "refused"),
    [(None, True), ("default", True), ("queue", True), ("interrupt", False)],
)
def test_while_the_user_speaks_only_interrupt_is_served(dialect, behavior, refused):
    s = Conversation(dialect)
    s.upstream(STARTED)
    s.got()
    state(s, behavior=behavior)
    assert s.got_types() == (["InjectionRefused"] if refused else [])
    assert s.sent_types() == ([] if refused else ["response.create"])


def agents_turns() -> dict:
    """How the agent's turn may stand."""

    def responding(s):
        s.upstream(created("r1"))

    def asked(s):
        s.create_response()

    def unconfirmed(s):
        s.inject("hello")

    def due(s):
        s.upstream(STARTED, STOPPED, COMMITTED)

    def calling(s):
        s.upstream(created("r1"), output_item("done", "r1", function_call("c1")), done("r1"))

    turns = (responding, asked, unconfirmed, due, calling)
    return {turn.__name__: turn for turn in turns}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("turn", agents_turns())
def test_in_the_agents_turn_default_is_refused_and_queue_waits(dialect, turn):
    s = Conversation(dialect)
    agents_turns()[turn](s)
    s.sent(), s.got()
    state(s)
    assert s.got_types() == ["InjectionRefused"]
    state(s, behavior="queue")
    assert (s.got(), s.sent()) == ([], [])


def test_a_queued_message_follows_the_reply():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1"))
    state(s, "one", "queue")
    state(s, "two", "queue")
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    s.upstream(done("r1"))
    said = []
    for number in range(3):
        (create,) = s.sent()
        said.append(create["response"].get("instructions", "answer").rpartition("\n")[2])
        s.upstream(created(f"s{number}", create), done(f"s{number}"))
    assert said == ["answer", "one", "two"]
    assert s.sent() == []


def test_a_queued_message_waits_for_the_answers_to_the_agents_calls():
    s = Conversation()
    s.upstream(created("r1"), output_item("done", "r1", function_call("c1")), done("r1"))
    state(s, behavior="queue")
    s.answer("c1")
    (output,) = s.sent()
    s.confirm(output)
    (create,) = s.sent()
    assert "instructions" not in create["response"]
    s.upstream(created("r2", create), done("r2"))
    (create,) = s.sent()
    assert "instructions" in create["response"]


def test_a_queued_message_is_said_when_nobody_answers_the_agents_calls():
    s = Conversation(settings=OpenAISettings(function_call_timeout=20))
    s.upstream(created("r1"), output_item("done", "r1", function_call("c1")), done("r1"))
    state(s, behavior="queue")
    s.advance(19.9)
    assert s.sent() == []
    s.advance(0.2)
    assert s.sent_types() == ["response.create"]


def test_a_queued_message_is_said_when_the_server_does_not_answer_a_spoken_turn():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    s.upstream(STARTED, STOPPED, COMMITTED)
    state(s, behavior="queue")
    s.advance(4.9)
    assert s.sent() == []
    s.advance(0.2)
    assert s.sent_types() == ["response.create"]


def test_so_many_wait_and_no_more():
    s = Conversation()
    s.upstream(created("r1"))
    for number in range(16):
        state(s, f"{number}", "queue")
    assert s.got() == []
    state(s, "17", "queue")
    state(s, "18", "interrupt")
    assert s.got_types() == ["InjectionRefused", "InjectionRefused"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_interrupt_stops_the_reply_and_tells_what_was_heard_of_it(dialect):
    s = Conversation(dialect)
    s.upstream(created("r1"), audio_delta("r1", bytes(48000)))
    s.got()
    s.upstream(audio_delta("r1", bytes(48000)))  # not read by the client yet
    state(s, behavior="interrupt")
    cancel, truncate = s.sent()
    assert (cancel["type"], cancel["response_id"]) == ("response.cancel", "r1")
    assert (truncate["item_id"], truncate["audio_end_ms"]) == ("i1", 1000)
    assert s.got() == []
    s.upstream(audio_delta("r1"), done("r1", "cancelled"))
    assert s.got_types() == visible(dialect, *PAIR)
    assert s.sent_types() == ["response.create"]


def test_interrupt_drops_what_is_still_queued_of_a_reply_that_is_over():
    s = Conversation()
    s.upstream(created("r1"), audio_delta("r1", bytes(48000)))
    s.got()
    s.upstream(audio_delta("r1", bytes(24000)), done("r1"))
    state(s, behavior="interrupt")
    truncate, create = s.sent()
    assert truncate["audio_end_ms"] == 1000
    assert create["type"] == "response.create"
    assert s.got_types() == PAIR


def test_interrupt_overtakes_what_waits_and_stops_what_begins():
    s = Conversation()
    create = s.create_response("hello")
    state(s, "later", "queue")
    state(s, "now", "interrupt")
    assert s.sent() == []
    s.upstream(created("r1", create))
    assert s.sent_types() == ["response.cancel"]
    s.upstream(done("r1", "cancelled"))
    (create,) = s.sent()
    assert create["response"]["instructions"].endswith("\nnow")
    s.upstream(created("r2", create), done("r2"))
    (create,) = s.sent()
    assert create["response"]["instructions"].endswith("\nlater")


def test_interrupt_waits_no_longer_than_for_any_answer():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    s.upstream(created("r1"), audio_delta("r1"))
    state(s, behavior="interrupt")
    s.sent(), s.got()
    s.advance(5.1)
    assert s.sent_types() == ["response.create"]
    assert s.got_types() == PAIR
    s.upstream(done("r1", "cancelled"))
    assert s.got() == []


@pytest.mark.parametrize("behavior", ["default", "interrupt"])
def test_a_refused_statement_is_asked_again_after_the_other_response_def_4(behavior):
    s = Conversation()
    state(s, behavior=behavior)
    (create,) = s.sent()
    s.upstream(created("vad"), error(ALREADY_ACTIVE, create["event_id"]))
    s.upstream(done("vad"))
    again = s.sent()[-1]
    assert again["response"]["instructions"] == create["response"]["instructions"]
    s.upstream(created("r2", again), done("r2"))
    assert s.sent() == []


def test_a_spoken_turn_the_server_could_not_answer_beside_a_statement_is_answered():
    s = Conversation()
    s.upstream(STARTED)
    state(s, behavior="interrupt")
    (create,) = s.sent()
    s.upstream(created("r1", create), STOPPED, COMMITTED, error(ALREADY_ACTIVE))
    assert s.sent() == []
    s.upstream(done("r1"))
    (create,) = s.sent()
    assert "instructions" not in create["response"]


def test_a_queued_message_follows_speech_that_is_nobodys_turn():
    s = Conversation(agent={"useOpenAIManualAudioCommit": True})
    s.upstream(created("r1"))
    state(s, behavior="queue")
    s.upstream(STARTED, done("r1"))
    assert s.sent() == []
    s.upstream(STOPPED)
    assert s.sent_types() == ["response.create"]


def test_in_manual_turns_the_user_speaks_while_audio_comes_without_a_pause_aud_9():
    s = Conversation(agent={"useOpenAIManualAudioCommit": True})
    s.client(bytes(640))
    s.sent()
    state(s, behavior="queue")
    assert s.got_types() == ["InjectionRefused"]
    state(s, behavior="interrupt")
    assert s.sent_types() == ["response.create"]
    s.advance(0.5)
    state(s, behavior="queue")
    assert s.got() == []


def test_a_response_that_was_stopped_is_not_given_up_again_later():
    s = Conversation()
    s.upstream(created("r1"))
    s.client({"type": "InjectAgentMessage", "message": "Stop", "behavior": "interrupt"})
    s.upstream(done("r1", "cancelled"))
    (_, create) = s.sent()
    s.upstream(created("r2", create), done("r2"))
    s.got()
    s.advance(200)
    assert (s.got(), s.sent()) == ([], [])
