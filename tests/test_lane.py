"""Frames on their way through the plugins: order, replacing, observing, both directions."""

import pytest
from session_parts import APPLIED, SETTINGS, Plain, inject, many, plugin, ready, relaying, say

from voiceproxy import Binary, Text
from voiceproxy.session import SessionCore
from voiceproxy.testing import drive


def _log(seen, name):
    """A frame hook that notes who saw what."""

    def note(session, frame):
        seen.append((name, frame.message() if isinstance(frame, Text) else frame.data))

    return note


def _both(function):
    return {"client_frame": function, "upstream_frame": function}


def _replace(old, new, send):
    """A hook that replaces the words ``old`` by ``new``."""

    def replace(session, message):
        if message.get("content") == old:
            getattr(session, send)({**message, "content": new})
            return True
        return None

    return replace


def test_every_plugin_sees_a_frame_once_and_in_order():
    seen = []
    s = relaying(*(plugin(name, **_both(_log(seen, name))) for name in "abc"))
    s.client(b"1", say("2"))
    s.upstream(b"3")
    assert [name for name, _ in seen] == list("abcabcabc")
    assert s.to_upstream() == [b"1", say("2")]
    assert s.to_client() == [b"3"]


def test_what_nobody_handles_goes_on_byte_for_byte():
    s = relaying(plugin("a", client_frame=lambda session, message: message.clear()))
    odd = Text(b'{ "type" : "X",\n "n": 1.0 }')
    s.core.client_frame(odd)
    assert s.core.upstream.take().data == b'{ "type" : "X",\n "n": 1.0 }'


@pytest.mark.parametrize("verdict", [True, False, 0, "drop"])
def test_anything_but_none_stops_the_chain_and_drops_the_frame(verdict):
    seen = []
    s = relaying(
        plugin("a", client_frame=lambda session, frame: verdict),
        plugin("b", client_frame=_log(seen, "b")),
    )
    s.client(b"x", say("y"))
    assert (seen, s.to_upstream()) == ([], [])


def test_each_plugin_gets_a_copy_of_the_message_of_its_own():
    seen = []

    def spoil(session, message):
        message["content"] = "spoilt"
        message.clear()

    s = relaying(
        plugin("a", client_frame=spoil),
        plugin("b", client_frame=lambda session, message: seen.append(message)),
    )
    s.client(say("fresh"))
    assert seen == [say("fresh")]
    assert s.to_upstream() == [say("fresh")]


@pytest.mark.parametrize("data", [b"[1]", b'"x"', b"7", b"null", b"{", b"\xff"])
def test_text_that_is_no_json_object_passes_those_that_name_message(data):
    seen = []
    s = relaying(
        plugin("message", client_frame=lambda session, message: seen.append("message") or True),
        plugin("frame", client_frame=lambda session, frame: seen.append("frame")),
    )
    s.client(Text(data))
    assert seen == ["frame"]
    assert s.core.upstream.take() == Text(data)


def test_what_a_plugin_sends_starts_behind_it():
    seen = []

    def answer(session, frame):
        if frame.type == "ask":
            session.to_client({"type": "to the client"})
            session.to_upstream({"type": "to the upstream"})

    s = relaying(
        plugin("a", **_both(_log(seen, "a"))),
        plugin("b", client_frame=answer, upstream_frame=_log(seen, "b")),
        plugin("c", **_both(_log(seen, "c"))),
    )
    s.client({"type": "ask"})
    assert [(name, message["type"]) for name, message in seen] == [
        ("a", "ask"),
        ("c", "ask"),
        ("c", "to the upstream"),
        ("c", "to the client"),
    ]
    assert s.to_client() == [{"type": "to the client"}]
    assert s.to_upstream() == [{"type": "ask"}, {"type": "to the upstream"}]


def test_plugins_at_two_places_each_send_from_their_own():
    seen = []
    send = {"first": None, "last": None}

    def remember(name):
        def hook(session, frame):
            send[name] = session

        return hook

    s = relaying(
        plugin("first", "tryfirst", client_frame=remember("first")),
        plugin("middle", upstream_frame=_log(seen, "middle")),
        plugin("last", "trylast", client_frame=remember("last")),
    )
    s.client(b"x")
    send["first"].to_client(say("seen"))
    send["last"].to_client(say("not seen"))
    assert seen == [("middle", say("seen"))]
    assert s.to_client() == [say("seen"), say("not seen")]


