from dataclasses import dataclass

import pytest
from distributions import OBSERVER, install
from marshmallow import fields

import voiceproxy
from voiceproxy import hookimpl, hookspecs
from voiceproxy.errors import PluginLoadError
from voiceproxy.plugin_checks import hook_names
from voiceproxy.plugins import Plugins
from voiceproxy.settings import SettingsSchema


def make(**attributes):
    """An object with these attributes; functions become methods without self."""
    wrapped = {
        name: staticmethod(it) if callable(it) and not isinstance(it, type) else it
        for name, it in attributes.items()
    }
    return type("Plugin", (), {"name": "mine", **wrapped})()


def cause_of(*plugins):
    with pytest.raises(PluginLoadError) as caught:
        Plugins(plugins)
    assert caught.value.plugin.startswith("mine")
    return str(caught.value).partition(": ")[2]


@hookimpl
def connect(session): ...


@hookimpl
async def asynchronous(session): ...


@hookimpl
def yielding(session):
    yield


@hookimpl
async def asynchronously_yielding(session):
    yield


@hookimpl(wrapper=True)
def wrapping(session):
    return (yield)


@hookimpl(hookwrapper=True)
def wrapping_the_old_way(session):
    yield


@hookimpl
def with_default(session, frame=None): ...


@hookimpl
def with_keyword_only(*, session): ...


@hookimpl
def with_positional_only(session, /): ...


@hookimpl
def with_anything(session, **rest): ...


@hookimpl
def with_unknown_argument(session, farme): ...


def test_a_misspelt_hook_is_refused_with_the_one_it_resembles():
    assert cause_of(make(voiceproxy_client_frmae=connect)) == (
        "there is no hook voiceproxy_client_frmae; did you mean voiceproxy_client_frame?"
    )
    assert cause_of(make(zzz=connect)) == "there is no hook zzz"


def test_an_optional_hook_may_be_unknown():
    future = hookimpl(optionalhook=True)(lambda session: None)
    plugins = Plugins([make(voiceproxy_connect=connect, voiceproxy_future=future)])
    assert plugins.names == ("mine",)


def test_an_argument_the_hook_does_not_have_is_refused():
    cause = cause_of(make(voiceproxy_client_frame=with_unknown_argument))
    assert "for hook 'voiceproxy_client_frame'" in cause
    assert "Argument(s) {'farme'} are declared in the hookimpl" in cause
    assert "\n" not in cause


@pytest.mark.parametrize(
    "hook", ["voiceproxy_setup", "voiceproxy_client_frame", "voiceproxy_upstream_frame"]
)
def test_an_async_function_is_refused_where_a_plain_one_is_called(hook):
    function = hookimpl(async_without_arguments)
    assert cause_of(make(**{hook: function})) == (
        f"{hook} is async; it must be a plain function (session.start runs one)"
    )


async def async_without_arguments(): ...


@pytest.mark.parametrize("hook", ["voiceproxy_connect", "voiceproxy_close"])
def test_connect_and_close_may_be_async(hook):
    assert Plugins([make(**{hook: asynchronous})]).hooks_of("mine") == (hook,)


@pytest.mark.parametrize("function", [wrapping, wrapping_the_old_way])
def test_a_hook_wrapper_is_refused(function):
    assert cause_of(make(voiceproxy_connect=function)) == (
        "voiceproxy_connect is a hook wrapper; use tryfirst or trylast instead"
    )


@pytest.mark.parametrize("function", [yielding, asynchronously_yielding])
def test_a_function_that_yields_is_refused(function):
    assert cause_of(make(voiceproxy_connect=function)) == (
        "voiceproxy_connect yields; a hook is a function, it returns"
    )


@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        (with_default, "frame=None"),
        (with_keyword_only, "session"),
        (with_positional_only, "session"),
        (with_anything, "**rest"),
    ],
)
def test_only_plain_parameters_are_passed(function, parameter):
    assert cause_of(make(voiceproxy_client_frame=function)) == (
        f"voiceproxy_client_frame has the parameter '{parameter}'; only plain ones are passed"
    )


def test_a_hook_that_is_not_marked_is_refused():
    plugin = make(voiceproxy_connect=connect, voiceproxy_close=lambda session: None)
    assert cause_of(plugin) == "voiceproxy_close is not marked with @voiceproxy.hookimpl"


