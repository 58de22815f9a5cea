"""One total order for all hooks, compiled once."""

import itertools

import pytest
from session_parts import plugin

from voiceproxy import Binary, Text, hookimpl
from voiceproxy.chains import compile_chains
from voiceproxy.plugins import Plugins
from voiceproxy.testing import drive


def _ignore(session, frame):
    return None


def _chains(*plugins):
    return compile_chains(Plugins(plugins))


def test_order_is_tryfirst_then_plain_then_trylast_and_within_each_as_named():
    orders = [None, "trylast", "tryfirst", None, "trylast", "tryfirst"]
    made = [plugin(f"p{n}", order, client_frame=_ignore) for n, order in enumerate(orders)]
    assert _chains(*made).places == ("p2", "p5", "p0", "p3", "p1", "p4")


def test_the_order_is_the_same_for_every_hook_and_both_directions():
    class Both:
        def __init__(self, name):
            self.name = name

        @hookimpl
        def voiceproxy_connect(self): ...

        @hookimpl
        def voiceproxy_client_frame(self, frame): ...

        @hookimpl
        def voiceproxy_upstream_frame(self, frame): ...

        @hookimpl
        def voiceproxy_close(self): ...

    chains = _chains(Both("a"), Both("b"), Both("c"))
    assert chains.places == ("a", "b", "c")
    for links in (chains.client.text.links, chains.upstream.text.links):
        assert [(link.plugin, link.place) for link in links] == [("a", 0), ("b", 1), ("c", 2)]
    for steps in (chains.connect, chains.close):
        assert [(step.plugin, step.place) for step in steps] == [("a", 0), ("b", 1), ("c", 2)]


def test_a_plugin_may_stand_at_several_places_under_one_name():
    class Guard:
        name = "guard"

        @hookimpl(tryfirst=True)
        def voiceproxy_client_frame(self, frame): ...

        @hookimpl
        def voiceproxy_upstream_frame(self, frame): ...

        @hookimpl(trylast=True)
        def voiceproxy_close(self): ...

    chains = _chains(plugin("first", client_frame=_ignore), Guard())
    assert chains.places == ("guard", "first", "guard", "guard")
    assert [link.place for link in chains.client.text.links] == [0, 1]
    assert [link.place for link in chains.upstream.text.links] == [2]
    assert [step.place for step in chains.close] == [3]


def test_implementations_that_name_message_are_not_in_the_audio_chain():
    texts = plugin("texts", client_frame=lambda session, message: None)
    all_frames = plugin("all", client_frame=_ignore)
    direction = _chains(texts, all_frames).client
    assert [link.plugin for link in direction.text.links] == ["texts", "all"]
    assert [link.plugin for link in direction.binary.links] == ["all"]


def test_an_implementation_that_names_text_sees_every_text_frame_and_no_audio():
    seen = []
    s = drive(plugins=[plugin("p", client_frame=lambda session, text: seen.append(text))])
    frames = [Text(b"{"), Text(b"[]"), Text.of({"type": "A"})]
    s.client(*frames, b"audio")
    assert seen == frames
    assert s.core.chains.client.binary.links == ()


def test_a_chain_knows_where_to_start_behind_every_place():
    made = [
        plugin("a", client_frame=_ignore),
        plugin("b", upstream_frame=_ignore),
        plugin("c", client_frame=_ignore),
    ]
    chains = _chains(*made)
    assert chains.client.text.start == (0, 1, 1, 2, 2)
    assert chains.upstream.text.start == (0, 0, 1, 1, 1)


def test_only_trylast_implementations_are_observers():
    made = [plugin(str(order), order, client_frame=_ignore) for order in (None, "trylast")]
    made.append(plugin("guard", "tryfirst", client_frame=_ignore))
    links = _chains(*made).client.text.links
    assert {link.plugin: link.observer for link in links} == {
        "guard": False,
        "None": False,
        "trylast": True,
    }


NAMES = [
    names
    for size in range(4)
    for names in itertools.permutations(("session", "frame", "message", "text"), size)
]


@pytest.mark.parametrize("names", NAMES, ids=",".join)
def test_an_implementation_gets_the_arguments_it_names_in_any_order(names):
    got = {}
    namespace = {"got": got}
    assignments = "".join(f"    got[{name!r}] = {name}\n" for name in names)
    exec(f"def hook({', '.join(names)}):\n{assignments}    return None", namespace)
    s = drive(plugins=[plugin("p", client_frame=namespace["hook"])])
    frame = Text.of({"type": "A"})
    s.core.client_frame(frame)
    handle = s.core.handle(0)
    expected = {"session": handle, "frame": frame, "text": frame, "message": {"type": "A"}}
    assert got == {name: expected[name] for name in names}


def test_bound_methods_functions_of_an_object_and_static_methods_are_called_alike():
    seen = []

    class Methods:
        name = "methods"

        @hookimpl
        def voiceproxy_client_frame(self, frame):
            seen.append((self.name, frame))

    class Static:
        name = "static"

        @staticmethod
        @hookimpl
        def voiceproxy_client_frame(frame):
            seen.append(("static", frame))

    function = plugin("function", client_frame=lambda frame: seen.append(("function", frame)))
    s = drive(plugins=[Methods(), Static(), function])
    s.client(b"a")
    frame = Binary(b"a")
    assert seen == [("methods", frame), ("static", frame), ("function", frame)]
