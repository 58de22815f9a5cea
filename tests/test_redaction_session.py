"""Who gets to see what, message by message, and what happens when something goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redaction_observer import Observer, Redacted, conversation_text, spelt, transcript

from voiceproxy import Text, hookimpl
from voiceproxy.testing import drive
from voiceproxy_redaction import CONVERSATION, POLICY
from voiceproxy_redaction.json_text import MAX_DEPTH
from voiceproxy_redaction.messages import SPOKEN

CARD = "4111 1111 1111 1111"
MAIL = "bob@example.com"
KEY = "0123456789abcdef"


def test_observers_see_marks_and_the_wire_carries_the_text_byte_for_byte():
    redacted = Redacted()
    frame = Text(b'{"type": "ConversationText", "role": "user", "content": "bob@example.com"}')
    assert redacted.hear(frame)["content"] == "[email]"
    assert redacted.session.core.client.take().data == frame.data


@pytest.mark.parametrize(
    ("settings", "observed", "sent"),
    [
        ({"client": "mask"}, "I am [email].", "I am [email]."),
        ({"client": "drop"}, "I am [email].", "I am ."),
        ({"observers": "drop", "client": "mask"}, "I am .", "I am [email]."),
        ({"observers": "off", "client": "mask"}, "I am [email].", "I am [email]."),
        ({"backend": "mask"}, "I am [email].", f"I am {MAIL}."),
        ({"observers": "off", "backend": "mask"}, f"I am {MAIL}.", f"I am {MAIL}."),
    ],
)
def test_the_client_and_the_observers_each_get_what_the_settings_say(
    settings: dict[str, str], observed: str, sent: str
):
    redacted = Redacted(**settings)
    assert redacted.hear(conversation_text(f"I am {MAIL}."))["content"] == observed
    assert redacted.session.to_client()[0]["content"] == sent


def test_the_backend_gets_redacted_text_on_request():
    redacted = Redacted(backend="mask", client="off")
    redacted.say({"type": "InjectUserMessage", "content": f"charge {CARD}"})
    assert redacted.session.to_upstream()[0]["content"] == "charge [card]"


def test_a_match_is_remembered_once_though_two_sides_are_redacted():
    redacted = Redacted(client="hash", hash_key=KEY)
    redacted.hear(conversation_text("4111 1111"))
    assert redacted.hear(conversation_text("1111"))["content"] == "1111"
    assert redacted.hear(conversation_text("1111"))["content"] == "[card]"


def test_hashes_are_stable_for_a_key_and_ignore_how_a_number_is_written():
    def seen(content: str, key: str = KEY) -> str:
        return Redacted(observers="hash", hash_key=key).hear(conversation_text(content))["content"]

    assert seen(CARD) == seen(CARD.replace(" ", "-")) == seen(CARD.replace(" ", ""))
    assert seen(MAIL) == seen(MAIL.upper())
    assert seen("192.0.2.11") != seen("192.0.21.1")
    assert seen("sk-EXAMPLE0123456789example") != seen("sk-EXAMPLE0123456789EXAMPLE")
    assert seen(CARD) != seen(CARD, key=KEY + "1")
    assert seen(CARD).startswith("[card:")
    assert seen(CARD)[6:-1].isalpha()
    assert len(seen(CARD)[6:-1]) == 16


def test_dropping_leaves_one_blank_between_the_words_around():
    redacted = Redacted(observers="drop")
    for said, seen in (
        (f"card {CARD} please", "card please"),
        (f"{CARD} please", "please"),
        (f"card:{CARD}, please", "card:, please"),
        (f"{MAIL} {CARD} please", "please"),
        (f"call {CARD}", "call "),
    ):
        assert redacted.hear(conversation_text(said))["content"] == seen


def test_dropping_makes_no_match_of_what_stood_apart():
    said, seen = (f"4111 1111 {between} 1111 1111 hi" for between in (MAIL, "[email]"))
    message = transcript(said, final=True, words=spelt(*said.split()))
    [reading] = Redacted(observers="drop").hear(message)["alternatives"]
    assert reading["transcript"] == seen
    assert [word["word"] for word in reading["words"]] == seen.split()


@pytest.mark.parametrize("interim", [True, False])
def test_results_of_listen_are_redacted_for_each_channel(interim: bool):
    redacted = Redacted(protocol="listen")

    def results(text: str, channel: int, *, final: bool) -> dict[str, Any]:
        alternatives = [
            {"transcript": text, "confidence": 1, "words": spelt(*text.split())},
            {"transcript": text + " or so", "confidence": 0.5},
        ]
        return {
            "type": "Results",
            "channel_index": [channel, 2],
            "is_final": final,
            "channel": {"alternatives": alternatives, "search": [{"query": MAIL}]},
            "metadata": {"request_id": "4111111111111111"},
        }

    redacted.hear(results("4111 1111", 0, final=True))
    redacted.hear(results("4111 1111", 1, final=True))
    seen = redacted.hear(results("1111 1111", 0, final=not interim))
    [first, second] = seen["channel"]["alternatives"]
    mark = "…" if interim else "[card]"
    assert first["transcript"] == mark
    assert [word["word"] for word in first["words"]] == [mark, mark]
    assert second["transcript"] == ("[card] or …" if interim else "[card] or so")
    assert seen["channel"]["search"] == [{"query": "[email]"}]
    assert seen["metadata"]["request_id"] == "4111111111111111"


def test_the_parts_of_different_channels_do_not_make_a_match():
    redacted = Redacted(protocol="listen")

    def hear(text: str, channel: int) -> str:
        alternatives = [{"transcript": text}]
        message = {"type": "Results", "is_final": True, "channel_index": [channel, 2]}
        seen = redacted.hear({**message, "channel": {"alternatives": alternatives}})
        return seen["channel"]["alternatives"][0]["transcript"]

    assert hear("4111 1111", 0) == "4111 1111"
    assert hear("1111 1111", 1) == "1111 1111"
    assert hear("1111 1111", 0) == "[card]"


@pytest.mark.parametrize(
    ("event", "seen"),
    [("Update", "I am …"), ("EagerEndOfTurn", "I am …"), ("EndOfTurn", "I am [email]")],
)
def test_a_turn_of_listen_is_interim_until_it_has_ended(event: str, seen: str):
    turn = {"type": "TurnInfo", "event": event, "transcript": f"I am {MAIL}"}
    turn["words"] = [{"word": word, "confidence": 1} for word in ("I", "am", MAIL)]
    message = Redacted(protocol="listen").hear(turn)
    assert message["transcript"] == seen
    assert " ".join(word["word"] for word in message["words"]) == seen


def test_text_to_be_spoken_is_redacted_also_when_it_comes_in_pieces():
    redacted = Redacted(protocol="speak", backend="mask")
    for piece in ("Your card ", "4111 1111 ", "1111 1111."):
        redacted.say({"type": "Speak", "text": piece})
    sent = [message["text"] for message in redacted.session.to_upstream()]
    assert sent == ["Your card ", "4111 1111 ", "[card]."]


FUNCTION = {
    "name": "lookup",
    "description": f"ask {MAIL}",
    "parameters": {"type": "object", "properties": {"mail": {"example": MAIL}}},
    "endpoint": {"url": "http://192.0.2.1/", "headers": {"authorization": "Bearer x"}},
}
SETTINGS = {
    "type": "Settings",
    "tags": [MAIL],
    "agent": {
        "greeting": f"I am {MAIL}",
        "think": {
            "prompt": f"The owner is {MAIL}",
            "functions": [FUNCTION],
            "endpoint": {"url": "https://example.com", "headers": {"x": "y"}},
            "provider": {"type": "aws", "credentials": {"secret_access_key": "s"}},
        },
        "context": {
            "messages": [
                {"type": "History", "role": "user", "content": CARD},
                {
                    "type": "History",
                    "function_calls": [
                        {
                            "id": "c1",
                            "name": "f",
                            "arguments": f'{{"m":"{MAIL}"}}',
                            "response": MAIL,
                        }
                    ],
                },
                "neither",
            ]
        },
    },
}


def test_settings_reach_the_backend_redacted_and_still_work():
    redacted = Redacted(backend="mask")
    redacted.say(SETTINGS)
    [sent] = redacted.session.to_upstream()
    agent = sent["agent"]
    assert sent["tags"] == ["[email]"]
    assert agent["greeting"] == "I am [email]"
    assert agent["think"]["prompt"] == "The owner is [email]"
    assert agent["think"]["endpoint"] == SETTINGS["agent"]["think"]["endpoint"]
    assert agent["think"]["provider"] == SETTINGS["agent"]["think"]["provider"]
    [function] = agent["think"]["functions"]
    assert function["name"] == "lookup"
    assert function["description"] == "ask [email]"
    assert function["parameters"]["properties"]["mail"]["example"] == "[email]"
    assert function["endpoint"] == FUNCTION["endpoint"]
    words, calls, other = agent["context"]["messages"]
    assert words["content"] == "[card]"
    assert calls["function_calls"] == [
        {"id": "c1", "name": "f", "arguments": '{"m":"[email]"}', "response": "[email]"}
    ]
    assert other == "neither"


def test_observers_see_no_credentials_of_settings():
    seen = Redacted().say(SETTINGS)
    think = seen["agent"]["think"]
    assert think["endpoint"]["headers"] == "[secret]"
    assert think["provider"] == {"type": "aws", "credentials": "[secret]"}
    assert think["functions"][0]["endpoint"] == {"url": "http://[ip]/", "headers": "[secret]"}


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://example.com/v1", "https://example.com/v1"),
        ("https://example.com/v1?key=letmein&x=1", "https://example.com/v1?[secret]"),
        ("https://me:letmein@example.com/v1?", "https://[secret]@example.com/v1?"),
        ("http://192.0.2.1/?x", "http://[ip]/?[secret]"),
    ],
)
def test_observers_see_no_credentials_of_an_address(url: str, seen: str):
    settings = {"type": "Settings", "agent": {"think": {"endpoint": {"url": url}}}}
    redacted = Redacted(backend="mask")
    assert redacted.say(settings)["agent"]["think"]["endpoint"]["url"] == seen
    assert redacted.session.to_upstream() == [settings]


@pytest.mark.parametrize("agent", ["4f1c9c6e-0000-0000-0000-000000000000", {"context": []}, None])
def test_settings_of_another_shape_pass(agent: Any):
    assert Redacted().say({"type": "Settings", "agent": agent})["agent"] == agent


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ('{"mail": "bob@example.com"}', '{"mail":"[email]"}'),
        ('{"card": 4111111111111111, "n": 3}', '{"card":"[card]","n":3}'),
        ('{"card": 4111111111111111.0}', '{"card":"[card]"}'),
        ('{"ok": true, "x": 1.5, "y": null}', '{"ok": true, "x": 1.5, "y": null}'),
        ('{"bob@example.com": [1, "bob@example.com"]}', '{"[email]":[1,"[email]"]}'),
        (r'{"card": "4111\u0020111111111111"}', '{"card":"[card]"}'),
        ('{"a": "bob@example.com", "a": 1}', '{"a": "[email]", "a": 1}'),
        ("[4111, 1111, 1111, 1111]", "[[card]]"),
        ('["{\\"mail\\":\\"bob@example.com\\"}"]', '["{\\"mail\\":\\"[email]\\"}"]'),
        (r'{"broken": "4111\u0020111111111111', '{"broken": "[card]'),
        ('{"broken": "bob@example.com', '{"broken": "[email]'),
        ("", ""),
        ("bob@example.com", "[email]"),
    ],
)
def test_function_arguments_and_results_are_redacted_part_by_part(arguments: str, seen: str):
    redacted = Redacted()
    call = {"id": "c1", "name": "f", "arguments": arguments, "client_side": True}
    message = redacted.hear({"type": "FunctionCallRequest", "functions": [call]})
    assert message["functions"] == [{**call, "arguments": seen}]
    answer = {"type": "FunctionCallResponse", "id": "c1", "name": "f", "content": arguments}
    assert redacted.say(answer) == {**answer, "content": seen}


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"id": CARD, "name": MAIL}, {"id": "[card]", "name": "[email]"}),
        ({"card": 4111111111111111}, {"card": "[card]"}),
        (
            [4111111111111111, {MAIL: {"event": MAIL}}],
            ["[card]", {"[email]": {"event": "[email]"}}],
        ),
        ({"amount": 12, "id": "a"}, {"amount": 12, "id": "a"}),
    ],
)
def test_arguments_and_results_that_are_no_strings_are_redacted_throughout(given: Any, seen: Any):
    call = {"id": "c1", "name": "pay", "arguments": given, "response": given}
    redacted = Redacted()
    request = redacted.hear({"type": "FunctionCallRequest", "functions": [call]})
    assert request["functions"] == [{**call, "arguments": seen, "response": seen}]
    response = {"type": "FunctionCallResponse", "id": "c1", "name": "pay", "content": given}
    assert redacted.say(response) == {**response, "content": seen}


def test_what_tells_frames_and_calls_apart_stays_as_it_is():
    random = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1"
    call = {"id": random, "name": random, "arguments": random, "thought_signature": random}
    redacted = Redacted(client="mask")
    redacted.hear({"type": "FunctionCallRequest", "functions": [call]})
    redacted.hear({"type": "Metadata", "sha256": "0a" * 32, "transaction_key": random})
    request, metadata = redacted.session.to_client()
    assert request["functions"] == [{**call, "arguments": "[key]"}]
    assert metadata == {"type": "Metadata", "sha256": "0a" * 32, "transaction_key": random}


def test_json_that_is_nested_too_deep_is_not_shown():
    deep: Any = MAIL
    for _ in range(MAX_DEPTH + 5):
        deep = [{"next": deep}]
    for kind in ("__customFromThinkProvider", "AgentThinking"):
        seen = json.dumps(Redacted().hear({"type": kind, "content": deep, "details": deep}))
        assert seen.count("nested too deep") == 2
        assert MAIL not in seen
    arrays: Any = MAIL
    for _ in range(MAX_DEPTH + 5):
        arrays = [arrays]
    assert MAIL not in json.dumps(Redacted().hear({"type": "Warning", "content": arrays}))
    text = MAIL
    for _ in range(8):
        text = json.dumps([text])
    assert "[email]" in json.dumps(Redacted().hear({"type": "Warning", "content": text}))


def test_names_of_fields_are_redacted_like_what_they_hold():
    tool = {"parameters": {"properties": {MAIL: {"description": CARD}, "first_name": {}}}}
    seen = Redacted().say({"type": "Settings", "agent": {"think": {"functions": [tool]}}})
    [tool] = seen["agent"]["think"]["functions"]
    assert tool["parameters"]["properties"] == {
        "[email]": {"description": "[card]"},
        "first_name": {},
    }


def test_a_message_of_a_type_nobody_knows_is_redacted_throughout():
    seen = Redacted().hear({"type": MAIL, "id": CARD, "n": 4111111111111111, CARD: {MAIL: 1}})
    assert seen == {"type": "[email]", "id": "[card]", "n": "[card]", "[card]": {"[email]": 1}}


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b'["bob@example.com"]', ["[email]"]),
        (b'"bob@example.com"', "[email]"),
        (b"4111111111111111", "[card]"),
        (b"null", None),
        (b"bob@example.com", {"type": "[not JSON]"}),
        (b'{"content":"bob@example.com\xff"}', {"type": "[not JSON]"}),
        (b'{"type":7,"content":"bob@example.com"}', {"type": 7, "content": "[email]"}),
        (
            b'{"type":"Warning","description":"bob@example.com","description":"x"}',
            {"type": "Warning", "description": "x"},
        ),
    ],
)
def test_text_that_is_no_message_does_not_slip_through(data: bytes, seen: Any):
    redacted = Redacted(client="mask", backend="mask")
    assert redacted.hear(Text(data)) == seen
    assert redacted.session.to_client() == [seen]
    assert redacted.say(Text(data)) == seen
    assert redacted.session.to_upstream() == [seen]


@pytest.mark.parametrize("kind", SPOKEN)
@pytest.mark.parametrize("value", [None, 7, [], {}, [None], [[MAIL]], {"alternatives": MAIL}])
def test_fields_of_the_wrong_kind_hurt_nothing(kind: str, value: Any):
    fields = ("content", "agent", "transcript", "alternatives", "channel", "words", "text", "role")
    redacted = Redacted()
    seen = redacted.hear({"type": kind, **dict.fromkeys(fields, value)})
    assert seen["type"] == kind
    assert MAIL not in json.dumps(seen)
    assert redacted.session.closed is None


def test_observers_get_nothing_of_a_message_too_large_to_read():
    redacted = Redacted(max_message=100)
    message = conversation_text("a" * 100 + MAIL)
    assert redacted.hear(message) == {"type": "[too large to redact]"}
    assert redacted.session.to_client() == [message]


@pytest.mark.parametrize("side", ["client", "backend"])
def test_a_message_too_large_to_redact_ends_the_session(side: str):
    redacted = Redacted(max_message=100, **{side: "mask"})
    message = conversation_text("a" * 100 + MAIL)
    (redacted.hear if side == "client" else redacted.say)(message)
    assert redacted.session.to_upstream() == []
    [error] = redacted.session.to_client()
    assert error["code"] == "message_too_large"
    assert redacted.session.closed is not None
    assert redacted.session.closed.code == 1000


class Broken:
    def find(self, text: str) -> list[object]:
        raise ZeroDivisionError

    def open(self, text: str) -> int:
        raise ZeroDivisionError


@pytest.mark.parametrize("settings", [{}, {"client": "mask"}])
def test_a_bug_ends_the_session_before_anybody_gets_the_text(settings: dict[str, str]):
    redacted = Redacted(**settings)
    redacted.hear({"type": "KeepAlive"})
    redacted.session.core.state[CONVERSATION].finder = Broken()
    redacted.hear(conversation_text(MAIL))
    assert redacted.observer.frames == []
    messages = redacted.session.to_client()
    assert messages[-1]["code"] == "plugin_failed"
    assert MAIL not in json.dumps(messages)
    assert redacted.session.closed is not None


def test_audio_never_comes_near_the_plugin():
    links = Redacted().session.core.chains
    for direction in (links.client, links.upstream):
        assert "voiceproxy_redaction" in repr([link.plugin for link in direction.text.links])
        assert direction.binary.links == ()


def test_filters_behind_it_replace_the_text_and_observers_keep_what_they_may_see():
    class Shout:
        @hookimpl
        def voiceproxy_upstream_frame(self, session: Any, message: dict[str, Any]) -> bool:
            session.to_client({**message, "content": message["content"].upper()})
            return True

    redacted = Redacted(Shout())
    assert redacted.hear(conversation_text(MAIL))["content"] == "[email]"
    assert redacted.session.to_client()[0]["content"] == MAIL.upper()


def test_two_applications_share_nothing():
    one, two = Redacted(kinds=["email"]), Redacted(kinds=["card"], observers="drop")
    content = f"{MAIL} {CARD}"
    assert one.hear(conversation_text(content))["content"] == f"[email] {CARD}"
    assert two.hear(conversation_text(content))["content"] == f"{MAIL} "
    policies = [s.session.core.introduction.app[POLICY] for s in (one, two)]
    assert policies[0] is not policies[1]


def test_the_observer_of_these_tests_sees_everything_without_the_plugin():
    observer = Observer()
    session = drive(plugins=[observer])
    session.client(conversation_text(MAIL))
    assert observer.take() == [conversation_text(MAIL)]
