"""What a client may say, and when, on an endpoint whose backend translates."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from voiceproxy import agent
from voiceproxy.frames import NORMAL, Binary, Frame, Text
from voiceproxy.inputs import Source

if TYPE_CHECKING:
    from voiceproxy.backend import Checks, Translator
    from voiceproxy.chores import Timer
    from voiceproxy.session import SessionCore


AFTER_SETTINGS = frozenset(agent.CLIENT_MESSAGES) - {"Settings", "KeepAlive"}
"""What may not precede ``SettingsApplied``."""


class Progress(Enum):
    """How far the Settings have come."""

    AWAITED = "awaited"
    SENT = "sent"
    APPLIED = "applied"


APPLIED = Progress.APPLIED
"""Under a name of its own: a member found through its class takes ten times as long."""


class Gate:
    """Stands between the plugins and the translator.

    The translator sees valid messages of the types it accepts, one Settings until it is applied
    or refused, and nothing else before it is applied. What is wrong is answered with an Error
    that names the field; the session goes on (MSG-3, DEF-2, DEF-3).
    """

    parses: ClassVar[bool] = True
    """Whether text reaches the translator only when it is JSON in UTF-8."""

    def __init__(self, core: SessionCore, translator: Translator) -> None:
        self._core = core
        self._translator = translator
        self._component = core.introduction.dialect == "component"
        self._progress = Progress.AWAITED
        self._repeated = 0
        self._told_of_audio = False
        self._injects: list[tuple[Frame, dict[str, Any] | None]] = []
        self._rest: list[tuple[Frame, dict[str, Any] | None]] = []
        self._timer: Timer | None = None
        self.frames = 0
        """How many frames wait for the Settings to be applied."""
        self.bytes = 0
        """How many bytes that is."""

    def client_frame(self, frame: Frame) -> None:
        """A frame every plugin let pass."""
        if isinstance(frame, Binary):
            if frame.data:
                self._in_turn(frame, None)  # audio, even if it looks like JSON
            return
        message, problem = _parse(frame)
        if problem:
            self._core.reply_error("UNPARSABLE_CLIENT_MESSAGE", problem)
        elif message["type"] != "KeepAlive":
            self._message(frame, message)

    def _message(self, frame: Text, message: dict[str, Any]) -> None:
        if self._passes_raw(message["type"]):
            self._translator.client_frame(frame, message)
            return
        if not self._is_allowed(message["type"]) or not self._is_valid(frame, message):
            return
        if message["type"] == "Settings":
            self._settings(frame, message)
        else:
            self._core.turn.question(message["type"])
            self._in_turn(frame, message)

    def _passes_raw(self, kind: str) -> bool:
        """Whether the translator wants what the protocol does not know, as it is (MSG-4)."""
        passes: bool = getattr(self._translator, "passes_unknown", False)
        return passes and kind not in agent.CLIENT_MESSAGES

    def _is_allowed(self, kind: str) -> bool:
        accepts = self._translator.accepts
        if kind not in accepts:
            allowed = [known for known in agent.CLIENT_MESSAGES if known in accepts]
            self._core.reply_error(
                "disallowed_client_message_type",
                f"Messages of type {kind[:60]!r} are not served here. "
                f"Allowed: {', '.join(allowed)}. KeepAlive is ignored.",
            )
        return kind in accepts

    def _is_valid(self, frame: Text, message: dict[str, Any]) -> bool:
        problems = agent.problems(message, frame.data)
        if problems:
            kind = message["type"]
            code = "INVALID_SETTINGS" if kind == "Settings" else "UNPARSABLE_CLIENT_MESSAGE"
            self._core.reply_error(code, f"{kind} is not valid: " + "; ".join(problems))
        return not problems

    def _settings(self, frame: Text, message: dict[str, Any] | None) -> None:
        if self._progress is Progress.AWAITED:
            self._progress = Progress.SENT
            self._stop_waiting()
            self._translator.client_frame(frame, message)
        elif not self._component:
            self._core.reply_error(
                "SETTINGS_ALREADY_APPLIED", "Settings were already sent on this connection."
            )
        elif self._progress is Progress.SENT:
            self._repeated += 1
        else:
            self._confirm()

    def _in_turn(self, frame: Frame, message: dict[str, Any] | None) -> None:
        if self._progress is APPLIED:
            self._translator.client_frame(frame, message)
        elif self._progress is Progress.AWAITED and not self._component:
            self._refuse_early(frame)
        else:
            self._wait(frame, message)

    def _refuse_early(self, frame: Frame) -> None:
        is_audio = isinstance(frame, Binary)
        if is_audio and self._told_of_audio:
            return  # once for audio: a microphone sends fifty frames a second
        self._told_of_audio = self._told_of_audio or is_audio
        what = "audio" if isinstance(frame, Binary) else frame.type
        self._core.reply_error(
            "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS", f"Send Settings first, then {what}."
        )

    def _wait(self, frame: Frame, message: dict[str, Any] | None) -> None:
        self.frames += 1
        self.bytes += len(frame.data)
        if self._component and isinstance(frame, Text) and frame.type == "InjectUserMessage":
            self._injects.append((frame, message))
        else:
            self._rest.append((frame, message))

    @property
    def is_open(self) -> bool:
        """True once the Settings are applied: from then on audio is the translator's at once."""
        return self._progress is APPLIED

    def settings_applied(self) -> None:
        """The translator has told the client; what waited goes on (SES-4)."""
        if self._progress is not Progress.SENT:
            return
        self._progress = APPLIED
        inputs = self._core.inputs
        for _ in range(self._repeated):
            self._confirm()
        waiting = [*self._injects, *self._rest]
        self._drop()
        for frame, message in waiting:
            inputs.submit_next(Source.CLIENT, self._translator.client_frame, frame, message)
        lane = self._core.to_upstream
        if lane.encode is not None or getattr(self._translator, "forwards_audio", False):
            lane.pass_audio(None)

    def settings_refused(self, description: str, code: str) -> None:
        """The upstream refused the Settings; the next ones count as the first (DEF-13)."""
        if self._progress is not Progress.SENT:
            return
        self._progress = Progress.AWAITED
        self._repeated = 0
        self._told_of_audio = False
        self._core.reply_error(code, description)
        self.await_settings()

    def await_settings(self) -> None:
        """From now on the client has the time of the setting to send its Settings."""
        self._stop_waiting()
        timeout = self._core.limits.settings_timeout
        self._timer = self._core.chores.later(timeout, self._expire)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        """The time for the first Settings is over."""
        if self._progress is Progress.AWAITED:
            self._core.ending.fail(
                "CLIENT_MESSAGE_TIMEOUT",
                f"No Settings within {self._core.limits.settings_timeout:g} seconds.",
                NORMAL,
                "proxy",
            )

    def _confirm(self) -> None:
        self._core.submit(self._core.to_client.send, Text.of({"type": "SettingsApplied"}))

    def _drop(self) -> None:
        self._injects.clear()
        self._rest.clear()
        self._repeated = self.frames = self.bytes = 0


