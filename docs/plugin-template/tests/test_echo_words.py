import asyncio

from voiceproxy.testing import connected, drive, serve

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


async def test_a_whole_proxy_with_a_simulated_backend_loads_it_by_its_name():
    async with (
        asyncio.timeout(10),
        serve("openai", "simulator", "echo-words") as url,
        connected(url + "/openai") as client,
    ):
        await client.send_json({"type": "Settings"})
        while (await client.receive_json())["type"] != "SettingsApplied":
            pass
        await client.send_json({"type": "InjectUserMessage", "content": "echo hello"})
        answer = await client.receive_json()
    assert answer == {"type": "ConversationText", "role": "assistant", "content": "hello"}
