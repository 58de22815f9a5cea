"""Plugins that fail, on real sockets: the fault is that session's and nobody else's."""

from __future__ import annotations

import asyncio

import pytest
from running import echo, hear, hear_one, relaying, until

from voiceproxy import Session, Text, hookimpl
from voiceproxy.testing import connected


class Fragile:
    """Fails on the word boom, in the hook or the place of its name."""

    def __init__(self, where: str) -> None:
        self.where = where

    @hookimpl
    def voiceproxy_client_frame(self, session: Session, frame: Text) -> None:
        if b"boom" not in frame.data:
            return
        if self.where == "frame":
            raise RuntimeError("boom")
        if self.where == "timer":
            session.later(0.01, self._fail)
        if self.where == "task":
            session.start(self._fail_later())

    @hookimpl
    def voiceproxy_upstream_frame(self, session: Session, frame: Text) -> None:
        if self.where == "upstream" and b"boom" in frame.data:
            raise RuntimeError("boom")

    def _fail(self) -> None:
        raise RuntimeError("boom")

    async def _fail_later(self) -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError("boom")


@pytest.mark.parametrize("where", ["frame", "upstream", "timer"])
async def test_a_plugin_that_raises_ends_its_session_and_no_other(where, caplog):
    async with (
        relaying(echo, Fragile(where)) as proxy,
        connected(proxy.endpoint) as other,
        connected(proxy.endpoint) as ws,
    ):
        await ws.send_str('{"say":"boom"}')
        heard = await hear(ws)
        assert (heard.errors, heard.code) == (["plugin_failed"], 1000)
        assert "Fragile" in heard.frames[-1]["description"]
        assert "boom" not in heard.frames[-1]["description"]
        await other.send_str("hello")
        assert await hear_one(other) == "hello"
    assert "RuntimeError: boom" in caplog.text


async def test_a_plugins_task_that_fails_is_logged_and_the_session_goes_on(caplog):
    async with relaying(echo, Fragile("task")) as proxy, connected(proxy.endpoint) as ws:
        await ws.send_str("boom")
        assert await hear_one(ws) == "boom"
        await until(lambda: "RuntimeError: boom" in caplog.text)
        await ws.send_str("hello")
        assert await hear_one(ws) == "hello"


async def test_a_task_may_send_outside_any_hook():
    class Late:
        @hookimpl
        def voiceproxy_connect(self, session: Session) -> None:
            session.start(self._speak(session))

        async def _speak(self, session: Session) -> None:
            await asyncio.sleep(0.01)
            session.to_client({"type": "late"})

    async with relaying(echo, Late()) as proxy, connected(proxy.endpoint) as ws:
        assert await hear_one(ws) == {"type": "late"}