class OrderGate(Gate):
    """For a translator that passes frames on: only their order is seen to, nothing is parsed."""

    parses = False

    def client_frame(self, frame: Frame) -> None:
        """A frame every plugin let pass."""
        if isinstance(frame, Binary):
            if frame.data:
                self._in_turn(frame, None)
        elif frame.type == "Settings":
            self._settings(frame, None)
        elif frame.type in AFTER_SETTINGS:
            self._core.turn.question(frame.type)
            self._in_turn(frame, None)
        else:
            self._translator.client_frame(frame, None)


def gate_for(core: SessionCore, translator: Translator) -> Gate | None:
    """The gate a translator asks for (``Checks``)."""
    checks: Checks = getattr(translator, "checks", "everything")
    gates: dict[Checks, type[Gate] | None] = {"everything": Gate, "order": OrderGate}
    gate = gates.get(checks)
    return gate(core, translator) if gate is not None else None


def _parse(frame: Text) -> tuple[dict[str, Any], str]:
    """The message, and what is wrong with it as one; without a problem it has a string type."""
    try:
        message = frame.message()
    except ValueError:
        return {}, "The text frame is not JSON in UTF-8."
    if not isinstance(message, dict):
        return {}, f"The message is {_kind(message)}, not a JSON object."
    kind = message.get("type")
    if not isinstance(kind, str):
        found = "missing" if "type" not in message else f"{_kind(kind)}, not a string"
        return {}, f"The message's type is {found}."
    return message, ""


def _kind(value: object) -> str:
    """What JSON calls it; never the value."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")