def test_a_replacement_takes_the_place_of_the_frame_among_those_of_one_upstream_frame():
    s = ready(plugin("p", upstream_frame=_replace("1", "one", "to_client")))
    s.upstream(many(say("0"), say("1"), say("2")))
    assert s.to_client() == [say("0"), say("one"), say("2")]


def test_a_replacement_that_is_replaced_again_keeps_the_place():
    s = ready(
        plugin("p", upstream_frame=_replace("1", "one", "to_client")),
        plugin("q", upstream_frame=_replace("one", "uno", "to_client")),
    )
    s.upstream(many(say("0"), say("1"), say("2")))
    assert s.to_client() == [say("0"), say("uno"), say("2")]


def test_several_frames_may_take_the_place_of_one_in_the_order_they_are_sent():
    def split(session, message):
        if message.get("content") == "ab":
            session.to_client(say("a"))
            session.to_client(say("b"))
            return True
        return None

    s = ready(plugin("p", upstream_frame=split))
    s.upstream(many(say("ab"), say("c")))
    assert s.to_client() == [say("a"), say("b"), say("c")]


def test_what_a_hook_sends_beside_the_frame_comes_behind_it_and_before_the_next():
    def add(session, message):
        if message.get("content") == "1":
            session.to_client(say("1b"))

    s = ready(plugin("p", upstream_frame=add))
    s.upstream(many(say("1"), say("2")))
    assert s.to_client() == [say("1"), say("1b"), say("2")]


def test_a_replaced_client_frame_keeps_its_place_among_those_that_waited_for_the_settings():
    s = drive(
        translator=Plain,
        plugins=[plugin("p", client_frame=_replace("1", "one", "to_upstream"))],
    )
    s.client(inject("0"), inject("1"), SETTINGS)
    s.to_upstream()
    s.upstream(APPLIED)
    assert s.to_upstream() == [inject("0"), inject("one")]


def test_what_the_translator_answers_a_plugin_comes_behind_what_it_had_said_before():
    class Echo(Plain):
        def client_frame(self, frame, message):
            if message and message["type"] == "InjectUserMessage":
                self.session.to_client(say(message.get("content"), "user"))
            else:
                super().client_frame(frame, message)

    def ask(session, message):
        if message.get("content") == "1":
            session.to_upstream(inject("asked"))

    s = ready(plugin("p", upstream_frame=ask), translator=Echo)
    s.upstream(many(say("1"), say("2")))
    assert s.to_client() == [say("1"), say("2"), say("asked", "user")]


def test_audio_that_no_plugin_looks_at_does_not_overtake_a_message_of_the_same_upstream_frame():
    class Speaking(Plain):
        def upstream_frame(self, frame):
            self.session.to_client({"type": "AgentStartedSpeaking"})
            self.session.to_client(frame)

    s = drive(
        translator=Speaking,
        plugins=[plugin("p", upstream_frame=lambda session, message: None)],
    )
    s.to_client()
    s.upstream(b"voice")
    assert s.to_client() == [{"type": "AgentStartedSpeaking"}, b"voice"]


def test_a_send_inside_a_hook_runs_no_hook_inside_it():
    depth, deepest = 0, 0

    def nested(session, frame):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if frame.type == "A":
            session.to_upstream({"type": "B"})
            session.to_client({"type": "C"})
        depth -= 1

    s = relaying(plugin("p", **_both(nested)), plugin("q", **_both(nested)))
    s.client({"type": "A"})
    assert deepest == 1


# Observers.


def _observe_as(shown):
    def hook(session, frame):
        session.observe_as(shown)

    return hook


