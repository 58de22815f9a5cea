"""What a client may say, and when, where the backend translates."""

import pytest
from session_parts import APPLIED, SETTINGS, Plain, inject, plugin, ready, say

from voiceproxy import Binary, Text
from voiceproxy.session import Limits
from voiceproxy.testing import drive

ANSWER = {"type": "FunctionCallResponse", "id": "1", "name": "f", "content": "{}"}
POISONED = {"type": "Settings", "agent": {"think": {"functions": [None]}}}


def _open(dialect="component", **options):
    s = drive(translator=Plain, dialect=dialect, **options)
    s.to_client()
    return s


def _codes(s):
    return [one.get("code", one["type"]) for one in s.to_client()]


# What a message has to be.


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", "not JSON in UTF-8"),
        (b"", "not JSON in UTF-8"),
        (b'{"type":"Settings\xff"}', "not JSON in UTF-8"),
        (b"[]", "an array, not a JSON object"),
        (b'"Settings"', "a string, not a JSON object"),
        (b"7", "a number, not a JSON object"),
        (b"1.5", "a number, not a JSON object"),
        (b"true", "a boolean, not a JSON object"),
        (b"null", "null, not a JSON object"),
        (b"{}", "type is missing"),
        (b'{"type":null}', "type is null, not a string"),
        (b'{"type":{}}', "type is an object, not a string"),
        (b'{"type":7}', "type is a number, not a string"),
    ],
)
@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_text_that_is_no_message_is_answered_and_the_session_goes_on_def_3(dialect, data, told):
    s = _open(dialect)
    s.client(Text(data))
    [error] = s.to_client()
    assert error["code"] == "UNPARSABLE_CLIENT_MESSAGE"
    assert told in error["description"]
    s.client(SETTINGS)
    assert s.to_upstream() == [SETTINGS]


def test_a_type_the_backend_does_not_serve_is_named_with_those_it_does_msg_3():
    s = ready()
    s.client({"type": "Chat", "content": "secret"})
    [error] = s.to_client()
    assert error["code"] == "disallowed_client_message_type"
    assert "'Chat'" in error["description"]
    assert (
        "Allowed: Settings, InjectUserMessage, FunctionCallResponse. KeepAlive is ignored."
        in error["description"]
    )
    assert "secret" not in error["description"]
    assert (s.to_upstream(), s.closed) == ([], None)


@pytest.mark.parametrize(
    "kind", ["UpdatePrompt", "UpdateSpeak", "InjectAgentMessage", "CloseStream"]
)
def test_types_of_the_protocol_the_backend_does_not_accept_are_not_served_msg_5(kind):
    s = ready()
    s.client({"type": kind})
    assert _codes(s) == ["disallowed_client_message_type"]


def test_a_type_of_any_length_is_cut_in_the_answer():
    s = ready()
    s.client({"type": "x" * 10_000})
    assert len(s.to_client()[0]["description"]) < 300


def test_every_bad_field_is_named_and_the_session_goes_on():
    s = ready()
    s.client({"type": "InjectUserMessage"}, {**ANSWER, "id": 7, "name": {}})
    missing, wrong = s.to_client()
    assert missing["code"] == wrong["code"] == "UNPARSABLE_CLIENT_MESSAGE"
    assert "content" in missing["description"]
    assert "id" in wrong["description"]
    assert "name" in wrong["description"]
    s.client(inject("hi"))
    assert s.to_upstream() == [inject("hi")]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_poisoned_settings_do_not_keep_good_ones_out_def_2(dialect):
    s = _open(dialect)
    s.client(POISONED)
    [error] = s.to_client()
    assert error["code"] == "INVALID_SETTINGS"
    assert "functions[0]" in error["description"]
    s.client(SETTINGS)
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS]
    assert s.to_client() == [APPLIED]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_keep_alive_is_swallowed_even_before_the_settings_msg_2(dialect):
    s = _open(dialect)
    s.client({"type": "KeepAlive"}, SETTINGS, {"type": "KeepAlive"})
    s.upstream(APPLIED)
    s.client({"type": "KeepAlive", "more": 1})
    assert s.to_upstream() == [SETTINGS]
    assert s.to_client() == [APPLIED]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_an_empty_binary_frame_is_ignored_net_10(dialect):
    s = _open(dialect)
    s.client(b"")
    assert s.to_client() == []
    s.client(SETTINGS)
    s.upstream(APPLIED)
    s.client(b"")
    assert s.to_upstream() == [SETTINGS]


