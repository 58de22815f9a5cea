"""voiceproxy/paths.py: repeated slashes, and routes of plugins beside the endpoints."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from running import hear_one

from voiceproxy import UsageError, add_route, create_app, hookimpl, setup
from voiceproxy.paths import single_slashes
from voiceproxy.testing import FakeBackend, FakeUpstream, connected, listening


async def _tell_path(socket, request):
    await socket.send_str(str(request.rel_url))
    await socket.receive()


class Routed:
    """A plugin with a plain HTTP route."""

    @hookimpl
    def voiceproxy_setup(self, app):
        async def hello(request):
            return web.json_response({"path": request.path})

        add_route(app, "post", "/v1/hello", hello)


@pytest.mark.parametrize(
    ("path", "single"),
    [("/", "/"), ("//v1///listen", "/v1/listen"), ("/v1/listen//", "/v1/listen/")],
)
def test_slashes_are_counted_once(path, single):
    assert single_slashes(path) == single


@pytest.mark.parametrize("path", ["/v1/agent/fake", "//v1/agent/fake", "/v1//agent///fake"])
@pytest.mark.parametrize("prefix", ["", "/voice"])
async def test_a_client_that_doubles_slashes_is_served_without_a_redirect(prefix, path):
    async with FakeUpstream(_tell_path) as upstream:
        app = web.Application()
        setup(app, prefix, [FakeBackend(upstream.url, path="/v1/agent/fake")], environ={})
        async with listening(app) as url, connected(url + prefix + path) as client:
            assert await hear_one(client) == "/"


async def test_a_sub_application_serves_doubled_slashes_too():
    async with FakeUpstream(_tell_path) as upstream:
        app = web.Application()
        inner = create_app([FakeBackend(upstream.url, path="/v1/fake")], environ={})
        app.add_subapp("/voice", inner)
        async with listening(app) as url, connected(url + "/voice//v1//fake") as client:
            assert await hear_one(client) == "/"


@pytest.mark.parametrize("path", ["/v1/fakes", "/v1", "/v1/fake/more", "/v1fake"])
async def test_a_path_that_differs_in_more_than_slashes_is_not_found(path):
    app = create_app([FakeBackend("ws://127.0.0.1:1/", path="/v1/fake")], environ={})
    async with listening(app) as url, aiohttp.ClientSession() as session:
        answer = await session.get(url + path)
        assert answer.status == 404


@pytest.mark.parametrize("path", ["/calls/v1/hello", "/calls//v1//hello"])
async def test_a_route_of_a_plugin_stands_behind_the_same_mount(path):
    app = web.Application()
    setup(app, "/calls", [FakeBackend("ws://127.0.0.1:1/"), Routed()], environ={})
    async with listening(app) as url, aiohttp.ClientSession() as session:
        answer = await session.post(url + path)
        assert (answer.status, await answer.json()) == (200, {"path": path})


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "FORBIDDEN"),
        ({"Host": "evil.example"}, 421, "MISDIRECTED_REQUEST"),
    ],
)
async def test_a_route_of_a_plugin_is_guarded_as_endpoints_are(headers, status, code):
    app = create_app([FakeBackend("ws://127.0.0.1:1/"), Routed()], environ={})
    async with listening(app) as url, aiohttp.ClientSession() as session:
        answer = await session.post(url + "/v1/hello", headers=headers)
        assert (answer.status, (await answer.json())["err_code"]) == (status, code)


def test_two_plugins_may_not_want_one_route():
    with pytest.raises(UsageError, match="POST /v1/hello"):
        create_app([FakeBackend("ws://127.0.0.1:1/"), Routed(), Routed()], environ={})


def test_a_route_may_not_hide_behind_an_endpoint():
    class Hidden:
        @hookimpl
        def voiceproxy_setup(self, app):
            async def hello(request):
                return web.Response()

            add_route(app, "get", "/fake", hello)

    with pytest.raises(UsageError, match="GET /fake, where fake answers"):
        create_app([FakeBackend("ws://127.0.0.1:1/"), Hidden()], environ={})
