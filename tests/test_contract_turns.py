"""Whose response it is, where no other test says so (TXT-14)."""

from __future__ import annotations

from openai_session import Conversation, created, done

from voiceproxy_openai.settings import OpenAISettings


def test_the_late_response_to_an_older_create_is_not_taken_for_the_newest_txt_14():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    first = s.create_response()
    s.advance(6)
    second = s.create_response("again")
    assert second["event_id"] != first["event_id"]
    s.inject("and more")
    (item,) = s.sent()
    s.confirm(item)
    s.upstream(created("r1", first), done("r1"))
    assert s.sent() == []
    s.upstream(created("r2", second), done("r2"))
    assert s.sent_types() == ["response.create"]