def test_binary_is_audio_even_if_it_is_json_def_3():
    s = ready()
    s.client(b'{"type":"Settings"}', b"42")
    assert s.to_upstream() == [b'{"type":"Settings"}', b"42"]
    assert s.to_client() == []


# Before the Settings, and until they are applied.


def test_a_component_may_speak_first_injects_go_up_before_audio_ses_4():
    s = _open()
    s.client(b"1", inject("a"), b"2", ANSWER, inject("b"))
    assert (s.to_upstream(), s.to_client()) == ([], [])
    s.client(SETTINGS, inject("c"), b"3")
    assert s.to_upstream() == [SETTINGS]
    s.upstream(APPLIED)
    assert s.to_upstream() == [inject("a"), inject("b"), inject("c"), b"1", b"2", ANSWER, b"3"]


def test_an_agents_client_is_told_to_send_settings_first():
    s = _open("agent")
    s.client(inject("a"), ANSWER)
    assert [one["description"] for one in s.to_client()] == [
        "Send Settings first, then InjectUserMessage.",
        "Send Settings first, then FunctionCallResponse.",
    ]
    s.client(inject("b"))
    assert _codes(s) == ["NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"]
    s.client(SETTINGS)
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS]


def test_an_agents_client_that_streams_before_its_settings_is_told_once():
    s = _open("agent")
    s.client(*[b"x"] * 50)
    assert [one["description"] for one in s.to_client()] == ["Send Settings first, then audio."]


def test_between_settings_and_their_being_applied_an_agents_messages_wait_in_order():
    s = _open("agent")
    s.client(SETTINGS, b"1", inject("a"), ANSWER, b"2")
    assert s.to_upstream() == [SETTINGS]
    s.upstream(APPLIED)
    assert s.to_upstream() == [b"1", inject("a"), ANSWER, b"2"]


def test_what_waited_goes_on_after_the_call_that_said_settings_applied_and_before_newer_frames():
    class Greeting(Plain):
        def upstream_frame(self, frame):
            self.session.to_client(APPLIED)
            self.session.to_client(say("Hello"))

        def client_frame(self, frame, message):
            super().client_frame(frame, message)
            if message and message["type"] == "InjectUserMessage":
                self.session.to_client(say(message["content"], "user"))

    def hurry(session, message):
        if message["type"] == "SettingsApplied":
            session.to_upstream(inject("newer"))

    s = drive(translator=Greeting, plugins=[plugin("p", upstream_frame=hurry)])
    s.client(inject("older"), SETTINGS)
    s.to_client()
    s.upstream({"type": "go"})
    assert s.to_client() == [APPLIED, say("Hello"), say("older", "user"), say("newer", "user")]
    assert s.to_upstream() == [SETTINGS, inject("older"), inject("newer")]


def test_each_message_that_waited_is_an_input_of_its_own():
    class Once(Plain):
        def client_frame(self, frame, message):
            super().client_frame(frame, message)
            if message and message["type"] == "InjectUserMessage":
                self.session.close()

    s = drive(translator=Once)
    s.client(SETTINGS, inject("a"), b"1", inject("b"))
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS, inject("a"), inject("b"), b"1"]
    assert s.closed is not None


def test_settings_applied_counts_though_a_plugin_drops_it():
    s = drive(
        translator=Plain,
        plugins=[
            plugin("p", upstream_frame=lambda message: message["type"] == "SettingsApplied" or None)
        ],
    )
    s.client(SETTINGS, inject("a"))
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS, inject("a")]


def test_settings_applied_that_nobody_asked_for_opens_nothing():
    s = _open()
    s.client(inject("a"))
    s.upstream(APPLIED)
    assert s.to_upstream() == []
    s.client(SETTINGS)
    assert s.to_upstream() == [SETTINGS]


