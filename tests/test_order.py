"""Whatever plugins do, and whenever: each direction keeps its order and loses nothing by itself."""

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from session_parts import APPLIED, SETTINGS, Plain, many, plugin, say

from voiceproxy import Binary, Text
from voiceproxy.testing import drive

TIMEOUT = 3.0

DEEDS = ["pass", "pass", "drop", "replace", "hold_drop", "hold_pass", "hold_at_once"]
deeds = st.tuples(*[st.sampled_from(DEEDS)] * 3)
"""What each of three plugins is to do with a frame."""
kinds = st.sampled_from(["text", "audio"])
frames = st.tuples(kinds, deeds)


def _label(frame):
    """A numbered frame's number and deeds; None for the others."""
    if isinstance(frame, Binary):
        return orjson.loads(frame.data)
    message = frame.message()
    return orjson.loads(message["content"]) if "content" in message else None


class Disturbing:
    """Does with every numbered frame what the frame says this plugin is to do."""

    def __init__(self, place):
        self.place = place
        self.dropped = []
        self.held = []

    def plugin(self):
        def hook(session, frame, towards):
            label = _label(frame)
            if label is None:
                return None
            number, deeds = label
            return getattr(self, deeds[self.place])(session, frame, towards, number)

        return plugin(
            f"p{self.place}",
            client_frame=lambda session, frame: hook(session, frame, "upstream"),
            upstream_frame=lambda session, frame: hook(session, frame, "client"),
        )

    def _pass(self, session, frame, towards, number):
        return None

    def drop(self, session, frame, towards, number):
        self.dropped.append((towards, number))
        return True

    def replace(self, session, frame, towards, number):
        getattr(session, f"to_{towards}")(type(frame)(frame.data))
        return True

    def hold_at_once(self, session, frame, towards, number):
        session.hold(frame, TIMEOUT).release(frame)
        return True

    def hold_drop(self, session, frame, towards, number):
        return self._hold(session, frame, towards, number, "drop")

    def hold_pass(self, session, frame, towards, number):
        return self._hold(session, frame, towards, number, "pass")

    def _hold(self, session, frame, towards, number, on_timeout):
        hold = session.hold(frame, TIMEOUT, on_timeout)
        self.held.append((hold, session.now() + TIMEOUT, (towards, number), on_timeout))
        return True

    def release(self, index, frame_too):
        if not self.held:
            return
        hold, _, which, _ = self.held.pop(index % len(self.held))
        if not frame_too:
            self.dropped.append(which)
        hold.release(hold.frame if frame_too else None)

    def expire(self, now):
        for one in [one for one in self.held if one[1] <= now]:
            self.held.remove(one)
            if one[3] == "drop":
                self.dropped.append(one[2])


setattr(Disturbing, "pass", Disturbing._pass)


class Conversation(RuleBasedStateMachine):
    """Frames from both sides, plugins that hold and change them, and time."""

    def __init__(self):
        super().__init__()
        self.disturbing = [Disturbing(place) for place in range(3)]
        self.s = drive(
            translator=Plain,
            plugins=[one.plugin() for one in self.disturbing],
            dialect="agent",
        )
        self.s.client(SETTINGS)
        self.s.to_client()
        self.s.to_upstream()
        self.applied = False
        self.sent = {"client": [], "upstream": []}
        self.heard = {"client": [], "upstream": []}

    def _frame(self, towards, kind, deeds):
        numbers = self.sent[towards]
        numbers.append(len(numbers))
        label = orjson.dumps([numbers[-1], deeds])
        if kind == "audio":
            return Binary(label)
        if towards == "client":
            return Text.of(say(label.decode()))
        return Text.of({"type": "InjectUserMessage", "content": label.decode()})

    @rule(sent=st.lists(frames, min_size=1, max_size=4))
    def the_client_sends(self, sent):
        self.s.client(*[self._frame("upstream", *one) for one in sent])

    @rule(sent=st.lists(frames, min_size=1, max_size=4))
    def the_upstream_sends(self, sent):
        self.s.upstream(*[self._frame("client", *one) for one in sent])

    @rule(deeds=st.lists(deeds, min_size=2, max_size=5))
    def the_translator_makes_several_of_one(self, deeds):
        self.s.upstream(many(*[self._frame("client", "text", one).message() for one in deeds]))

    @rule()
    def the_settings_are_applied(self):
        if not self.applied:
            self.applied = True
            self.s.upstream(APPLIED)

    @rule(place=st.integers(0, 2), index=st.integers(0, 9), frame_too=st.booleans())
    def a_plugin_decides(self, place, index, frame_too):
        self.disturbing[place].release(index, frame_too)

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def time_passes(self, seconds):
        self.s.advance(seconds)
        for one in self.disturbing:
            one.expire(self.s.clock.now())

    @invariant()
    def nothing_is_overtaken(self):
        for towards, outbox in (("client", self.s.core.client), ("upstream", self.s.core.upstream)):
            labels = [_label(frame) for frame in iter(outbox.take, None)]
            self.heard[towards] += [label[0] for label in labels if label is not None]
            assert self.heard[towards] == sorted(set(self.heard[towards]))

    @invariant()
    def what_is_held_is_counted(self):
        for lane in (self.s.core.to_client, self.s.core.to_upstream):
            assert lane.held_bytes >= 0

    def teardown(self):
        self.the_settings_are_applied()
        while any(one.held for one in self.disturbing):
            self.time_passes(TIMEOUT)
        self.nothing_is_overtaken()
        dropped = {which for one in self.disturbing for which in one.dropped}
        for towards, numbers in self.sent.items():
            kept = [number for number in numbers if (towards, number) not in dropped]
            assert self.heard[towards] == kept
        assert self.s.core.to_client.held_bytes == self.s.core.to_upstream.held_bytes == 0
        assert self.s.closed is None


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
