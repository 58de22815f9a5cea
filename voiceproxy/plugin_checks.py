"""What makes a module or an object unfit to be a plugin. Each check raises UnfitPlugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import voiceproxy
from voiceproxy import hookspecs
from voiceproxy.settings import SettingsSchema

if TYPE_CHECKING:
    import pluggy

SETTINGS_ATTRIBUTE = "voiceproxy_settings"

SYNCHRONOUS = frozenset(
    {
        "voiceproxy_setup",
        "voiceproxy_upstream_open",
        "voiceproxy_client_frame",
        "voiceproxy_upstream_frame",
    }
)
"""Hooks called as plain functions; a coroutine function there would never run."""


class UnfitPlugin(Exception):
    """The cause, in words that go on from "plugin NAME: "."""


def check_object(plugin: object, manager: pluggy.PluginManager) -> None:
    """Refuse what pluggy would take and then fail on, or never call."""
    if inspect.isclass(plugin):
        raise UnfitPlugin(f"{plugin.__qualname__} is a class; give an instance of it")
    try:
        hash(plugin)
    except TypeError:
        raise UnfitPlugin("it is not hashable; a plugin compares by identity") from None
    for hook in hook_names():
        function = inspect.getattr_static(plugin, hook, None)
        if function is getattr(hookspecs, hook):
            continue
        if inspect.isroutine(function) and manager.parse_hookimpl_opts(plugin, hook) is None:
            raise UnfitPlugin(f"{hook} is not marked with @voiceproxy.hookimpl")


def has_hooks(plugin: object) -> bool:
    """Tell whether anything in a module is marked as a hook."""
    marker = f"{hookspecs.PROJECT}_impl"
    return any(hasattr(it, marker) for it in vars(plugin).values())


def check_hooks(manager: pluggy.PluginManager, name: str) -> None:
    """Refuse misspelt hooks, wrappers, and functions the host could not call."""
    callers = manager.get_hookcallers(manager.get_plugin(name)) or []
    if not callers:
        raise UnfitPlugin("it implements no hook; hooks are marked with @voiceproxy.hookimpl")
    for caller in callers:
        for impl in (one for one in caller.get_hookimpls() if one.plugin_name == name):
            if caller.has_spec():
                _check_function(caller.name, impl)
            elif not impl.optionalhook:
                raise UnfitPlugin(_unknown_hook(caller.name))


def check_version(entry_point: metadata.EntryPoint) -> None:
    """Refuse a plugin whose distribution requires another version of voiceproxy than this one."""
    requirements = (entry_point.dist.requires if entry_point.dist else None) or []
    running = voiceproxy.__version__
    for requirement in map(Requirement, requirements):
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not applies or canonicalize_name(requirement.name) != hookspecs.PROJECT:
            continue
        if not requirement.specifier.contains(running, prereleases=True):
            needs = f"needs voiceproxy{requirement.specifier}"
            raise UnfitPlugin(f"{needs}, and this is voiceproxy {running}")


def settings_schema(
    plugin: object, taken: Mapping[str, type[SettingsSchema]]
) -> type[SettingsSchema] | None:
    """Return the plugin's settings schema, None when it has no settings."""
    schema = getattr(plugin, SETTINGS_ATTRIBUTE, None)
    if schema is None:
        return None
    if not (inspect.isclass(schema) and issubclass(schema, SettingsSchema)):
        raise UnfitPlugin(f"{SETTINGS_ATTRIBUTE} is not a subclass of voiceproxy.SettingsSchema")
    if not schema.section or not hasattr(schema, "makes"):
        raise UnfitPlugin(f"{schema.__qualname__} must name its section and the class it makes")
    for other, known in taken.items():
        if known is not schema and known.section == schema.section:
            raise UnfitPlugin(f"its settings section {schema.section!r} is that of {other!r}")
    return schema


def hook_names() -> tuple[str, ...]:
    """Name the hooks there are, sorted."""
    marker = f"{hookspecs.PROJECT}_spec"
    return tuple(sorted(name for name, it in vars(hookspecs).items() if hasattr(it, marker)))


def _check_function(hook: str, impl: pluggy.HookImpl) -> None:
    if impl.wrapper or impl.hookwrapper:
        raise UnfitPlugin(f"{hook} is a hook wrapper; use tryfirst or trylast instead")
    function = inspect.unwrap(impl.function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UnfitPlugin(f"{hook} yields; a hook is a function, it returns")
    if hook in SYNCHRONOUS and inspect.iscoroutinefunction(function):
        raise UnfitPlugin(f"{hook} is async; it must be a plain function (session.start runs one)")
    for parameter in _unplain(impl.function):
        raise UnfitPlugin(f"{hook} has the parameter {parameter!r}; only plain ones are passed")


def _unplain(function: Callable[..., Any]) -> list[str]:
    """Name parameters that are optional, keyword-only, positional-only or variable."""
    return [
        str(one)
        for one in inspect.signature(function).parameters.values()
        if one.kind is not one.POSITIONAL_OR_KEYWORD or one.default is not one.empty
    ]


def _unknown_hook(hook: str) -> str:
    close = get_close_matches(hook, hook_names(), n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"there is no hook {hook}{hint}"
