"""``voiceproxy.talk.main``: what ``python -m voiceproxy talk`` runs."""

from __future__ import annotations

import asyncio
import io

import pytest

import voiceproxy.talk


def test_main_returns_the_status_whatever_the_streams_are(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    url = f"ws://127.0.0.1:{unused_tcp_port}/"
    assert voiceproxy.talk.main(["--url", url, "--text", "hello"]) == 1
    assert out.getvalue() == ""
    assert err.getvalue() == (
        f"voiceproxy talk: cannot connect to {url}: connection refused; is the server running?\n"
    )


async def test_main_runs_in_a_thread_that_handles_no_signals(unused_tcp_port: int) -> None:
    argv = ["--url", f"ws://127.0.0.1:{unused_tcp_port}/", "--text", "hello"]
    async with asyncio.timeout(20):
        assert await asyncio.to_thread(voiceproxy.talk.main, argv) == 1
