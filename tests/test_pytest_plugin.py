"""voiceproxy/pytest_plugin.py and voiceproxy/loopback.py: the kit for tests of plugins."""

from __future__ import annotations

from running import echo, hear_one, refused

from voiceproxy import Session, Text, hookimpl
from voiceproxy.testing import FakeBackend


class Shout:
    @hookimpl
    def voiceproxy_upstream_frame(self, session: Session, frame: Text, message: dict) -> bool:
        session.to_client({**message, "content": message["content"].upper()})
        return True


def test_a_plugin_runs_without_sockets(voiceproxy_drive):
    s = voiceproxy_drive(plugins=[Shout()])
    s.upstream({"type": "ConversationText", "content": "hi"})
    assert s.to_client() == [{"type": "ConversationText", "content": "HI"}]


async def test_a_plugin_runs_between_real_sockets(
    fake_upstream, voiceproxy_serve, voiceproxy_connect
):
    upstream = await fake_upstream(echo)
    url = await voiceproxy_serve(FakeBackend(upstream.url, path="/x"), Shout())
    socket = await voiceproxy_connect(url + "/x")
    await socket.send_json({"type": "ConversationText", "content": "hi"})
    assert (await hear_one(socket))["content"] == "HI"
    assert upstream.live == 1


async def test_settings_reach_the_proxy(fake_upstream, voiceproxy_serve):
    upstream = await fake_upstream(echo)
    url = await voiceproxy_serve(
        FakeBackend(upstream.url), settings={"allow_host": ["x"], "max_sessions": 1}
    )
    error = await refused(url + "/fake", headers={"Origin": "https://evil.example"})
    assert error.status == 403
