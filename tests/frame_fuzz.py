"""Mutated frames through real sessions of both backends: ``python tests/frame_fuzz.py --count N``.

Several sessions at a time, each between a mutating client and a simulated upstream whose answers
are mutated too. A failure is: an exception anywhere in our code, a frame that takes long, a queue
beyond its bound, a word of one session in another one, a message to a client that is none of its
protocol, an event the Realtime API does not allow though the upstream made no mistake, or another
outcome of the one conversation in between that nobody disturbs. Prints the seed of the batch that
failed; ``--seed`` repeats it.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from frame_mutations import (
    MAX_TEXT,
    SETTINGS,
    Mutator,
    agent_messages,
    client_messages,
    realtime_events,
)
from frame_sessions import KINDS, LIMITS, TRANSLATED, openai

from voiceproxy import Binary, Frame, Text, UpstreamFault
from voiceproxy.agent import server_problems
from voiceproxy_openai.settings import MODEL
from voiceproxy_simulator.deepgram.rehearsal import AgentRehearsal
from voiceproxy_simulator.testing import Rehearsal

SLOW = 3.0
"""Seconds of computing no frame may take; on a busy machine many more may pass."""

HANG = 60
"""Seconds after which a frame has hung: every stack is printed, the process ends."""

OURS_BROKE = ("internal_error", "plugin_failed")
"""Codes of Errors that say that code of ours raised."""

OVER = 2 * MAX_TEXT
"""Bytes a queue may be beyond its bound: what one frame makes of itself."""

RIGHT = "as they should be"

BATCH = 2_000
"""Frames of one group of sessions."""


class Found(AssertionError):
    """The fuzzer has found something."""


class Raised(logging.Handler):
    """Keeps what was logged with a traceback: an exception that a net has caught."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.texts.append(logging.Formatter("%(message)s").format(record))


RAISED = Raised()


STALLS = 0.002
"""The chance at each step that the client stops reading, for up to so many steps."""
STALLED_FOR = 500

POLITE = 0.3
"""In so many sessions the upstream makes no mistake; so none is to be blamed on it."""

TOO_LATE = ("refused", "response.cancel")
"""What the API refuses because the response has ended meanwhile: nobody's mistake."""


