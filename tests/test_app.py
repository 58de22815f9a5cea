"""voiceproxy/app.py: an application that can be run or mounted, and what plugins register in it."""

from __future__ import annotations

import asyncio
import re

import pytest
from aiohttp import web
from running import echo, get, hear_one, relaying

from voiceproxy import (
    Endpoint,
    PluginLoadError,
    Session,
    SettingsError,
    Upstream,
    UsageError,
    add_endpoint,
    create_app,
    endpoints,
    hookimpl,
    settings_of,
    setup,
    stand_in,
    stand_in_of,
)
from voiceproxy.host_settings import HostSettings, configure
from voiceproxy.plugins import Plugins
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening, serve


class Backend:
    """Two paths, one of them shared, and something missing unless it is stood in for."""

    def __init__(self, name: str, *paths: str, shared: bool = False, lacks: str = "") -> None:
        self.name, self.paths, self.shared, self.lacks = name, paths, shared, lacks

    @hookimpl
    def voiceproxy_setup(self, app: web.Application) -> None:
        for path in self.paths:
            add_endpoint(
                app,
                Endpoint(
                    self.name,
                    path,
                    lambda session, url: Upstream(url),
                    "language",
                    shared=self.shared,
                    problems=lambda: [self.lacks] if self.lacks else [],
                ),
            )


class StandIn:
    def __init__(self, url):
        self.url = url

    @hookimpl
    def voiceproxy_setup(self, app: web.Application) -> None:
        stand_in(app, "language", self.url)


def _app(*plugins, **settings):
    return create_app(plugins, settings=settings, environ={})


async def test_health_and_ready_tell_how_it_is_and_no_secret():
    async with relaying(echo) as proxy:
        assert (await get(proxy.url + "/health"))[:2] == (200, {"status": "ok"})
        async with connected(proxy.endpoint):
            status, body, _ = await get(proxy.url + "/ready")
    assert (status, body) == (
        200,
        {"status": "ready", "sessions": 1, "backends": {"fake": {"paths": ["/fake"]}}},
    )


def test_an_application_without_a_backend_says_what_to_type():
    with pytest.raises(UsageError, match=r"python -m voiceproxy --plugin openai"):
        _app()


def test_two_backends_may_not_claim_one_path():
    with pytest.raises(UsageError, match="b and a both want the path /x"):
        _app(Backend("a", "/x"), Backend("b", "/x"))


def test_the_first_backend_gets_a_shared_path():
    app = _app(Backend("a", "/sdk", shared=True), Backend("b", "/sdk", shared=True))
    assert [(one.name, one.path) for one in endpoints(app)] == [("a", "/sdk")]


def test_what_keeps_backends_from_dialling_is_reported_together():
    with pytest.raises(SettingsError) as caught:
        _app(Backend("a", "/a", lacks="no key for a"), Backend("b", "/b", lacks="no key for b"))
    assert caught.value.problems == ("no key for a", "no key for b")


@pytest.mark.parametrize("callable_", [False, True])
async def test_a_stand_in_takes_the_place_of_the_upstream_and_needs_no_key(callable_):
    async with FakeUpstream(echo) as upstream:
        url = (lambda: upstream.url) if callable_ else upstream.url
        async with (
            serve(Backend("a", "/a", lacks="a key"), StandIn(url)) as proxy,
            connected(proxy + "/a") as ws,
        ):
            await ws.send_str("x")
            assert await hear_one(ws) == "x"


def test_a_backend_may_ask_what_stands_in_for_its_upstream():
    urls = iter(["ws://127.0.0.1:1", "ws://127.0.0.1:2"])
    app = _app(Backend("a", "/a"), StandIn(lambda: next(urls)))
    assert [stand_in_of(app, "language") for _ in range(2)] == [
        "ws://127.0.0.1:1",
        "ws://127.0.0.1:2",
    ]
    assert stand_in_of(app, "another language") is None


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, asyncio.CancelledError])
def test_a_setup_that_fails_is_named(error):
    class Broken:
        @hookimpl
        def voiceproxy_setup(self, app: web.Application) -> None:
            raise error("no disk")

    cause = f"its setup failed: {error.__name__}: no disk"
    with pytest.raises(PluginLoadError, match=cause):
        _app(Broken())


