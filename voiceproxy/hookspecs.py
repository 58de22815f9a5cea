"""The hooks. Their docstrings are the reference; the docs are checked against them.

A plugin is a module (or any hashable object) with functions marked ``@voiceproxy.hookimpl``. Each
names the arguments it wants, in any order. Order, for every hook and both directions: ``tryfirst``
implementations, plain ones, ``trylast`` ones; within each, the order on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from aiohttp import web

    from voiceproxy.backend import Upstream
    from voiceproxy.closing import Closing
    from voiceproxy.frames import Binary, Text
    from voiceproxy.handle import Session

PROJECT = "voiceproxy"
"""The name of the entry-point group and of the pluggy project."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def voiceproxy_setup(app: web.Application) -> None:
    """Register endpoints, routes and contexts. Once per application, before it is frozen.

    Synchronous. Settings are loaded by now (``voiceproxy.settings_of``). An exception ends start-up
    with status 2 and names the plugin.
    """


@hookspec
def voiceproxy_connect(session: Session, upstream: Upstream) -> Awaitable[None] | None:
    """A client wants to connect; the upgrade has not been answered.

    Runs for every plugin in order; a function or a coroutine function, bounded by the setting
    ``hook_timeout``. May change ``upstream`` (where and how the backend will dial) or raise
    ``Refuse(status, reason)``, which the client gets as an HTTP answer. Any other exception
    refuses with 500.
    """


@hookspec
def voiceproxy_upstream_open(session: Session, headers: Mapping[str, str]) -> None:
    """The upstream has answered its upgrade; ``headers`` are those of the answer: not for logs.

    Synchronous. Before any frame of that upstream: after each dial that succeeds, so several times
    where a backend dials again, and never where it dials nothing. Raising: as in a frame hook.
    """


@hookspec(firstresult=True)
def voiceproxy_client_frame(
    session: Session, frame: Text | Binary, message: dict[str, Any], text: Text
) -> bool | None:
    """A frame from the client, in the Voice Agent protocol whichever backend is behind.

    Synchronous. Return None to let it pass, True to drop it; to replace it, send another with
    ``session.to_upstream`` and return True. An implementation that names ``message`` runs for text
    frames that hold a message, a JSON object with a string ``type``, and gets its own parsed copy;
    one that names ``text`` runs for every text frame, whatever it holds; one that names neither
    sees audio too. Raising ends this session with ``Error`` code ``plugin_failed``.
    """


@hookspec(firstresult=True)
def voiceproxy_upstream_frame(
    session: Session, frame: Text | Binary, message: dict[str, Any], text: Text
) -> bool | None:
    """A frame for the client, after translation into the Voice Agent protocol.

    As ``voiceproxy_client_frame``; to replace the frame use ``session.to_client``. Runs before the
    dialect drops what its clients do not know, so it sees every message a backend emits.
    """


@hookspec
def voiceproxy_close(session: Session, close: Closing) -> Awaitable[None] | None:
    """The session is over. ``close`` says how: who, codes, reasons, duration, counts.

    Once, in reverse order, for every plugin whose connect was entered: whether the session opened,
    was refused or failed, or the client left meanwhile. A function or a coroutine function,
    bounded by ``hook_timeout``. An exception is logged with the plugin's name.
    """
