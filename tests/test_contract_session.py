"""What a session sends, serves and lets wait, where no other test says so (SES, MSG, AUD-19)."""

from __future__ import annotations

import inspect

from openai_session import (
    UPDATED,
    Conversation,
    check_client_event,
    created,
    error,
    function_call,
    output_item,
)

from voiceproxy.frames import Text
from voiceproxy.testing import drive
from voiceproxy_openai.audio_input import append_frames
from voiceproxy_openai.client_events import ClientEvents
from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator

SENT = {
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "conversation.item.create",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
}
EXAMPLES = {"session": {"type": "realtime"}, "content_index": 0, "audio_end_ms": 1}


def test_the_backend_can_send_these_events_and_no_other_aud_19():
    sent = []
    events = ClientEvents(sent.append, mark_responses=True)
    for name, method in inspect.getmembers(events, inspect.ismethod):
        if not name.startswith("_"):
            names = inspect.signature(method).parameters
            method(**{name: EXAMPLES.get(name, "x") for name in names})
    sent += [frame.message() for frame in append_frames(bytes(4))]
    for event in sent:
        check_client_event(event)
    assert {event["type"] for event in sent} == SENT


def test_once_ready_nothing_waits_again_ses_14():
    s = Conversation()
    s.upstream(UPDATED)
    s.client({"type": "Settings"}, {"type": "UpdatePrompt", "prompt": "p"})
    s.sent()
    s.inject("hello")
    s.client(bytes(640))
    assert s.sent_types() == ["conversation.item.create", "input_audio_buffer.append"]


def test_an_answer_before_the_session_is_ready_waits_fct_11():
    s = Conversation(applied=False)
    s.client({"type": "Settings"})
    s.sent()
    s.upstream(created("r1"), output_item("done", "r1", function_call("c1")))
    s.answer("c1")
    assert s.sent() == []
    s.upstream(UPDATED)
    (output,) = s.sent()
    assert output["item"]["call_id"] == "c1"


def test_the_backend_serves_these_messages_in_this_order_msg_1():
    s = drive(translator=lambda session: OpenAITranslator(session, OpenAISettings()))
    s.to_client()
    s.client(Text(b'{"type":"Nonsense"}'))
    (error,) = s.to_client()
    assert error["description"].endswith(
        "Allowed: Settings, InjectUserMessage, FunctionCallResponse, InjectAgentMessage, "
        "UpdatePrompt, UpdateSpeak, UpdateThink, UpdateListen. KeepAlive is ignored."
    )


def test_settings_that_were_refused_are_not_applied_by_what_comes_later_def_13():
    s = Conversation(applied=False)
    s.client({"type": "Settings"})
    (update,) = s.sent()
    s.upstream(error("unknown_parameter", update["event_id"], param="session.voice"))
    assert s.got_types() == ["Welcome", "Error"]
    s.upstream(UPDATED)
    s.client(bytes(640))
    assert (s.got(), s.sent()) == ([], [])