def test_settings_applied_of_a_plugin_opens_nothing():
    s = _open(
        plugins=[plugin("p", client_frame=lambda session, message: session.to_client(APPLIED))]
    )
    s.client(SETTINGS, inject("a"))
    assert s.to_upstream() == [SETTINGS]


def test_what_waits_is_counted_and_no_longer_once_it_has_gone_on():
    s = _open()
    s.client(b"12345", inject("a"))
    assert s.core.gate.bytes == 5 + len(Text.of(inject("a")))
    s.client(SETTINGS)
    s.upstream(APPLIED)
    assert s.core.gate.bytes == 0


# Settings again.


def test_a_components_second_settings_are_confirmed_once_the_first_are_applied_ses_7():
    s = _open()
    s.client(SETTINGS, {**SETTINGS, "agent": {"greeting": "other"}}, SETTINGS)
    assert (s.to_upstream(), s.to_client()) == ([SETTINGS], [])
    s.upstream(APPLIED)
    assert s.to_client() == [APPLIED] * 3
    s.client(SETTINGS)
    assert (s.to_upstream(), s.to_client()) == ([], [APPLIED])


def test_an_agents_second_settings_are_an_error_and_the_session_goes_on():
    s = _open("agent")
    s.client(SETTINGS, SETTINGS)
    assert _codes(s) == ["SETTINGS_ALREADY_APPLIED"]
    s.upstream(APPLIED)
    s.client(SETTINGS, inject("a"))
    assert _codes(s) == ["SettingsApplied", "SETTINGS_ALREADY_APPLIED"]
    assert s.to_upstream() == [SETTINGS, inject("a")]


class Refusing(Plain):
    """Refuses the Settings when the upstream says so."""

    def upstream_frame(self, frame):
        if frame.type == "refuse":
            self.session.settings_refused("The model is unknown.")
        else:
            super().upstream_frame(frame)


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_refused_settings_may_be_corrected_def_13(dialect):
    s = drive(translator=Refusing, dialect=dialect)
    s.to_client()
    s.client(SETTINGS, b"1")
    s.upstream({"type": "refuse"})
    [error] = s.to_client()
    assert (error["code"], error["description"]) == ("INVALID_SETTINGS", "The model is unknown.")
    corrected = {**SETTINGS, "agent": {"greeting": "Hi"}}
    s.client(corrected)
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS, corrected, b"1"]
    assert s.to_client() == [APPLIED]


def test_settings_repeated_before_a_refusal_are_not_confirmed_afterwards():
    s = drive(translator=Refusing)
    s.to_client()
    s.client(SETTINGS, SETTINGS)
    s.upstream({"type": "refuse"})
    s.client(SETTINGS)
    s.upstream(APPLIED)
    assert _codes(s) == ["INVALID_SETTINGS", "SettingsApplied"]


def test_a_translator_may_refuse_settings_in_the_very_call_that_brings_them():
    class Strict(Plain):
        def client_frame(self, frame, message):
            self.session.settings_refused("No.", "UNSUPPORTED")

    s = drive(translator=Strict)
    s.to_client()
    s.client(SETTINGS, SETTINGS)
    assert _codes(s) == ["UNSUPPORTED", "UNSUPPORTED"]


def test_a_refusal_of_what_was_not_sent_or_is_applied_says_nothing():
    s = drive(translator=Refusing)
    s.to_client()
    s.upstream({"type": "refuse"})
    s.client(SETTINGS)
    s.upstream(APPLIED, {"type": "refuse"})
    assert s.to_client() == [APPLIED]


def test_an_agents_client_that_streams_on_after_a_refusal_is_told_once_more():
    s = drive(translator=Refusing, dialect="agent")
    s.to_client()
    s.client(b"1", SETTINGS)
    s.upstream({"type": "refuse"})
    s.client(b"2", b"3")
    assert _codes(s) == [
        "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS",
        "INVALID_SETTINGS",
        "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS",
    ]


# The time for Settings.


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_a_client_without_settings_is_told_and_closed_after_15_seconds(dialect):
    s = _open(dialect)
    s.client(b"audio is no excuse", POISONED, {"type": "KeepAlive"})
    s.to_client()
    s.advance(14.9)
    assert s.closed is None
    s.advance(0.2)
    [error] = s.to_client()
    assert error["code"] == "CLIENT_MESSAGE_TIMEOUT"
    assert "15 seconds" in error["description"]
    assert s.closed.code == 1000


