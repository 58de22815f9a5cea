"""How a session ends when its upstream does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voiceproxy_openai.errors import scrub

if TYPE_CHECKING:
    from voiceproxy import Close, TranslatorSession

_ORDINARY = (1000, 1001, 1005)
_LOST = (1006, 1015)
_FINAL = (3000, 4000)
"""The API's verdicts on key and intent: the same client would only fail again."""


def end_session(session: TranslatorSession, close: Close, *, ready: bool) -> None:
    """Tell the client why, and close with the code that says whether to come back.

    Before the Settings are applied the client hears so in any case (ERR-6).
    """
    reason = scrub(close.reason)
    code = _client_code(close.code)
    described = f"code {close.code}, reason: {reason or 'none'}"
    if not ready:
        session.fail(
            "upstream_closed_before_session_ready",
            f"Upstream closed before session ready ({described}). "
            "Session may not have been applied.",
            code,
            reason,
        )
    elif close.code in _ORDINARY:
        session.close(code, reason)
    else:
        told = f"The upstream closed the connection ({described})."
        session.fail("upstream_closed", told, code, reason)


def _client_code(code: int) -> int:
    if code in _FINAL or code == 1005:
        return 1000
    return 1011 if code in _LOST else code
