"""voiceproxy/pytest_plugin.py and voiceproxy/loopback.py: the kit for tests of plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from running import echo, hear_one, refused

from voiceproxy import Session, hookimpl
from voiceproxy.testing import Caller, FakeBackend, connected


class Shout:
    @hookimpl
    def voiceproxy_upstream_frame(self, session: Session, message: dict) -> bool | None:
        if message["type"] != "ConversationText":
            return None
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


# A whole agent in one fixture.


@pytest.mark.parametrize("backend", ["openai", "deepgram"])
@pytest.mark.parametrize(
    ("dialect", "end"),
    [("component", ["AgentDone", "AgentAudioDone"]), ("agent", ["AgentAudioDone"])],
)
async def test_one_fixture_is_a_client_in_a_conversation(
    voiceproxy_simulated, backend, dialect, end
):
    caller = await voiceproxy_simulated(backend, dialect=dialect)
    assert caller.types() == ["Welcome", "SettingsApplied"]
    await caller.say({"type": "InjectUserMessage", "content": "hello"})
    await caller.until("AgentAudioDone")
    words = caller.messages("ConversationText")
    assert words[0] == {"type": "ConversationText", "role": "user", "content": "hello"}
    assert "audio" in caller.types()
    assert caller.types()[-len(end) :] == end


async def test_the_conversation_goes_through_the_plugins_under_their_settings(voiceproxy_simulated):
    caller = await voiceproxy_simulated("openai", Shout(), greeting="Good morning.")
    await caller.until("ConversationText", content="GOOD MORNING.")


async def test_two_conversations_of_one_test_are_two_proxies(voiceproxy_simulated):
    loud, plain = (
        await voiceproxy_simulated("openai", Shout()),
        await voiceproxy_simulated("openai"),
    )
    for caller in (loud, plain):
        await caller.say({"type": "InjectUserMessage", "content": "hello"})
    await loud.until("ConversationText", content="HELLO")
    await plain.until("ConversationText", content="hello")


async def test_a_dialect_no_backend_has_is_said_so(voiceproxy_simulated):
    with pytest.raises(pytest.fail.Exception, match="an agent in the dialect 'agent'"):
        await voiceproxy_simulated(FakeBackend(None), dialect="agent")


CONFTEST = 'pytest_plugins = ["voiceproxy.pytest_plugin"]\n'
BROKEN = """
import pytest_asyncio

from voiceproxy import hookimpl
from voiceproxy.backend_contract import BackendContract
from voiceproxy.testing import serve


class Rude:
    @hookimpl
    def voiceproxy_upstream_frame(self, session, message):
        return True if message["type"] == "Welcome" else None


class TestRude(BackendContract):
    @pytest_asyncio.fixture
    async def endpoint(self):
        async with serve("openai", "simulator", Rude()) as url:
            yield url + "/openai"
"""


def test_a_broken_rule_of_the_contract_shows_what_was_compared(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_rude.py").write_text(BROKEN)
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-k", "applied_once", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "AssertionError: assert ['SettingsApplied'] == ['Welcome', 'SettingsApplied']" in (
        done.stdout
    ), done.stdout + done.stderr


# What a caller does not hear.


async def test_a_caller_whose_connection_ends_says_what_it_waited_for(
    fake_upstream, voiceproxy_serve
):
    async def leave(socket, request):
        await socket.close(code=4001)

    upstream = await fake_upstream(leave)
    url = await voiceproxy_serve(FakeBackend(upstream.url))
    async with connected(url + "/fake") as socket:
        with pytest.raises(AssertionError, match="closed with 4001 before Never"):
            await Caller(socket).until("Never")


async def test_a_caller_that_waits_in_vain_says_what_it_heard(fake_upstream, voiceproxy_serve):
    upstream = await fake_upstream(echo)
    url = await voiceproxy_serve(FakeBackend(upstream.url))
    async with connected(url + "/fake") as socket:
        caller = Caller(socket, patience=0.1)
        await caller.say({"type": "KeepAlive"})
        with pytest.raises(
            AssertionError, match=r"no Never {'n': 1} within 0.1 s; heard \['KeepAlive'\]"
        ):
            await caller.until("Never", n=1)
