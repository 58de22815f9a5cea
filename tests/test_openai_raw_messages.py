"""The debugging setting that lets unknown messages through (MSG-2, MSG-3, MSG-4)."""

from __future__ import annotations

import pytest
from openai_session import Conversation

from voiceproxy import Text
from voiceproxy_openai.settings import OpenAISettings

RAW = b'{ "type": "response.cancel",  "response_id": "r1" }'
PASSING = OpenAISettings(pass_unknown_messages=True)


@pytest.mark.parametrize("dialect", ["component", "agent"])
@pytest.mark.parametrize("applied", [True, False])
def test_an_unknown_message_goes_up_as_it_is_even_before_the_settings_msg_4(dialect, applied):
    s = Conversation(dialect, PASSING, applied=applied)
    s.got()
    s.client(Text(RAW))
    frame = s.driver.core.upstream.take()
    assert isinstance(frame, Text)
    assert frame.data == RAW
    assert s.got() == []


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_without_the_setting_it_is_refused_by_name_msg_3(dialect):
    s = Conversation(dialect)
    s.client(Text(RAW))
    (refusal,) = s.got()
    assert refusal["code"] == "disallowed_client_message_type"
    assert "'response.cancel'" in refusal["description"]
    assert s.sent() == []


def test_a_message_the_protocol_knows_is_refused_all_the_same_msg_3():
    s = Conversation(settings=PASSING)
    s.client({"type": "ForceEndTurn"})
    assert s.got()[0]["code"] == "disallowed_client_message_type"
    assert s.sent() == []


def test_keep_alive_stays_here_all_the_same_msg_2():
    s = Conversation(settings=PASSING)
    s.client({"type": "KeepAlive"})
    assert (s.got(), s.sent()) == ([], [])


def test_what_is_no_message_stays_here_all_the_same_def_3():
    s = Conversation(settings=PASSING)
    s.client(Text(b"[]"), Text(b"{}"))
    assert [refusal["code"] for refusal in s.got()] == ["UNPARSABLE_CLIENT_MESSAGE"] * 2
    assert s.sent() == []
