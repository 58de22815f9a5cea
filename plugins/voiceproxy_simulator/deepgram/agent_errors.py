"""What the Voice Agent API says no with, and what a journal notes about its clients.

Source of the codes: Deepgram's page "Voice Agent Errors and Warnings".
"""

from __future__ import annotations

AGENT_RULES = {
    "refused": "The API refuses the message; the detail names its error code and field.",
    "input-before-settings-applied": (
        "Audio or a message came between Settings and SettingsApplied. It waits."
    ),
    "unmatched-function-response": (
        "A FunctionCallResponse without an id, or with the id of no open call. It has no effect."
    ),
}
"""Every rule a violation by a Voice Agent client may name, and what it means."""


class Fault(Exception):
    """An ``Error`` message: its code and text.

    ``path`` is the field it is about. ``fatal``: the session ends with it. ``excused``: the client
    could not know better.
    """

    def __init__(
        self,
        code: str,
        description: str,
        path: str = "",
        *,
        fatal: bool = True,
        excused: bool = False,
    ) -> None:
        super().__init__(description)
        self.path = path
        self.code = code
        self.description = description
        self.fatal = fatal
        self.excused = excused


def unparsable(path: str = "") -> Fault:
    """A text frame the strict parser does not take; ``path`` is the field it stumbled over."""
    hint = f" Check the {path} field against the API spec." if path else ""
    return Fault("UNPARSABLE_CLIENT_MESSAGE", f"Error parsing client message.{hint}", path)


def invalid_settings(description: str) -> Fault:
    """Well-formed settings that cannot be served."""
    return Fault("INVALID_SETTINGS", description)


def settings_missing() -> Fault:
    """Something else came before Settings. The session goes on."""
    return Fault(
        "NON_SETTINGS_MESSAGE_BEFORE_SETTINGS",
        "The first message must be Settings.",
        fatal=False,
    )


def settings_repeated() -> Fault:
    """Settings came again. The session goes on: clients take this for a success."""
    return Fault("SETTINGS_ALREADY_APPLIED", "Settings have already been applied.", fatal=False)


def client_silent() -> Fault:
    """No message of the client for too long."""
    return Fault(
        "CLIENT_MESSAGE_TIMEOUT",
        "We did not receive a message within the time allowed. Please send binary messages with "
        "user speech, or KeepAlive messages.",
    )


def session_too_long() -> Fault:
    """Two hours have passed."""
    return Fault("MAXIMUM_SESSION_LENGTH_REACHED", "The session has reached its maximum length.")