def test_observe_as_changes_what_observers_see_and_nothing_else():
    seen = []
    s = relaying(
        plugin("guard", "tryfirst", client_frame=_log(seen, "guard")),
        plugin("filter", client_frame=_observe_as(say("***"))),
        plugin("plain", client_frame=_log(seen, "plain")),
        plugin("observer", "trylast", client_frame=_log(seen, "observer")),
        plugin("reader", "trylast", client_frame=lambda message: seen.append(("reader", message))),
    )
    s.client(say("secret"))
    assert seen == [
        ("guard", say("secret")),
        ("plain", say("secret")),
        ("observer", say("***")),
        ("reader", say("***")),
    ]
    assert s.to_upstream() == [say("secret")]


def test_observe_as_holds_for_one_frame_only():
    seen = []

    def once(session, message):
        if message.get("content") == "secret":
            session.observe_as(say("***"))

    s = relaying(
        plugin("filter", client_frame=once),
        plugin("observer", "trylast", client_frame=_log(seen, "observer")),
    )
    s.client(say("secret"), say("open"))
    assert seen == [("observer", say("***")), ("observer", say("open"))]


@pytest.mark.parametrize("first", ["observe", "send"])
def test_observers_see_the_substitute_of_a_frame_the_filter_also_replaced(first):
    seen = []

    def redact(session, message):
        steps = [
            lambda: session.observe_as(say("***")),
            lambda: session.to_upstream(say("for the wire")),
        ]
        for step in steps if first == "observe" else reversed(steps):
            step()
        return True

    s = relaying(
        plugin("filter", client_frame=redact),
        plugin("observer", "trylast", client_frame=_log(seen, "observer")),
    )
    s.client(say("secret"))
    assert (seen, s.to_upstream()) == ([("observer", say("***"))], [say("for the wire")])


def test_a_later_filter_that_replaces_the_frame_does_not_show_observers_the_secret():
    seen = []
    s = relaying(
        plugin("redact", client_frame=_observe_as(say("***"))),
        plugin("loud", client_frame=_replace("secret", "SECRET", "to_upstream")),
        plugin("observer", "trylast", client_frame=_log(seen, "observer")),
    )
    s.client(say("secret"))
    assert (seen, s.to_upstream()) == ([("observer", say("***"))], [say("SECRET")])


def test_what_is_sent_beside_an_observed_frame_is_shown_as_it_is():
    seen = []

    def beside(session, message):
        session.observe_as(say("***"))
        session.to_upstream(say("another"))

    s = relaying(
        plugin("filter", client_frame=beside),
        plugin("observer", "trylast", client_frame=_log(seen, "observer")),
    )
    s.client(say("secret"))
    assert [message for _, message in seen] == [say("***"), say("another")]


def test_audio_that_replaces_an_observed_message_is_shown_as_audio():
    seen = []

    def speak(session, message):
        session.observe_as(say("***"))
        session.to_upstream(Binary(b"pcm"))
        return True

    s = relaying(
        plugin("filter", client_frame=speak),
        plugin("observer", "trylast", client_frame=_log(seen, "observer")),
    )
    s.client(say("secret"))
    assert seen == [("observer", b"pcm")]


@pytest.mark.parametrize("shown", [Text(b"[]"), Text(b"{"), Binary(b"{}")])
def test_an_observer_that_wants_a_message_skips_a_substitute_that_holds_none(shown):
    seen = []
    s = relaying(
        plugin("filter", client_frame=_observe_as(shown)),
        plugin("observer", "trylast", client_frame=lambda message: seen.append(message)),
    )
    s.client(say("secret"))
    assert (seen, s.to_upstream()) == ([], [say("secret")])


# What a dialect does not have.


class Turn(Plain):
    """The spoken turn: a ConversationText for clients of the agent dialect only."""

    def upstream_frame(self, frame):
        if frame.type == "spoken":
            self.session.to_client(say("hi", "user"), only="agent")
        else:
            super().upstream_frame(frame)


@pytest.mark.parametrize("dialect", ["component", "agent"])
def test_what_replaces_a_message_of_one_dialect_is_of_that_dialect_too(dialect):
    s = ready(
        plugin("p", upstream_frame=_replace("hi", "HI", "to_client")),
        translator=Turn,
        dialect=dialect,
    )
    s.upstream({"type": "spoken"})
    assert s.to_client() == ([say("HI", "user")] if dialect == "agent" else [])


