"""What every test may use: the kit's fixtures, and either event loop."""

from __future__ import annotations

import asyncio
import gc
import signal

import pytest

pytest_plugins = ["voiceproxy.pytest_plugin"]

LOOPS = {"asyncio": asyncio.new_event_loop}
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS["uvloop"] = uvloop.new_event_loop


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_loops: run on asyncio's loop and on uvloop's")
    # A shell starts what it runs in the background with SIGINT ignored, which the processes that
    # tests start and interrupt would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, object]:
    return LOOPS if item.get_closest_marker("both_loops") else {"asyncio": LOOPS["asyncio"]}


def pytest_collection_finish(session: pytest.Session) -> None:
    """What has been imported by now need not be looked at whenever a test collects garbage."""
    gc.collect()
    gc.freeze()
