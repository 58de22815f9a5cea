"""Scenarios in which there is no session: the handshake is refused, or never answered."""

from __future__ import annotations

from voiceproxy_simulator.deepgram.scenario import DeepgramScenario, HandshakeRefusal


class Refused400(DeepgramScenario):
    """Every handshake is refused with 400, as for a bad query."""

    refusal = HandshakeRefusal(400, "Bad Request", "Bad Request: the query is not understood.")


class Refused401(DeepgramScenario):
    """Every handshake is refused with 401, as for a wrong key."""

    refusal = HandshakeRefusal(401, "INVALID_AUTH", "Invalid credentials.")


class Refused402(DeepgramScenario):
    """Every handshake is refused with 402, as for an account without credit."""

    refusal = HandshakeRefusal(
        402, "ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request."
    )


class Refused403(DeepgramScenario):
    """Every handshake is refused with 403, as for a key without the right."""

    refusal = HandshakeRefusal(
        403, "INSUFFICIENT_PERMISSIONS", "The key does not have the required permissions."
    )


class Refused429(DeepgramScenario):
    """Every handshake is refused with 429, as for too many sessions at once."""

    refusal = HandshakeRefusal(
        429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later."
    )


class Refused500(DeepgramScenario):
    """Every handshake is refused with 500."""

    refusal = HandshakeRefusal(500, "INTERNAL_SERVER_ERROR", "Internal server error.")


class Refused503(DeepgramScenario):
    """Every handshake is refused with 503."""

    refusal = HandshakeRefusal(503, "SERVICE_UNAVAILABLE", "The service is unavailable.")


class SilentHandshake(DeepgramScenario):
    """No handshake is ever answered."""

    answers = False
