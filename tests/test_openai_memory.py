"""plugins/voiceproxy_openai/memory.py: a little of what is over, and no more."""

import gc

from openai_session import Conversation

from voiceproxy_openai.memory import Recent
from voiceproxy_openai.settings_mapping import SessionPlan


def test_the_oldest_is_forgotten_first_and_what_comes_again_is_the_latest():
    recent = Recent(2)
    for name in ("a", "b", "a", "c"):
        recent.add(name)
    assert [name in recent for name in "abc"] == [True, False, True]


def test_what_was_discarded_is_forgotten_and_need_not_have_been_there():
    recent = Recent(2)
    recent.add("a")
    recent.discard("a")
    recent.discard("b")
    assert "a" not in recent


def plans() -> int:
    return sum(type(found) is SessionPlan for found in gc.get_objects())


def test_once_the_upstream_has_taken_the_settings_what_was_sent_of_them_is_forgotten():
    """The session.update is as big as the Settings, prompt and functions, and is sent once."""
    gc.collect()
    before = plans()
    s = Conversation(applied=False)
    s.client({"type": "Settings"})
    assert plans() == before + 1
    s.upstream({"type": "session.updated", "session": {}})
    assert plans() == before