class Fuzzed:
    """One session whose peers lose their manners."""

    def __init__(self, kind: str, random: Random, token: str) -> None:
        self.kind, self.token = kind, token
        self.frames = 0
        self._random = random
        self.mutator = Mutator(random)
        self._says = client_messages(token)
        self._is_openai = kind.startswith("openai")
        self._events = (realtime_events if self._is_openai else agent_messages)(token)
        self.sessions = 0
        self.stalled = 0
        """For so many steps to come the client reads nothing."""
        self._begin()

    def _begin(self) -> None:
        self.sessions += 1
        self.driver = KINDS[self.kind]()
        self._expected: list[Frame] = []
        self.polite = self._random.random() < POLITE
        self._meet()
        if self._random.random() < 0.9:
            self._client(Text.of(SETTINGS))

    def _meet(self) -> None:
        """Another upstream."""
        self._peer: Any = (
            Rehearsal(configured=False, model=MODEL) if self._is_openai else AgentRehearsal(None)
        )

    def step(self) -> list[bytes]:
        """One thing happens; everything that was put out for either side."""
        if self.driver.core.closing:
            self._begin()
        if self.stalled:
            self.stalled -= 1
        elif self._random.random() < STALLS:
            self.stalled = self._random.randrange(STALLED_FOR)
        chance = self._random.random()
        if chance < 0.45:
            self._client(self._a_clients())
        elif chance < 0.93:
            self._upstream_speaks()
        elif chance < 0.99:
            self._advance(self._random.choice([0.0, 0.01, 0.1, 0.5, 6.0, 21.0]))
        else:
            self._leave()
        return self._out()

    def _a_clients(self) -> Frame:
        chance = self._random.random()
        if chance < 0.4:
            return self.mutator.audio()
        if chance < 0.45:
            return self.mutator.junk()
        return self.mutator.frame(self._random.choice(self._says))

    def _upstream_speaks(self) -> None:
        if not self.driver.core.upstream_may_send:
            return
        if not self.polite:
            self._upstream(self._an_upstreams())
        elif self._expected:
            self._upstream(self._expected.pop(0))

    def _an_upstreams(self) -> Frame:
        if self._expected and self._random.random() < 0.85:
            frame = self._expected.pop(0)
            if isinstance(frame, Text) and self._random.random() < 0.5:
                return self.mutator.frame(json.loads(frame.data))
            return frame
        chance = self._random.random()
        if chance < 0.05:
            return self.mutator.audio()
        if chance < 0.1:
            return self.mutator.junk()
        return self.mutator.frame(self._random.choice(self._events))

    def _client(self, frame: Frame) -> None:
        if not self.driver.core.client_may_send:
            return
        self.frames += 1
        self.driver.client(frame)

    def _upstream(self, frame: Frame) -> None:
        self.frames += 1
        self.driver.upstream(frame)

    def _advance(self, seconds: float) -> None:
        self.driver.advance(seconds)
        self._peer.advance(seconds)

    def _leave(self) -> None:
        code = self._random.choice([1000, 1001, 1006, 1011, 4000, 1005, 0, 70_000])
        how = self._random.randrange(3)
        if how == 0:
            self.driver.client_closes(code, "bye")
        elif how == 1:
            self.driver.upstream_closes(code, "ü" * 200)
        else:
            self.driver.upstream_fails(UpstreamFault("upstream_timeout", "Too late.", 1011))

    def _out(self) -> list[bytes]:
        core = self.driver.core
        if self.driver.asked_to_dial() is not None:
            self._meet()
            self.driver.upstream_opens()
        out = []
        while (frame := core.upstream.take()) is not None:
            out.append(frame.data)
            self._hear(frame)
        while not self.stalled and (frame := core.client.take()) is not None:
            out.append(frame.data)
            if self.kind in TRANSLATED:
                _check_message(frame, TRANSLATED[self.kind])
        self._expected += [_as_frame(one) for one in self._peer.frames()]
        del self._expected[:-400]
        return out

    def _hear(self, frame: Frame) -> None:
        if isinstance(frame, Text):
            try:
                self._peer.client(frame.data.decode())
            except UnicodeDecodeError:
                return  # the relay stops it before any socket
        else:
            self._peer.client(frame.data)
        self._peer.advance(0.01)

    def check(self, out: list[bytes], seconds: float, others: list[bytes]) -> None:
        """Raises Found."""
        if seconds > SLOW:
            raise Found(f"{self.kind}: a step took {seconds:.1f} s")
        core = self.driver.core
        error = core.ending.record.error if hasattr(core.ending, "record") else None
        if error in OURS_BROKE or RAISED.texts:
            raise Found(f"{self.kind}: {error}: {''.join(RAISED.texts[:1])}")
        for data in out:
            if any(other in data for other in others):
                raise Found(f"{self.kind} {self.token}: words of another session: {data[:2000]!r}")
        if self.polite and self.kind in TRANSLATED:
            self._check_events()
        if core.client.bytes > LIMITS.client_buffer + OVER:
            raise Found(f"{self.kind}: {core.client.bytes} bytes wait for a client without a bound")
        waiting = core.gate.bytes if core.gate is not None else 0
        if waiting > 4 * LIMITS.upstream_buffer and core.client_may_send:
            raise Found(f"{self.kind}: {waiting} bytes wait without a bound")

    def _check_events(self) -> None:
        for one in self._peer.violations:
            if (one.rule, one.event_type) != TOO_LATE:
                raise Found(f"{self.kind}: {one.event_type} breaks {one.rule}: {one.detail}")


def _check_message(frame: Frame, dialect: Any) -> None:
    if isinstance(frame, Text) and (problems := server_problems(json.loads(frame.data), dialect)):
        raise Found(f"no message of the {dialect} dialect: {frame.data[:500]!r}: {problems}")


