"""What a session is once its Settings are applied: who handles which client message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voiceproxy_simulator.deepgram.agent_configuration import Configuration
from voiceproxy_simulator.deepgram.agent_dialogue import Dialogue
from voiceproxy_simulator.deepgram.agent_errors import unparsable
from voiceproxy_simulator.deepgram.agent_limits import MOST_PROMPT
from voiceproxy_simulator.deepgram.agent_listening import Listening
from voiceproxy_simulator.deepgram.agent_wire import AgentEmitter
from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, Message
from voiceproxy_simulator.responses import Pace
from voiceproxy_simulator.wire import Timer

UPDATE_SECONDS = 0.005
"""How long an update of the listener takes; one that comes meanwhile is confirmed with it."""


class AgentConversation:
    """The conversation under a configuration. ``violate`` notes a breach by a rule's name."""

    def __init__(
        self,
        emitter: AgentEmitter,
        configuration: Configuration,
        scenario: DeepgramScenario,
        pace: Pace,
        violate: Callable[[str, str], None],
    ) -> None:
        self._emitter = emitter
        self._configuration = configuration
        self._scenario = scenario
        self._violate = violate
        self._listen_update: Timer | None = None
        self.dialogue = Dialogue(emitter, configuration, scenario, pace)
        self.listening = Listening(emitter, self.dialogue, configuration.input)
        self.handlers: Mapping[str, Callable[[Message], None]] = {
            "KeepAlive": _do_nothing,
            "InjectUserMessage": self._inject_user_message,
            "InjectAgentMessage": self._inject_agent_message,
            "FunctionCallResponse": self._answer_call,
            "ForceEndTurn": self._force_end_turn,
            "UpdateListen": self._update_listen,
            "UpdateThink": self._update_think,
            "UpdateThink_Live": self._update_think_live,
            "UpdateSpeak": self._update_speak,
            "UpdatePrompt": self._update_prompt,
            "__customToThinkProvider": self._hand_to_think_provider,
        }

    def begin(self) -> None:
        """Confirm the settings, and greet."""
        self._emitter.send("SettingsApplied")
        self._check_prompt()
        self.dialogue.greet()

    def _inject_user_message(self, message: Message) -> None:
        self.dialogue.hear_text(message["content"])

    def _inject_agent_message(self, message: Message) -> None:
        behavior = message.get("behavior") or "default"
        if not message.get("is_dynamic"):
            self.dialogue.inject(message["message"], behavior)
        elif self._configuration.think_live:
            self.dialogue.inject_dynamic(behavior)
        else:
            raise unparsable("is_dynamic")

    def _answer_call(self, message: Message) -> None:
        if not self.dialogue.answer_call(message.get("id"), message["content"]):
            self._violate("unmatched-function-response", message["type"])

    def _force_end_turn(self, message: Message) -> None:
        if not self._scenario.force_end_turn:
            raise unparsable("type")
        if self._configuration.flux_listener:
            self.listening.end_turn()
        else:
            self._emitter.warn(
                "FORCE_END_TURN_UNSUPPORTED", f"{message['type']} needs a Flux listener."
            )

    # Updates

    def _update_listen(self, message: Message) -> None:
        self._configuration.update_listen(message["listen"])
        if self._listen_update is None:
            self._listen_update = self._emitter.line.later(UPDATE_SECONDS, self._confirm_listen)

    def _confirm_listen(self) -> None:
        """Not before the user has finished speaking."""
        if self.dialogue.user_is_speaking:
            self._listen_update = self._emitter.line.later(UPDATE_SECONDS, self._confirm_listen)
            return
        self._listen_update = None
        self._emitter.send("ListenUpdated")

    def _update_think(self, message: Message) -> None:
        self._configuration.update_think(message["think"])
        self._emitter.send("ThinkUpdated")
        self._check_prompt()

    def _update_think_live(self, _message: Message) -> None:
        self._configuration.update_think_live()
        self._emitter.send("ThinkLiveUpdated")

    def _update_speak(self, message: Message) -> None:
        self._configuration.update_speak(message["speak"])
        self._emitter.send("SpeakUpdated")

    def _update_prompt(self, message: Message) -> None:
        self._configuration.add_to_prompt(message["prompt"])
        self._emitter.send("PromptUpdated")
        self._check_prompt()

    def _hand_to_think_provider(self, message: Message) -> None:
        """The provider of the simulator sends back what it is handed."""
        self._emitter.send("__customFromThinkProvider", content=message["content"])

    def _check_prompt(self) -> None:
        if self._configuration.shorten_prompt():
            text = f"The prompt is longer than {MOST_PROMPT} characters and was cut."
            self._emitter.warn("PROMPT_TOO_LONG", text)


def _do_nothing(_message: dict[str, Any]) -> None:
    """KeepAlive: that it came is all."""
