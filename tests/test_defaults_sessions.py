"""Sessions with Settings of the server's: what reaches the backend, and what the client is told."""

import asyncio
import json

import aiohttp
import pytest
from running import QUICK, echo, hear
from session_parts import Plain

import voiceproxy_defaults
from voiceproxy import Endpoint, Text, Upstream, add_endpoint, hookimpl
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, drive, serve

FILE = {
    "defaults": {"agent": {"greeting": "hello", "language": "en"}},
    "overrides": {"agent": {"think": {"prompt": "SECRET"}, "listen": None}},
    "profiles": {"sales": {"overrides": {"agent": {"speak": {"provider": {"model": "ada"}}}}}},
}
DEEP = b'{"type":"KeepAlive","a":' + b"[" * 300 + b"]" * 300 + b"}"


@pytest.fixture
def file(tmp_path):
    """Writes the file; returns the settings of a proxy that reads it."""

    def write(content=FILE, **settings):
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(content))
        given = {f"defaults.{name}": value for name, value in settings.items()}
        return {"defaults.file": str(path), **given}

    return write


def _drive(settings, **options):
    return drive(plugins=[voiceproxy_defaults], settings=settings, **options)


def test_settings_are_completed_and_overridden(file):
    s = _drive(file())
    s.client({"type": "Settings", "agent": {"language": "de", "think": {"prompt": "mine"}}})
    [settings] = s.to_upstream()
    assert settings["type"] == "Settings"
    assert settings["agent"] == {
        "language": "de",
        "greeting": "hello",
        "think": {"prompt": "SECRET"},
    }
    assert s.to_client() == []


def test_settings_of_nothing_but_a_type_get_everything(file):
    s = _drive(file())
    s.client({"type": "Settings"})
    assert s.to_upstream()[0]["agent"]["think"]["prompt"] == "SECRET"


def test_the_type_is_not_for_the_file_to_say(file):
    s = _drive(file({"overrides": {"type": "KeepAlive"}}))
    s.client({"type": "Settings"})
    assert s.to_upstream() == [{"type": "Settings"}]


def test_a_profile_is_chosen_by_the_query(file):
    s = _drive(file(), query={"profile": "sales"})
    s.client({"type": "Settings"})
    assert s.to_upstream()[0]["agent"]["speak"] == {"provider": {"model": "ada"}}


@pytest.mark.parametrize("query", [{}, {"profile": ""}])
def test_without_a_profile_there_is_what_is_common(file, query):
    s = _drive(file(), query=query)
    s.client({"type": "Settings"})
    assert "speak" not in s.to_upstream()[0]["agent"]


def test_a_translator_gets_them_as_the_clients_own(file):
    s = _drive(file(), translator=Plain)
    s.client({"type": "Settings", "agent": {}})
    assert s.to_upstream()[0]["agent"]["greeting"] == "hello"


@pytest.mark.parametrize("protocol", ["listen", "speak"])
def test_listening_and_speaking_have_no_settings(file, protocol):
    s = _drive(file(), protocol=protocol, query={"profile": "nobody's"})
    s.client(Text(b'{ "type": "Settings" }'), Text(b"not JSON"), b"\0\0")
    assert s.core.upstream.take().data == b'{ "type": "Settings" }'


def test_defaults_alone_leave_every_other_message_as_it_came(file):
    s = _drive(file({"defaults": {"agent": {"greeting": "hello"}}}))
    frames = (b'{ "type": "KeepAlive" }', b"not JSON", b'{"type":"Settings","agent":"id"}', DEEP)
    s.client(*(Text(data) for data in frames))
    for data in frames:
        assert s.core.upstream.take().data == data


# What clients ask to change later


UPDATES = [
    ({"type": "UpdatePrompt", "prompt": "mine"}, {"type": "UpdatePrompt", "prompt": "SECRET"}),
    (
        {"type": "UpdateThink", "think": {"provider": {"model": "m"}, "prompt": "mine"}},
        {"type": "UpdateThink", "think": {"provider": {"model": "m"}, "prompt": "SECRET"}},
    ),
    (
        {"type": "UpdateThink", "think": [{"prompt": "a"}, {"prompt": "SECRET"}]},
        {"type": "UpdateThink", "think": [{"prompt": "SECRET"}, {"prompt": "SECRET"}]},
    ),
    (
        {"type": "UpdateSpeak", "speak": {"provider": {"model": "bo", "speed": 2}}},
        {"type": "UpdateSpeak", "speak": {"provider": {"model": "ada", "speed": 2}}},
    ),
    (
        {"type": "UpdateSpeak", "model": "bo"},
        {"type": "UpdateSpeak", "speak": {"provider": {"model": "ada"}}},
    ),
    ({"type": "UpdateListen", "listen": {"provider": {"model": "m"}}}, None),
]


@pytest.mark.parametrize(("asked", "allowed"), UPDATES)
def test_what_the_server_has_set_stays_and_the_client_is_warned(file, asked, allowed):
    s = _drive(file(), query={"profile": "sales"})
    s.client(asked)
    assert s.to_upstream() == ([] if allowed is None else [allowed])
    [warning] = s.to_client()
    assert (warning["type"], warning["code"]) == ("Warning", "SET_BY_SERVER")
    assert asked["type"] in warning["description"]
    assert "SECRET" not in str(warning)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "UpdatePrompt", "prompt": "SECRET"},
        {"type": "UpdateSpeak", "speak": {"provider": {"model": "bo"}}},
        {"type": "UpdateSpeak", "model": "bo"},
        {"type": "UpdateThink_Live", "think_live": {"provider": {}}},
        {"type": "InjectUserMessage", "content": "hi"},
        {"type": 7},
    ],
)
def test_what_the_server_has_not_set_may_be_changed(file, message):
    s = _drive(file())
    s.client(message)
    assert s.to_upstream() == [message]
    assert s.to_client() == []


