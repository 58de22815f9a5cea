import logging
import sys
import types
from dataclasses import dataclass

import pytest
from distributions import BACKEND, OBSERVER, install
from marshmallow import fields

from voiceproxy import hookimpl
from voiceproxy.errors import PluginLoadError
from voiceproxy.plugins import Plugins, installed, named
from voiceproxy.settings import SettingsSchema


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A directory on sys.path; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


class Observer:
    def __init__(self, name="observer"):
        self.name = name

    @hookimpl
    def voiceproxy_connect(self, session): ...


def cause_of(*plugins):
    with pytest.raises(PluginLoadError) as caught:
        Plugins(plugins)
    return str(caught.value)


def test_plugins_are_loaded_in_the_order_they_are_named(site):
    install(
        site,
        "voiceproxy-two",
        entry_points={"alpha": "two_alpha", "beta": "two_beta:plugin"},
        modules={
            "two_alpha": OBSERVER,
            "two_beta": "import two_alpha as other\n"
            "class Plugin:\n    voiceproxy_connect = other.voiceproxy_connect\n"
            "import types\nplugin = types.ModuleType('beta')\n"
            "plugin.voiceproxy_connect = other.voiceproxy_connect\n",
        },
    )
    assert Plugins(["beta", "alpha"]).names == ("beta", "alpha")
    assert Plugins(["alpha", "beta"]).names == ("alpha", "beta")
    assert Plugins(["alpha"])["alpha"] is sys.modules["two_alpha"]


def test_only_what_is_named_is_imported(site):
    install(
        site,
        "voiceproxy-two",
        entry_points={"alpha": "lazy_alpha", "broken": "lazy_broken"},
        modules={"lazy_alpha": OBSERVER, "lazy_broken": "1 / 0"},
    )
    Plugins(["alpha"])
    assert "lazy_alpha" in sys.modules
    assert "lazy_broken" not in sys.modules


def test_a_dotted_path_imports_a_module(site):
    install(site, "somewhere", modules={"corner.__init__": "", "corner.plugin": OBSERVER})
    assert Plugins(["corner.plugin"]).names == ("corner.plugin",)


def test_a_module_without_dots_is_a_plugin_when_it_implements_a_hook(site):
    install(site, "somewhere", modules={"lonely": OBSERVER, "unrelated": "x = 1"})
    assert Plugins(["lonely"]).names == ("lonely",)
    assert cause_of("unrelated").endswith("; the module of that name implements no hook")


def test_modules_and_objects_are_accepted_as_they_are():
    module = types.ModuleType("a_module")
    module.voiceproxy_connect = hookimpl(lambda session: None)
    nameless = type("Nameless", (Observer,), {"__init__": lambda self: None})()
    plugins = Plugins([module, Observer("first"), Observer("first"), nameless])
    assert plugins.names == ("a_module", "first", "first-2", "Nameless")


def test_an_unknown_name_names_the_installed_ones_and_the_one_it_resembles(site):
    install(site, "voiceproxy-two", entry_points={"alphabet": "x", "beta": "y"})
    names = ", ".join(sorted({one.name for one in installed()}))
    assert {"alphabet", "beta"} <= set(names.split(", "))
    assert cause_of("alphabte") == (
        f"plugin 'alphabte': is not installed (did you mean 'alphabet'?); installed are: {names}"
    )
    assert cause_of("zzz") == f"plugin 'zzz': is not installed; installed are: {names}"


def test_with_nothing_installed_an_unknown_name_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert installed() == ()
    assert cause_of("zzz") == "plugin 'zzz': is not installed; installed are: none"


def test_a_name_offered_by_two_distributions_is_refused(site):
    install(site, "voiceproxy-one", entry_points={"twin": "one_twin"})
    install(site, "voiceproxy-two", version="2.0", entry_points={"twin": "two_twin"})
    assert cause_of("twin") == (
        "plugin 'twin': is offered by voiceproxy-one 1.0 and voiceproxy-two 2.0; "
        "name the one you mean by its module"
    )


@pytest.mark.parametrize(
    ("module", "source", "cause"),
    [
        ("not_there", None, "there is no module 'not_there'"),
        ("not_there.deep", None, "there is no module 'not_there'"),
        (
            "needy",
            "import libmissing.sub",
            "module 'needy' needs 'libmissing', which is not installed",
        ),
        ("rude", "raise RuntimeError('no\\nway')", "importing 'rude' failed: RuntimeError: no way"),
        ("leaver", "import sys; sys.exit('bye')", "importing 'leaver' failed: SystemExit: bye"),
        (
            "stopped",
            "import asyncio; raise asyncio.CancelledError",
            "importing 'stopped' failed: CancelledError:",
        ),
        (
            "hollow:plugin",
            "",
            "importing 'hollow' failed: AttributeError: module 'hollow' has no attribute 'plugin'",
        ),
    ],
)
def test_a_failing_import_names_plugin_distribution_and_cause(site, module, source, cause):
    modules = {} if source is None else {module.partition(":")[0]: source}
    install(site, "voiceproxy-bad", entry_points={"bad": module}, modules=modules)
    assert cause_of("bad") == f"plugin 'bad' (from voiceproxy-bad 1.0): {cause}"


