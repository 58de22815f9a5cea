"""Runs the connect and close hooks of one session: in order and in time."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from voiceproxy.errors import PluginFault, Refuse
from voiceproxy.introduction import log_fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voiceproxy.backend import Upstream
    from voiceproxy.chains import Step
    from voiceproxy.closing import Closing
    from voiceproxy.session import SessionCore


class Lifecycle:
    """The hooks around one session."""

    def __init__(self, core: SessionCore, timeout: float) -> None:
        self._core = core
        self._timeout = timeout
        self._asked = {step.plugin for step in core.chains.connect}
        self._entered: set[str] = set()
        self._reached = -1

    async def connect(self, upstream: Upstream) -> None:
        """Every plugin's ``voiceproxy_connect``. Raises Refuse, or PluginFault for what else."""
        for step in self._core.chains.connect:
            self._entered.add(step.plugin)
            self._reached = step.place
            try:
                await self._call(step, "voiceproxy_connect", upstream=upstream)
            except Refuse as refusal:
                refusal.by = step.plugin
                raise
        self._reached = len(self._core.chains.places)

    async def close(self, closing: Closing) -> None:
        """``voiceproxy_close`` of every plugin whose connect was entered, in reverse order.

        A plugin without a connect hook counts as entered once that hook has got past its place.
        """
        self._core.stop()
        for step in reversed(self._core.chains.close):
            passed = step.plugin not in self._asked and step.place < self._reached
            if passed or step.plugin in self._entered:
                try:
                    await self._call(step, "voiceproxy_close", close=closing)
                except PluginFault as fault:
                    log_fault(self._core.log, fault)

    async def _call(self, step: Step, hook: str, **given: Any) -> None:
        """Raises PluginFault for whatever the hook raises, but the connect hook's Refuse as it is.

        A CancelledError is the plugin's unless somebody has cancelled this task meanwhile.
        """
        given["session"] = self._core.handle(step.place)
        cancelled = _cancellations()
        timeout = asyncio.timeout(self._timeout)
        try:
            async with timeout:
                result = step.call(**{name: given[name] for name in step.arguments})
                if inspect.isawaitable(result):
                    await result
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            ours = isinstance(error, asyncio.CancelledError) and _cancellations() > cancelled
            if ours or (isinstance(error, Refuse) and hook == "voiceproxy_connect"):
                raise
            if timeout.expired():
                hook = f"{hook}: it took over {self._timeout:g} seconds (the setting hook_timeout)"
            raise PluginFault(step.plugin, hook) from error
        finally:
            del timeout  # it knows the task, whose exception would know this frame


def open_upstream(core: SessionCore, headers: Mapping[str, str]) -> None:
    """``voiceproxy_upstream_open`` of every plugin, then the translator is told.

    Raises PluginFault for whatever a hook raises.
    """
    for step in core.chains.upstream_open:
        given = {"session": core.handle(step.place), "headers": headers}
        try:
            step.call(**{name: given[name] for name in step.arguments})
        except (PluginFault, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginFault(step.plugin, "voiceproxy_upstream_open") from error
    if core.translator is not None:
        core.translator.upstream_opened(headers)


def _cancellations() -> int:
    """How often somebody has asked the running task to end."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
