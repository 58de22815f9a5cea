"""What an error of ours looks like on the protocols that are not the Voice Agent's.

Each is what the newest deepgram-sdk has for it (``listen_v1error``, ``listen_v2fatal_error``,
``speak_v2error``); ``/v1/speak`` has no error message, there the close frame says it all.
"""

from __future__ import annotations

from voiceproxy import Text


def listen_v1(description: str, code: str) -> Text:
    """``variant`` names the error. ``message``: clients written for older SDKs print it."""
    return Text.of(
        {"type": "Error", "variant": code, "description": description, "message": description}
    )


def listen_v2(description: str, code: str) -> Text:
    """``sequence_id`` is a required field, and only the upstream counts its messages."""
    return Text.of({"type": "Error", "sequence_id": 0, "code": code, "description": description})


def speak_v1(description: str, code: str) -> None:
    """No message: what is wrong goes into the close frame's reason."""


def speak_v2(description: str, code: str) -> Text:
    """As the Voice Agent has it."""
    return Text.of({"type": "Error", "code": code, "description": description})