def test_what_is_sent_beside_a_message_of_one_dialect_goes_to_both():
    def beside(session, message):
        if message.get("content") == "hi":
            session.to_client(say("beside"))

    s = ready(plugin("p", upstream_frame=beside), translator=Turn, dialect="component")
    s.upstream({"type": "spoken"})
    assert s.to_client() == [say("beside")]


def test_another_type_in_place_of_a_message_of_one_dialect_goes_to_both():
    def warn(session, message):
        if message.get("content") == "hi":
            session.to_client({"type": "Warning"})
            return True
        return None

    s = ready(plugin("p", upstream_frame=warn), translator=Turn, dialect="component")
    s.upstream({"type": "spoken"})
    assert s.to_client() == [{"type": "Warning"}]


def test_a_frame_kept_for_many_sessions_is_not_marked_for_a_dialect():
    notice = Text.of(say("notice"))

    def replace(session, message):
        if message.get("content") == "hi":
            session.to_client(notice)
            return True
        return None

    s = ready(plugin("p", upstream_frame=replace), translator=Turn, dialect="agent")
    s.upstream({"type": "spoken"})
    assert s.to_client() == [say("notice")]
    assert notice.only is None


@pytest.mark.parametrize(
    ("kind", "component", "agent"),
    [
        ("AgentDone", True, False),
        ("Transcript", True, False),
        ("UtteranceEnd", True, False),
        ("History", False, True),
        ("AgentAudioDone", True, True),
        ("Unheard", True, True),
    ],
)
def test_a_dialect_drops_what_its_clients_do_not_know_after_every_plugin(kind, component, agent):
    for dialect, sent in (("component", component), ("agent", agent)):
        seen = []
        s = ready(plugin("p", "trylast", upstream_frame=_log(seen, "p")), dialect=dialect)
        s.upstream({"type": kind})
        assert [message["type"] for _, message in seen][-1] == kind
        assert [message["type"] for message in s.to_client()] == ([kind] if sent else [])


def test_without_a_translator_no_dialect_drops_anything():
    s = relaying(dialect="agent")
    s.upstream({"type": "AgentDone"})
    assert s.to_client() == [{"type": "AgentDone"}]


# Audio that may be written past the session.


def _straight(s) -> tuple[bool, bool]:
    """Whether binary frames of the client, and of the upstream, may pass the session by."""
    return s.core.to_upstream.passes_audio(), s.core.to_client.passes_audio()


def _speaking(*plugins, **options):
    """A session without a translator whose agent's turn is on, so that nobody has to be told."""
    s = relaying(*plugins, **options)
    s.upstream(b"begins")
    s.to_client()
    return s


def test_audio_nobody_looks_at_may_pass_the_session_by_in_both_directions():
    assert _straight(_speaking()) == (True, True)
    assert _straight(relaying(protocol="listen")) == (True, True)


def test_plugins_that_name_the_text_alone_leave_the_straight_way_open():
    watch = plugin("p", client_frame=lambda session, message: None)
    follow = plugin("q", upstream_frame=lambda session, text: None)
    assert _straight(_speaking(watch, follow)) == (True, True)


@pytest.mark.parametrize(
    ("hook", "straight"), [("client_frame", (False, True)), ("upstream_frame", (True, False))]
)
def test_a_plugin_that_sees_audio_closes_the_straight_way_of_its_direction(hook, straight):
    s = _speaking(plugin("p", **{hook: lambda session, frame: None}))
    assert _straight(s) == straight


@pytest.mark.parametrize(
    ("source", "straight"), [("client", (False, True)), ("upstream", (True, False))]
)
def test_audio_does_not_pass_a_held_message_by(source, straight):
    holds = []

    def hold_text(session, text):
        holds.append(session.hold(text, 5))
        return True

    s = _speaking(plugin("p", **{f"{source}_frame": hold_text}))
    getattr(s, source)(say("wait"))
    assert _straight(s) == straight
    holds[0].release(None)
    assert _straight(s) == (True, True)


def test_audio_does_not_pass_an_input_by_that_is_being_handled():
    seen = []
    s = _speaking(plugin("p", client_frame=lambda session, text: seen.append(_straight(s))))
    s.client(say("hello"))
    assert (seen, _straight(s)) == ([(False, False)], (True, True))


