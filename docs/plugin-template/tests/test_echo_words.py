from voiceproxy.testing import drive

import voiceproxy_echo_words


def test_what_begins_with_the_word_is_answered_here():
    s = drive(plugins=[voiceproxy_echo_words])
    s.client({"type": "InjectUserMessage", "content": "Echo good morning"})
    assert s.to_upstream() == []
    [answer] = s.to_client()
    assert answer["content"] == "good morning"


def test_everything_else_goes_on():
    s = drive(plugins=[voiceproxy_echo_words])
    message = {"type": "InjectUserMessage", "content": "good morning"}
    s.client(message, {"without": "type"}, b"audio")
    assert s.to_upstream() == [message, {"without": "type"}, b"audio"]


def test_the_word_is_a_setting():
    s = drive(plugins=[voiceproxy_echo_words], settings={"echo_words.word": "repeat"})
    s.client({"type": "InjectUserMessage", "content": "repeat after me"})
    [answer] = s.to_client()
    assert answer["content"] == "after me"


async def test_it_answers_in_a_whole_conversation_where_it_is_loaded_by_its_name(
    voiceproxy_simulated,
):
    caller = await voiceproxy_simulated("openai", "echo-words")
    await caller.say({"type": "InjectUserMessage", "content": "echo hello"})
    await caller.until("ConversationText", role="assistant", content="hello")
    await caller.rest()
    assert caller.types() == ["Welcome", "SettingsApplied", "ConversationText"]
