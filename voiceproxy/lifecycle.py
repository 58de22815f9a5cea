"""Runs the connect and close hooks of one session: in order and in time."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from voiceproxy.errors import PluginFault, Refuse
from voiceproxy.introduction import log_fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Iterator, Mapping

    from voiceproxy.backend import Upstream
    from voiceproxy.chains import Step
    from voiceproxy.closing import Closing
    from voiceproxy.session import SessionCore


CONNECT, CLOSE = "voiceproxy_connect", "voiceproxy_close"


class Lifecycle:
    """The hooks around one session."""

    __slots__ = ("_core", "_entered", "_reached", "_timeout")

    def __init__(self, core: SessionCore, timeout: float) -> None:
        self._core = core
        self._timeout = timeout
        self._entered = 0
        """How many of the connect hooks have been called."""
        self._reached = -1
        """The place those hooks have come to."""

    def connect(self, upstream: Upstream) -> Coroutine[Any, Any, None] | None:
        """Every plugin's ``voiceproxy_connect``, in order, as long as none has to be waited for.

        Returns what goes on from there; None when all of them have decided. Either raises Refuse,
        or PluginFault for what else.
        """
        return self._connect(upstream, iter(self._core.chains.connect))

    def _connect(
        self, upstream: Upstream, steps: Iterator[Step]
    ) -> Coroutine[Any, Any, None] | None:
        for step in steps:
            self._entered += 1
            self._reached = step.place
            result = self._call(step, CONNECT, upstream=upstream)
            if result is not None and inspect.isawaitable(result):
                return self._connect_on(step, result, upstream, steps)
        self._reached = len(self._core.chains.places)
        return None

    async def _connect_on(
        self, step: Step, awaited: Awaitable[Any], upstream: Upstream, steps: Iterator[Step]
    ) -> None:
        await self._finish(step, CONNECT, awaited)
        following = self._connect(upstream, steps)
        if following is not None:
            await following

    async def close(self, closing: Closing) -> None:
        """``voiceproxy_close`` of every plugin whose connect was entered, in reverse order.

        A plugin without a connect hook counts as entered once that hook has got past its place.
        """
        core = self._core
        core.stop()
        asked = core.chains.asked
        entered = {step.plugin for step in core.chains.connect[: self._entered]}
        for step in reversed(core.chains.close):
            passed = step.plugin not in asked and step.place < self._reached
            if passed or step.plugin in entered:
                await self._close(step, closing)

    async def _close(self, step: Step, closing: Closing) -> None:
        try:
            result = self._call(step, CLOSE, close=closing)
            if inspect.isawaitable(result):
                await self._finish(step, CLOSE, result)
        except PluginFault as fault:
            log_fault(self._core.log, fault)

    def _call(self, step: Step, hook: str, **given: Any) -> Any:
        """What the hook returns.

        Raises PluginFault for whatever the hook raises, but the connect hook's Refuse as it is.
        """
        given["session"] = self._core.handle(step.place)
        try:
            return step.call(**{name: given[name] for name in step.arguments})
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if _is_refusal(step, hook, error):
                raise
            raise PluginFault(step.plugin, hook) from error

    async def _finish(self, step: Step, hook: str, awaited: Awaitable[Any]) -> None:
        """Wait for what a hook returned, as long as the setting allows; raises what ``_call`` does.

        A CancelledError is the plugin's unless somebody has cancelled this task meanwhile.
        """
        cancelled = _cancellations()
        timeout = asyncio.timeout(self._timeout)
        try:
            async with timeout:
                await awaited
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            ours = isinstance(error, asyncio.CancelledError) and _cancellations() > cancelled
            if ours or _is_refusal(step, hook, error):
                raise
            if timeout.expired():
                hook = f"{hook}: it took over {self._timeout:g} seconds (the setting hook_timeout)"
            raise PluginFault(step.plugin, hook) from error
        finally:
            del timeout  # it knows the task, whose exception would know this frame


def _is_refusal(step: Step, hook: str, error: BaseException) -> bool:
    """Whether it is the Refuse that a connect hook may raise; then it says by whom."""
    if hook != CONNECT or not isinstance(error, Refuse):
        return False
    error.by = step.plugin
    return True


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
