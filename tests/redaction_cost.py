"""What redaction costs: ``python tests/redaction_cost.py``.

A proxy, the upstream behind it and the client before it run in this one process, on real sockets.
Printed is the processor time of all three for one message, with the plugin and without; the runs
alternate, and the best of them counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import aiohttp
from aiohttp import web

from voiceproxy.testing import FakeBackend, FakeUpstream, connected, serve

COUNT = 2_000
ROUNDS = 5

PLAIN = "The weather in Paris today is mild, with a light breeze and some sun in the afternoon."
NUMBERS = "My card number is 4111 1111 1111 1111 and you can call me on 206-555-0131 all day."

FRAMES: dict[str, dict[str, Any] | bytes] = {
    "a sentence": {"type": "ConversationText", "role": "assistant", "content": PLAIN},
    "a sentence with a card and a phone": {
        "type": "ConversationText",
        "role": "user",
        "content": NUMBERS,
    },
    "a message without words": {"type": "AgentAudioDone"},
    "20 ms of audio": bytes(960),
}


async def seconds(frame: dict[str, Any] | bytes, *plugins: object) -> float:
    """Processor time for one frame from the upstream to the client."""

    async def flood(socket: web.WebSocketResponse, request: web.Request) -> None:
        await socket.receive()
        for _ in range(COUNT):
            if isinstance(frame, bytes):
                await socket.send_bytes(frame)
            else:
                await socket.send_json(frame)

    async with (
        FakeUpstream(flood) as upstream,
        serve(FakeBackend(upstream.url), *plugins) as url,
        connected(f"{url}/fake") as socket,
    ):
        await socket.send_bytes(b"go")
        began = time.process_time()
        while (await socket.receive()).type in _FRAMES:
            pass
        return (time.process_time() - began) / COUNT


_FRAMES = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


async def compare(frame: dict[str, Any] | bytes) -> tuple[float, float]:
    """The best time without the plugin, and with it."""
    rounds = [(await seconds(frame), await seconds(frame, "redaction")) for _ in range(ROUNDS)]
    without, with_it = zip(*rounds, strict=True)
    return min(without), min(with_it)


async def main() -> None:
    """Print a line for each kind of frame."""
    logging.disable()
    for name, frame in FRAMES.items():
        without, with_it = await compare(frame)
        ratio = with_it / without
        print(f"{name}: {without * 1e6:.0f} us, redacted {with_it * 1e6:.0f} us, x {ratio:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
