"""Items: created, placed, retrieved, truncated, deleted, and what is refused about them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from test_simulator_events import TOOLS, Checked

from voiceproxy_simulator.formats import PCM
from voiceproxy_simulator.testing import silence, tone


def message(text: str = "hello", **fields: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


def create(item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": item, **fields}


def answers(rehearsal: Checked, *events: dict[str, Any]) -> list[dict[str, Any]]:
    rehearsal.client(*events)
    rehearsal.advance(0.01)
    return rehearsal.events()


def error_of(rehearsal: Checked, event: dict[str, Any]) -> dict[str, Any]:
    (answer,) = answers(rehearsal, event)
    return dict(answer["error"])


def spoken_item(rehearsal: Checked) -> str:
    rehearsal.ask("count to 3")
    done = [e for e in rehearsal.line.sent if isinstance(e, dict) and e["type"] == "response.done"]
    return str(done[-1]["response"]["output"][0]["id"])


def test_an_item_is_added_and_done_with_the_id_its_maker_chose() -> None:
    added, done = answers(Checked(), create(message(id="mine", status="incomplete")))
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["item"]["id"] == done["item"]["id"] == "mine"
    assert done["item"]["status"] == "completed"


def test_an_item_without_an_id_gets_one_of_at_most_32_characters() -> None:
    added, _ = answers(Checked(), create(message()))
    assert 0 < len(added["item"]["id"]) <= 32


def test_items_go_to_the_end_to_the_front_or_behind_another() -> None:
    rehearsal = Checked()
    placed = {
        event["item"]["id"]: event["previous_item_id"]
        for event in answers(
            rehearsal,
            create(message(id="a")),
            create(message(id="b")),
            create(message(id="front"), previous_item_id="root"),
            create(message(id="middle"), previous_item_id="a"),
            create(message(id="last"), previous_item_id=None),
        )
    }
    assert placed == {"a": None, "b": "a", "front": None, "middle": "a", "last": "b"}


def test_an_unknown_previous_item_is_refused() -> None:
    error = error_of(Checked(), create(message(), previous_item_id="nobody"))
    assert error["param"] == "previous_item_id"


def test_an_id_that_is_taken_is_refused() -> None:
    rehearsal = Checked()
    answers(rehearsal, create(message(id="mine")))
    assert (
        error_of(rehearsal, create(message(id="mine")))["code"] == "item_create_duplicate_item_id"
    )


def test_an_item_id_of_more_than_32_characters_is_refused() -> None:
    error = error_of(Checked(), create(message(id="i" * 33)))
    assert error["code"] == "string_above_max_length"
    assert "maximum length 32" in error["message"]


def test_an_output_for_an_unknown_call_is_refused_without_the_clients_event_id() -> None:
    output = {"type": "function_call_output", "call_id": "nobody", "output": "x"}
    error = error_of(Checked(), create(output, event_id="mine"))
    assert (error["code"], error["event_id"]) == ("invalid_tool_call_id", None)


def test_a_call_and_its_output_may_be_replayed() -> None:
    call = {"type": "function_call", "name": "a", "arguments": "{}", "call_id": "call_1"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
    found = answers(Checked(), create(call), create(output))
    assert [event["item"]["type"] for event in found[::2]] == [call["type"], output["type"]]


def test_a_call_without_a_call_id_gets_one() -> None:
    call = {"type": "function_call", "name": "a", "arguments": "{}"}
    added, _ = answers(Checked(), create(call))
    assert added["item"]["call_id"].startswith("call_")


def test_assistant_text_may_be_created_and_assistant_audio_may_not() -> None:
    rehearsal = Checked()
    text = {"type": "output_text", "text": "hello"}
    item = {"type": "message", "role": "assistant", "content": [text]}
    assert len(answers(rehearsal, create(item))) == 2
    audio = {"type": "output_audio", "audio": "AAAA"}
    error = error_of(rehearsal, create(item | {"content": [audio]}))
    assert (error["code"], error["param"]) == ("invalid_value", "item.content[0].type")


def test_created_audio_is_kept_out_of_events_and_given_back_on_retrieval() -> None:
    rehearsal = Checked()
    audio = base64.b64encode(tone(0.5)).decode()
    item = message(id="mine") | {"content": [{"type": "input_audio", "audio": audio}]}
    added, _ = answers(rehearsal, create(item))
    assert "audio" not in added["item"]["content"][0]
    (retrieved,) = answers(rehearsal, {"type": "conversation.item.retrieve", "item_id": "mine"})
    assert retrieved["item"]["content"][0]["audio"] == audio


@pytest.mark.parametrize("audio", ["not base64!", "AAA", "ÄÄÄÄ"])
def test_created_audio_that_is_no_base64_is_refused(audio: str) -> None:
    item = message() | {"content": [{"type": "input_audio", "audio": audio}]}
    error = error_of(Checked(), create(item))
    assert (error["code"], error["param"]) == ("invalid_value", "item.content[0].audio")


def test_heard_audio_can_be_retrieved_until_the_next_utterance() -> None:
    rehearsal = Checked()
    ids = []
    for _ in range(2):
        rehearsal.say(tone(0.5) + silence(0.3))
        rehearsal.advance(0)
        committed = [e for e in rehearsal.events() if e["type"] == "input_audio_buffer.committed"]
        ids.append(committed[0]["item_id"])
    lengths = []
    for item_id in ids:
        (found,) = answers(rehearsal, {"type": "conversation.item.retrieve", "item_id": item_id})
        lengths.append(len(base64.b64decode(found["item"]["content"][0]["audio"])))
    assert lengths[0] == 0
    assert PCM.milliseconds(lengths[1]) == 800


def test_spoken_audio_is_given_back_as_it_was_sent() -> None:
    rehearsal = Checked()
    item_id = spoken_item(rehearsal)
    sent = b"".join(
        base64.b64decode(event["delta"])
        for event in rehearsal.line.sent
        if isinstance(event, dict) and event["type"] == "response.output_audio.delta"
    )
    (found,) = answers(rehearsal, {"type": "conversation.item.retrieve", "item_id": item_id})
    assert base64.b64decode(found["item"]["content"][0]["audio"]) == sent


def test_an_item_without_audio_is_retrieved_as_it_is() -> None:
    rehearsal = Checked()
    answers(rehearsal, create(message(id="mine")))
    (found,) = answers(rehearsal, {"type": "conversation.item.retrieve", "item_id": "mine"})
    assert found["item"]["content"] == [{"type": "input_text", "text": "hello"}]


def test_a_function_call_is_retrieved_as_it_is() -> None:
    rehearsal = Checked(session={"tools": TOOLS})
    done = rehearsal.ask("get_weather")[-2]
    call = done["response"]["output"][0]
    (found,) = answers(rehearsal, {"type": "conversation.item.retrieve", "item_id": call["id"]})
    assert found["item"] == call


@pytest.mark.parametrize("verb", ["retrieve", "delete"])
def test_an_unknown_item_is_refused(verb: str) -> None:
    error = error_of(Checked(), {"type": f"conversation.item.{verb}", "item_id": "nobody"})
    assert error["code"] == f"item_{verb}_invalid_item_id"


def test_a_deleted_item_is_gone() -> None:
    rehearsal = Checked()
    answers(rehearsal, create(message(id="mine")))
    delete = {"type": "conversation.item.delete", "item_id": "mine"}
    assert [event["type"] for event in answers(rehearsal, delete)] == ["conversation.item.deleted"]
    assert error_of(rehearsal, delete)["code"] == "item_delete_invalid_item_id"


def truncate(item_id: str, audio_end_ms: int, content_index: int = 0) -> dict[str, Any]:
    kind = "conversation.item.truncate"
    fields = {"item_id": item_id, "content_index": content_index, "audio_end_ms": audio_end_ms}
    return {"type": kind, **fields}


def test_a_truncated_reply_loses_its_text_and_its_audio_behind_the_cut() -> None:
    rehearsal = Checked()
    item_id = spoken_item(rehearsal)
    (event,) = answers(rehearsal, truncate(item_id, 300))
    assert (event["type"], event["audio_end_ms"]) == ("conversation.item.truncated", 300)
    (found,) = answers(rehearsal, {"type": "conversation.item.retrieve", "item_id": item_id})
    (part,) = found["item"]["content"]
    assert "transcript" not in part
    assert PCM.milliseconds(len(base64.b64decode(part["audio"]))) == 300


def test_truncating_past_the_end_is_refused_with_both_lengths() -> None:
    rehearsal = Checked()
    item_id = spoken_item(rehearsal)
    error = error_of(rehearsal, truncate(item_id, 60000))
    assert error["code"] == "invalid_value"
    assert error["message"].startswith("Audio content of ")
    assert error["message"].endswith("ms is already shorter than 60000ms")


def test_a_cut_reply_cannot_be_truncated_to_more_than_was_sent() -> None:
    rehearsal = Checked(scenario="stall")
    rehearsal.ask("count to 20")
    rehearsal.client({"type": "response.cancel"})
    done = next(e for e in rehearsal.events() if e["type"] == "response.done")
    item_id = done["response"]["output"][0]["id"]
    assert "100ms" in error_of(rehearsal, truncate(item_id, 101))["message"]
    (event,) = answers(rehearsal, truncate(item_id, 100))
    assert event["type"] == "conversation.item.truncated"


def test_only_spoken_content_can_be_truncated() -> None:
    rehearsal = Checked()
    item_id = spoken_item(rehearsal)
    answers(rehearsal, create(message(id="mine")))
    assert error_of(rehearsal, truncate("mine", 0))["param"] == "item_id"
    assert error_of(rehearsal, truncate(item_id, 0, 1))["param"] == "content_index"
    assert error_of(rehearsal, truncate("nobody", 0))["code"] == "item_truncate_invalid_item_id"


def test_a_reply_deleted_while_it_is_spoken_has_no_done_in_the_conversation() -> None:
    rehearsal = Checked(scenario="stall")
    events = rehearsal.ask("hello")
    item_id = next(e for e in events if e["type"] == "response.output_item.added")["item"]["id"]
    rehearsal.client({"type": "conversation.item.delete", "item_id": item_id})
    rehearsal.client({"type": "response.cancel"})
    types = rehearsal.types()
    assert "response.output_item.done" in types
    assert "conversation.item.done" not in types


def test_an_approval_without_a_status_stays_without() -> None:
    approval = {"type": "mcp_approval_response", "id": "m", "approval_request_id": "r"}
    added, _ = answers(Checked(), create(approval | {"approve": True}))
    assert "status" not in added["item"]
