"""The hook that tells plugins the upstream is there, and what a session knows of its application"""

import asyncio
import logging

import aiohttp
import pytest
from aiohttp import web
from marshmallow import fields
from running import QUICK, echo, hear
from session_parts import Plain, plugin

import voiceproxy
from voiceproxy import Refuse, SettingsSchema, hookimpl, settings_of
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, drive, serve


def _opener(name, calls, order=None):
    return plugin(name, order, upstream_open=lambda session, headers: calls.append((name, headers)))


def test_plugins_hear_of_the_upstream_in_order_before_its_translator():
    calls = []

    class Noting(Plain):
        def upstream_opened(self, headers):
            calls.append(("translator", headers))

    plugins = [_opener("last", calls, "trylast"), _opener("first", calls)]
    s = drive(plugins=plugins, translator=Noting, upstream_opens=False)
    assert calls == []
    s.upstream_opens({"x-request-id": "7"})
    assert [name for name, _ in calls] == ["first", "last", "translator"]
    assert calls[0][1] == {"x-request-id": "7"}


def test_what_a_plugin_says_when_the_upstream_opens_comes_before_what_the_upstream_says():
    greeter = plugin(
        "greeter",
        upstream_open=lambda session, headers: session.to_client({"type": "Warning"}),
    )
    s = drive(plugins=[greeter])
    s.upstream({"type": "History"})
    assert [one["type"] for one in s.to_client()] == ["Warning", "History"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), asyncio.CancelledError()])
def test_a_plugin_that_raises_when_the_upstream_opens_ends_the_session_by_its_name(error, caplog):
    def fail(session, headers):
        raise error

    s = drive(plugins=[plugin("faulty", upstream_open=fail)])
    [told] = s.to_client()
    assert told["code"] == "plugin_failed"
    assert "'faulty' failed in voiceproxy_upstream_open" in told["description"]
    assert s.closed.code == 1000
    assert [record.plugin for record in caplog.records] == ["faulty"]


def test_nobody_hears_of_an_upstream_that_comes_too_late():
    calls = []
    s = drive(plugins=[_opener("one", calls)], upstream_opens=False)
    s.client_closes()
    s.upstream_opens()
    assert calls == []


async def test_the_hook_runs_for_a_real_upstream_with_the_headers_of_its_answer():
    calls = []
    async with (
        asyncio.timeout(10),
        FakeUpstream(echo) as upstream,
        serve(FakeBackend(upstream.url), _opener("one", calls), settings=QUICK) as url,
        connected(url + "/fake") as socket,
    ):
        await socket.send_str("{}")
        await hear(socket, 1)
    [(_, headers)] = calls
    assert headers["Upgrade"] == "websocket"


class Volume:
    def __init__(self, level):
        self.level = level


class VolumeSchema(SettingsSchema):
    """A plugin's settings."""

    section = "volume"
    makes = Volume
    level = fields.Integer(load_default=3)


class Loud:
    """Says how loud it has been told to be."""

    voiceproxy_settings = VolumeSchema
    CALLED = web.AppKey("called", list)

    @hookimpl
    def voiceproxy_setup(self, app):
        app[self.CALLED] = []

    @hookimpl
    def voiceproxy_client_frame(self, session, message):
        session.app[self.CALLED].append(message["type"])
        level = settings_of(session.app, Volume).level
        session.to_client({"type": "Warning", "code": str(level)})


def test_a_driven_session_has_an_application_with_the_plugins_settings_and_setups():
    s = drive(plugins=[Loud()], settings={"volume.level": 11})
    s.client({"type": "Settings"})
    assert s.to_client()[0]["code"] == "11"
    assert s.core.introduction.app[Loud.CALLED] == ["Settings"]


def test_without_settings_a_driven_session_has_the_defaults():
    s = drive(plugins=[Loud()])
    s.client({"type": "Settings"})
    assert s.to_client()[0]["code"] == "3"


def test_settings_nobody_has_are_refused_also_when_driven():
    with pytest.raises(voiceproxy.SettingsError, match=r"volume\.loudness"):
        drive(plugins=[Loud()], settings={"volume.loudness": 11})


@pytest.mark.parametrize("mounted", [False, True])
async def test_two_applications_each_have_their_own_also_behind_a_prefix(mounted, aiohttp_client):
    parent = web.Application()
    async with FakeUpstream(echo) as upstream:
        for level, path in ((1, "/one"), (2, "/two")):
            given = [FakeBackend(upstream.url), Loud()]
            settings = {"volume.level": level, **QUICK}
            app = voiceproxy.create_app(given, settings=settings, environ={})
            parent.add_subapp(path, app)
        client = await aiohttp_client(parent)
        for level, path in ((1, "/one"), (2, "/two")):
            async with asyncio.timeout(10), client.ws_connect(path + "/fake") as socket:
                await socket.send_str('{"type": "Settings"}')
                assert (await hear(socket, 1)).frames[0]["code"] == str(level)


async def test_the_session_of_a_translator_knows_the_application_too():
    made = []
    drive(translator=lambda session: made.append(session) or Plain(session))
    assert isinstance(made[0].app, web.Application)


async def _one_session(*plugins):
    async with (
        asyncio.timeout(10),
        FakeUpstream(echo) as upstream,
        serve(FakeBackend(upstream.url), *plugins, settings=QUICK) as url,
        connected(url + "/fake") as socket,
    ):
        await socket.close()


async def test_the_host_says_when_a_session_opens_and_ends(caplog):
    caplog.set_level(logging.INFO, "voiceproxy")
    await _one_session()
    said = [record.getMessage() for record in caplog.records]
    assert [any(text in line for line in said) for text in ("opened at", "closed by")] == [1, 1]


def _tell_instead(session):
    session.log.session_lines = False


async def test_the_host_leaves_its_lines_on_a_session_to_a_plugin_that_asks(caplog):
    caplog.set_level(logging.INFO, "voiceproxy")
    await _one_session(plugin("teller", connect=_tell_instead))
    assert [record.getMessage() for record in caplog.records] == []


async def test_who_is_refused_before_that_plugin_is_asked_is_told_of_by_the_host(caplog):
    caplog.set_level(logging.INFO, "voiceproxy")

    def refuse(session):
        raise Refuse(401, "No.")

    guard, teller = plugin("guard", connect=refuse), plugin("teller", connect=_tell_instead)
    for plugins in ((guard, teller), (teller, guard)):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await _one_session(*plugins)
    [record] = caplog.records
    assert "refused before the upgrade by guard: 401 No." in record.getMessage()


async def test_what_goes_wrong_is_said_by_the_host_whatever_a_plugin_asks(caplog):
    caplog.set_level(logging.INFO, "voiceproxy")

    def fail(session, close):
        raise ValueError

    await _one_session(plugin("teller", connect=_tell_instead, close=fail))
    assert [record.plugin for record in caplog.records] == ["teller"]
