"""voiceproxy/resolving.py: names are resolved as ever; a silent resolver keeps nobody."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from running import PATIENCE, until

from voiceproxy.resolving import Resolver, _ask

both_loops = pytest.mark.both_loops


def resolving_threads() -> int:
    return sum(one.name.startswith("voiceproxy resolving") for one in threading.enumerate())


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A resolver that answers once the event is set."""
    answers = threading.Event()

    def wait(*_: object) -> list[Any]:
        answers.wait(PATIENCE)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield answers
    answers.set()


@both_loops
async def test_a_name_is_resolved_to_numeric_addresses_with_the_port_asked_for():
    found = await Resolver().resolve("localhost", 8080, socket.AF_UNSPEC)
    assert {one["host"] for one in found} <= {"127.0.0.1", "::1"}
    assert {(one["hostname"], one["port"]) for one in found} == {("localhost", 8080)}
    assert {one["proto"] for one in found} == {socket.IPPROTO_TCP}
    await until(lambda: not resolving_threads())


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "unknown"), UnicodeError("label too long")]
)
async def test_what_the_system_raises_is_raised(error: Exception, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(type(error)):
        await Resolver().resolve("upstream.example", 443)


@pytest.mark.parametrize(
    ("platform", "host", "is_found"),
    [
        ("win32", "localhost", True),
        ("win32", "LocalHost.", True),
        ("win32", "upstream.example", False),
        ("linux", "localhost", False),
    ],
)
def test_a_windows_machine_without_a_network_finds_itself(
    platform: str, host: str, is_found: bool, monkeypatch: pytest.MonkeyPatch
):
    def offline(*question: Any) -> list[Any]:
        if question[-1]:
            raise socket.gaierror(socket.EAI_NONAME, "no address of a kind this machine has")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setattr(sys, "platform", platform)
    if is_found:
        assert [one["host"] for one in _ask(host, 80, 0)] == ["127.0.0.1"]
    else:
        with pytest.raises(socket.gaierror):
            _ask(host, 80, 0)


@both_loops
async def test_who_waits_no_longer_is_free_and_a_late_answer_disturbs_nobody(
    silent: threading.Event,
):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await Resolver().resolve("upstream.example", 443)
    assert resolving_threads() == 1
    silent.set()
    await until(lambda: not resolving_threads())
    await asyncio.sleep(0)


def test_an_answer_that_comes_when_the_loop_is_over_is_nothing(silent: threading.Event):
    async def ask() -> None:
        asyncio.ensure_future(Resolver().resolve("upstream.example", 443))  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(ask())  # does not wait for the thread
    [thread] = [one for one in threading.enumerate() if one.name.startswith("voiceproxy resolv")]
    assert thread.daemon
    silent.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()
