"""The socket, processes and tasks around one conversation."""

from __future__ import annotations

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import ClientSession, WSMsgType
from yarl import URL

from voiceproxy.frames import ABNORMAL, NO_STATUS, Binary, Close, Frame, Text
from voiceproxy.talk import outputs
from voiceproxy.talk.keyboard import start_reading
from voiceproxy.talk.microphone import Microphone
from voiceproxy.talk.outputs import Outcome
from voiceproxy.talk.sound import SaveError, Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from aiohttp import ClientWebSocketResponse

    from voiceproxy.talk.display import Display
    from voiceproxy.talk.options import Options

    Socket = ClientWebSocketResponse[Literal[False]]

MAX_FRAME: Final = 64 * 2**20
CLOSE_TIMEOUT: Final = 2.0


async def talk(options: Options, display: Display) -> Outcome:
    """Connect, hold the conversation, and hang up."""
    async with ClientSession(trust_env=True) as http:
        try:
            socket = await _connect(http, options)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Neither the query nor the user's part of the URL: both may carry a secret.
            url = URL(options.url).with_user(None).with_query(None)
            return Outcome(1, f"cannot connect to {url}: {_explain(error, options)}")
        return await Client(socket, options, display).run()


async def _connect(http: ClientSession, options: Options) -> Socket:
    async with asyncio.timeout(options.timeout):
        return await http.ws_connect(
            options.url,
            headers=list(options.headers),
            max_msg_size=MAX_FRAME,
            compress=0,
            decode_text=False,
        )


def _explain(error: Exception, options: Options) -> str:
    match error:
        case aiohttp.WSServerHandshakeError(status=status):
            return f"the server answered with HTTP {status}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "connection refused; is the server running?"
        case aiohttp.ClientConnectorError(strerror=str(reason)):
            return reason
        case TimeoutError():
            return f"no answer within {options.timeout:g} s"
        case _:
            return str(error) or type(error).__name__


class Client:
    """One open connection. Everything that happens is taken from one queue, in order."""

    def __init__(self, socket: Socket, options: Options, display: Display) -> None:
        self._socket = socket
        self._options = options
        self._display = display
        self._conversation = options.make_conversation()
        self._sound = Sound(options.save, options.play, display)
        self._inbox: asyncio.Queue[Callable[[float], None]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._microphone: Microphone | None = None

    async def run(self) -> Outcome:
        """Hold the conversation to its end, whatever that is; leaves nothing open."""
        reader = asyncio.create_task(self._read(), name="reader")
        try:
            try:
                outcome = await self._converse()
            finally:
                await self._hang_up(reader)
            if outcome.status == 0:
                await self._sound.finish_playing()
            return outcome
        finally:
            await self._sound.close()

    async def _converse(self) -> Outcome:
        conversation = self._conversation
        if self._options.keyboard is not None:
            start_reading(self._options.keyboard, self._say, self._stop_saying)
        try:
            conversation.open(time.monotonic())
            await self._perform()
            while conversation.outcome is None:
                await self._step()
                await self._perform()
        except TimeoutError:
            return Outcome(1, f"the agent took nothing for {self._options.timeout:g} s")
        except SaveError as error:
            return Outcome(1, str(error))
        return conversation.outcome

    async def _step(self) -> None:
        """Wait for the next thing to happen, or until something is due."""
        delay = self._conversation.deadline() - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                happen = await self._inbox.get()
                happen(time.monotonic())
        self._conversation.tick(time.monotonic())

    async def _hang_up(self, reader: asyncio.Task[None]) -> None:
        """Close the connection, with 1000; the audio that came is safe before."""
        self._sound.finish_file()
        if self._microphone is not None:
            await self._microphone.close()
        reader.cancel()
        await asyncio.wait([reader])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._socket.close()

    # What happens

    async def _read(self) -> None:
        """Read until the agent closes; the close is the last thing that happens."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT:
                self._inbox.put_nowait(partial(self._receive, Text(message.data)))
            elif message.type is WSMsgType.BINARY:
                self._inbox.put_nowait(partial(self._receive, Binary(message.data)))
            else:
                close = Close(ABNORMAL, "connection lost")
                if message.type is WSMsgType.CLOSE:
                    close = Close(message.data or NO_STATUS, message.extra or "")
                self._inbox.put_nowait(partial(self._conversation.close, close))
                return

    def _receive(self, frame: Frame, now: float) -> None:
        self._display.receive(frame)
        self._conversation.receive(frame, now)

    def _say(self, line: str) -> None:
        self._from_thread(partial(self._conversation.say, line))

    def _stop_saying(self) -> None:
        self._from_thread(self._conversation.stop_saying)

    def _from_thread(self, happen: Callable[[float], None]) -> None:
        # The loop may be gone already: then nobody waits for the line.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, happen)

    def _hear(self, chunk: bytes) -> None:
        self._inbox.put_nowait(partial(self._conversation.hear, chunk))

    def _stop_hearing(self) -> None:
        self._inbox.put_nowait(self._conversation.stop_hearing)

    # What follows

    async def _perform(self) -> None:
        for output in self._conversation.take():
            match output:
                case outputs.Send(frame):
                    await self._send(frame)
                case outputs.Sounded(data):
                    self._sound.take(data)
                case outputs.Hushed():
                    self._sound.hush()
                case outputs.Listen() if self._options.recorder:
                    self._listen(self._options.recorder)
                case _:
                    self._display.show(output)

    async def _send(self, frame: Frame) -> None:
        opcode = WSMsgType.BINARY if isinstance(frame, Binary) else WSMsgType.TEXT
        # A lost connection is for the reader to report: it knows how it ended.
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(self._options.timeout):
                await self._socket.send_frame(frame.data, opcode)

    def _listen(self, recorder: Sequence[str]) -> None:
        self._microphone = Microphone(recorder, self._hear, self._stop_hearing)
        self._microphone.start()
        self._display.note("listening; with headphones the agent does not hear itself")
