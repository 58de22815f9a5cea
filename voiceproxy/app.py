"""The application: plugins set up, endpoints routed, sessions opened and closed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import aiohttp
from aiohttp import web

from voiceproxy.chains import compile_chains
from voiceproxy.errors import PluginLoadError, SettingsError, UsageError
from voiceproxy.host_settings import HostSettings, configure
from voiceproxy.paths import Handler, serve_path
from voiceproxy.plugins import Plugins
from voiceproxy.reception import Reception
from voiceproxy.settings import Configuration
from voiceproxy.variants import with_dialect

if TYPE_CHECKING:
    from voiceproxy.backend import Endpoint

T = TypeVar("T")

SharedClient = aiohttp.ClientSession | Callable[[], aiohttp.ClientSession | None] | None
"""A client session of the embedding application, or what returns it once there is a loop."""


class Registry:
    """What plugins register in ``voiceproxy_setup``."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.routes: dict[tuple[str, str], Handler] = {}
        self.stand_ins: dict[str, Callable[[], str]] = {}

    def add(self, endpoint: Endpoint) -> None:
        """Claim the endpoint's path."""
        taken = self.endpoints.get(endpoint.path)
        if taken is None:
            self.endpoints[endpoint.path] = endpoint
        elif not endpoint.shared:
            raise UsageError(f"{endpoint.name} and {taken.name} both want the path {endpoint.path}")

    def route(self, method: str, path: str, handler: Handler) -> None:
        """Claim a method of a path."""
        if (method, path) in self.routes:
            raise UsageError(f"two plugins want the route {method} {path}")
        self.routes[method, path] = handler


CONFIGURATION = web.AppKey("configuration", Configuration)
REGISTRY = web.AppKey("registry", Registry)
RECEPTION = web.AppKey("reception", Reception)


def add_endpoint(app: web.Application, endpoint: Endpoint) -> None:
    """Serve a path. In ``voiceproxy_setup`` only. Raises UsageError when the path is taken."""
    app[REGISTRY].add(endpoint)


def add_route(app: web.Application, method: str, path: str, handler: Handler) -> None:
    """Serve plain HTTP beside the endpoints, behind the same mount and the same guard.

    In ``voiceproxy_setup`` only. Requests of origins or for hosts that endpoints refuse do not
    reach the handler. Raises UsageError when the route is taken.
    """
    app[REGISTRY].route(method.upper(), path, handler)


def stand_in(app: web.Application, protocol: str, url: str | Callable[[], str]) -> None:
    """Let something else be dialled wherever a backend's upstream speaks that protocol.

    In ``voiceproxy_setup`` only. ``url`` is ``ws://`` or ``wss://``; a callable is asked each time
    a session is opened, so a server that picks its port when it starts can be named before.
    """
    app[REGISTRY].stand_ins[protocol] = url if callable(url) else lambda: url


def stand_in_of(app: web.Application, protocol: str) -> str | None:
    """The URL of what stands in for upstreams of that protocol; None for the real ones.

    For backends that ask an upstream something beside dialling it, at the time they ask.
    """
    make = app[REGISTRY].stand_ins.get(protocol)
    return make() if make else None


def settings_of(app: web.Application, cls: type[T]) -> T:
    """The loaded settings of a plugin, by the class its schema makes."""
    return app[CONFIGURATION][cls]


def endpoints(app: web.Application) -> list[Endpoint]:
    """Every endpoint the application serves."""
    return list(app[REGISTRY].endpoints.values())


def create_app(
    plugins: Plugins | Sequence[str | object] = (),
    *,
    settings: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    configuration: Configuration | None = None,
    client: SharedClient = None,
) -> web.Application:
    """Make an application that can be run, or mounted with ``add_subapp``.

    ``plugins``: names, import paths, modules or objects, in order. ``settings``: values that stand
    above every other source, by name: ``{"max_sessions": 10, "openai.api_key": "..."}``.
    ``environ`` replaces the environment and the ``.env`` file. ``client``: a client session of
    yours, or a function that returns it when the application starts; upstreams are dialled through
    its connector, and it stays yours to close. Raises UsageError (SettingsError, PluginLoadError)
    for everything an operator can set right.
    """
    app = web.Application()
    _install(app, "", plugins, settings, environ, configuration, client)
    app.router.add_get("/health", _health)
    app.router.add_get("/ready", _ready)
    return app


def setup(
    app: web.Application,
    path: str = "",
    plugins: Plugins | Sequence[str | object] = (),
    *,
    settings: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    configuration: Configuration | None = None,
    client: SharedClient = None,
) -> None:
    """Serve the endpoints in an application of your own, each path behind ``path``.

    As ``create_app``, without ``/health`` and ``/ready``. Call it before the application starts.
    """
    _install(app, path.rstrip("/"), plugins, settings, environ, configuration, client)