def test_the_time_for_settings_is_a_setting():
    s = _open(limits=Limits(settings_timeout=0.5))
    s.advance(0.5)
    assert "0.5 seconds" in s.to_client()[0]["description"]


def test_settings_in_time_stop_the_clock_however_long_they_take_to_be_applied():
    s = _open()
    s.advance(14)
    s.client(SETTINGS)
    s.advance(100)
    assert s.closed is None


@pytest.mark.parametrize("refused_at", [1, 20])
def test_a_refusal_gives_the_whole_time_again(refused_at):
    s = drive(translator=Refusing)
    s.client(SETTINGS)
    s.advance(refused_at)
    s.upstream({"type": "refuse"})
    s.advance(14.9)
    assert s.closed is None
    s.advance(0.2)
    assert s.closed is not None


def test_without_a_translator_nobody_waits_for_settings_or_looks_at_messages():
    s = drive()
    s.client(Text(b"{"), Binary(b""), {"type": "KeepAlive"})
    s.advance(100)
    assert s.closed is None
    assert s.core.upstream.take() == Text(b"{")
    assert s.to_upstream() == [b"", {"type": "KeepAlive"}]


# A translator that passes frames on.


class Ordered(Plain):
    checks = "order"


class Unchecked(Plain):
    checks = "nothing"

    def client_frame(self, frame, message):
        assert message is None
        super().client_frame(frame, message)


def _bytes(outbox):
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame.data)
    return frames


def test_a_backend_that_keeps_the_order_gets_frames_as_they_came():
    s = drive(translator=Ordered)
    odd = [
        Text(b'{ "type":"Settings", "unknown": 1.50 }'),
        Text(b"{"),
        Text(b'{"type":"KeepAlive"}'),
    ]
    s.client(*odd, Text(b'{"type":"Later"}'))
    assert _bytes(s.core.upstream) == [*(one.data for one in odd), b'{"type":"Later"}']


def test_a_backend_that_keeps_the_order_gets_injects_then_audio_once_settings_are_applied_ses_4():
    s = drive(translator=Ordered)
    s.to_client()
    s.client(b"early", SETTINGS, Text(b'{"type": "InjectUserMessage"}'), b"", SETTINGS, b"late")
    assert s.to_upstream() == [SETTINGS]
    s.upstream(APPLIED)
    assert s.to_upstream() == [{"type": "InjectUserMessage"}, b"early", b"late"]
    assert s.to_client() == [APPLIED, APPLIED]


def test_a_backend_that_keeps_the_order_refuses_what_comes_too_early_in_the_agent_dialect():
    s = drive(translator=Ordered, dialect="agent")
    s.to_client()
    s.client(Text(b'{"type": "InjectUserMessage", "content": 7}'), b"audio", b"audio")
    told = s.to_client()
    assert [one["code"] for one in told] == ["NON_SETTINGS_MESSAGE_BEFORE_SETTINGS"] * 2
    assert "InjectUserMessage" in told[0]["description"]
    assert s.to_upstream() == []


def test_a_backend_that_keeps_the_order_still_wants_settings_in_time():
    s = drive(translator=Ordered, limits=Limits(settings_timeout=3.0))
    s.advance(3.0)
    assert [one["code"] for one in s.to_client()[1:]] == ["CLIENT_MESSAGE_TIMEOUT"]


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_a_backend_that_checks_nothing_gets_and_gives_every_frame_at_once(dialect):
    s = drive(translator=Unchecked, dialect=dialect)
    s.to_client()
    s.client(b"audio", Text(b"{"), {"type": "KeepAlive"}, b"")
    assert _bytes(s.core.upstream) == [b"audio", b"{", b'{"type":"KeepAlive"}', b""]
    everything = [{"type": kind} for kind in ("History", "AgentDone", "Transcript")]
    s.upstream(*everything)
    assert s.to_client() == everything
    s.advance(3600)
    assert s.closed is None