def test_nothing_passes_a_session_by_that_closes_or_is_over():
    s = _speaking()
    s.client_closes()
    assert _straight(s) == (False, False)
    s = _speaking()
    s.core.closing = True  # about to end, in the middle of an input
    assert _straight(s) == (False, False)


async def test_nothing_passes_a_session_by_that_was_released():
    s = _speaking()
    await s.core.release(0)
    assert _straight(s) == (False, False)


def test_nothing_passes_a_session_by_that_is_not_open_yet():
    s = relaying()
    unopened = SessionCore(s.core.introduction, s.core.chains, s.clock)
    assert not unopened.to_upstream.passes_audio()
    assert not unopened.to_client.passes_audio()


def test_the_audio_that_begins_a_turn_does_not_pass_the_session_by():
    s = relaying()
    assert _straight(s) == (True, False)
    s.upstream(b"begins")
    assert _straight(s) == (True, True)
    s.upstream({"type": "AgentAudioDone"})
    assert _straight(s) == (True, False)


def test_while_the_session_drains_its_audio_is_listened_to():
    s = _speaking()
    s.core.turn.drain()
    assert _straight(s) == (True, False)
    s.upstream(b"goes on")
    assert _straight(s) == (True, False)


@pytest.mark.parametrize("checks", ["everything", "order", "nothing"])
def test_a_translator_sees_all_audio(checks):
    class Translating(Plain):
        pass

    Translating.checks = checks
    s = ready(translator=Translating)
    s.upstream(b"begins")
    assert _straight(s) == (False, False)


class Forwarding(Plain):
    """Says that it has no use for the client's audio."""

    checks = "order"
    forwards_audio = True


def test_audio_passes_a_translator_by_that_only_forwards_it_once_the_settings_are_applied():
    s = drive(translator=Forwarding)
    assert _straight(s) == (False, False)
    s.client(SETTINGS, b"early")
    assert _straight(s) == (False, False)
    s.upstream(APPLIED)
    assert s.to_upstream() == [SETTINGS, b"early"]
    assert _straight(s) == (True, False)


def test_a_plugin_still_sees_the_audio_a_translator_only_forwards():
    s = ready(plugin("p", client_frame=lambda session, frame: None), translator=Forwarding)
    assert _straight(s) == (False, False)


class Uninterested(Plain):
    """Lets audio for the client pass, and tells when it did."""

    def opened(self):
        self.session.pass_audio(True)


def _uninterested(*plugins):
    s = ready(*plugins, translator=Uninterested)
    s.upstream(b"begins")
    return s


def test_audio_passes_a_translator_by_that_has_no_use_for_it_and_it_may_ask_when():
    s = _uninterested()
    session = s.core.translator.session
    assert _straight(s) == (False, True)
    s.advance(3)
    s.core.to_client.passed(640)
    s.advance(1)
    assert session.audio_passed_at == session.now() - 1
    session.pass_audio(False)
    assert _straight(s) == (False, False)
    session.pass_audio(True)
    assert _straight(s) == (False, True)


def test_audio_a_translator_lets_pass_is_counted():
    s = _uninterested()
    came = s.core.to_client.came
    frames, size = came.frames, came.bytes
    s.core.to_client.passed(640)
    assert (came.frames, came.bytes) == (frames + 1, size + 640)


def test_the_audio_that_begins_a_turn_is_noted_though_the_translator_lets_it_pass():
    s = _uninterested()
    s.upstream({"type": "AgentAudioDone"})
    assert _straight(s) == (False, False)
    s.upstream(b"begins")
    assert _straight(s) == (False, True)


def test_a_plugin_still_sees_the_audio_a_translator_lets_pass():
    s = _uninterested(plugin("p", upstream_frame=lambda session, frame: None))
    assert _straight(s) == (False, False)


async def test_a_translator_that_outlives_its_session_lets_nothing_pass():
    s = _uninterested()
    session = s.core.translator.session
    s.client_closes()
    await s.core.release(0)
    session.pass_audio(True)
    session.pass_audio(False)
    assert (session.audio_passed_at, _straight(s)) == (0, (False, False))
