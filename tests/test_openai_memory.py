"""plugins/voiceproxy_openai/memory.py: a little of what is over, and no more."""

from voiceproxy_openai.memory import Recent


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
