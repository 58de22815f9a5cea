"""A session of any length keeps no more than a short one (DEF-17)."""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import Enum

from openai_session import Conversation, assistant, audio_delta, created, done, item_event

from voiceproxy_openai.settings import OpenAISettings
from voiceproxy_openai.translator import OpenAITranslator


def held(value: object, seen: set[int]) -> int:
    """How many entries the containers behind an object of the backend hold, all together."""
    if id(value) in seen or isinstance(value, Enum | OpenAISettings):
        return 0
    seen.add(id(value))
    if isinstance(value, dict | OrderedDict):
        return len(value) + sum(held(inner, seen) for inner in value.values())
    if isinstance(value, list | tuple | set | deque):
        return len(value) + sum(held(inner, seen) for inner in value)
    if not type(value).__module__.startswith("voiceproxy_openai"):
        return 0
    names = getattr(type(value), "__slots__", None) or list(vars(value))
    return sum(held(getattr(value, name, None), seen) for name in names)


def turn(s: Conversation, number: int) -> None:
    """One spoken turn with barge-in, one typed turn with a function call and its answer."""
    mic, reply, call = f"mic_{number}", f"r_{number}", f"c_{number}"
    s.upstream(
        {"type": "input_audio_buffer.speech_started", "item_id": mic},
        {"type": "input_audio_buffer.speech_stopped", "item_id": mic},
        {"type": "input_audio_buffer.committed", "item_id": mic},
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": mic,
            "delta": "words",
        },
        {"type": f"unknown_{number}"},
        created(reply),
        audio_delta(reply, item_id=f"i_{number}"),
        item_event("done", assistant(f"i_{number}", "words")),
        {"type": "response.output_text.done", "response_id": reply, "text": f"w{number}"},
        {"type": "input_audio_buffer.timeout_triggered", "item_id": f"t_{number}"},
        done(reply, "cancelled"),
    )
    s.inject("hello")
    (item,) = s.sent()
    s.confirm(item, id=f"theirs_{number}")
    (create,) = s.sent()
    function = {"type": "function_call", "id": f"f_{number}", "call_id": call, "name": "f"}
    began = {"type": "response.output_item.added", "response_id": f"s_{number}", "item": function}
    s.upstream(created(f"s_{number}", create), began)
    s.upstream(done(f"s_{number}", output=[{**function, "arguments": "{}"}]))
    if number % 3:
        s.answer(call)
        (output,) = s.sent()
        s.confirm(output, id=f"theirs_o_{number}")
        (create,) = s.sent()
        s.upstream(created(f"u_{number}", create), done(f"u_{number}"))
    s.client(bytes(641))
    s.sent()
    s.got()
    s.advance(30)
    s.got()


def test_the_state_of_a_session_does_not_grow_with_its_turns_def_17():
    s = Conversation()
    translator = s.driver.core.translator
    assert isinstance(translator, OpenAITranslator)
    sizes = []
    for number in range(600):
        turn(s, number)
        if number in (299, 449, 599):
            sizes.append(held(translator, set()))
    assert sizes[0] > 100
    assert sizes[0] == sizes[1] == sizes[2]