def test_a_voice_named_as_older_clients_do_goes_with_what_is_overridden_beside_it(file):
    s = _drive(file({"overrides": {"agent": {"speak": {"provider": {"speed": 2}}}}}))
    s.client({"type": "UpdateSpeak", "model": "bo"})
    assert s.to_upstream()[0]["speak"] == {"provider": {"model": "bo", "speed": 2}}


def test_a_prompt_that_was_taken_away_stays_away(file):
    s = _drive(file({"overrides": {"agent": {"think": [{"prompt": None}]}}}))
    s.client({"type": "UpdatePrompt", "prompt": "mine"})
    assert s.to_upstream() == []
    assert s.to_client()[0]["code"] == "SET_BY_SERVER"


@pytest.mark.parametrize("agent", ["stored", {"think": [{"provider": {}}]}, {"greeting": "x"}])
def test_overrides_of_other_parts_leave_the_prompt_to_the_client(file, agent):
    s = _drive(file({"overrides": {"agent": agent}}))
    s.client({"type": "UpdatePrompt", "prompt": "mine"})
    assert s.to_upstream() == [{"type": "UpdatePrompt", "prompt": "mine"}]


def test_updates_may_be_allowed(file):
    s = _drive(file(allow_updates=True))
    s.client({"type": "UpdatePrompt", "prompt": "mine"})
    assert s.to_upstream() == [{"type": "UpdatePrompt", "prompt": "mine"}]


# No way around the overrides


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"Settings","agent":{"think":{"prompt":"mine"}},"type":"KeepAlive"}',
        b'{"type":"KeepAlive","type":"Settings","agent":{"think":{"prompt":"mine"}}}',
        b'{"type":"UpdatePrompt","prompt":"mine","\\u0074ype":"KeepAlive","prompt":"x"}',
    ],
)
def test_a_key_that_comes_twice_goes_up_once(file, data):
    s = _drive(file())
    s.client(Text(data))
    sent = s.core.upstream.take().data
    assert sent.count(b'"type"') == 1
    if b'"Settings"' in sent:
        assert b"SECRET" in sent


@pytest.mark.parametrize("data", [b"not JSON", b'["Settings"]', b'{"type":"Settings"\xff}', DEEP])
def test_where_there_are_overrides_nothing_goes_up_that_cannot_be_read_here(file, data):
    s = _drive(file())
    s.client(Text(data), b"\0\0")
    assert s.to_upstream() == [b"\0\0"]
    assert s.to_client()[0]["code"] == "UNPARSABLE_CLIENT_MESSAGE"
    assert s.closed is None


# On real sockets


def _serve(settings, upstream, **backend):
    given = FakeBackend(upstream.url, **backend)
    return serve(given, voiceproxy_defaults, settings={**QUICK, **settings})


async def test_a_profile_there_is_not_is_refused_before_the_upgrade(file):
    async with (
        asyncio.timeout(10),
        FakeUpstream(echo) as upstream,
        _serve(file(), upstream) as url,
        aiohttp.ClientSession() as client,
    ):
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        query = {"profile": "support" * 50}
        async with client.get(f"{url}/fake", params=query, headers=headers) as answer:
            assert answer.status == 400
            said = await answer.json()
        assert said["err_msg"].startswith("There is no profile 'supportsupport")
        assert len(said["err_msg"]) < 100
        assert upstream.requests == []


async def test_two_sessions_of_different_profiles_share_nothing(file):
    async with (
        asyncio.timeout(10),
        FakeUpstream(echo) as upstream,
        _serve(file(), upstream) as url,
        connected(url + "/fake?profile=sales") as one,
        connected(url + "/fake") as other,
    ):
        for socket, has_voice in ((one, True), (other, False)):
            await socket.send_str('{"type": "Settings"}')
            [settings] = (await hear(socket, 1)).frames
            assert ("speak" in settings["agent"]) is has_voice


class TwoBackends:
    """Two names, each with a path of its own."""

    def __init__(self, url):
        self._url = url

    @hookimpl
    def voiceproxy_setup(self, app):
        for name in ("one", "two"):
            made = Endpoint(name, f"/{name}", lambda session, stand_in: Upstream(self._url), name)
            add_endpoint(app, made)


async def test_each_backend_has_its_own_also_behind_a_prefix(file, aiohttp_client):
    import voiceproxy

    content = {
        "endpoints": {
            "one": {"overrides": {"agent": {"language": "de"}}},
            "/two": {"overrides": {"agent": {"language": "fr"}}},
        }
    }
    parent = aiohttp.web.Application()
    async with asyncio.timeout(10), FakeUpstream(echo) as upstream:
        plugins = [voiceproxy_defaults, TwoBackends(upstream.url)]
        voiceproxy.setup(parent, "/calls", plugins, settings=file(content) | QUICK, environ={})
        client = await aiohttp_client(parent)
        for name, language in (("one", "de"), ("two", "fr")):
            async with client.ws_connect(f"/calls/{name}") as socket:
                await socket.send_str('{"type": "Settings"}')
                assert (await hear(socket, 1)).frames[0]["agent"]["language"] == language
