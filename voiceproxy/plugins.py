"""Find, load, order, list and check plugins.

A plugin is named as its entry point in the group ``voiceproxy`` or by the dotted path of a module;
``create_app`` also takes modules and objects as they are. Only what is named is imported.
"""

from __future__ import annotations

import importlib
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import pluggy

from voiceproxy import hookspecs
from voiceproxy.errors import PluginLoadError
from voiceproxy.plugin_checks import (
    UnfitPlugin,
    check_hooks,
    check_object,
    check_version,
    has_hooks,
    settings_schema,
)
from voiceproxy.settings import SettingsSchema
from voiceproxy.settings_problems import PLUGINS_VARIABLE

REMOVE = "no:"

logger = logging.getLogger("voiceproxy.plugins")


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry point somebody installed; nothing has been imported."""

    name: str
    module: str
    distribution: str
    version: str
    entry_point: metadata.EntryPoint

    @property
    def source(self) -> str:
        """The distribution and its version, as error messages have it."""
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's implementation of one hook."""

    plugin_name: str
    function: Callable[..., Any]
    argument_names: tuple[str, ...]
    order: tuple[int, int]
    """(group, index): 0 ``tryfirst``, 1 plain, 2 ``trylast``; the plugin's place among those named.
    Sorting by it gives the one total order of all hooks."""

    @property
    def observer(self) -> bool:
        """A ``trylast`` implementation: it sees what the others left."""
        return self.order[0] == 2


class Plugins:
    """The plugins of one application, in the order they were named."""

    def __init__(self, plugins: Iterable[str | object] = ()) -> None:
        """Load what is named, in order. Raises PluginLoadError at the first that cannot be used."""
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._names: list[str] = []
        self._schemas: dict[str, type[SettingsSchema]] = {}
        self._frozen = False
        for plugin in chosen(plugins):
            self._load(plugin) if isinstance(plugin, str) else self.register(plugin)

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins' names, in order."""
        return tuple(self._names)

    @property
    def schemas(self) -> Mapping[str, type[SettingsSchema]]:
        """The settings schemas by plugin name, in order; plugins without settings are absent."""
        return dict(self._schemas)

    def __getitem__(self, name: str) -> Any:
        """Return the module or object of that name. Raises KeyError."""
        if name not in self._names:
            raise KeyError(name)
        return self._manager.get_plugin(name)

    def register(
        self, plugin: object, name: str | None = None, distribution: str | None = None
    ) -> None:
        """Add a module or an object, last in the order. The same one a second time is left out.

        Without a name it is called as its ``__name__`` or ``name`` attribute, or else its class,
        with a number when that is taken. Raises PluginLoadError when it is not fit to be a plugin,
        RuntimeError after ``freeze``.
        """
        name = name or self._free_name(plugin)
        if self._frozen:
            raise RuntimeError(
                f"plugin {name!r} comes too late: the application has started and its hooks are "
                "compiled. Name every plugin to create_app() or --plugin."
            )
        if self._has(plugin, name):
            return
        try:
            check_object(plugin, self._manager)
            self._manager.register(plugin, name=name)
            check_hooks(self._manager, name)
            schema = settings_schema(plugin, self._schemas)
        except (UnfitPlugin, ValueError, pluggy.PluginValidationError) as error:
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(name=name)
            cause = " ".join(str(error).split())
            raise PluginLoadError(name, cause, distribution) from error
        self._names.append(name)
        if schema is not None:
            self._schemas[name] = schema

    def freeze(self) -> None:
        """Refuse every later ``register``: the hook chains are compiled from what is here now."""
        self._frozen = True

    def implementations(self, hook: str) -> tuple[Implementation, ...]:
        """List a hook's implementations in the total order. Raises AttributeError: no such hook."""
        found = getattr(self._manager.hook, hook).get_hookimpls()
        ones = [
            Implementation(
                plugin_name=impl.plugin_name,
                function=impl.function,
                argument_names=tuple(impl.argnames),
                order=(_group(impl), self._names.index(impl.plugin_name)),
            )
            for impl in found
        ]
        return tuple(sorted(ones, key=lambda one: one.order))

    def hooks_of(self, name: str) -> tuple[str, ...]:
        """Name the hooks a plugin implements, sorted."""
        callers = self._manager.get_hookcallers(self[name]) or []
        return tuple(sorted(caller.name for caller in callers))

    def _load(self, name: str) -> None:
        if name in self._names:
            logger.debug("plugin %r is named more than once; its first place counts", name)
        elif (point := _entry_point(name)) is not None:
            self.register(_load_entry_point(point), name, point.source)
        else:
            self.register(_import_module(name), name)

    def _has(self, plugin: object, name: str) -> bool:
        for known in self._names:
            if self._manager.get_plugin(known) is plugin:
                logger.debug("plugin %r is already loaded as %r", name, known)
                return True
        return False

    def _free_name(self, plugin: object) -> str:
        name = _name_of(plugin)
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        return next(it for it in itertools.chain([name], numbered) if it not in self._names)


