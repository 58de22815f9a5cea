"""Makes responses: on the client's request, at the end of a turn, after too much silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from voiceproxy_simulator import refusals
from voiceproxy_simulator.configuration import Configuration
from voiceproxy_simulator.conversation import Conversation, Item
from voiceproxy_simulator.refusals import Refusal
from voiceproxy_simulator.responses import Pace, Response, rate_limits
from voiceproxy_simulator.scenario import Scenario
from voiceproxy_simulator.script import STILL_THERE, Part, Say, reply
from voiceproxy_simulator.wire import Emitter, Event

RACE_SECONDS = 0.25
"""A client that acts on what was true so shortly ago could not know better."""


class Responder:
    """The responses of one session: one in the default conversation, any number out of band."""

    def __init__(
        self,
        emitter: Emitter,
        configuration: Configuration,
        conversation: Conversation,
        scenario: Scenario,
        pace: Pace,
    ) -> None:
        self._emitter = emitter
        self._configuration = configuration
        self._conversation = conversation
        self._scenario = scenario
        self._pace = pace
        self._active: Response | None = None
        self._last: Response | None = None
        self._out_of_band: list[Response] = []
        self._has_spoken = False
        self.begun: Callable[[], None] = lambda: None
        self.ended: Callable[[float], None] = lambda _playback_seconds: None

    @property
    def busy(self) -> bool:
        """A response is active in the default conversation."""
        return self._active is not None

    @property
    def spoken(self) -> bool:
        """The model has produced audio, which locks its voice."""
        return self._has_spoken or (self._active is not None and self._active.spoken_seconds > 0)

    # What clients send

    def create(self, event: Event) -> None:
        """``response.create``."""
        overrides = event.get("response") or {}
        if self._only_transcribes:
            message = "A transcription session makes no responses."
            raise Refusal("bad_response_create", message)
        config = self._configuration.for_response(overrides)
        items = self._context(overrides)
        parts = reply(items, config, self._function_names())
        if overrides.get("conversation") == "none":
            self._begin(config, parts, in_conversation=False)
            return
        if self._active is not None:
            refusal = refusals.active_response(self._active.id)
            refusal.excused = self._active.spontaneous and self._is_recent(self._active.started)
            raise refusal
        self._respond(config, parts, items)

    def cancel(self, event: Event) -> None:
        """``response.cancel``: the active response, or the one that is named."""
        response = self._wanted(event.get("response_id"))
        if response is not None:
            response.cancel("client_cancelled")
            return
        refusal = refusals.no_active_response()
        refusal.excused = self._last is not None and self._is_recent(self._last.ended)
        raise refusal

    @property
    def _only_transcribes(self) -> bool:
        return self._configuration.kind == "transcription"

    # What the session does

    def interrupt(self) -> None:
        """The user speaks."""
        if self._active is not None:
            self._active.cancel("turn_detected")

    def answer(self) -> None:
        """The user has spoken. Fails while a response is active, which interrupting prevents."""
        if self._only_transcribes:
            return
        if self._active is not None:
            self._emitter.refuse(refusals.active_response(self._active.id))
        else:
            config = self._configuration.for_response({})
            items = self._conversation.unanswered()
            parts = reply(items, config, self._function_names())
            self._respond(config, parts, items, spontaneous=True)

    def ask_whether_still_there(self) -> None:
        """The user has been silent for long."""
        config = self._configuration.for_response({})
        items = self._conversation.unanswered()
        self._respond(config, (Say(STILL_THERE),), items, spontaneous=True)

    def volunteer(self, text: str) -> None:
        """Say something of its own accord; what was said before is still to be answered."""
        config = self._configuration.for_response({})
        self._respond(config, (Say(text),), (), spontaneous=True, aside=True)

    def resume(self) -> None:
        """The line takes events again."""
        for response in (self._active, *self._out_of_band):
            if response is not None:
                response.resume()

    # Inside

    def _respond(
        self,
        config: dict[str, Any],
        parts: Sequence[Part],
        items: Sequence[Item],
        *,
        spontaneous: bool = False,
        aside: bool = False,
    ) -> None:
        for item in items:
            item.answered = True
        self.begun()
        self._begin(config, parts, in_conversation=True, spontaneous=spontaneous, aside=aside)

    def _begin(
        self,
        config: dict[str, Any],
        parts: Sequence[Part],
        *,
        in_conversation: bool,
        spontaneous: bool = False,
        aside: bool = False,
    ) -> None:
        parts = self._scenario.parts(parts, config)
        response = Response(
            self._emitter,
            config,
            parts,
            conversation=self._conversation if in_conversation else None,
            pace=self._pace,
            cut=self._scenario.cut(parts),
            hesitation=self._scenario.hesitation(parts),
            finished=self._finish,
        )
        response.spontaneous, response.aside = spontaneous, aside
        if in_conversation:
            self._active = response
        else:
            self._out_of_band.append(response)
        response.begin()

    def _finish(self, response: Response) -> None:
        self._has_spoken = self._has_spoken or response.spoken_seconds > 0
        self._emitter.emit("rate_limits.updated", rate_limits=rate_limits(response.tokens))
        if response is self._active:
            self._active, self._last = None, response
            elapsed = self._emitter.line.now() - response.started
            self.ended(max(0.0, response.spoken_seconds - elapsed))
        else:
            self._out_of_band.remove(response)
        self._scenario.responded()

    def _wanted(self, response_id: str | None) -> Response | None:
        if response_id is None:
            return self._active
        running = (self._active, *self._out_of_band)
        return next((one for one in running if one is not None and one.id == response_id), None)

    def _context(self, overrides: dict[str, Any]) -> list[Item]:
        """What the response reacts to: the conversation, or the ``input`` given instead of it."""
        if overrides.get("input") is None:
            return self._conversation.unanswered()
        return [self._given(data) for data in overrides["input"]]

    def _given(self, data: dict[str, Any]) -> Item:
        if data["type"] == "item_reference":
            return self._conversation.find(data["id"], "reference")
        return Item({"id": ""} | data)

    def _function_names(self) -> dict[str, str]:
        return {
            item.data["call_id"]: item.data["name"]
            for item in self._conversation
            if item.kind == "function_call"
        }

    def _is_recent(self, moment: float) -> bool:
        return self._emitter.line.now() - moment < RACE_SECONDS
