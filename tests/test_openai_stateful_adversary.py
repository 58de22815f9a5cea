"""The translator against a server that keeps no order, forgets, repeats itself and talks nonsense.

Less can be asked of such a session than of one with the real API, but never an exception, a word
said twice, audio behind its end or a turn that waits for ever.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from openai_session import (
    Conversation,
    assistant,
    audio_delta,
    created,
    done,
    error,
    function_call,
    output_item,
)
from test_openai_long_sessions import held
from test_openai_stateful import explore

from voiceproxy_openai.settings import OpenAISettings

ALREADY_ACTIVE = "conversation_already_has_active_response"
TRANSCRIPTION = "conversation.item.input_audio_transcription"
NUMBERS = st.integers(0, 3)
JUNK = st.sampled_from([None, True, -1, 1e300, 7, "", "x", [], [None], {}, {"x": 1}, "ä" * 50])
CODES = st.sampled_from([ALREADY_ACTIVE, "response_cancel_not_active", "invalid_value", None, "x"])
STATUS = st.sampled_from(["completed", "cancelled", "failed", "incomplete", "strange"])
STEP = 0.5
"""Seconds between two looks at what came out."""

MOST_HELD = 2000
"""Entries a session may keep whatever it is sent in so few steps."""


class Chaos(RuleBasedStateMachine):
    """One session and whatever its upstream says."""

    @initialize(
        dialect=st.sampled_from(["component", "agent"]),
        marked=st.booleans(),
        text_only=st.booleans(),
        manual=st.booleans(),
    )
    def begin(self, dialect: str, marked: bool, text_only: bool, manual: bool) -> None:
        agent: dict[str, Any] = {"useOpenAIManualAudioCommit": manual}
        agent["think"] = {"outputModalities": ["text"]} if text_only else {}
        chosen = OpenAISettings(mark_responses=marked)
        self.s = Conversation(dialect, chosen, agent=agent)
        self.now = 0.0
        self.number = 0
        self.names: list[str] = []  # of responses
        self.begun: set[str] = set()
        self.over: set[str] = set()
        self.cut: set[str] = set()
        self.active: set[str] = set()
        self.items: list[dict] = []  # conversation.item.create events
        self.creates: list[dict] = []
        self.free_to_create = True
        self.created_at = 0.0
        self.waiting: set[str] = set()
        self.calls: list[str] = []
        self.requested: list[str] = []
        self.outputs: list[str] = []
        self.said: list[str] = []
        self.vague: set[str] = set()
        """Responses of which words came without the item they belong to."""
        self.heard: list[str] = []
        self.heard_by_agents: list[str] = []
        self.pairs = 0
        self.statements = 0

    def next_number(self) -> int:
        self.number += 1
        return self.number

    # The client.

    @rule()
    def types(self) -> None:
        self.s.inject(f"word{self.next_number()}")
        self.look()

    @rule(behavior=st.sampled_from(["default", "queue", "interrupt"]))
    def has_the_agent_say_something(self, behavior: str) -> None:
        words = f"statement{self.next_number()}"
        self.s.client({"type": "InjectAgentMessage", "message": words, "behavior": behavior})
        self.look()

    @rule(size=st.sampled_from([1, 640, 9601]))
    def sends_audio(self, size: int) -> None:
        self.s.client(bytes(size))
        self.look()

    @rule(place=NUMBERS)
    def answers_a_call(self, place: int) -> None:
        known = [*self.requested, "never_asked"]
        self.s.answer(known[-1 - place % len(known)])
        self.look()

    @rule(seconds=st.sampled_from([0.5, 1.5, 6.0]))
    def lets_time_pass(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += STEP
            self.s.advance(STEP)
            self.look()

    # The upstream.

    def tell(self, event: dict) -> None:
        self.s.upstream(event)
        self.look(event)

    def response(self, place: int) -> str:
        """One of the latest responses, or a new one that nobody announced."""
        if place >= len(self.names):
            self.names.append(f"r{self.next_number()}")
        return self.names[-1 - place % len(self.names)]

    @rule(mine=st.booleans(), beta=st.booleans())
    def announces_a_response(self, mine: bool, beta: bool) -> None:
        name = f"r{self.next_number()}"
        self.names.append(name)
        create = self.creates[-1] if mine and self.creates else None
        marked = create is not None and "metadata" in create.get("response", {})
        event = created(name, create if marked else None)
        if beta:
            del event["response"]["metadata"]
        self.active.add(name)
        self.free_to_create = True
        self.tell(event)

    @rule(place=NUMBERS, status=STATUS, whole=st.booleans())
    def ends_a_response(self, place: int, status: str, whole: bool) -> None:
        name = self.response(place)
        output = [assistant(f"{name}i", f"<{name}i>")] if whole else []
        self.active.discard(name)
        self.free_to_create = True
        self.tell(done(name, status, output=output))
        self.over.add(name)

    @rule(place=NUMBERS)
    def speaks(self, place: int) -> None:
        name = self.response(place)
        self.tell(audio_delta(name, item_id=f"{name}i"))

    @rule(
        place=NUMBERS,
        kind=st.sampled_from(["output_text", "output_audio_transcript", "text"]),
        stage=st.sampled_from(["delta", "done"]),
        named=st.booleans(),
    )
    def words_come(self, place: int, kind: str, stage: str, named: bool) -> None:
        name = self.response(place)
        words = f"<{name}i>"
        if not named:
            self.vague.add(name)
        self.tell(
            {
                "type": f"response.{kind}.{stage}",
                "response_id": name,
                **({"item_id": f"{name}i"} if named else {}),
                "delta": words,
                "text": words,
                "transcript": words,
            }
        )

    @rule(place=NUMBERS, where=st.sampled_from(["output", "added", "done", "created"]))
    def an_item_comes(self, place: int, where: str) -> None:
        name = self.response(place)
        item = assistant(f"{name}i", f"<{name}i>")
        if where == "output":
            self.tell(output_item("done", name, item))
        else:
            self.tell({"type": f"conversation.item.{where}", "item": item})

    @precondition(lambda self: self.items)
    @rule(
        place=NUMBERS,
        kind=st.sampled_from(["created", "added", "done"]),
        ids=st.sampled_from(["ours", "ours", "replaced", "missing"]),
    )
    def confirms_an_item(self, place: int, kind: str, ids: str) -> None:
        event = self.items[-1 - place % len(self.items)]
        changes = {"ours": {}, "replaced": {"id": f"theirs_{self.next_number()}"}}
        item = {**event["item"], **changes.get(ids, {"id": ""})}
        self.tell({"type": f"conversation.item.{kind}", "item": item})

    @rule(place=NUMBERS, how=st.sampled_from(["arguments", "item", "done"]), old=st.booleans())
    def calls_a_function(self, place: int, how: str, old: bool) -> None:
        name = self.response(place)
        if not (old and self.calls):
            self.calls.append(f"c{self.next_number()}")
        call = function_call(self.calls[-1])
        if how == "arguments":
            self.tell(
                {
                    "type": "response.function_call_arguments.done",
                    "response_id": name,
                    "call_id": call["call_id"],
                    "name": "f",
                    "arguments": "{}",
                }
            )
        elif how == "item":
            self.tell(output_item("done", name, call))
        else:
            self.active.discard(name)
            self.free_to_create = True
            self.tell(done(name, output=[call]))
            self.over.add(name)

    @rule(
        kind=st.sampled_from(["speech_started", "speech_stopped", "committed", "timeout_triggered"])
    )
    def hears_the_user(self, kind: str) -> None:
        number = self.number if kind != "speech_started" else self.next_number()
        if kind == "speech_started":
            self.cut |= self.begun
        self.tell({"type": f"input_audio_buffer.{kind}", "item_id": f"mic{number}"})

    @rule(kind=st.sampled_from(["delta", "completed", "failed"]), before=NUMBERS)
    def writes_down(self, kind: str, before: int) -> None:
        item_id = f"mic{self.number - before}"
        event = {
            "type": f"{TRANSCRIPTION}.{kind}",
            "item_id": item_id,
            "delta": "h",
            "transcript": item_id,
        }
        self.tell(event)

    @rule(
        code=CODES,
        about=st.sampled_from(["create", "item", "nothing", "something"]),
        place=NUMBERS,
    )
    def refuses(self, code: str | None, about: str, place: int) -> None:
        event_id = None if about == "nothing" else "something_1"
        if about == "item" and self.items:
            item = self.items[-1 - place % len(self.items)]
            event_id = item["event_id"]
            if code not in (ALREADY_ACTIVE, "response_cancel_not_active"):
                self.waiting.discard(item["item"]["id"])
        elif about == "create" and self.creates:
            event_id = self.creates[-1]["event_id"]
        self.free_to_create = True
        self.tell(error(code, event_id, message="No: sk-very-secret-key-000000"))

    @rule(data=st.data())
    def talks_nonsense(self, data: st.DataObject) -> None:
        """An event of any kind with one of its parts replaced, or no event at all."""
        name = f"r{self.next_number()}"
        event = data.draw(
            st.sampled_from(
                [
                    created(name),
                    done(name, output=[function_call(f"{name}c"), assistant(f"{name}i", "x")]),
                    audio_delta(name),
                    output_item("done", name, assistant(f"{name}i", f"<{name}i>")),
                    output_item("added", name, function_call(f"{name}c")),
                    error("x"),
                    {"type": f"{TRANSCRIPTION}.completed", "item_id": "m", "transcript": "h"},
                    {"type": "session.updated", "session": {}},
                    {"type": "nobody.knows"},
                ]
            )
        )
        event = copy.deepcopy(event)
        spoil(event, data)
        self.names.append(name)
        self.vague.add(name)
        self.begun.add(name)
        self.free_to_create = True
        self.active.clear()  # a nameless end may be that of any response
        self.tell(event)
        self.free_to_create = True  # its end is all that is known of it
        self.tell(done(name))
        self.over.add(name)

    # What comes out.

    def look(self, told: dict | None = None) -> None:
        self.note_begun(told or {})
        for event in self.s.sent():
            self.check_sent(event)
        frames = self.s.got()
        audio = [frame for frame in frames if isinstance(frame, bytes)]
        if audio:
            assert told is not None
            assert told["type"] == "response.output_audio.delta"
            name = str(told.get("response_id"))
            assert name not in self.over, "audio behind its end"
            # Without a name it may be the first sign of a response that comes unannounced.
            assert not name or name not in self.cut, "audio of what was cut short"
        for frame in frames:
            if isinstance(frame, dict):
                self.check_got(frame)
        assert self.s.driver.closed is None

    def note_begun(self, event: dict) -> None:
        response = event.get("response")
        named = response if isinstance(response, dict) else {}
        for name in (event.get("response_id"), named.get("id")):
            if isinstance(name, str) and name not in self.begun:
                self.begun.add(name)
                self.free_to_create = True  # it may be what was asked for, unannounced
        self.begun.add("")  # parts of responses that lost their name

    def check_sent(self, event: dict) -> None:
        kind = event["type"]
        if kind == "conversation.item.create":
            item = event["item"]
            self.items.append(event)
            if item["type"] == "function_call_output":
                self.outputs.append(item["call_id"])
            elif item["role"] == "user":
                self.waiting.add(item["id"])
            else:
                self.statements += 1
        elif kind == "response.cancel":
            self.active.discard(event.get("response_id", ""))
            self.cut.add(event.get("response_id", ""))
        elif kind == "response.create":
            assert not self.active, "beside an active response"
            late = self.now - self.created_at > 5 - 2 * STEP
            assert self.free_to_create or late, "beside another create"
            self.free_to_create, self.created_at = False, self.now
            self.creates.append(event)
            if "instructions" not in event.get("response", {}):
                self.waiting.clear()

    def check_got(self, frame: dict) -> None:
        kind = frame["type"]
        assert "sk-very" not in str(frame)
        assert frame.get("code") not in ("internal_error", "plugin_failed")
        if kind == "AgentAudioDone":
            self.pairs += 1
        elif kind == "ConversationText" and frame["role"] == "assistant":
            self.said += set(re.findall(r"<(r\d+)i>", frame["content"]))
        elif kind == "Transcript" and frame["is_final"]:
            self.heard.append(frame["transcript"])
        elif kind == "ConversationText" and frame["content"].startswith("mic"):
            self.heard_by_agents.append(frame["content"])
        elif kind == "FunctionCallRequest":
            self.requested += [call["id"] for call in frame["functions"]]

    @invariant()
    def nothing_happens_twice(self) -> None:
        if not hasattr(self, "s"):
            return
        assert len(self.requested) == len(set(self.requested))
        assert len(self.outputs) == len(set(self.outputs))
        said = [name for name in self.said if name not in self.vague]
        assert len(said) == len(set(said)), "a text told twice"
        spoken = [words for words in self.heard if words != "h"]  # nonsense may say "h" again
        assert len(spoken) == len(set(spoken)), "a spoken turn told twice"
        assert len(self.heard_by_agents) == len(set(self.heard_by_agents))
        assert self.pairs <= len(self.begun) + self.statements + 2 * self.number

    def teardown(self) -> None:
        if not hasattr(self, "s"):
            return
        self.tell({"type": "input_audio_buffer.speech_stopped", "item_id": "mic"})
        self.lets_time_pass(300.0)
        translator: Any = self.s.driver.core.translator
        assert not translator.gate.occupied, "something waits for ever"
        assert not translator.responses.running
        assert not translator.calls.waiting
        assert not translator.items._pending
        assert not translator._dialogue._held
        assert not any(translator._dialogue._unwritten.values()), "words wait for ever"
        assert not self.waiting, "a turn was never answered"
        assert held(translator, set()) < MOST_HELD


def spoil(value: Any, data: st.DataObject) -> None:
    """Replace or remove something in a JSON object, at any depth."""
    while True:
        places = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not places:
            return
        place = data.draw(st.sampled_from(places))
        inner = value[place]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            value = inner
            continue
        if isinstance(value, dict) and data.draw(st.booleans()):
            del value[place]
        else:
            value[place] = data.draw(JUNK)
        return


def test_no_upstream_however_odd_breaks_the_translator():
    explore(Chaos, examples=300, steps=30)


@pytest.mark.deep
def test_no_upstream_however_odd_breaks_the_translator_deep():
    explore(Chaos, examples=2000, steps=60)