def installed() -> tuple[Installed, ...]:
    """List the installed plugins by name, without importing any."""
    found = {}
    for point in metadata.entry_points(group=hookspecs.PROJECT):
        distribution = point.dist.name if point.dist else ""
        version = point.dist.version if point.dist else ""
        one = Installed(point.name, point.value, distribution, version, point)
        found[one.name, one.module, one.distribution] = one
    return tuple(found[key] for key in sorted(found))


def named(environ: Mapping[str, str | None], flags: Sequence[str] = ()) -> list[str]:
    """List the plugins ``VOICEPROXY_PLUGINS`` names, then those of the flags, as written."""
    variable = environ.get(PLUGINS_VARIABLE) or ""
    return [*variable.replace(",", " ").split(), *flags]


def chosen(plugins: Iterable[str | object]) -> list[str | object]:
    """Apply each ``no:NAME``: it takes out that plugin wherever it was named before."""
    remaining: list[str | object] = []
    for plugin in plugins:
        if not (isinstance(plugin, str) and plugin.startswith(REMOVE)):
            remaining.append(plugin)
            continue
        removed = plugin.removeprefix(REMOVE)
        kept = [one for one in remaining if _name_of(one) != removed]
        if len(kept) == len(remaining):
            logger.warning("%s takes out nothing: no plugin of that name was named", plugin)
        remaining = kept
    return remaining


def _name_of(plugin: str | object) -> str:
    """A string itself; a module's ``__name__``; an object's ``name``, or else its class's name."""
    if isinstance(plugin, str):
        return plugin
    given = getattr(plugin, "__name__", None) or getattr(plugin, "name", None)
    return given if isinstance(given, str) else type(plugin).__qualname__


def _group(impl: pluggy.HookImpl) -> int:
    if impl.tryfirst:
        return 0
    return 2 if impl.trylast else 1


def _entry_point(name: str) -> Installed | None:
    fitting = [one for one in installed() if one.name == name]
    if len(fitting) > 1:
        sources = " and ".join(one.source for one in fitting)
        raise PluginLoadError(name, f"is offered by {sources}; name the one you mean by its module")
    return fitting[0] if fitting else None


def _load_entry_point(one: Installed) -> object:
    try:
        check_version(one.entry_point)
        return one.entry_point.load()
    except UnfitPlugin as error:
        raise PluginLoadError(one.name, str(error), one.source) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may well call sys.exit()
        cause = _import_failure(one.entry_point.module, error)
        raise PluginLoadError(one.name, cause, one.source) from error


def _import_module(name: str) -> object:
    """Import a plugin named by its module. One without dots must turn out to be a plugin."""
    if "." not in name and not _is_module(name):
        raise PluginLoadError(name, _not_installed(name))
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginLoadError(name, _import_failure(name, error)) from error
    if "." not in name and not has_hooks(module):
        cause = f"{_not_installed(name)}; the module of that name implements no hook"
        raise PluginLoadError(name, cause)
    return module


def _is_module(name: str) -> bool:
    return name.isidentifier() and name != "__main__" and find_spec(name) is not None


def _not_installed(name: str) -> str:
    names = sorted({one.name for one in installed()})
    close = get_close_matches(name, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"is not installed{hint}; installed are: {', '.join(names) or 'none'}"


def _import_failure(module: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        if module == error.name or module.startswith(f"{error.name}."):
            return f"there is no module {error.name!r}"
        return f"module {module!r} needs {error.name!r}, which is not installed"
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return f"importing {module!r} failed: {cause}"