def _as_frame(frame: Any) -> Frame:
    return Text.of(frame) if isinstance(frame, dict) else Binary(bytes(frame or b"\0\0"))


def witness() -> list[Any]:
    """A conversation nobody disturbs: what its client gets."""
    fuzzed = Fuzzed("openai", Random(0), "witness")
    driver = openai()
    fuzzed.driver = driver
    fuzzed._meet()
    heard: list[Any] = []
    for message in (SETTINGS, {"type": "InjectUserMessage", "content": "witness"}):
        driver.client(message)
        for _ in range(300):
            while (frame := driver.core.upstream.take()) is not None:
                fuzzed._hear(frame)
            for one in fuzzed._peer.frames():
                driver.upstream(_as_frame(one))
            fuzzed._advance(0.01)
            heard += driver.to_client()
    return [one["type"] if isinstance(one, dict) else one for one in heard]


def _check_witness(expected: list[Any]) -> None:
    if witness() != expected:
        raise Found("the undisturbed conversation was disturbed")


def batch(seed: int, frames: int = BATCH, random: Random | None = None) -> Counter[str]:
    """A group of sessions, one of each kind, in turns at random. Raises Found.

    Returns the wrong frames by kind of session, and under ``RIGHT`` how many were as they should.
    """
    chance = random or Random(seed)
    # No changed byte makes the word of one session that of another.
    group = [
        Fuzzed(kind, chance, f"{'abcdefgh'[number] * 8}{seed}")
        for number, kind in enumerate(sorted(KINDS))
    ]
    tokens = {one: one.token.encode() for one in group}
    try:
        while sum(one.frames for one in group) < frames:
            one = chance.choice(group)
            began = time.process_time()
            out = one.step()
            one.check(
                out,
                time.process_time() - began,
                [token for other, token in tokens.items() if other is not one],
            )
    except Found:
        raise
    except Exception as error:
        raise Found(f"{one.kind}: {type(error).__name__}: {error}") from error
    wrong = Counter({one.kind: one.mutator.wrong for one in group})
    wrong[RIGHT] = sum(one.frames for one in group) - wrong.total()
    return wrong


@contextmanager
def a_silent_simulator() -> Iterator[None]:
    """It would log every breach of the API, and this is nothing else."""
    logger = logging.getLogger("voiceproxy_simulator")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def run(count: int, seed: int, seconds: float = 0.0) -> Counter[str]:
    """Batches until so many wrong frames have crossed, or the time is over; see ``batch``."""
    logger = logging.getLogger("voiceproxy")
    logger.addHandler(RAISED)
    logger.propagate, propagated = False, logger.propagate
    total: Counter[str] = Counter()
    began, expected = time.perf_counter(), witness()
    try:
        while mutated(total) < count and (not seconds or time.perf_counter() - began < seconds):
            faulthandler.dump_traceback_later(HANG, exit=True)
            try:
                with a_silent_simulator():
                    total += batch(seed)
                    _check_witness(expected)
            except Found as found:
                raise Found(f"seed {seed}: {found}") from found
            seed += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
        logger.removeHandler(RAISED)
        RAISED.texts.clear()
        logger.propagate = propagated
    return total


def mutated(total: Counter[str]) -> int:
    """The wrong frames of a total."""
    return total.total() - total[RIGHT]


async def _in_a_loop(count: int, seed: int, seconds: float) -> Counter[str]:
    """Plugins may start tasks."""
    return run(count, seed, seconds)


def main() -> int:
    """Run and print; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Send mutated frames through sessions.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=0.0)
    given = parser.parse_args()
    seed = int(time.time()) if given.seed is None else given.seed
    began = time.perf_counter()
    try:
        total = asyncio.run(_in_a_loop(given.count, seed, given.seconds))
    except Found as found:
        print(found)
        return 1
    seconds = time.perf_counter() - began
    told = {"mutated": mutated(total), "frames": total.total(), "seconds": round(seconds)}
    print(json.dumps(told | {"seed": seed, **total}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