def test_a_specification_among_a_plugins_names_is_no_unmarked_hook():
    plugin = make(voiceproxy_connect=connect)
    plugin.voiceproxy_close = hookspecs.voiceproxy_close
    assert Plugins([plugin]).hooks_of("mine") == ("voiceproxy_connect",)


def test_a_plugin_without_hooks_is_refused():
    assert cause_of(make()) == "it implements no hook; hooks are marked with @voiceproxy.hookimpl"


def test_a_class_is_refused_in_favour_of_an_instance():
    class Mine:
        name = "mine"
        voiceproxy_connect = connect

    Mine.__name__ = "mine"
    assert cause_of(Mine).endswith("Mine is a class; give an instance of it")


def test_an_object_that_compares_by_value_is_refused():
    @dataclass
    class Mine:
        name: str = "mine"

        @hookimpl
        def voiceproxy_connect(self, session): ...

    assert cause_of(Mine()) == "it is not hashable; a plugin compares by identity"


def test_two_objects_that_are_equal_are_refused():
    @dataclass(frozen=True)
    class Mine:
        name: str = "mine"

        @hookimpl
        def voiceproxy_connect(self, session): ...

    assert "Plugin already registered under a different name" in cause_of(Mine(), Mine())


@pytest.mark.parametrize(
    ("requirement", "accepted"),
    [
        ("voiceproxy", True),
        (f"voiceproxy=={voiceproxy.__version__}", True),
        ("Voice.Proxy>=0.0.1", True),
        ("voiceproxy>=99,<100", False),
        ("VoiceProxy!=99,<0.0.1", False),
        ("aiohttp>=999", True),
        ("voiceproxy>=99; python_version<'3'", True),
        ("voiceproxy>=99; extra=='new'", True),
        ("voiceproxy>=99; python_version>'3'", False),
    ],
)
def test_a_plugin_for_another_version_is_refused_naming_both(
    tmp_path, monkeypatch, requirement, accepted
):
    monkeypatch.syspath_prepend(tmp_path)
    install(
        tmp_path,
        "voiceproxy-mine",
        version="7",
        entry_points={"mine": "demanding"},
        modules={"demanding": OBSERVER},
        requires=(requirement,),
    )
    if accepted:
        assert Plugins(["mine"]).names == ("mine",)
    else:
        with pytest.raises(PluginLoadError) as caught:
            Plugins(["mine"])
        text = str(caught.value)
        assert text.startswith("plugin 'mine' (from voiceproxy-mine 7): needs voiceproxy")
        assert text.endswith(f", and this is voiceproxy {voiceproxy.__version__}")
        assert "99" in text or "0.0.1" in text


class Schema(SettingsSchema):
    section = "one"
    makes = dict
    size = fields.Integer()


class SameSection(Schema):
    pass


class NoSection(Schema):
    section = ""


class MakesNothing(SettingsSchema):
    section = "nothing"


@pytest.mark.parametrize("settings", [object(), Schema(), "one", int])
def test_settings_that_are_no_schema_class_are_refused(settings):
    assert cause_of(make(voiceproxy_connect=connect, voiceproxy_settings=settings)) == (
        "voiceproxy_settings is not a subclass of voiceproxy.SettingsSchema"
    )


@pytest.mark.parametrize("settings", [NoSection, MakesNothing])
def test_a_schema_without_section_or_class_is_refused(settings):
    assert cause_of(make(voiceproxy_connect=connect, voiceproxy_settings=settings)) == (
        f"{settings.__name__} must name its section and the class it makes"
    )


def test_two_plugins_with_one_section_are_refused_unless_it_is_the_same_schema():
    first = make(voiceproxy_connect=connect, voiceproxy_settings=Schema)
    again = make(voiceproxy_connect=connect, voiceproxy_settings=Schema)
    other = make(voiceproxy_connect=connect, voiceproxy_settings=SameSection)
    assert Plugins([first, again]).names == ("mine", "mine-2")
    assert cause_of(first, other) == "its settings section 'one' is that of 'mine'"


def test_the_hooks_there_are():
    assert hook_names() == (
        "voiceproxy_client_frame",
        "voiceproxy_close",
        "voiceproxy_connect",
        "voiceproxy_setup",
        "voiceproxy_upstream_frame",
        "voiceproxy_upstream_open",
    )