def test_a_usage_error_of_a_setup_is_the_operators():
    class Wrong:
        @hookimpl
        def voiceproxy_setup(self, app: web.Application) -> None:
            raise UsageError("that cannot be")

    with pytest.raises(UsageError, match="that cannot be"):
        _app(Wrong())


def test_the_settings_problems_of_all_setups_are_reported_together():
    class Wrong:
        def __init__(self, text):
            self.text = text

        @hookimpl
        def voiceproxy_setup(self, app: web.Application) -> None:
            raise SettingsError([self.text])

    with pytest.raises(SettingsError) as caught:
        _app(Wrong("one"), Wrong("two"))
    assert sorted(caught.value.problems) == ["one", "two"]


def test_settings_are_found_by_the_class_their_schema_makes():
    app = _app(FakeBackend(None), max_sessions=7)
    assert settings_of(app, HostSettings).max_sessions == 7


async def test_the_environment_and_the_env_file_are_read_unless_one_is_given(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEPROXY_MAX_SESSIONS", "3")
    (tmp_path / ".env").write_text("VOICEPROXY_MAX_SESSIONS=4\nVOICEPROXY_HEARTBEAT=9\n")
    given = settings_of(create_app([FakeBackend(None)]), HostSettings)
    assert (given.max_sessions, given.heartbeat) == (3, 9)
    bare = settings_of(_app(FakeBackend(None)), HostSettings)
    assert (bare.max_sessions, bare.heartbeat) == (1000, 20)


def test_a_configuration_may_be_given_ready_made():
    loaded = Plugins([FakeBackend(None)])
    configuration = configure(loaded.schemas.values(), environ={}, overrides={"max_sessions": 5})
    app = create_app(loaded, configuration=configuration)
    assert settings_of(app, HostSettings).max_sessions == 5


@pytest.mark.parametrize(("setting", "spoken"), [(None, "component"), ("agent", "agent")])
async def test_the_dialect_of_an_endpoint_gives_way_to_the_setting(setting, spoken):
    seen = []

    class Look:
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            seen.append(session.dialect)

    async with relaying(echo, Look(), dialect=setting) as proxy, connected(proxy.endpoint):
        pass
    assert seen == [spoken]


async def test_listen_endpoints_have_no_dialect_to_change():
    seen = []

    class Look:
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            seen.append((session.protocol, session.dialect))

    backend = {"protocol": "listen"}
    async with (
        relaying(echo, Look(), backend=backend, dialect="agent") as proxy,
        connected(proxy.endpoint),
    ):
        pass
    assert seen == [("listen", "component")]


# Mounted in somebody else's application.


async def test_it_mounts_under_a_prefix_behind_the_parents_middleware():
    passed = []

    @web.middleware
    async def note(request, handler):
        passed.append(request.path)
        return await handler(request)

    async with FakeUpstream(echo) as upstream:
        parent = web.Application(middlewares=[note])
        parent.add_subapp("/voice", _app(FakeBackend(upstream.url)))
        async with listening(parent) as url:
            async with connected(url + "/voice/fake") as ws:
                await ws.send_str("x")
                assert await hear_one(ws) == "x"
            assert (await get(url + "/voice/ready"))[0] == 200
    assert passed == ["/voice/fake", "/voice/ready"]


async def test_setup_serves_the_endpoints_in_an_application_of_ones_own():
    async with FakeUpstream(echo) as upstream:
        app = web.Application()
        setup(app, "/calls/", [FakeBackend(upstream.url)], environ={})
        async with listening(app) as url, connected(url + "/calls/fake") as ws:
            await ws.send_str("x")
            assert await hear_one(ws) == "x"
    assert [one.path for one in endpoints(app)] == ["/fake"]


def test_setup_twice_in_one_application_is_refused():
    app = web.Application()
    setup(app, plugins=[FakeBackend(None)], environ={})
    with pytest.raises(UsageError, match=re.escape("add_subapp")):
        setup(app, "/again", [FakeBackend(None)], environ={})
