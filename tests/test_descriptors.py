"""voiceproxy/descriptors.py: the limit is raised as far as may be, and exhaustion is no flood."""

from __future__ import annotations

import errno
import logging
import os
import resource
from collections.abc import Callable

import pytest

from voiceproxy import descriptors
from voiceproxy.descriptors import REMINDER, Scarcity, provide

Limit = Callable[[int, int], list[tuple[int, int]]]


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Limit:
    """A process with those limits; what was asked of the system is in the list."""
    asked: list[tuple[int, int]] = []

    def become(soft: int, hard: int) -> list[tuple[int, int]]:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
        return asked

    return become


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "warned"),
    [
        (1024, 1 << 20, [(2100, 1 << 20)], False),
        (1024, resource.RLIM_INFINITY, [(2100, resource.RLIM_INFINITY)], False),
        (1024, 2100, [(2100, 2100)], False),
        (1024, 2099, [(2099, 2099)], True),
        (1024, 1024, [(1024, 1024)], True),
        (2100, 2100, [], False),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, [], False),
    ],
)
def test_a_thousand_sessions_are_provided_for_as_far_as_the_system_allows(
    soft: int,
    hard: int,
    asked: list[tuple[int, int]],
    warned: bool,
    limited: Limit,
    caplog: pytest.LogCaptureFixture,
):
    given = limited(soft, hard)
    provide(1000)
    assert given == asked
    assert (f"may take 2100 file descriptors, and this process may have {hard}" in caplog.text) is (
        warned
    )


def test_a_system_that_allows_less_than_it_says_is_taken_as_it_is(
    limited: Limit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    limited(256, resource.RLIM_INFINITY)

    def refuse(_: int, limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    provide(1000)
    assert "this process may have 256" in caplog.text


def test_a_system_without_such_a_limit_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(descriptors.importlib, "import_module", absent)
    provide(1000)
    assert caplog.text == ""


def _record(error: BaseException | None, text: str) -> logging.LogRecord:
    info = (type(error), error, None) if error is not None else None
    return logging.LogRecord("asyncio", logging.ERROR, "", 0, text, None, info)


def test_that_nobody_can_be_let_in_is_said_once_a_minute_without_a_traceback():
    now = [0.0]
    scarcity = Scarcity(lambda: now[0])
    told = []
    for seconds in (0, 0.1, 1, REMINDER - 0.1, REMINDER, REMINDER + 1, 3 * REMINDER):
        now[0] = seconds
        error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        record = _record(error, "socket.accept() out of system resource\nsocket: <socket>")
        if scarcity(record):
            told.append((seconds, record.getMessage(), record.exc_info))
    assert [seconds for seconds, *_ in told] == [0, REMINDER, 3 * REMINDER]
    [text] = {text for _, text, _ in told}
    assert text.startswith("new clients wait outside: Too many open files; raise the limit")
    assert {info for *_, info in told} == {None}


def test_everything_else_asyncio_says_is_left_as_it_is():
    scarcity = Scarcity()
    for record in (_record(OSError(5, "I/O error"), "a write failed"), _record(None, "slow")) * 2:
        text = record.getMessage()
        assert scarcity(record)
        assert record.getMessage() == text
