"""Changes after the Settings: UpdatePrompt, UpdateThink, UpdateSpeak and UpdateListen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from voiceproxy_openai.client_events import ClientEvents
from voiceproxy_openai.errors import UpstreamError
from voiceproxy_openai.reading import Event, first_object_at, object_at
from voiceproxy_openai.settings_mapping import think_options, transcription, writes_only
from voiceproxy_openai.voices import spoken_voice

if TYPE_CHECKING:
    from voiceproxy_openai.messages import Messages
    from voiceproxy_openai.settings import OpenAISettings

_WHEN_LEFT_OUT: Event = {
    "tool_choice": "auto",
    "output_modalities": ["audio"],
    "max_output_tokens": "inf",
}
"""What an UpdateThink that has no such option any more sets it to: the API's own defaults. An
update without the field would leave it as it is."""


class PendingUpdate(NamedTuple):
    """A session.update the upstream has not answered yet."""

    acknowledgement: str
    """The message type the client waits for."""
    agent: Event
    """``Settings.agent`` as it will be."""


class SessionUpdates:
    """One session.update for each message, acknowledged when the upstream has taken it.

    Its answers carry no id, so they are matched in the order of the updates.
    """

    def __init__(
        self, settings: OpenAISettings, messages: Messages, upstream: ClientEvents
    ) -> None:
        self._settings = settings
        self._messages = messages
        self._upstream = upstream
        self._agent: Event = {}
        self._pending: dict[str, PendingUpdate] = {}

    @property
    def text_only(self) -> bool:
        """Whether the agent writes instead of speaking."""
        return writes_only(first_object_at(self._agent, "think"))

    def begin(self, agent: Event) -> None:
        """The Settings' ``agent`` has been applied."""
        self._agent = agent

    def prompt(self, message: Event) -> None:
        """``UpdatePrompt``: the prompt alone; the conversation so far stays in the instructions."""
        agent = self._latest()
        think = {**first_object_at(agent, "think"), "prompt": message["prompt"]}
        agent = {**agent, "think": think}
        instructions = think_options(agent, think)["instructions"]
        self._update({"instructions": instructions}, "PromptUpdated", agent)

    def think(self, message: Event) -> None:
        """``UpdateThink``: all of ``think`` anew; the model stays the connection's."""
        think, before = first_object_at(message, "think"), self._latest()
        agent = {**before, "think": think}
        changes: Event = {"tools": [], **think_options(agent, think)}
        former = think_options(before, first_object_at(before, "think"))
        for name, default in _WHEN_LEFT_OUT.items():
            if name in former:
                changes.setdefault(name, default)
        self._update(changes, "ThinkUpdated", agent)

    def speak(self, message: Event) -> None:
        """``UpdateSpeak``: another voice, as long as the agent has not spoken (the API's rule).

        A voice of another vendor leaves the present one, with a Warning.
        """
        speak = message.get("speak") or {"provider": {"model": message.get("model")}}
        agent = {**self._latest(), "speak": speak}
        warnings: list[tuple[str, str]] = []
        voice = spoken_voice(agent, warnings)
        for code, description in warnings:
            self._messages.warning(code, description)
        if voice:
            self._update({"audio": {"output": {"voice": voice}}}, "SpeakUpdated", agent)
        else:
            self._messages.acknowledge("SpeakUpdated")

    def listen(self, message: Event) -> None:
        """``UpdateListen``: another language or other key terms for the transcription."""
        agent = {**self._latest(), "listen": object_at(message, "listen")}
        wanted = transcription(agent, self._settings)
        self._update({"audio": {"input": {"transcription": wanted}}}, "ListenUpdated", agent)

    def _latest(self) -> Event:
        """``agent`` as the last update asked for it."""
        last = next(reversed(self._pending.values()), None)
        return self._agent if last is None else last.agent

    def _update(self, changes: Event, acknowledgement: str, agent: Event) -> None:
        event_id = self._upstream.update_session({"type": "realtime", **changes})
        self._pending[event_id] = PendingUpdate(acknowledgement, agent)

    def updated(self) -> None:
        """``session.updated``: the oldest update was taken."""
        if self._pending:
            update = self._pending.pop(next(iter(self._pending)))
            self._agent = update.agent
            self._messages.acknowledge(update.acknowledgement)

    def refused(self, error: UpstreamError) -> None:
        """Forget the update an error is about; the client gets the Error alone."""
        event_id = error.event_id
        if not event_id and error.param.startswith("session"):
            event_id = next(iter(self._pending), "")
        self._pending.pop(event_id, None)