def test_a_failing_import_of_a_dotted_path_names_the_cause(site):
    install(site, "somewhere", modules={"corner.__init__": "", "corner.bad": "import libmissing"})
    assert cause_of("corner.bad") == (
        "plugin 'corner.bad': module 'corner.bad' needs 'libmissing', which is not installed"
    )
    install(site, "elsewhere", modules={"corner.leaver": "raise SystemExit(3)"})
    assert cause_of("corner.leaver") == (
        "plugin 'corner.leaver': importing 'corner.leaver' failed: SystemExit: 3"
    )
    assert cause_of("corner.none") == "plugin 'corner.none': there is no module 'corner.none'"
    assert cause_of("nowhere.at.all") == "plugin 'nowhere.at.all': there is no module 'nowhere'"


@pytest.mark.parametrize("name", ["ctrl", "ctrl_c"])
def test_ctrl_c_goes_through_an_import(site, name):
    modules = {"ctrl_c": "raise KeyboardInterrupt"}
    install(site, "voiceproxy-c", entry_points={"ctrl": "ctrl_c"}, modules=modules)
    with pytest.raises(KeyboardInterrupt):
        Plugins([name])


@pytest.mark.parametrize("name", ["__main__", "", "two words", "no-module"])
def test_what_cannot_be_a_module_is_not_installed(name):
    assert cause_of(name).startswith(f"plugin {name!r}: is not installed")


def test_a_plugin_named_twice_is_loaded_once_at_its_first_place(site, caplog):
    caplog.set_level(logging.DEBUG, "voiceproxy.plugins")
    install(
        site,
        "voiceproxy-two",
        entry_points={"alpha": "twice_alpha"},
        modules={"twice_alpha": OBSERVER},
    )
    observer = Observer()
    plugins = Plugins(["alpha", observer, "alpha", "twice_alpha", observer])
    assert plugins.names == ("alpha", "observer")
    assert caplog.messages == [
        "plugin 'alpha' is named more than once; its first place counts",
        "plugin 'twice_alpha' is already loaded as 'alpha'",
        "plugin 'observer-2' is already loaded as 'observer'",
    ]


def test_no_takes_out_what_was_named_before_and_a_later_name_puts_it_back(caplog):
    one, two = Observer("one"), Observer("two")
    assert Plugins([one, two, "no:one"]).names == ("two",)
    assert Plugins([one, two, "no:one", one]).names == ("two", "one")
    assert caplog.messages == []
    assert Plugins(["no:thing", one]).names == ("one",)
    assert caplog.messages == ["no:thing takes out nothing: no plugin of that name was named"]


def test_a_plugin_that_was_taken_out_is_not_imported():
    assert Plugins(["not.there", "no:not.there"]).names == ()


@pytest.mark.parametrize(
    ("variable", "names"),
    [("a,b", ["a", "b"]), (" a  b,", ["a", "b"]), ("a, b no:a", ["a", "b", "no:a"]), ("", [])],
)
def test_the_variable_names_plugins_before_the_flags(variable, names):
    assert named({"VOICEPROXY_PLUGINS": variable}, ["c"]) == [*names, "c"]
    assert named({}) == []


def test_installed_lists_name_module_distribution_and_version_without_importing(site):
    install(
        site,
        "voiceproxy-two",
        version="3.1",
        entry_points={"zeta": "listed_zeta", "eta": "listed_eta:plugin"},
        modules={"listed_zeta": "1 / 0"},
    )
    listed = [one for one in installed() if one.distribution == "voiceproxy-two"]
    assert [(one.name, one.module, one.version, one.source) for one in listed] == [
        ("eta", "listed_eta:plugin", "3.1", "voiceproxy-two 3.1"),
        ("zeta", "listed_zeta", "3.1", "voiceproxy-two 3.1"),
    ]
    assert "listed_zeta" not in sys.modules


