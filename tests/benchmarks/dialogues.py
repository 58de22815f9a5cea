"""What the two ends of a session say before and during the load, by kind of upstream."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .wire import BINARY, TEXT, Peer, frame

UP_BYTES = 640
"""20 ms of a microphone at 16 kHz; at 24 kHz the frame has 960."""

DOWN_BYTES = 4800
"""100 ms of an agent at 24 kHz."""


def tone(size: int) -> bytes:
    """That many bytes of linear16 that are not silence."""
    samples = [round(9000 * math.sin(i / 7) + 900 * math.sin(i)) for i in range(size // 2)]
    return struct.pack(f"<{len(samples)}h", *samples)


AUDIO = tone(DOWN_BYTES)
"""What every frame from the agent holds."""


@dataclass(frozen=True)
class Dialogue:
    """One kind of session: its Settings, its set-up, and the frames of its load."""

    name: str
    settings: bytes
    up: bytes
    """On the wire, from the client."""
    down: bytes
    """On the wire, from the upstream."""
    audio_up: int
    """The opcode in which the client's audio reaches the upstream."""
    greet: Callable[[Peer], None]
    """What the upstream says once it is connected."""
    apply: Callable[[Peer], None]
    """What the upstream does about the client's Settings."""
    begin_reply: Callable[[Peer], None]
    """What the upstream says before the first audio."""


def settings_for(size: int) -> bytes:
    """Settings of a client whose microphone sends frames of that size, fifty a second."""
    audio = {
        "input": {"encoding": "linear16", "sample_rate": size * 25},
        "output": {"encoding": "linear16", "sample_rate": 24000, "container": "none"},
    }
    agent = {"think": {"prompt": "Be brief."}}
    return json.dumps({"type": "Settings", "audio": audio, "agent": agent}).encode()


def _say(upstream: Peer, **event: object) -> None:
    upstream.send(json.dumps(event).encode())


def _greet_agent(upstream: Peer) -> None:
    _say(upstream, type="Welcome", request_id="7f1c")


def _apply_agent(upstream: Peer) -> None:
    upstream.until(b"Settings")
    _say(upstream, type="SettingsApplied")


def _begin_agent(upstream: Peer) -> None:
    _say(upstream, type="AgentStartedSpeaking", total_latency=0.5, tts_latency=0.2, ttt_latency=0.3)


def _greet_realtime(upstream: Peer) -> None:
    _say(upstream, type="session.created", event_id="event_1", session={"type": "realtime"})


def _apply_realtime(upstream: Peer) -> None:
    upstream.until(b'"session.update"')
    _say(upstream, type="session.updated", event_id="event_2", session={"type": "realtime"})


def _begin_realtime(upstream: Peer) -> None:
    response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress"}
    _say(upstream, type="response.created", event_id="event_3", response=response)


def audio_delta() -> bytes:
    """The Realtime API's event with 100 ms of audio."""
    event = {
        "type": "response.output_audio.delta",
        "event_id": "event_CDfCTbUyVcqVkCT6BKZgK",
        "response_id": "resp_1",
        "item_id": "item_CDfCTbUyVcqVkCT6BKZgK",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(AUDIO).decode(),
    }
    return json.dumps(event, separators=(",", ":")).encode()


def agent(name: str, size: int = UP_BYTES) -> Dialogue:
    """Both sides speak the Voice Agent protocol; for the baseline, too."""
    return Dialogue(
        name,
        settings_for(size),
        frame(BINARY, tone(size), masked=True),
        frame(BINARY, AUDIO, masked=False),
        BINARY,
        _greet_agent,
        _apply_agent,
        _begin_agent,
    )


def realtime(name: str, size: int = UP_BYTES) -> Dialogue:
    """The upstream speaks the Realtime API: JSON and base64, at 24 kHz."""
    return Dialogue(
        name,
        settings_for(size),
        frame(BINARY, tone(size), masked=True),
        frame(TEXT, audio_delta(), masked=False),
        TEXT,
        _greet_realtime,
        _apply_realtime,
        _begin_realtime,
    )
