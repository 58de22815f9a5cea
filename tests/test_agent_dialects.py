"""voiceproxy/agent/dialects.py: what each dialect has of its own."""

from __future__ import annotations

import pytest

from voiceproxy.agent import ONLY, SERVER_MESSAGES, default_input_rate


def test_a_dialects_own_messages_are_these():
    assert ONLY == {
        "AgentDone": "component",
        "Transcript": "component",
        "UtteranceEnd": "component",
        "History": "agent",
    }


def test_every_message_of_a_dialect_is_a_server_message():
    assert ONLY.keys() <= SERVER_MESSAGES.keys()


@pytest.mark.parametrize(("dialect", "hertz"), [("component", 16_000), ("agent", 24_000)])
def test_audio_has_the_dialects_rate_when_settings_give_none(dialect, hertz):
    assert default_input_rate(dialect) == hertz