def _install(
    app: web.Application,
    prefix: str,
    plugins: Plugins | Sequence[str | object],
    settings: Mapping[str, object] | None,
    environ: Mapping[str, str] | None,
    configuration: Configuration | None,
    client: SharedClient,
) -> None:
    loaded = plugins if isinstance(plugins, Plugins) else Plugins(plugins)
    if configuration is None:
        configuration = _configure(loaded, settings or {}, environ)
    if REGISTRY in app:
        raise UsageError(
            "voiceproxy is set up in this application already; mount another one with add_subapp"
        )
    registry = furnish(app, loaded, configuration)
    _check(registry)
    host = configuration[HostSettings]
    reception = Reception(
        host,
        compile_chains(loaded),
        registry.stand_ins,
        client=client if callable(client) else lambda: client,
    )
    app[RECEPTION] = reception
    for endpoint in registry.endpoints.values():
        served = with_dialect(endpoint, host.dialect)
        serve_path(app, "GET", prefix + endpoint.path, partial(reception.answer, served))
    for (method, path), handler in registry.routes.items():
        serve_path(app, method, prefix + path, partial(_guarded, reception, handler))
    app.cleanup_ctx.append(_reception_context)
    app.on_shutdown.append(stop_sessions)


def furnish(app: web.Application, plugins: Plugins, configuration: Configuration) -> Registry:
    """Give an application the settings, and what the plugins' setups register."""
    registry = Registry()
    app[CONFIGURATION], app[REGISTRY] = configuration, registry
    _set_up(app, plugins)
    return registry


def _configure(
    plugins: Plugins, settings: Mapping[str, object], environ: Mapping[str, str] | None
) -> Configuration:
    schemas = plugins.schemas.values()
    if environ is None:
        return configure(schemas, environ=os.environ, overrides=settings)
    return configure(schemas, environ=environ, overrides={"env_file": "", **settings})


def _set_up(app: web.Application, plugins: Plugins) -> None:
    problems: list[str] = []
    for implementation in plugins.implementations("voiceproxy_setup"):
        try:
            implementation.function(app)
        except SettingsError as error:
            problems.extend(error.problems)
        except (UsageError, KeyboardInterrupt):
            raise
        except BaseException as error:  # a setup may well call sys.exit()
            cause = f"its setup failed: {type(error).__name__}: {error}"
            raise PluginLoadError(implementation.plugin_name, cause) from error
    if problems:
        raise SettingsError(problems)
    plugins.freeze()


def _check(registry: Registry) -> None:
    if not registry.endpoints:
        raise UsageError(
            "no backend among the plugins; try: python -m voiceproxy --plugin openai "
            "--plugin simulator"
        )
    for method, path in registry.routes:
        if method == "GET" and path in registry.endpoints:
            backend = registry.endpoints[path].name
            raise UsageError(f"a plugin wants the route {method} {path}, where {backend} answers")
    asked = {
        endpoint.name: endpoint.problems
        for endpoint in registry.endpoints.values()
        if endpoint.upstream_protocol not in registry.stand_ins
    }
    problems = [problem for ask in asked.values() for problem in ask()]
    if problems:
        raise SettingsError(problems)


async def stop_sessions(app: web.Application, drain: float = 0) -> None:
    """Refuse new sessions, answer ``/ready`` with 503 and close every session with 1001.

    For whoever runs the application and wants it to be seen stopping while it still listens; its
    shutdown does the same, at once. ``drain``: for at most that many seconds, sessions get a
    ``Warning`` and are closed as the turns of their agents end; listen and speak have no turns.
    """
    if drain > 0:
        await app[RECEPTION].drain(drain)
    await app[RECEPTION].stop()


async def _guarded(
    reception: Reception, handler: Handler, request: web.Request
) -> web.StreamResponse:
    return reception.guarded(request) or await handler(request)


async def _reception_context(app: web.Application) -> AsyncIterator[None]:
    app[RECEPTION].start()
    yield
    await app[RECEPTION].close()


def live_sessions(app: web.Application) -> int:
    """How many sessions there are, those included whose upgrade is not yet answered."""
    return app[RECEPTION].live


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _ready(request: web.Request) -> web.Response:
    reception = request.app[RECEPTION]
    backends: dict[str, list[str]] = {}
    for endpoint in endpoints(request.app):
        backends.setdefault(endpoint.name, []).append(endpoint.path)
    body = {
        "status": "stopping" if reception.stopping else "ready",
        "sessions": reception.live,
        "backends": {name: {"paths": paths} for name, paths in backends.items()},
    }
    return web.json_response(body, status=503 if reception.stopping else 200)