def test_a_distribution_seen_twice_on_the_path_is_listed_once(site, monkeypatch):
    install(site, "voiceproxy-two", entry_points={"alpha": "x"})
    elsewhere = site / "elsewhere"
    elsewhere.mkdir()
    install(elsewhere, "voiceproxy-two", entry_points={"alpha": "x"})
    monkeypatch.syspath_prepend(elsewhere)
    assert [one.name for one in installed()].count("alpha") == 1


class Everywhere:
    """A plugin with one implementation in each group."""

    def __init__(self, name):
        self.name = name

    @hookimpl(tryfirst=True)
    def voiceproxy_client_frame(self, session, frame): ...

    @hookimpl
    def voiceproxy_upstream_frame(self, message, session): ...

    @hookimpl(trylast=True)
    def voiceproxy_close(self): ...


class Guard:
    name = "guard"

    @hookimpl(tryfirst=True)
    def voiceproxy_connect(self, session): ...

    @hookimpl(trylast=True)
    def voiceproxy_client_frame(self, session, frame): ...

    @hookimpl(tryfirst=True)
    def voiceproxy_upstream_frame(self, frame): ...


def test_one_total_order_tryfirst_plain_trylast_and_within_each_as_named():
    plugins = Plugins([Observer("a"), Everywhere("b"), Guard(), Everywhere("c"), Observer("d")])
    found = {
        hook: [(one.plugin_name, one.order) for one in plugins.implementations(hook)]
        for hook in (
            "voiceproxy_connect",
            "voiceproxy_client_frame",
            "voiceproxy_upstream_frame",
            "voiceproxy_close",
            "voiceproxy_setup",
        )
    }
    assert found == {
        "voiceproxy_connect": [("guard", (0, 2)), ("a", (1, 0)), ("d", (1, 4))],
        "voiceproxy_client_frame": [("b", (0, 1)), ("c", (0, 3)), ("guard", (2, 2))],
        "voiceproxy_upstream_frame": [("guard", (0, 2)), ("b", (1, 1)), ("c", (1, 3))],
        "voiceproxy_close": [("b", (2, 1)), ("c", (2, 3))],
        "voiceproxy_setup": [],
    }


def test_an_implementation_says_what_it_takes_and_whether_it_observes():
    everywhere = Everywhere("b")
    plugins = Plugins([everywhere])
    (filtering,) = plugins.implementations("voiceproxy_upstream_frame")
    assert filtering.argument_names == ("message", "session")
    assert filtering.function == everywhere.voiceproxy_upstream_frame
    assert not filtering.observer
    assert plugins.implementations("voiceproxy_close")[0].observer
    with pytest.raises(AttributeError):
        plugins.implementations("voiceproxy_nothing")


def test_the_hooks_of_a_plugin_are_named_sorted():
    assert Plugins([Guard()]).hooks_of("guard") == (
        "voiceproxy_client_frame",
        "voiceproxy_connect",
        "voiceproxy_upstream_frame",
    )
    with pytest.raises(KeyError):
        Plugins([]).hooks_of("guard")


def test_two_applications_share_no_plugins():
    first, second = Plugins([Guard()]), Plugins([])
    assert first.names == ("guard",)
    assert second.implementations("voiceproxy_connect") == ()


def test_registering_after_the_chains_were_compiled_is_refused():
    plugins = Plugins([Guard()])
    plugins.freeze()
    with pytest.raises(RuntimeError, match="plugin 'late' comes too late"):
        plugins.register(Observer("late"))
    assert plugins.names == ("guard",)


def test_registering_before_that_adds_to_the_end():
    plugins = Plugins([Guard()])
    plugins.register(Observer("late"))
    assert plugins.names == ("guard", "late")


@dataclass
class Some:
    size: int


class SomeSchema(SettingsSchema):
    section = "some"
    makes = Some
    size = fields.Integer(load_default=1)


def test_the_settings_schemas_are_collected_in_order():
    observer = Observer("with")
    observer.voiceproxy_settings = SomeSchema
    plugins = Plugins([Observer("without"), observer])
    assert dict(plugins.schemas) == {"with": SomeSchema}


def test_a_plugin_found_unfit_leaves_no_trace():
    plugins = Plugins([])
    bad = Observer("bad")
    bad.voiceproxy_settings = "some"
    with pytest.raises(PluginLoadError):
        plugins.register(bad)
    assert plugins.names == ()
    assert plugins.implementations("voiceproxy_connect") == ()
    plugins.register(Observer("bad"))
    assert plugins.names == ("bad",)


def test_the_backend_of_these_tests_is_a_plugin(site):
    install(site, "voiceproxy-x", entry_points={"silent": "it_is"}, modules={"it_is": BACKEND})
    assert Plugins(["silent"]).hooks_of("silent") == ("voiceproxy_setup",)
