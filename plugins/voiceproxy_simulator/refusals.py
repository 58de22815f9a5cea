"""What the API says no with: the error codes, their messages, and the event that carries them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Refusal(Exception):
    """One refused event or connection, as ``error.error`` has it.

    ``correlated`` is False where the API leaves out the client's event id (an unknown tool call
    does); ``close_code`` is set where the socket is closed behind the error; ``excused`` where the
    client could not know better.
    """

    def __init__(
        self,
        code: str | None,
        message: str,
        param: str | None = None,
        *,
        kind: str = "invalid_request_error",
        correlated: bool = True,
        close_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind
        self.correlated = correlated
        self.close_code = close_code
        self.excused = False

    def error(self, client_event_id: str | None = None) -> dict[str, Any]:
        """The ``error`` object of an ``error`` event."""
        return {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": client_event_id if self.correlated else None,
        }


def unknown_parameter(path: str) -> Refusal:
    """A key the schema does not have, at any depth."""
    return Refusal("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def missing_parameter(path: str) -> Refusal:
    """A required key is absent."""
    return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def invalid_type(path: str, expected: str, got: str) -> Refusal:
    """A value of the wrong JSON type; ``expected`` and ``got`` carry their articles."""
    message = f"Invalid type for '{path}': expected {expected}, but got {got} instead."
    return Refusal("invalid_type", message, path)


def invalid_value(path: str, message: str) -> Refusal:
    """A value of the right type that the API does not take."""
    return Refusal("invalid_value", message, path)


def not_among(path: str, value: object, supported: Iterable[object]) -> Refusal:
    """A value outside an enumeration."""
    listed = ", ".join(repr(one) for one in supported)
    shown = repr(value)[:64]
    return invalid_value(path, f"Invalid value: {shown}. Supported values are: {listed}.")


def too_long(path: str, limit: int, length: int) -> Refusal:
    """A string above its maximum length (wording as reported for ``item.id``)."""
    message = (
        f"Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {length} instead."
    )
    return Refusal("string_above_max_length", message, path)


def invalid_event(message: str, param: str | None = None) -> Refusal:
    """No JSON object, no ``type``, or a type the API does not know."""
    return Refusal("invalid_event", message, param)


def active_response(response_id: str) -> Refusal:
    """A second response in the default conversation."""
    message = (
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one."
    )
    return Refusal("conversation_already_has_active_response", message)


def no_active_response() -> Refusal:
    """Nothing to cancel."""
    message = "Cancellation failed: no active response found"
    return Refusal("response_cancel_not_active", message)


def empty_buffer(milliseconds: float) -> Refusal:
    """Less than 100 ms of uncommitted audio."""
    message = (
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        f"but buffer only has {milliseconds:.2f}ms of audio."
    )
    return Refusal("input_audio_buffer_commit_empty", message)


def unknown_tool_call(call_id: str) -> Refusal:
    """An output for a call the conversation does not hold; comes without the client's event id."""
    message = f"Tool call ID '{call_id}' not found in conversation."
    return Refusal("invalid_tool_call_id", message, correlated=False)


def duplicate_item(item_id: str) -> Refusal:
    """An item id that is taken."""
    message = f"Error adding item: an item with id '{item_id}' already exists."
    return Refusal("item_create_duplicate_item_id", message, "item.id")


def unknown_item(verb: str, item_id: str, param: str) -> Refusal:
    """An item id nobody has; ``verb`` is create, retrieve, truncate or delete."""
    message = f"Error: the item with id '{item_id}' does not exist."
    return Refusal(f"item_{verb}_invalid_{param}", message, param)


def voice_locked() -> Refusal:
    """The voice, once the model has spoken; naming the same voice again is refused too."""
    message = "Cannot update a conversation's voice if assistant audio is present."
    return Refusal("cannot_update_voice", message, "session.audio.output.voice")


def invalid_key() -> Refusal:
    """A connection with a key nobody issued; not the doing of the client's author."""
    refusal = Refusal("invalid_api_key", "Incorrect API key provided.", close_code=3000)
    refusal.excused = True
    return refusal


def expired() -> Refusal:
    """The session's 60 minutes are over."""
    message = "Your session hit the maximum duration of 60 minutes."
    return Refusal("session_expired", message, close_code=1001)
