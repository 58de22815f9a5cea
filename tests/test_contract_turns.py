"""Whose response it is, and whose item, where no other test says so (TXT-14, TXT-15)."""

from __future__ import annotations

from openai_session import Conversation, created, done

from voiceproxy_openai.client_events import ClientEvents
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


def test_the_ids_of_our_items_are_short_enough_for_the_api_txt_15():
    sent = []
    events = ClientEvents(sent.append, mark_responses=True)
    for _ in range(10_000):
        events.create_user_message("hi")
    events.create_function_output("c1", "42")
    ids = [event["item"]["id"] for event in sent]
    assert len(set(ids)) == len(ids)
    assert max(map(len, ids)) <= 24, "a million times as many have to fit into 32 characters"
