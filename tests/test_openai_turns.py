"""When response.create is sent: after the items it answers, never beside another response."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai_session import UPDATED, Conversation, created, done, error

from voiceproxy_openai.settings import OpenAISettings

CREATE = "response.create"
ALREADY_ACTIVE = "conversation_already_has_active_response"


def test_a_text_turn_creates_the_item_then_echoes_it_txt_1():
    s = Conversation()
    s.inject("hello")
    (item,) = s.sent()
    assert item["item"] == {
        "id": item["item"]["id"],
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hello"}],
    }
    assert len(item["item"]["id"]) <= 32
    assert s.got() == [{"type": "ConversationText", "role": "user", "content": "hello"}]


@pytest.mark.parametrize("kind", ["created", "added", "done"])
def test_response_create_follows_the_item_it_answers_txt_2(kind):
    s = Conversation()
    s.inject("hello")
    (item,) = s.sent()
    s.advance(1)
    assert s.sent() == []
    s.confirm(item, kind)
    assert s.sent_types() == [CREATE]


def test_created_added_and_done_of_one_item_count_once_txt_3():
    s = Conversation()
    s.inject("hello")
    (item,) = s.sent()
    for kind in ("created", "added", "done", "done"):
        s.confirm(item, kind)
    (create,) = s.sent()
    s.upstream(created("r1", create), done("r1"))
    s.confirm(item, "done")
    assert s.sent() == []


def test_an_item_event_without_an_id_counts_txt_4():
    s = Conversation()
    s.inject("hello")
    s.sent()
    s.upstream({"type": "conversation.item.added", "item": {"type": "message", "role": "user"}})
    assert s.sent_types() == [CREATE]


def test_a_server_that_replaces_ids_confirms_by_order_def_8():
    s = Conversation()
    s.inject("same")
    s.inject("same")
    first, second = s.sent()
    s.confirm(first, id="theirs_1")
    s.confirm(first, "done", id="theirs_1")
    assert s.sent() == []
    s.confirm(second, id="theirs_2")
    assert s.sent_types() == [CREATE]


@pytest.mark.parametrize(
    "other",
    [
        {"id": "old", "type": "message", "role": "assistant", "content": []},
        {"id": "mic", "type": "message", "role": "user", "content": [{"type": "input_audio"}]},
        {"id": "x", "type": "function_call_output", "call_id": "c", "output": ""},
        {"id": "x", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {
            "id": "x",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "other words"}],
        },
        {"id": "vp_item_1", "type": "message", "role": "user", "content": []},
    ],
)
def test_another_item_does_not_confirm_ours_def_8(other):
    s = Conversation()
    s.inject("hello")
    s.sent()
    s.upstream({"type": "conversation.item.done", "item": other})
    assert s.sent() == []


def test_a_server_that_keeps_ids_is_held_to_them_def_8():
    s = Conversation()
    create = s.create_response("one")
    s.upstream(created("r1", create), done("r1"))
    s.inject("two")
    (item,) = s.sent()
    s.confirm(item, id="somebody_elses")
    assert s.sent() == []
    s.confirm(item)
    assert s.sent_types() == [CREATE]


def test_an_unconfirmed_item_is_answered_after_the_timeout_txt_8(caplog):
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    s.inject("hello")
    s.sent()
    s.advance(4.9)
    assert s.sent() == []
    s.advance(0.2)
    assert s.sent_types() == [CREATE]
    assert "not confirmed within 5 s" in caplog.text


def test_a_refused_item_is_reported_and_not_answered_txt_8():
    s = Conversation()
    s.inject("hello")
    (item,) = s.sent()
    s.got()
    s.upstream(error("invalid_value", item["event_id"]))
    assert s.got() == [{"type": "Error", "description": "No.", "code": "invalid_value"}]
    s.advance(60)
    assert s.sent() == []


def test_a_refused_item_is_not_answered_even_if_it_appears_txt_11():
    s = Conversation()
    s.inject("hello")
    (item,) = s.sent()
    s.upstream(error("invalid_value", item["event_id"]))
    s.confirm(item)
    assert s.sent() == []


def test_a_refused_item_does_not_hold_back_another_def_7():
    s = Conversation()
    s.inject("one")
    s.inject("two")
    one, two = s.sent()
    s.confirm(two)
    assert s.sent() == []
    s.upstream(error("string_above_max_length", one["event_id"]))
    assert s.sent_types() == [CREATE]


def test_several_quick_injects_get_one_create_after_the_last_item_def_7():
    s = Conversation()
    for text in ("one", "two", "three"):
        s.inject(text)
    one, two, three = s.sent()
    s.confirm(two)
    s.confirm(three)
    assert s.sent() == []
    s.confirm(one)
    assert s.sent_types() == [CREATE]


def test_an_inject_during_a_response_waits_for_its_end_def_6():
    s = Conversation()
    s.upstream(created("vad"))
    s.inject("hello")
    (item,) = s.sent()
    s.confirm(item)
    assert s.sent() == []
    s.upstream({"type": "response.output_text.done", "response_id": "vad", "text": "x"})
    assert s.sent() == []  # only response.done ends a response that was announced
    s.upstream(done("other"))
    assert s.sent() == []
    s.upstream(done("vad"))
    assert s.sent_types() == [CREATE]


def test_an_inject_while_a_create_is_in_flight_waits_def_6():
    s = Conversation()
    create = s.create_response()
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    assert s.sent() == []
    s.upstream(created("r1", create))
    assert s.sent() == []
    s.upstream(done("r1"))
    assert s.sent_types() == [CREATE]


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_create_is_asked_again_after_the_other_response_def_4(named):
    s = Conversation()
    create = s.create_response()
    s.got()
    refusal = error(ALREADY_ACTIVE, create["event_id"])
    if not named:
        refusal["error"]["event_id"] = None
    s.upstream(created("vad"), refusal)
    assert s.sent() == []
    s.upstream(done("vad"))
    (again,) = s.sent()
    assert again["event_id"] != create["event_id"]
    s.upstream(created("r2", again), done("r2"))
    assert s.sent() == []
    assert "Error" not in s.got_types()


def test_a_create_refused_for_a_response_never_announced_is_asked_again_def_4():
    s = Conversation()
    create = s.create_response()
    s.upstream(error(ALREADY_ACTIVE, create["event_id"]))
    assert s.sent() == []
    s.upstream(done("unseen"))
    assert s.sent_types() == [CREATE]


def test_a_refused_create_is_asked_again_even_if_nothing_more_is_heard_def_4():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    create = s.create_response()
    s.upstream(error(ALREADY_ACTIVE, create["event_id"]))
    s.advance(5.1)
    assert s.sent_types() == [CREATE]


def test_the_wait_of_a_refused_create_does_not_end_that_of_the_next_def_4():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    create = s.create_response()
    s.upstream(created("vad"), error(ALREADY_ACTIVE, create["event_id"]))
    s.advance(4)
    s.upstream(done("vad"))
    assert s.sent_types() == [CREATE]
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    s.advance(2)  # six seconds after the first create, two after the second
    assert s.sent() == []


def test_the_wait_for_an_unseen_response_ends_with_it_def_4():
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    create = s.create_response()
    s.upstream(error(ALREADY_ACTIVE, create["event_id"]))
    s.advance(4)
    s.upstream(done("unseen"))
    assert s.sent_types() == [CREATE]
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    s.advance(2)
    assert s.sent() == []
    s.advance(4)
    assert s.sent_types() == [CREATE]


def test_a_refusal_of_no_create_of_ours_changes_nothing_err_4():
    s = Conversation()
    s.upstream(error(ALREADY_ACTIVE))
    assert s.got() == []
    assert s.sent() == []
    create = s.create_response()
    s.upstream(created("r1", create), done("r1"))
    s.got()
    s.upstream(error(ALREADY_ACTIVE, "create_999"))
    assert (s.got(), s.sent()) == ([], [])


def test_a_refusal_under_an_id_the_server_made_up_is_that_of_the_create_in_flight_def_4():
    s = Conversation()
    s.create_response()
    s.upstream(created("vad"), error(ALREADY_ACTIVE, "event_Abc123"))
    assert s.sent() == []
    s.upstream(done("vad"))
    assert s.sent_types() == [CREATE]


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_spoken_turn_the_server_could_not_answer_is_asked_for_def_4(asked_before):
    s = Conversation()
    if asked_before:
        create = s.create_response()
        s.upstream(created("r0", create), done("r0"))
    s.upstream(created("r1"), {"type": "input_audio_buffer.committed", "item_id": "mic"})
    s.upstream(error(ALREADY_ACTIVE))
    assert s.sent() == []
    s.upstream(done("r1"))
    (create,) = s.sent()
    s.upstream(created("r2", create), done("r2"))
    s.upstream(error(ALREADY_ACTIVE, create["event_id"]))
    s.advance(60)
    assert s.sent_types() == [CREATE]  # this one was refused after all


def test_a_statement_refused_twice_is_made_once_def_4():
    s = Conversation()
    s.client({"type": "InjectAgentMessage", "message": "Hello", "behavior": "queue"})
    (create,) = s.sent()
    refusal = error(ALREADY_ACTIVE, create["event_id"])
    s.upstream(created("vad"), refusal, refusal, done("vad"))
    (again,) = s.sent()
    s.upstream(created("r1", again), done("r1"))
    s.advance(60)
    assert s.sent() == []


def test_a_create_refused_for_another_reason_is_reported_and_frees_the_way():
    s = Conversation()
    create = s.create_response()
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    s.got()
    s.upstream(error("bad_response_create", create["event_id"]))
    assert s.got_types() == ["Error"]
    assert s.sent_types() == [CREATE]


def test_a_create_that_is_never_answered_stops_blocking(caplog):
    s = Conversation(settings=OpenAISettings(ack_timeout=5))
    s.create_response()
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    s.advance(5.1)
    assert s.sent_types() == [CREATE]
    assert "no response.created" in caplog.text


def test_the_servers_own_response_does_not_pass_for_ours():
    s = Conversation()
    create = s.create_response()
    s.upstream(created("r0", create), done("r0"))  # this server shows marks
    create = s.create_response()
    s.upstream(created("vad"), done("vad"))
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    assert s.sent() == []  # the first create is still on its way
    s.upstream(created("r1", create))
    assert s.sent() == []
    s.upstream(done("r1"))
    assert s.sent_types() == [CREATE]


@pytest.mark.parametrize("metadata", [None, {}, {"of": "theirs"}])
def test_a_server_that_ignores_marks_costs_no_wait_def_8(metadata):
    s = Conversation()
    for number in range(3):
        s.create_response()
        event = created(f"r{number}")
        event["response"]["metadata"] = metadata
        s.upstream(event, done(f"r{number}"))


def test_without_metadata_a_response_after_a_commit_is_the_servers_own():
    s = Conversation()
    s.create_response()
    bare = {"type": "response.created", "response": {"id": "a"}}
    s.upstream({"type": "input_audio_buffer.committed", "item_id": "mic"}, bare, done("a"))
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    assert s.sent() == []
    s.upstream({"type": "response.created", "response": {"id": "b"}}, done("b"))
    assert s.sent_types() == [CREATE]


def test_marks_can_be_turned_off():
    s = Conversation(settings=OpenAISettings(mark_responses=False))
    create = s.create_response()
    assert create == {"type": CREATE, "event_id": create["event_id"]}
    s.upstream(created("r1"), done("r1"))
    assert s.create_response()["event_id"] != create["event_id"]


COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "mic"}


@pytest.mark.parametrize("answers", [True, False])
def test_without_marks_the_servers_own_response_goes_first(answers):
    s = Conversation(settings=OpenAISettings(mark_responses=False, ack_timeout=5))
    s.upstream(COMMITTED)
    s.inject("typed")
    (item,) = s.sent()
    s.confirm(item)
    assert s.sent() == []
    if answers:
        s.upstream(created("vad"))
        assert s.sent() == []
        s.upstream(done("vad"))
    else:
        s.advance(5.1)
    assert s.sent_types() == [CREATE]


def test_without_marks_a_turn_the_server_leaves_costs_no_wait_later(caplog):
    s = Conversation(settings=OpenAISettings(mark_responses=False, ack_timeout=5))
    s.upstream(COMMITTED)
    s.advance(5.1)  # it will not be answered any more
    for number in range(2):
        s.create_response()
        s.upstream(created(f"r{number}"), done(f"r{number}"))
    assert caplog.text == ""


def test_with_marks_nobody_waits_for_the_servers_own_response():
    s = Conversation()
    s.upstream(COMMITTED)
    assert s.create_response()


def test_event_ids_are_unique_and_ours():
    s = Conversation(applied=False)
    s.client({"type": "Settings"})
    s.upstream(UPDATED)
    events = s.sent()
    for _ in range(3):
        s.inject("x")
        (item,) = s.sent()
        s.confirm(item)
        (create,) = s.sent()
        s.upstream(created(create["event_id"], create), done(create["event_id"]))
        events += [item, create]
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == len(ids)
    assert all(len(event_id) <= 512 for event_id in ids)


# Every interleaving.

CHAINS = (
    ("updated",),
    ("inject one", "added one", "done one"),
    ("inject two", "added two", "done two"),
    ("vad created", "vad done"),
)


def interleavings(chains: tuple[tuple[str, ...], ...]) -> Iterator[list[str]]:
    """Every order of the events that keeps the order inside each chain."""
    if not any(chains):
        yield []
    for index, chain in enumerate(chains):
        if chain:
            rest = (*chains[:index], chain[1:], *chains[index + 1 :])
            for tail in interleavings(rest):
                yield [chain[0], *tail]


def legal(order: list[str]) -> bool:
    """An item cannot be confirmed before the session it is created in is configured."""
    configured = order.index("updated")
    return all(configured < order.index(f"added {name}") for name in ("one", "two"))


ORDERS = [order for order in interleavings(CHAINS) if legal(order)]


class Interleaving:
    """Plays one order, with a server that answers each create at once or only at the end."""

    def __init__(self, ids: str, *, prompt: bool) -> None:
        self.s = Conversation(applied=False)
        self.s.client({"type": "Settings"})
        self.s.sent()
        self.ids = ids
        self.prompt = prompt
        self.items: dict[str, dict] = {}
        self.unconfirmed: set[str] = set()
        self.vad_active = False
        self.unanswered: list[dict] = []
        self.answered_texts: list[set[str]] = []

    def play(self, order: list[str]) -> None:
        for step in order:
            getattr(self, step.split()[0])(step.split()[1] if " " in step else "")
            self.look()
        while self.unanswered:
            self.answer()
            self.look()

    def updated(self, _: str) -> None:
        self.s.upstream(UPDATED)

    def inject(self, name: str) -> None:
        self.s.inject(name)

    def added(self, name: str) -> None:
        self.confirm(name, "added")

    def done(self, name: str) -> None:
        self.confirm(name, "done")

    def confirm(self, name: str, kind: str) -> None:
        changes = {"ours": {}, "replaced": {"id": f"theirs_{name}"}, "missing": {"id": ""}}
        self.unconfirmed.discard(name)
        self.s.confirm(self.items[name], kind, **changes[self.ids])

    def vad(self, kind: str) -> None:
        self.vad_active = kind == "created"
        if kind == "created":
            self.s.upstream({"type": "input_audio_buffer.committed", "item_id": "mic"})
        self.s.upstream(created("vad") if kind == "created" else done("vad"))

    def answer(self) -> None:
        create = self.unanswered.pop()
        response_id = create["event_id"]
        self.s.upstream(created(response_id, create), done(response_id))

    def look(self) -> None:
        for event in self.s.sent():
            if event["type"] == "conversation.item.create":
                name = event["item"]["content"][0]["text"]
                self.items[name] = event
                self.unconfirmed.add(name)
                continue
            assert event["type"] == CREATE
            assert not self.unconfirmed, "before the item it answers"
            assert not self.vad_active, "beside a response"
            assert not self.unanswered, "beside another create"
            self.unanswered.append(event)
            self.answered_texts.append(set(self.items))
            if self.prompt:
                self.answer()


@pytest.mark.parametrize("ids", ["ours", "replaced", "missing"])
@pytest.mark.parametrize("prompt", [True, False], ids=["answered at once", "answered late"])
def test_response_create_follows_its_items_in_every_interleaving_txt_2_def_6_def_7(ids, prompt):
    assert len(ORDERS) > 1000
    orders = ORDERS if ids == "ours" else ORDERS[::7]
    for order in orders:
        played = Interleaving(ids, prompt=prompt)
        try:
            played.play(order)
            assert played.answered_texts, "nobody answered"
            assert played.answered_texts[-1] == {"one", "two"}, "a turn was not answered"
            assert len(played.answered_texts) <= 2, "a turn was answered twice"
            types = played.s.got_types()
            assert types.count("AgentDone") == len(played.answered_texts) + 1
            assert "Error" not in types
        except AssertionError as failure:
            raise AssertionError(f"{failure} in {order}") from failure


def test_an_error_about_something_else_does_not_free_the_way_def_6():
    s = Conversation()
    s.create_response()
    s.inject("more")
    (item,) = s.sent()
    s.confirm(item)
    s.upstream(error("server_error"), error("x", "create_999"))
    assert s.sent() == []
