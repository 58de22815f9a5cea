"""Prompt, functions, voice and language may change while the session runs."""

from __future__ import annotations

import pytest
from openai_session import UPDATED, Conversation, error

from voiceproxy_openai.settings_mapping import TOOL_SENTENCE

HISTORY = {"messages": [{"role": "user", "content": "hi"}]}


def test_update_prompt_keeps_the_conversation_so_far():
    s = Conversation(agent={"think": {"prompt": "Old."}, "context": HISTORY})
    s.client({"type": "UpdatePrompt", "prompt": "New."})
    (update,) = s.sent()
    assert update["session"] == {
        "type": "realtime",
        "instructions": "New.\n\nPrevious conversation:\nuser: hi",
    }
    assert s.got() == []
    s.upstream(UPDATED)
    assert s.got() == [{"type": "PromptUpdated"}]
    s.upstream(UPDATED)
    assert s.got() == []


@pytest.mark.parametrize(
    ("message", "changes", "acknowledgement"),
    [
        (
            {"type": "UpdateThink", "think": {"prompt": "P", "functions": [{"name": "f"}]}},
            {
                "instructions": f"P\n\n{TOOL_SENTENCE}",
                "tools": [{"type": "function", "name": "f", "parameters": {}}],
            },
            "ThinkUpdated",
        ),
        (
            {"type": "UpdateThink", "think": [{"prompt": "P"}]},
            {"instructions": "P", "tools": []},
            "ThinkUpdated",
        ),
        (
            {"type": "UpdateSpeak", "speak": {"provider": {"type": "open_ai", "voice": "ash"}}},
            {"audio": {"output": {"voice": "ash"}}},
            "SpeakUpdated",
        ),
        (
            {"type": "UpdateSpeak", "model": "verse"},
            {"audio": {"output": {"voice": "verse"}}},
            "SpeakUpdated",
        ),
        (
            {"type": "UpdateListen", "listen": {"provider": {"language": "fr"}}},
            {
                "audio": {
                    "input": {
                        "transcription": {
                            "model": "gpt-transcribe",
                            "language": "fr",
                            "prompt": "",
                        }
                    }
                }
            },
            "ListenUpdated",
        ),
    ],
)
def test_an_update_is_acknowledged_once_it_is_taken(message, changes, acknowledgement):
    s = Conversation()
    s.client(message)
    (update,) = s.sent()
    assert update["session"] == {"type": "realtime", **changes}
    s.upstream(UPDATED)
    assert s.got_types() == [acknowledgement]


def test_options_of_the_think_before_do_not_outlive_it():
    think = {
        "functions": [{"name": "f"}],
        "toolChoice": {"type": "function", "name": "f"},
        "maxOutputTokens": 50,
        "outputModalities": ["text"],
    }
    s = Conversation(agent={"think": think})
    s.client({"type": "UpdateThink", "think": {"prompt": "P"}})
    s.client({"type": "UpdateThink", "think": {"prompt": "Q"}})
    first, second = s.sent()
    assert first["session"] == {
        "type": "realtime",
        "instructions": "P",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "output_modalities": ["audio"],
    }
    assert second["session"] == {"type": "realtime", "instructions": "Q", "tools": []}


def test_updates_are_acknowledged_in_their_order_and_build_on_each_other():
    s = Conversation()
    s.client(
        {"type": "UpdateThink", "think": {"prompt": "One.", "functions": [{"name": "f"}]}},
        {"type": "UpdatePrompt", "prompt": "Two."},
    )
    _, prompt = s.sent()
    assert prompt["session"]["instructions"] == f"Two.\n\n{TOOL_SENTENCE}"
    s.upstream(UPDATED, UPDATED)
    assert s.got_types() == ["ThinkUpdated", "PromptUpdated"]


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_update_is_an_error_and_changes_nothing(named):
    s = Conversation(agent={"think": {"prompt": "Old."}})
    s.client({"type": "UpdateThink", "think": {"prompt": "Bad.", "toolChoice": "none"}})
    (update,) = s.sent()
    event_id = update["event_id"] if named else None
    s.upstream(error("invalid_value", event_id, param="session.tool_choice"))
    assert s.got_types() == ["Error"]
    s.client({"type": "UpdateListen", "listen": {"provider": {"language": "fr"}}})
    s.sent()
    s.upstream(UPDATED)
    assert s.got_types() == ["ListenUpdated"]
    s.client({"type": "UpdatePrompt", "prompt": "New."})
    assert s.sent()[0]["session"]["instructions"] == "New."


def test_another_vendors_voice_changes_nothing_and_is_warned_of():
    s = Conversation()
    s.client({"type": "UpdateSpeak", "speak": {"provider": {"model": "aura-2-thalia-en"}}})
    assert s.got_types() == ["Warning", "SpeakUpdated"]
    assert s.sent() == []


def test_updates_before_the_settings_are_applied_wait():
    s = Conversation(applied=False)
    s.client({"type": "Settings"}, {"type": "UpdatePrompt", "prompt": "New."})
    assert len(s.sent()) == 1
    s.upstream(UPDATED)
    assert s.sent()[0]["session"]["instructions"] == "New."
