"""The hooks: what they are called with, and that their docstrings say what the host does."""

import inspect

import pluggy
import pytest

from voiceproxy import hookspecs
from voiceproxy.chains import HOOKS
from voiceproxy.plugin_checks import hook_names

ARGUMENTS = {
    "voiceproxy_setup": ("app",),
    "voiceproxy_connect": ("session", "upstream"),
    "voiceproxy_upstream_open": ("session", "headers"),
    "voiceproxy_client_frame": ("session", "frame", "message", "text"),
    "voiceproxy_upstream_frame": ("session", "frame", "message", "text"),
    "voiceproxy_close": ("session", "close"),
}


def test_these_are_the_hooks_and_their_arguments():
    found = {
        name: tuple(inspect.signature(getattr(hookspecs, name)).parameters) for name in hook_names()
    }
    assert found == ARGUMENTS


def test_all_but_setup_are_compiled():
    assert {*HOOKS, "voiceproxy_setup"} == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_hook_is_described_in_more_than_one_line(name):
    assert len((inspect.getdoc(getattr(hookspecs, name)) or "").splitlines()) > 1


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_specification_is_no_implementation(name):
    function = getattr(hookspecs, name)
    assert function(*[None] * len(ARGUMENTS[name])) is None


def test_frame_hooks_stop_at_the_first_result():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    first = {name for name in ARGUMENTS if getattr(manager.hook, name).spec.opts["firstresult"]}
    assert first == {"voiceproxy_client_frame", "voiceproxy_upstream_frame"}


def test_the_entry_point_group_is_the_projects_name():
    assert hookspecs.PROJECT == "voiceproxy"
