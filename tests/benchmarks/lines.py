"""Many sessions through one proxy, both ends of each in this process, without a task or a timer.

The driver must not be what is measured, so it is a loop around epoll that sends frames made
before and counts what comes.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Sequence
from time import perf_counter

from .dialogues import AUDIO, Dialogue
from .proxies import Direct, Proxy
from .wire import BINARY, MASKED_PONG, PATIENCE, PONG, Peer


class Line:
    """One session: the client's end and the upstream's."""

    def __init__(self, proxy: Proxy | Direct, path: str, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        self.client = Peer(socket.create_connection(proxy.address), masked=True)
        self.client.ask(path)
        accepted, _ = proxy.upstream.accept()
        self.upstream = Peer(accepted, masked=False)
        self.upstream.answer()
        self.client.be_answered()
        self.under_way = 0
        """Frames of a closed loop that have not come through yet."""
        self.sent_up: deque[float] = deque()
        self.sent_down: deque[float] = deque()

    def apply_settings(self) -> None:
        """Up to ``SettingsApplied``."""
        self.dialogue.greet(self.upstream)
        self.client.send(self.dialogue.settings)
        self.dialogue.apply(self.upstream)
        self.client.until(b'"SettingsApplied"')

    def begin(self) -> None:
        """Up to one frame of audio each way, of which the agent's is the first of its reply."""
        self.apply_settings()
        self.client.socket.sendall(self.dialogue.up)
        self.upstream.until(b"")
        self.dialogue.begin_reply(self.upstream)
        self.upstream.socket.sendall(self.dialogue.down)
        self.client.until(AUDIO)

    def count(self) -> None:
        """From now on frames are counted, and no socket blocks."""
        self.from_proxy_up = self.upstream.counter(self.dialogue.audio_up)
        self.from_proxy_down = self.client.counter(BINARY)

    def end(self) -> None:
        """Hang up."""
        self.client.socket.close()
        self.upstream.socket.close()


class Switchboard:
    """All lines of all proxies. One side of one line is a file descriptor and what it counts."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ends: dict[int, tuple[Line, bool]] = {}
        self._batch = 0
        """How many frames are sent again once as many have come; 0: none."""
        self._arrived = 0
        self._limit = 0
        """How many are sent at all, in the whole of a closed loop."""
        self._sent = 0
        self.latencies: list[float] | None = None

    def add(self, line: Line) -> None:
        """From now on this line is looked after."""
        line.count()
        for peer, up in ((line.upstream, True), (line.client, False)):
            number = peer.socket.fileno()
            self._ends[number] = line, up
            self._epoll.register(number, select.EPOLLIN)

    def __enter__(self) -> Switchboard:
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up everywhere."""
        for line, up in self._ends.values():
            if up:
                line.end()
        self._ends.clear()
        self._epoll.close()

    # A closed loop: a line sends its next frames when the last ones have come through.

    def saturate(self, lines: Sequence[Line], *, up: bool, frames: int, batch: int = 1) -> None:
        """Send that many frames over these lines, ``batch`` of them at a time on each."""
        self._batch, self._limit, self._sent, self._arrived = batch, frames, 0, 0
        for line in lines:
            self._send_batch(line, up)
        self._run_until(frames)
        self._batch = 0

    def _send_batch(self, line: Line, up: bool) -> None:
        if self._sent < self._limit:
            self._sent += self._batch
            line.under_way = self._batch
            self._send(line, up, self._batch)

    def _send(self, line: Line, up: bool, times: int = 1) -> None:
        data = line.dialogue.up if up else line.dialogue.down
        if times > 1:
            data *= times
        end = line.client if up else line.upstream
        if end.socket.send(data) != len(data):
            raise BlockingIOError("the proxy takes less than the load gives")

    def _run_until(self, arrived: int) -> None:
        deadline = perf_counter() + PATIENCE
        while self._arrived < arrived:
            for number, _ in self._epoll.poll(1.0):
                self._receive(number)
            if perf_counter() > deadline:
                raise TimeoutError(f"{self._arrived} of {arrived} frames came through")

    # An open loop: microphones and loudspeakers keep their own pace.

    def converse(self, lines: Sequence[Line], seconds: float, pace: float = 1.0) -> int:
        """Every client sends 50 frames a second and every upstream 10. Returns how many.

        ``pace`` multiplies both rates.
        """
        schedule = _schedule(lines, seconds, pace)
        self._arrived = at = 0
        began = perf_counter()
        while at < len(schedule):
            due, line, up = schedule[at]
            now = perf_counter() - began
            if now >= due:
                if self.latencies is not None:
                    (line.sent_up if up else line.sent_down).append(began + due)
                self._send(line, up)
                at += 1
            else:
                self._serve(due - now)
        self._run_until(len(schedule))
        return len(schedule)

    def idle(self, seconds: float = 0.0) -> None:
        """Answer pings, take what is left over."""
        end = perf_counter() + seconds
        self._serve(0.0)
        while (left := end - perf_counter()) > 0:
            self._serve(left)

    def _serve(self, timeout: float) -> None:
        # epoll rounds to milliseconds; select does not, and may look at the epoll itself.
        if not select.select([self._epoll], [], [], timeout)[0]:
            return
        for number, _ in self._epoll.poll(0):
            self._receive(number)

    def _receive(self, number: int) -> None:
        line, up = self._ends[number]
        peer, counter = (
            (line.upstream, line.from_proxy_up) if up else (line.client, line.from_proxy_down)
        )
        data = peer.socket.recv(1 << 18)
        if not data:
            raise ConnectionError(f"the proxy of {line.dialogue.name} hung up")
        came = counter.feed(data)
        self._arrived += came
        if counter.pinged:
            counter.pinged = False
            peer.socket.send(PONG if up else MASKED_PONG)
        if self.latencies is not None:
            sent, now = (line.sent_up if up else line.sent_down), perf_counter()
            for _ in range(came):
                self.latencies.append(now - sent.popleft())
        if self._batch and came:
            line.under_way -= came
            if not line.under_way:
                self._send_batch(line, up)


def _schedule(lines: Sequence[Line], seconds: float, pace: float) -> list[tuple[float, Line, bool]]:
    """Who sends when, evenly spread over the lines, each direction by itself."""
    found: list[tuple[float, Line, bool]] = []
    for up, rate in ((True, 50 * pace), (False, 10 * pace)):
        step = 1 / rate / len(lines)
        turns = range(round(seconds * rate * len(lines)))
        found += [(turn * step, lines[turn % len(lines)], up) for turn in turns]
    return sorted(found, key=lambda entry: entry[0])
